#!/bin/bash
# Makes the disk that the README converts: a small tree that looks like a
# Debian cloud image's, with nothing in it but text written for it.
#
#	mkdemo.sh DISK MOUNTPOINT
set -euo pipefail
disk=$1 mnt=$2
rootuuid=3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c01
here=$(cd "$(dirname "$0")" && pwd)

# 1 MiB: BIOS boot, 2 MiB: EFI system partition, 4 MiB: root, as Debian numbers them.
truncate -s 49M "$disk"
sgdisk -U 3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c00 \
	-n 14:1M:+1M -t 14:ef02 -u 14:3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c14 \
	-n 15:2M:+2M -t 15:ef00 -u 15:3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c15 \
	-n 1:4M:+44M -t 1:8304 -u 1:3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c02 "$disk" >/dev/null
fat=$(mktemp)
truncate -s 2M "$fat"
mkfs.vfat -i 7A1D5F8E -n EFI "$fat" >/dev/null
dd if="$fat" of="$disk" bs=1M seek=2 conv=notrunc status=none
rm "$fat"
mke2fs -q -F -t ext4 -b 4096 -J size=4 -L cloudimg-rootfs -U "$rootuuid" -E offset=$((4 << 20)),hash_seed=$rootuuid "$disk" 44M
mount -o "loop,offset=$((4 << 20)),sizelimit=$((44 << 20))" "$disk" "$mnt"
trap 'cd /; umount "$mnt"' EXIT
cd "$mnt"

mkdir -p boot/efi boot/grub dev etc/{apt,cloud/cloud.cfg.d,default,netplan,ssh,ssl/certs,sudoers.d,systemd/system/multi-user.target.wants,skel} \
	home/debian media mnt opt proc root run srv sys tmp usr/{bin,sbin,lib/systemd/system,local/bin,share/{ca-certificates/mozilla,doc/demo,man/man1,zoneinfo}} \
	var/{cache/apt,lib/{cloud,dpkg},log/journal,tmp,spool}
for dir in bin sbin lib; do ln -s usr/$dir $dir; done
chmod 1777 tmp var/tmp
chmod 0700 root

cat >usr/lib/os-release <<'X'
PRETTY_NAME="Debian GNU/Linux 13 (trixie)"
NAME="Debian GNU/Linux"
VERSION_ID="13"
VERSION="13 (trixie)"
VERSION_CODENAME=trixie
ID=debian
HOME_URL="https://www.debian.org/"
X
ln -s ../usr/lib/os-release etc/os-release
echo 13.1 >etc/debian_version
echo demo >etc/hostname
printf '127.0.0.1\tlocalhost\n' >etc/hosts
cat >etc/fstab <<'X'
PARTUUID=3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c02 / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1
PARTUUID=3c6f2b1e-8d4a-4c57-9e0b-7a1d5f8e2c15 /boot/efi vfat defaults 0 0
X
cat >etc/passwd <<'X'
root:x:0:0:root:/root:/bin/bash
daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin
sshd:x:101:65534::/run/sshd:/usr/sbin/nologin
debian:x:1000:1000:Debian:/home/debian:/bin/bash
X
printf 'root:x:0:\ndaemon:x:1:\nadm:x:4:debian\nsudo:x:27:debian\nshadow:x:42:\nutmp:x:43:\nsystemd-journal:x:999:\ndebian:x:1000:\n' >etc/group
printf 'root:*:20000:0:99999:7:::\ndaemon:*:20000:0:99999:7:::\nsshd:!:20000::::::\ndebian:!:20000:0:99999:7:::\n' >etc/shadow
chown 0:42 etc/shadow && chmod 0640 etc/shadow
echo 'debian ALL=(ALL) NOPASSWD:ALL' >etc/sudoers.d/90-cloud-init-users && chmod 0440 etc/sudoers.d/90-cloud-init-users
ln -s /run/systemd/resolve/stub-resolv.conf etc/resolv.conf
ln -s /usr/share/zoneinfo/Etc/UTC etc/localtime
echo 3c6f2b1e8d4a4c579e0b7a1d5f8e2c03 >etc/machine-id
printf 'network:\n  version: 2\n  ethernets:\n    all:\n      match: {name: "en*"}\n      dhcp4: true\n' >etc/netplan/50-cloud-init.yaml && chmod 0600 etc/netplan/50-cloud-init.yaml
printf 'datasource_list: [NoCloud, None]\n' >etc/cloud/cloud.cfg.d/90-demo.cfg
printf 'users: [default]\ndisable_root: true\n' >etc/cloud/cloud.cfg
printf 'a host key would be here\n' >etc/ssh/ssh_host_ed25519_key && chmod 0600 etc/ssh/ssh_host_ed25519_key
echo 'alias ll="ls -l"' >etc/skel/.bashrc
cp -p etc/skel/.bashrc home/debian/.bashrc
chown -R 1000:1000 home/debian

for unit in ssh cloud-init systemd-networkd; do
	printf '[Unit]\nDescription=%s\n\n[Service]\nExecStart=/usr/bin/%s\n\n[Install]\nWantedBy=multi-user.target\n' "$unit" "$unit" >usr/lib/systemd/system/$unit.service
	ln -s /usr/lib/systemd/system/$unit.service etc/systemd/system/multi-user.target.wants/$unit.service
done
for tool in sh bash hello ping passwd systemctl; do
	printf '#!/bin/sh\n# Stands for %s in this demonstration.\necho "%s: hello from the demo image"\n' "$tool" "$tool" >usr/bin/$tool
	chmod 0755 usr/bin/$tool
done
printf 'not a real init\n' >usr/lib/systemd/systemd && chmod 0755 usr/lib/systemd/systemd
ln -s ../lib/systemd/systemd usr/sbin/init
chmod 4755 usr/bin/passwd
setcap cap_net_raw+ep usr/bin/ping
ln usr/bin/hello usr/bin/greet # one file, two names

# A name outside ASCII, as ca-certificates has one.
printf 'a certificate would be here\n' >'usr/share/ca-certificates/mozilla/NetLock_Arany_=Class_Gold=_Főtanúsítvány.crt'
ln -s '/usr/share/ca-certificates/mozilla/NetLock_Arany_=Class_Gold=_Főtanúsítvány.crt' 'etc/ssl/certs/NetLock_Arany_=Class_Gold=_Főtanúsítvány.pem'

chgrp 999 var/log/journal && chmod 2755 var/log/journal
setfacl -m g:4:r-x -m d:g:4:r-x var/log/journal
truncate -s $((292 * 4294967295)) var/log/lastlog && chgrp 43 var/log/lastlog
printf 'menuentry "demo" { linux /boot/vmlinuz }\n' >boot/grub/grub.cfg
mknod -m 0666 dev/null c 1 3
mkfifo -m 0600 run/initctl
python3 -c 'import socket; socket.socket(socket.AF_UNIX).bind("run/left.socket")'
for i in $(seq 40); do
	{ printf 'Chapter %d\n\n' "$i"; seq -f "This is line %g of chapter $i, one of many that only take room." 400; } >usr/share/doc/demo/chapter-$i.txt
done
setfattr -n user.origin -v demo usr/share/doc/demo/chapter-1.txt
python3 - <<'PY'
import os
# Times that do not depend on the day of the build.
for base, dirs, files, fd in os.fwalk(b".", topdown=False):
    for name in files + dirs:
        when = 1_750_000_000_000_000_000 + len(base + name) * 1_000_001
        os.utime(name, ns=(when, when), dir_fd=fd, follow_symlinks=False)
os.utime(".", ns=(1_750_000_000_000_000_000,) * 2)
PY
