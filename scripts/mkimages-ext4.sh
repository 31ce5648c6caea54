# The ext2, ext3 and ext4 part of mkimages.sh, which sources it.
# shellcheck shell=bash disable=SC2154,SC2086

# ext NAME SIZE MKFS-ARGUMENTS [FILL-ARGUMENTS [MOUNT-OPTIONS]]
ext() {
	local name=$1 size=$2 mkfs=$3 fill=${4-} options=${5-}
	missing "$name" || return 0
	truncate -s "$size" "$name.tmp"
	mke2fs -q -F -b 4096 -L "${name:0:16}" $mkfs "$name.tmp"
	mounted "$name.tmp" "$options" fill "$mnt" $fill
	mv "$name.tmp" "$name.img"
}

# dirty NAME MKFS-ARGUMENTS MOUNT-OPTIONS END BUSY-ARGUMENTS
dirty() {
	local name=$1 mkfs=$2 options=$3 end=$4 busy=$5
	missing "$name" || return 0
	truncate -s 64M "$name.tmp"
	mke2fs -q -F -b 4096 -L "${name:0:16}" $mkfs "$name.tmp"
	mounted "$name.tmp" "" fill "$mnt" --sections hardlinks,xattrs,symlinks
	crash "$name.tmp" "$options" "$end" $busy
	mv "$name.tmp" "$name.img"
}

big="--big 30000 --extents 1500"

# ext2 and ext3: indirect blocks, linear directories, times without nanoseconds.
ext ext2-1k 96M "-t ext2 -b 1024 -I 128" "--block 1024 --extents 1000 --big 5000"
ext ext2-2k 96M "-t ext2 -b 2048 -I 256" "--block 2048"
ext ext2-4k 128M "-t ext2 -b 4096 -I 128" "--extents 600"
ext ext2-nofiletype 96M "-t ext2 -b 1024 -O ^filetype,^dir_index" "--block 1024"
ext ext2-rev0 96M "-t ext2 -r 0 -b 1024 -O none -I 128" "--block 1024"
ext ext2-nosparse 96M "-t ext2 -b 1024 -g 1024 -O ^sparse_super,^resize_inode" "--block 1024"
ext ext3-1k 96M "-t ext3 -b 1024 -J size=4" "--block 1024 --extents 1000"
ext ext3-4k 128M "-t ext3 -b 4096 -I 256" "--extents 600"
ext ext3-htree 128M "-t ext3 -b 1024 -O dir_index" "--block 1024 --big 30000"

# ext4, one option after the other.
ext default 160M "-t ext4 -b 4096" "$big"
ext 1k 160M "-t ext4 -b 1024" "--block 1024 --extents 1500 --big 10000"
ext 2k 128M "-t ext4 -b 2048" "--block 2048"
ext i128 128M "-t ext4 -I 128" ""
ext i512 128M "-t ext4 -I 512" ""
ext i1024-1k 96M "-t ext4 -b 1024 -I 1024 -O inline_data" "--block 1024"
ext i4096 128M "-t ext4 -I 4096 -N 16384" ""
ext i4096-inline 128M "-t ext4 -I 4096 -N 16384 -O inline_data" ""
ext noextents 128M "-t ext4 -O ^extent,^64bit" "--extents 600"
ext nofiletype 96M "-t ext4 -O ^filetype" ""
ext no64bit 96M "-t ext4 -O ^64bit" ""
ext nocsum 96M "-t ext4 -O ^metadata_csum,uninit_bg" "--big 3000"
ext nocsum-nogdt 96M "-t ext4 -O ^metadata_csum,^uninit_bg" ""
ext csumseed 96M "-t ext4 -O metadata_csum,metadata_csum_seed" ""
ext noflexbg 96M "-t ext4 -O ^flex_bg" ""
ext flexbg-1k 96M "-t ext4 -b 1024 -g 1024 -G 4" "--block 1024"
ext metabg-1k 96M "-t ext4 -b 1024 -g 512 -O meta_bg,^resize_inode" "--block 1024"
ext metabg 160M "-t ext4 -g 2048 -O meta_bg,^resize_inode,^64bit" ""
ext sparsesuper2 96M "-t ext4 -g 4096 -O sparse_super2,^resize_inode" ""
ext bigalloc 160M "-t ext4 -O bigalloc -C 65536" "--extents 100"
ext bigalloc-1k 128M "-t ext4 -b 1024 -O bigalloc -C 16384" "--block 1024"
ext inline 128M "-t ext4 -O inline_data" ""
ext inline-eainode 128M "-t ext4 -O inline_data,ea_inode" "--xattrs 60"
ext eainode 128M "-t ext4 -O ea_inode" "--xattrs 60"
ext eainode-1k-i128 128M "-t ext4 -b 1024 -I 128 -O ea_inode" "--block 1024 --xattrs 20"
ext nodirindex 96M "-t ext4 -O ^dir_index" "--big 3000"
ext largedir-1k 160M "-t ext4 -b 1024 -N 60000 -O large_dir" "--block 1024 --long-names 45000 --sections dirs"
ext orphanfile 96M "-t ext4 -O orphan_file" ""
ext mmp 96M "-t ext4 -O mmp -E mmp_update_interval=1" "--sections dirs"
ext nojournal 96M "-t ext4 -O ^has_journal" ""
ext packed 96M "-t ext4 -E packed_meta_blocks=1,stride=16,stripe_width=64 -m 0" ""
ext fastcommit 96M "-t ext4 -O fast_commit" "" ""
ext nodelalloc 96M "-t ext4 -O stable_inodes" "--sections sizes,sparse,unwritten,fragmented,clones --extents 700" "nodelalloc"

# A UUID that changed after the checksums were made (metadata_csum_seed).
if missing csumseed-newuuid; then
	truncate -s 64M csumseed-newuuid.tmp
	mke2fs -q -F -b 4096 -t ext4 -O metadata_csum,metadata_csum_seed csumseed-newuuid.tmp
	mounted csumseed-newuuid.tmp "" fill "$mnt" --sections dirs,xattrs,fragmented
	tune2fs -U random csumseed-newuuid.tmp >/dev/null
	mv csumseed-newuuid.tmp csumseed-newuuid.img
fi

# Quota files are made afterwards: this kernel cannot keep them up to date.
if missing quota; then
	truncate -s 96M quota.tmp
	mke2fs -q -F -b 4096 -t ext4 quota.tmp
	mounted quota.tmp "" fill "$mnt" --sections owners,dirs,hardlinks
	tune2fs -O project,quota -Q usrquota,grpquota,prjquota quota.tmp >tune2fs.log
	mv quota.tmp quota.img
fi

# Grown and shrunk after its creation.
if missing resized; then
	truncate -s 40M resized.tmp
	mke2fs -q -F -t ext4 -b 1024 -g 1024 resized.tmp
	mounted resized.tmp "" fill "$mnt" --block 1024 --sections dirs,names,symlinks,acls
	# resize2fs insists on a check that is newer than the last mount.
	truncate -s 400M resized.tmp
	e2fsck -fy resized.tmp >resize.log 2>&1
	resize2fs resized.tmp >>resize.log 2>&1
	mounted resized.tmp "" busy "$mnt" --steps 300
	e2fsck -fy resized.tmp >>resize.log 2>&1
	resize2fs resized.tmp 96M >>resize.log 2>&1
	mv resized.tmp resized.img
fi

# Block sizes above the page size cannot be mounted here: mke2fs copies a tree
# instead, by whole seconds, and without what it cannot copy: large device
# numbers, times after 2038, hard links of symlinks.
for block in 8192 16384 32768 65536; do
	name=block$((block / 1024))k
	missing "$name" || continue
	rm -rf source
	mkdir source
	fill source --block "$block" --extents 300 --sections sizes,sparse,fragmented,dirs,names,symlinks,hardlinks,modes,owners,xattrs,acls
	rm -f source/sparse/{tera,peta} source/hardlinks/b/*symlink
	truncate -s 1G "$name.tmp"
	mke2fs -q -F -t ext4 -b "$block" -N 65536 -d source "$name.tmp" 2>mke2fs.log
	manifest source | sed 's/,"nsec":[0-9]*//' >"$name.manifest"
	rm -rf source
	mv "$name.tmp" "$name.img"
done

# This kernel has no Unicode tables, so it mounts no filesystem with casefold:
# the feature and the directories' flag are set behind its back. The names on
# disk are the same either way.
if missing casefold; then
	truncate -s 64M casefold.tmp
	mke2fs -q -F -b 4096 -t ext4 casefold.tmp
	mounted casefold.tmp "" fill "$mnt" --sections dirs,names
	mounted casefold.tmp ro manifest "$mnt" >casefold.manifest
	debugfs -w -f - casefold.tmp >debugfs.log 2>&1 <<-'DEBUGFS'
		feature casefold
		set_super_value encoding 1
		set_inode_field /dirs/0000 flags 0x40080000
		set_inode_field /dirs/0010 flags 0x40080000
	DEBUGFS
	mv casefold.tmp casefold.img
fi

# Nor has it fs-verity. A verity file has its hash tree after its end.
if missing verity; then
	truncate -s 64M verity.tmp
	mke2fs -q -F -b 4096 -t ext4 verity.tmp
	mounted verity.tmp "" fill "$mnt" --sections unwritten,sizes
	mounted verity.tmp ro manifest "$mnt" >verity.manifest
	debugfs -w -f - verity.tmp >debugfs.log 2>&1 <<-'DEBUGFS'
		feature verity
		set_inode_field /unwritten/past-eof flags 0x180000
	DEBUGFS
	mv verity.tmp verity.img
fi

# No archive can carry a path that is longer than PATH_MAX.
if missing deep; then
	truncate -s 32M deep.tmp
	mke2fs -q -F -b 4096 -t ext4 deep.tmp
	mounted deep.tmp "" fill "$mnt" --sections names --deep
	echo 10 >deep.exit
	mv deep.tmp deep.img
fi

if missing encrypted; then
	truncate -s 64M encrypted.tmp
	mke2fs -q -F -b 4096 -t ext4 -O encrypt encrypted.tmp
	mounted encrypted.tmp "" python3 "$here/encrypt.py" "$mnt/vault"
	echo 13 >encrypted.exit
	mv encrypted.tmp encrypted.img
fi

# Journals that the kernel has to replay.
ordered="-t ext4 -b 4096"
dirty dirty-shutdown "$ordered" "" shutdown "--seed 1 --steps 400"
dirty dirty-flush "$ordered" "" flush "--seed 2 --steps 400"
dirty dirty-copy "$ordered" "" copy "--seed 3 --steps 400"
dirty dirty-freeze "$ordered" "" freeze "--seed 4 --steps 400"
dirty dirty-few "$ordered" "" flush "--seed 5 --steps 12"
dirty dirty-1k "-t ext4 -b 1024" "" flush "--seed 6 --steps 500"
dirty dirty-journaldata "$ordered" data=journal flush "--seed 7 --steps 200"
dirty dirty-journaldata-1k "-t ext4 -b 1024" data=journal shutdown "--seed 8 --steps 200 --sync 20"
dirty dirty-writeback "$ordered" data=writeback shutdown "--seed 9 --steps 300 --sync 10"
dirty dirty-wrap "-t ext4 -b 1024 -J size=1" "" flush "--seed 10 --steps 1500 --sync 10"
dirty dirty-wrap-data "-t ext4 -b 4096 -J size=4" data=journal flush "--seed 11 --steps 500 --sync 10"
dirty dirty-nocsum "-t ext4 -O ^metadata_csum,^64bit" "" flush "--seed 12 --steps 400"
dirty dirty-csumv1 "-t ext4 -O ^metadata_csum" journal_checksum flush "--seed 13 --steps 400"
dirty dirty-async "-t ext4" journal_async_commit,data=writeback flush "--seed 14 --steps 400"
dirty dirty-ext3 "-t ext3 -b 1024" "" flush "--seed 15 --steps 500"
dirty dirty-ext3-4k "-t ext3 -b 4096" data=journal shutdown "--seed 16 --steps 300 --sync 15"
dirty dirty-orphanfile "-t ext4 -O orphan_file" "" flush "--seed 17 --steps 800"
dirty dirty-inline "-t ext4 -O inline_data,ea_inode" "" flush "--seed 18 --steps 500"
dirty dirty-bigalloc "-t ext4 -O bigalloc -C 16384" "" flush "--seed 19 --steps 400"
dirty dirty-fastcommit "-t ext4 -O fast_commit" "" shutdown "--seed 20 --steps 400 --sync 30"
dirty dirty-fastcommit-1k "-t ext4 -b 1024 -O fast_commit" "" shutdown "--seed 21 --steps 200 --sync 50"
dirty dirty-meta "-t ext4 -b 1024 -O meta_bg,^resize_inode" "" copy "--seed 22 --steps 500"
