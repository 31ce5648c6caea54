# The XFS part of mkimages.sh, which sources it.
# shellcheck shell=bash disable=SC2154,SC2086

# --unsupported allows filesystems below 300 MB.
mkxfs() { mkfs.xfs --unsupported -q -f "$@" 2>&1 | grep -v -e unsupported -e deprecated >&2 || return "${PIPESTATUS[0]}"; }

# newer COMMAND...: runs a newer release's xfsprogs, with its / at $tools.
tools=$out/.tools
newer() {
	if [[ ! -e $tools/.complete ]]; then
		printf 'mkimages: newer xfsprogs\n' >&2
		rm -rf "$tools"
		debootstrap --variant=minbase --include=xfsprogs trixie "$tools" "${DEBIAN_MIRROR:-http://deb.debian.org/debian}" >"$out/.tools.log" 2>&1
		touch "$tools/.complete"
	fi
	chroot "$tools" "$@"
}

# xfs NAME SIZE MKFS-ARGUMENTS [FILL-ARGUMENTS [MOUNT-OPTIONS]]
xfs() {
	local name=$1 size=$2 mkfs=$3 fill=${4-} options=${5-}
	missing "$name" || return 0
	truncate -s "$size" "$name.tmp"
	mkxfs -L "${name:0:12}" $mkfs "$name.tmp"
	mounted "$name.tmp" "$options" fill "$mnt" $fill
	mv "$name.tmp" "$name.img"
}

# xfsnew: as xfs, by the newer xfsprogs.
xfsnew() {
	local name=$1 size=$2 mkfs=$3 fill=${4-}
	missing "$name" || return 0
	newer truncate -s "$size" image
	newer mkfs.xfs --unsupported -q -f -L "${name:0:12}" $mkfs image 2>/dev/null
	mv "$tools/image" "$name.tmp"
	mounted "$name.tmp" "" fill "$mnt" $fill
	mv "$name.tmp" "$name.img"
}

# xfsuml: as xfs, for what only the User-mode Linux kernel mounts.
xfsuml() {
	local name=$1 size=$2 mkfs=$3 fill=${4-} options=${5-}
	missing "$name" || return 0
	truncate -s "$size" "$name.tmp"
	mkxfs -L "${name:0:12}" $mkfs "$name.tmp"
	"$here/uml.sh" "$name.tmp" -- sh -ec "
		mount -o '${options:-rw}' /dev/ubda '$mnt'
		python3 '$here/filltree.py' '$mnt' $fill
		umount '$mnt'
		mount -o ro,nouuid /dev/ubda '$mnt'
		'$out/.manifest' '$mnt' >'$name.manifest'
		umount '$mnt'"
	mv "$name.tmp" "$name.img"
}

# dirty NAME MKFS-ARGUMENTS MOUNT-OPTIONS END BUSY-ARGUMENTS
dirty() {
	local name=$1 mkfs=$2 options=$3 end=$4 busy=$5
	missing "$name" || return 0
	truncate -s 64M "$name.tmp"
	mkxfs -L "${name:0:12}" $mkfs "$name.tmp"
	mounted "$name.tmp" "" fill "$mnt" --sections hardlinks,xattrs,symlinks
	crash "$name.tmp" "$options" "$end" $busy
	mv "$name.tmp" "$name.img"
}

xfs default 200M "" "--big 30000 --extents 2500 --xattrs 3000"
xfs b1k 160M "-b size=1024" "--block 1024 --extents 2000 --xattrs 3000 --big 10000"
xfs b2k 128M "-b size=2048" "--block 2048 --xattrs 500"
xfs b8k 200M "-b size=8192" "--block 8192 --extents 300 --xattrs 500"
xfs b16k 300M "-b size=16384" "--block 16384 --extents 300 --xattrs 500"
xfs b32k 400M "-b size=32768" "--block 32768 --extents 300 --xattrs 500"
xfs b64k 700M "-b size=65536" "--block 65536 --extents 300 --xattrs 500"
xfs sector4k 96M "-s size=4096" "--xattrs 100"
xfs i1024 96M "-i size=1024" "--xattrs 100"
xfs i2048 96M "-i size=2048" "--xattrs 100 --extents 600"
xfs n8k 96M "-n size=8192" "--big 3000"
xfs n16k-b1k 96M "-b size=1024 -n size=16384" "--block 1024 --big 3000"
xfs n64k 128M "-n size=65536" "--big 20000"
xfs nrext64 96M "-i nrext64=1" "--xattrs 1000 --extents 800"
xfs nrext64-b1k 96M "-b size=1024 -i nrext64=1" "--block 1024 --xattrs 1000 --extents 800"
xfs rmapbt 96M "-m rmapbt=1" ""
xfs nosparse 96M "-i sparse=0" ""
xfs nofinobt 96M "-m finobt=0,inobtcount=0" ""
xfs noreflink 96M "-m reflink=0" ""
xfs nobigtime 96M "-m bigtime=0,inobtcount=0" ""
xfs manyags 256M "-d agcount=16" "--big 3000"
xfs striped 128M "-d su=64k,sw=4 -l su=64k" "--extents 300"
xfs extsize 128M "-d extszinherit=16" "--extents 300"
xfs logv2-small 96M "-l size=8m" ""

# Inode numbers beyond 32 bits: directories spread over groups of a terabyte.
xfs huge 4T "-K -d agcount=5 -l size=64m" "--sections dirs,names,symlinks,hardlinks,devices,xattrs --xattrs 50"

# What newer mkfs.xfs makes by default, and what it adds.
xfsnew newdefault 128M "" "--xattrs 500 --extents 800"
xfsnew parent 128M "-n parent=1 -i exchange=1" "--big 3000 --xattrs 200"
xfsnew metadir 128M "-m metadir=1" ""

# Sparse inode chunks, which only a filesystem short of contiguous space has.
if missing sparseinodes; then
	truncate -s 64M sparseinodes.tmp
	mkxfs -m rmapbt=1 sparseinodes.tmp
	mounted sparseinodes.tmp "" python3 - "$mnt" <<-'PYTHON'
		import ctypes, os, sys
		libc = ctypes.CDLL(None)
		libc.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
		os.chdir(sys.argv[1])
		fd = os.open("full", os.O_CREAT | os.O_RDWR)
		size = 0
		while libc.fallocate(fd, 0, size, 65536) == 0:
		    size += 65536
		for off in range(0, size, 8 * 4096):
		    libc.fallocate(fd, 3, off, 4096)  # punch a hole of one block
		os.mkdir("d")
		try:
		    for i in range(3000):
		        with open(f"d/{i}", "w") as f:
		            f.write(f"{i}\n")
		except OSError as e:
		    print("sparseinodes:", i, e)
	PYTHON
	mv sparseinodes.tmp sparseinodes.img
fi

if missing grown; then
	truncate -s 64M grown.tmp
	mkxfs grown.tmp
	mounted grown.tmp "" fill "$mnt" --sections dirs,names,symlinks
	truncate -s 300M grown.tmp
	mounted grown.tmp "" bash -ec 'xfs_growfs "$1" >/dev/null; shift; python3 "$@"' - "$mnt" "$here/busy.py" "$mnt" --steps 300
	mv grown.tmp grown.img
fi

if missing metauuid; then
	truncate -s 64M metauuid.tmp
	mkxfs metauuid.tmp
	mounted metauuid.tmp "" fill "$mnt" --sections dirs,xattrs,fragmented
	xfs_admin -U 0a1b2c3d-4e5f-4a0b-8c1d-2e3f4a5b6c7d metauuid.tmp >/dev/null
	mv metauuid.tmp metauuid.img
fi

# The fourth version of the format has no checksums; few kernels still mount it.
xfsuml v4 96M "-m crc=0" "--xattrs 500 --extents 600 --big 3000"
xfsuml v4-noftype 96M "-m crc=0 -n ftype=0" "--big 3000"
xfsuml v4-b512 96M "-m crc=0 -b size=512 -i size=256" "--block 512 --extents 600 --xattrs 300"
xfsuml v4-i2048 96M "-m crc=0 -i size=2048,attr=1,projid32bit=0 -l version=1,lazy-count=0" "--xattrs 100"
xfsuml v4-n8k 96M "-m crc=0 -b size=2048 -n size=8192" "--block 2048 --big 3000"
xfsuml asciici 96M "-n version=ci" "--sections dirs,hardlinks,symlinks,xattrs --big 1000"
xfsuml quota 96M "" "--sections owners,dirs" "uquota,gquota,pquota"

# Realtime files have their bytes on a second device, which the image has not.
if missing realtime; then
	truncate -s 64M realtime.tmp realtime.rt
	mkxfs -d rtinherit=1 -m reflink=0,rmapbt=0 -r rtdev=realtime.rt realtime.tmp
	"$here/uml.sh" realtime.tmp realtime.rt -- sh -ec "
		mount -o rtdev=/dev/ubdb /dev/ubda '$mnt'
		mkdir '$mnt/etc'
		seq 100000 >'$mnt/etc/numbers'
		umount '$mnt'"
	rm realtime.rt
	echo 10 >realtime.exit
	mv realtime.tmp realtime.img
fi

# Logs that have to be recovered: 24 points at which a machine stopped.
small="-l size=8m"
dirty dirty-01 "" "" shutdown "--seed 1 --steps 3 --sync 100"
dirty dirty-02 "" "" flush "--seed 2 --steps 10"
dirty dirty-03 "" "" flush "--seed 3 --steps 40"
dirty dirty-04 "" "" shutdown "--seed 4 --steps 100 --sync 10"
dirty dirty-05 "" "" flush "--seed 5 --steps 300"
dirty dirty-06 "" "" shutdown "--seed 6 --steps 600 --sync 20"
dirty dirty-07 "" "" flush "--seed 7 --steps 1500"
dirty dirty-08 "" "" copy "--seed 8 --steps 50 --sync 50"
dirty dirty-09 "" "" copy "--seed 9 --steps 400"
dirty dirty-10 "" "" freeze "--seed 10 --steps 200"
dirty dirty-11 "-b size=1024" "" flush "--seed 11 --steps 400"
dirty dirty-12 "-b size=1024" "" shutdown "--seed 12 --steps 400 --sync 20"
dirty dirty-13 "-m rmapbt=1" "" flush "--seed 13 --steps 400"
dirty dirty-14 "-m rmapbt=1" "" shutdown "--seed 14 --steps 300 --sync 20"
dirty dirty-15 "-m reflink=0" "" flush "--seed 15 --steps 400"
dirty dirty-16 "-i nrext64=1" "" flush "--seed 16 --steps 400"
dirty dirty-17 "-m bigtime=0,inobtcount=0" "" flush "--seed 17 --steps 400"
dirty dirty-18 "-i sparse=0,size=1024" "" flush "--seed 18 --steps 400"
dirty dirty-19 "$small" "" flush "--seed 19 --steps 3000"
dirty dirty-20 "$small" logbsize=256k shutdown "--seed 20 --steps 2500 --sync 5"
dirty dirty-21 "" logbsize=256k flush "--seed 21 --steps 800 --sync 0"
dirty dirty-22 "-l su=64k" "" flush "--seed 22 --steps 600"
dirty dirty-23 "-n size=16384 -d agcount=4" "" flush "--seed 23 --steps 600"
dirty dirty-24 "-s size=4096 $small" "" copy "--seed 24 --steps 1500 --sync 15"

# One of the fourth version, whose log has no checksums.
if missing dirty-v4; then
	truncate -s 64M dirty-v4.tmp
	mkxfs -m crc=0 dirty-v4.tmp
	"$here/uml.sh" dirty-v4.tmp -- sh -ec "
		mount /dev/ubda '$mnt'
		python3 '$here/filltree.py' '$mnt' --sections hardlinks,xattrs,symlinks
		python3 '$here/busy.py' '$mnt' --seed 25 --steps 400 --end flush
		umount '$mnt'"
	cp --sparse=always dirty-v4.tmp copy.tmp
	"$here/uml.sh" copy.tmp -- sh -ec "
		mount /dev/ubda '$mnt'
		'$out/.manifest' '$mnt' >dirty-v4.manifest
		umount '$mnt'"
	rm copy.tmp
	mv dirty-v4.tmp dirty-v4.img
fi
