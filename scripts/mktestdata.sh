#!/bin/bash
# Makes the small images in testdata/images and, from the kernel's view of them,
# the golden manifests in testdata/golden. What they hold is committed, so this
# runs only when an image is added:
#
#	mktestdata.sh [NAME...]
#
# Without names it makes what is missing.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
images=$here/../testdata/images
golden=$here/../testdata/golden
work=$(mktemp -d)
mnt=$work/mnt
mkdir -p "$images" "$golden" "$mnt"
trap 'umount "$mnt" 2>/dev/null || true; rm -rf "$work"' EXIT
cd "$work"
(cd "$here/.." && CGO_ENABLED=0 go build -tags oracle -o "$work/manifest" ./scripts/manifest)

for name; do rm -f "$images/$name".* "$golden/$name".*; done

missing() { ! ls "$images/$1".* >/dev/null 2>&1 && echo "mktestdata: $1" >&2; }
mounted() {
	local image=$1 options=$2 status=0
	shift 2
	mount -o "loop${options:+,$options}" "$image" "$mnt"
	"$@" || status=$?
	umount "$mnt"
	return $status
}
compress() { zstd -q -19 --long=25 -f -o "$1"; }
fill() { python3 "$here/filltree.py" "$mnt" --small "$@"; }
busy() { python3 "$here/busy.py" "$mnt" --small "$@"; }
# pack NAME: commits NAME.img, and the kernel's view of a copy of it.
pack() {
	cp --sparse=always "$1.img" "$1.copy"
	mounted "$1.copy" "" ./manifest golden "$mnt" | compress "$golden/$1.txt.zst"
	compress "$images/$1.img.zst" <"$1.img"
}
ext() {
	truncate -s "$2" "$1.img"
	mke2fs -q -F -b 4096 -L "$1" -E hash_seed=6d1f3b0a-9c11-4f7a-8c3e-52b14a559d0e $3 "$1.img"
}
xfs() {
	truncate -s "$2" "$1.img"
	mkfs.xfs --unsupported -q -f -L "$1" $3 "$1.img" 2>/dev/null
}

if missing ext4-1k; then
	ext ext4-1k 16M "-t ext4 -b 1024 -J size=1"
	mounted ext4-1k.img "" fill --block 1024 --extents 400 --big 1200
	pack ext4-1k
fi
if missing ext4-4k; then
	ext ext4-4k 24M "-t ext4 -O inline_data,ea_inode,metadata_csum_seed -J size=4"
	mounted ext4-4k.img "" fill --xattrs 30 --extents 30
	pack ext4-4k
fi
if missing ext4-bigalloc; then
	ext ext4-bigalloc 16M "-t ext4 -b 1024 -O bigalloc,orphan_file -C 8192 -J size=1"
	mounted ext4-bigalloc.img "" fill --block 1024 --extents 20 --sections sizes,sparse,unwritten,fragmented,dirs,hardlinks
	pack ext4-bigalloc
fi
if missing ext4-metabg; then
	ext ext4-metabg 16M "-t ext4 -b 1024 -g 256 -O meta_bg,^resize_inode,^metadata_csum,uninit_bg -J size=1"
	mounted ext4-metabg.img "" fill --block 1024 --sections sizes,dirs,symlinks,xattrs,owners
	pack ext4-metabg
fi
if missing ext3; then
	ext ext3 16M "-t ext3 -b 1024 -I 128 -J size=1"
	mounted ext3.img "" fill --block 1024 --extents 400
	pack ext3
fi
if missing ext2; then
	ext ext2 16M "-t ext2 -r 0 -b 1024 -O none -I 128"
	mounted ext2.img "" fill --block 1024 --sections sizes,sparse,dirs,symlinks,times,devices
	pack ext2
fi
if missing ext4-dirty; then
	ext ext4-dirty 16M "-t ext4 -b 1024 -J size=1"
	mounted ext4-dirty.img "" fill --sections hardlinks,symlinks
	mounted ext4-dirty.img data=journal busy --seed 3 --steps 150 --end flush
	pack ext4-dirty
fi
if missing ext4-fastcommit; then
	ext ext4-fastcommit 16M "-t ext4 -b 1024 -O fast_commit -J size=2"
	mounted ext4-fastcommit.img "" fill --sections hardlinks
	mounted ext4-fastcommit.img "" busy --seed 4 --steps 60 --sync 50 --end shutdown
	pack ext4-fastcommit
fi
if missing xfs; then
	xfs xfs 24M "-l size=6m"
	mounted xfs.img "" fill --xattrs 400 --extents 300 --big 1500
	pack xfs
fi
if missing xfs-1k; then
	xfs xfs-1k 24M "-b size=1024 -n size=4096 -i nrext64=1 -m rmapbt=1 -l size=6m"
	mounted xfs-1k.img "" fill --block 1024 --extents 200 --sections sizes,sparse,unwritten,fragmented,dirs,names,symlinks,xattrs,acls,clones
	pack xfs-1k
fi
if missing xfs-dirty; then
	xfs xfs-dirty 24M "-l size=6m"
	mounted xfs-dirty.img "" fill --sections hardlinks,symlinks
	mounted xfs-dirty.img "" busy --seed 5 --steps 150 --end flush
	pack xfs-dirty
fi
if missing xfs-v4; then # no directory entry types, no checksums
	xfs xfs-v4 24M "-m crc=0 -n ftype=0 -i size=256 -l size=6m"
	"$here/uml.sh" xfs-v4.img -- bash -ec "
		mount /dev/ubda '$mnt'
		python3 '$here/filltree.py' '$mnt' --small --xattrs 300 --extents 100 --big 500
		umount '$mnt'
		mount -o ro /dev/ubda '$mnt'
		./manifest golden '$mnt' >xfs-v4.txt
		umount '$mnt'"
	compress "$golden/xfs-v4.txt.zst" <xfs-v4.txt
	compress "$images/xfs-v4.img.zst" <xfs-v4.img
fi
if missing demo; then
	bash "$here/mkdemo.sh" "$work/demo.raw" "$mnt"
	qemu-img convert -f raw -O qcow2 -c demo.raw "$images/demo.qcow2"
	mounted demo.raw offset=$((4 * 1048576)),sizelimit=$((44 * 1048576)) ./manifest "$mnt" | compress "$golden/demo.jsonl.zst"
fi
if missing mbr; then # the root on a logical partition, /boot on a primary one
	truncate -s 24M mbr.img
	printf 'label: dos\nlabel-id: 0x5a17c0de\n1M,4M,L\n5M,18M,E\n6M,2M,L\n9M,12M,L,*\n' | sfdisk -q mbr.img
	ext boot 4M "-t ext2 -b 1024 -U 11111111-2222-4333-8444-555555555555"
	mounted boot.img "" sh -c 'echo kernel >"$1/vmlinuz"; mkdir "$1/grub"; echo "set timeout=0" >"$1/grub/grub.cfg"' - "$mnt"
	ext home 2M "-t ext4 -b 1024 -O ^has_journal -N 64"
	mounted home.img "" sh -c 'mkdir "$1/user"; chown 1000:1000 "$1/user"; echo hello >"$1/user/notes"' - "$mnt"
	ext root 12M "-t ext4 -b 1024 -J size=1 -U 11111111-2222-4333-8444-666666666666"
	mounted root.img "" bash -ec '
		cd "$1"
		mkdir -p etc usr/bin boot home var dev proc
		ln -s usr/bin bin
		printf "UUID=11111111-2222-4333-8444-666666666666 / ext4 defaults 0 1\nUUID=11111111-2222-4333-8444-555555555555 /boot ext2 defaults 0 2\nPARTUUID=5a17c0de-05 /home ext4 defaults 0 2\n" >etc/fstab
		printf "ID=demo\nPRETTY_NAME=\"MBR demo\"\n" >etc/os-release
		echo hidden >boot/under-the-mount' - "$mnt"
	dd if=boot.img of=mbr.img bs=1M seek=1 conv=notrunc status=none
	dd if=home.img of=mbr.img bs=1M seek=6 conv=notrunc status=none
	dd if=root.img of=mbr.img bs=1M seek=9 conv=notrunc status=none
	mount -o loop,ro root.img "$mnt"
	mount -o loop,ro boot.img "$mnt/boot"
	mount -o loop,ro home.img "$mnt/home"
	./manifest "$mnt" | compress "$golden/mbr.jsonl.zst"
	umount "$mnt/home" "$mnt/boot" "$mnt"
	compress "$images/mbr.img.zst" <mbr.img
fi
ls -l "$images" "$golden" >&2
