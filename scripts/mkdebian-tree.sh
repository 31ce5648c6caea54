#!/bin/bash
# Turns the debootstrapped tree at $1 into what a cloud image holds after its
# vendor's build: accounts, mount table, units, caches, logs, and the corner
# cases of real systems (sparse lastlog, ACLs on the journal, host keys).
set -euo pipefail
root=$1

in_root() { chroot "$root" /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive LC_ALL=C "$@"; }

cat >"$root/etc/fstab" <<'FSTAB'
PARTUUID=7a1e2c64-1b7b-4a0e-8f5c-90c1d2e3f401 / ext4 rw,discard,errors=remount-ro,x-systemd.growfs 0 1
PARTUUID=7a1e2c64-1b7b-4a0e-8f5c-90c1d2e3f415 /boot/efi vfat defaults 0 0
FSTAB
mkdir -p "$root/boot/efi" "$root/boot/grub"
echo localhost >"$root/etc/hostname"
printf '127.0.0.1\tlocalhost\n::1\t\tlocalhost ip6-localhost ip6-loopback\n' >"$root/etc/hosts"
echo 6d1f3b0a9c118f7a0c3e52b14a559d0e >"$root/etc/machine-id"
printf 'en_US.UTF-8 UTF-8\nde_DE.UTF-8 UTF-8\n' >"$root/etc/locale.gen"
in_root locale-gen >/dev/null
printf 'LANG=en_US.UTF-8\n' >"$root/etc/default/locale"
ln -sf /run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
in_root useradd -m -u 1000 -s /bin/bash -G adm,sudo,cdrom,dip,plugdev -c 'Debian Default User' debian 2>/dev/null || true
printf 'debian ALL=(ALL) NOPASSWD:ALL\n' >"$root/etc/sudoers.d/90-cloud-init-users"
chmod 0440 "$root/etc/sudoers.d/90-cloud-init-users"
in_root grub-mkconfig -o /boot/grub/grub.cfg >/dev/null 2>&1 || printf 'set timeout=0\n' >"$root/boot/grub/grub.cfg"

# systemd-tmpfiles gives the journal's directory these on the first boot.
mkdir -p "$root/var/log/journal/6d1f3b0a9c118f7a0c3e52b14a559d0e"
chgrp 999 "$root/var/log/journal" "$root/var/log/journal"/* 
chmod 2755 "$root/var/log/journal" "$root/var/log/journal"/*
setfacl -R -m g:4:r-x -m d:g:4:r-x "$root/var/log/journal"
truncate -s 8M "$root/var/log/journal/6d1f3b0a9c118f7a0c3e52b14a559d0e/system.journal"
printf 'LPKSHHRH' | dd of="$root/var/log/journal/6d1f3b0a9c118f7a0c3e52b14a559d0e/system.journal" conv=notrunc status=none
setfacl -m u::rw-,g::r--,g:4:r--,m::r--,o::--- "$root/var/log/journal/6d1f3b0a9c118f7a0c3e52b14a559d0e/system.journal"

# One record for uid 2^32-2 makes lastlog a terabyte of hole.
truncate -s $((292 * (4294967294 + 1))) "$root/var/log/lastlog"
printf '\x01' | dd of="$root/var/log/lastlog" bs=1 seek=$((292 * 4294967294)) conv=notrunc status=none
chgrp 43 "$root/var/log/lastlog"
chmod 0664 "$root/var/log/lastlog"

# Vendors clean the package cache; a small package stands for what some forget.
find "$root/var/cache/apt/archives" -name '*.deb' -size +60k -delete

# Debian's ping relies on this.
setcap cap_net_raw+ep "$root/usr/bin/ping"
in_root python3 -m compileall -q /usr/lib/python3/dist-packages >/dev/null 2>&1 || true
mkdir -p "$root/var/lib/cloud/instances/nocloud/sem" "$root/var/lib/cloud/seed"
ln -sfn /var/lib/cloud/instances/nocloud "$root/var/lib/cloud/instance"
ls "$root"/etc/ssh/ssh_host_*_key >/dev/null 2>&1 || in_root ssh-keygen -A >/dev/null
truncate -s 300M "$root/swapfile"
chmod 0600 "$root/swapfile"
# What a running system would have left in the image.
mknod "$root/var/spool/test.null" c 1 3
mkfifo -m 0600 "$root/run/initctl"
