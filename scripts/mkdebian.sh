#!/bin/bash
# Builds disk images that resemble what vendors ship, for the end-to-end tests.
#
#	mkdebian.sh OUTDIR [SUITE]
#
# makes in OUTDIR, from packages of the Debian release SUITE (default trixie):
#
#	debian.raw, debian.qcow2, debian.zlib.qcow2, debian.zstd.qcow2
#	    laid out like Debian's genericcloud: GPT, root (ext4) 1, BIOS boot 14,
#	    EFI system partition 15
#	rhel.raw, rhel.zlib.qcow2
#	    laid out like RHEL's: GPT, EFI system partition 1, /boot (XFS) 2,
#	    root (XFS) 3, SELinux labels; the same files under a RHEL-like os-release
#
# The images are not made to boot: the boot loader's files are there, its boot
# sectors are not. Everything that was made before is kept; remove OUTDIR to
# start over. Needs root, loop mounts and the packages check.sh installs.
set -euo pipefail

out=$(mkdir -p "$1" && cd "$1" && pwd)
suite=${2:-trixie}
here=$(cd "$(dirname "$0")" && pwd)
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
work=$out/.work
mnt=$work/mnt
mkdir -p "$work" "$mnt"

mounts=()
cleanup() {
	local i
	for ((i = ${#mounts[@]} - 1; i >= 0; i--)); do umount "${mounts[i]}" || umount -l "${mounts[i]}"; done
	mounts=()
}
trap cleanup EXIT
# on mounts the arguments of mount(8), the last of which is the mount point.
on() {
	mkdir -p "${*: -1}"
	mount "$@"
	mounts+=("${*: -1}")
}
step() { printf '== %s %s\n' "$(date +%T)" "$*" >&2; }

packages=(
	linux-image-cloud-amd64 grub-pc-bin grub-efi-amd64-bin grub2-common
	systemd systemd-sysv systemd-resolved libpam-systemd libnss-systemd dbus udev
	cloud-init cloud-guest-utils openssh-server python3 python3-apt sudo locales
	git man-db manpages ca-certificates iputils-ping acl attr libcap2-bin
	apparmor apt-utils bash-completion bind9-host curl dosfstools fdisk file
	gdisk less netplan.io nano openssh-client procps psmisc screen socat
	tcpdump traceroute unattended-upgrades uuid-runtime vim wget chrony
	ethtool pciutils reportbug rsync xfsprogs build-essential
)

# tree makes $work/rootfs.tar: what both images hold.
tree() {
	[[ -e $work/rootfs.tar ]] && return
	local root=$work/rootfs
	# debootstrap unpacks faster, and as safely, without a sync for every file.
	if [[ ! -e $work/debootstrap.tar ]]; then
		step "debootstrap $suite"
		rm -rf "$root"
		debootstrap --variant=minbase --include="$(IFS=,; echo "${packages[*]}")" "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 || {
			tail -n 20 "$work/debootstrap.log" >&2
			return 1
		}
		umount "$root/proc" 2>/dev/null || true
		tar -C "$root" --xattrs --xattrs-include='*' --acls --numeric-owner -cf "$work/debootstrap.tar.tmp" .
		mv "$work/debootstrap.tar.tmp" "$work/debootstrap.tar"
	fi
	if [[ ! -d $root/etc ]]; then
		mkdir -p "$root"
		tar -C "$root" --xattrs --xattrs-include='*' --acls --numeric-owner -xpf "$work/debootstrap.tar"
	fi
	step "customise the tree"
	bash "$here/mkdebian-tree.sh" "$root"
	tar -C "$root" --xattrs --xattrs-include='*' --acls --numeric-owner -Scf "$work/rootfs.tar.tmp" .
	mv "$work/rootfs.tar.tmp" "$work/rootfs.tar"
	rm -rf "$root"
}

# esp DISK START SIZE: an EFI system partition of SIZE bytes at byte START.
esp() {
	local fat=$work/esp.fat
	rm -f "$fat"
	truncate -s "$3" "$fat"
	mkfs.vfat -F 32 -i 4B1D0F5A -n EFI "$fat" >/dev/null
	mmd -i "$fat" ::EFI ::EFI/BOOT ::EFI/debian
	printf 'search.fs_uuid %s root\nset prefix=($root)/boot/grub\nconfigfile $prefix/grub.cfg\n' "$rootuuid" >"$work/grub.cfg"
	mcopy -i "$fat" "$work/grub.cfg" ::EFI/debian/grub.cfg
	dd if="$fat" of="$1" bs=1M seek=$(($2 / 1048576)) conv=notrunc,sparse status=none
	rm -f "$fat"
}

# leftover: what a stopped system leaves behind and tar does not carry.
leftover() {
	python3 -c 'import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$mnt/run/leftover.socket"
}

# qcow2 BASE: BASE.raw in the other container forms, named by the further arguments.
qcow2() {
	local base=$1 form file options
	shift
	for form; do
		case $form in
		plain) file=$base.qcow2 options=() ;;
		*) file=$base.$form.qcow2 options=(-c -o "compression_type=$form") ;;
		esac
		[[ -e $file ]] && continue
		nice qemu-img convert -f raw -O qcow2 "${options[@]}" "$base.raw" "$file.tmp"
		mv "$file.tmp" "$file"
	done
}

debian() {
	local disk=$out/debian.raw rootuuid=8f7a0c3e-52b1-4a55-9d0e-6d1f3b0a9c11
	if [[ ! -e $disk ]]; then
		step "debian.raw"
		rm -f "$disk.tmp"
		truncate -s 4G "$disk.tmp"
		sgdisk -U 0b9e8d5e-9c30-4b7e-a9f1-3f2d1c0b5a10 \
			-n 14:2048:8191 -t 14:ef02 -u 14:7a1e2c64-1b7b-4a0e-8f5c-90c1d2e3f414 \
			-n 15:8192:262143 -t 15:ef00 -u 15:7a1e2c64-1b7b-4a0e-8f5c-90c1d2e3f415 \
			-n 1:262144:0 -t 1:8304 -u 1:7a1e2c64-1b7b-4a0e-8f5c-90c1d2e3f401 "$disk.tmp" >/dev/null
		esp "$disk.tmp" $((8192 * 512)) $((124 * 1048576))
		mkfs.ext4 -q -F -U "$rootuuid" -E offset=$((262144 * 512)),hash_seed=$rootuuid,lazy_itable_init=0 "$disk.tmp" $(((4096 - 129) * 1024))k
		on -o loop,offset=$((262144 * 512)),sizelimit=$(((4096 - 129) * 1048576)) "$disk.tmp" "$mnt"
		tar -C "$mnt" --xattrs --xattrs-include='*' --acls --numeric-owner -xpf "$work/rootfs.tar"
		leftover
		cleanup
		mv "$disk.tmp" "$disk"
	fi
	step "debian qcow2"
	qcow2 "$out/debian" plain zlib zstd
}

rhel() {
	local disk=$out/rhel.raw rootuuid=5d2e9a70-0c4f-4b0b-8a43-1f7c61d3e203 bootuuid=5d2e9a70-0c4f-4b0b-8a43-1f7c61d3e202
	if [[ ! -e $disk ]]; then
		step "rhel.raw"
		rm -f "$disk.tmp" "$work/boot.xfs" "$work/root.xfs"
		# One file for each filesystem: mkfs.xfs has no offset.
		truncate -s 500M "$work/boot.xfs"
		truncate -s 3700M "$work/root.xfs"
		mkfs.xfs -q -m uuid=$bootuuid "$work/boot.xfs"
		mkfs.xfs -q -m uuid=$rootuuid -L root "$work/root.xfs"
		on -o loop "$work/root.xfs" "$mnt"
		on -o loop "$work/boot.xfs" "$mnt/boot"
		tar -C "$mnt" --xattrs --xattrs-include='*' --acls --numeric-owner -xpf "$work/rootfs.tar"
		leftover
		mkdir -p "$mnt/boot/efi"
		cat >"$mnt/etc/fstab" <<-FSTAB
			UUID=$rootuuid	/	xfs	defaults	0	0
			UUID=$bootuuid	/boot	xfs	defaults	0	0
			UUID=4B1D-0F5A	/boot/efi	vfat	defaults,uid=0,gid=0,umask=077,shortname=winnt	0	2
		FSTAB
		rm -f "$mnt/etc/os-release" "$mnt/usr/lib/os-release" "$mnt/etc/debian_version"
		cat >"$mnt/usr/lib/os-release" <<-'OSRELEASE'
			NAME="Rocky Linux"
			VERSION="9.6 (Blue Onyx)"
			ID="rocky"
			ID_LIKE="rhel centos fedora"
			VERSION_ID="9.6"
			PLATFORM_ID="platform:el9"
			PRETTY_NAME="Rocky Linux 9.6 (Blue Onyx)"
			ANSI_COLOR="0;32"
			CPE_NAME="cpe:/o:rocky:rocky:9::baseos"
			HOME_URL="https://rockylinux.org/"
		OSRELEASE
		ln -s ../usr/lib/os-release "$mnt/etc/os-release"
		mkdir -p "$mnt/etc/selinux"
		printf 'SELINUX=enforcing\nSELINUXTYPE=targeted\n' >"$mnt/etc/selinux/config"
		python3 "$here/selinux_label.py" "$mnt"
		cleanup
		truncate -s 4404M "$disk.tmp"
		sgdisk -U 0b9e8d5e-9c30-4b7e-a9f1-3f2d1c0b5a20 \
			-n 1:1M:+200M -t 1:ef00 -c 1:"EFI System Partition" \
			-n 2:201M:+500M -t 2:8300 -c 2:boot \
			-n 3:701M:+3700M -t 3:8304 -c 3:root "$disk.tmp" >/dev/null
		esp "$disk.tmp" 1048576 $((200 * 1048576))
		dd if="$work/boot.xfs" of="$disk.tmp" bs=1M seek=201 conv=notrunc,sparse status=none
		dd if="$work/root.xfs" of="$disk.tmp" bs=1M seek=701 conv=notrunc,sparse status=none
		rm -f "$work/boot.xfs" "$work/root.xfs"
		mv "$disk.tmp" "$disk"
	fi
	step "rhel qcow2"
	qcow2 "$out/rhel" zlib
}

tree
debian
rhel
step "done"
