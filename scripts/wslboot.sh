#!/bin/bash
# Starts the systemd of a root filesystem as WSL 2 does, as far as a program
# inside can tell:
#
#	wslboot.sh TREE [NAME DRIVE]
#
# It must be process 1 of new mount, PID, UTS, IPC, network and cgroup
# namespaces. The kernel's release says WSL; what the machine shares with others
# (/proc/sys, /sys, its clock and modules) cannot be changed. With NAME, the
# distribution is called that, and the folder DRIVE looks like the Windows drive
# C: at /mnt/c, whose user's profile is C:\Users\Jo Doe.
set -euo pipefail
tree=$1 name=${2:-} drive=${3:-}
here=$(cd "$(dirname "$0")" && pwd)

mount --make-rprivate /
mount --bind "$tree" "$tree"
cd "$tree"
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for node in null zero full random urandom tty; do
	touch "dev/$node"
	mount --bind "/dev/$node" "dev/$node"
done
mount -t tmpfs -o mode=755 tmpfs run

# systemd-detect-virt, and systemd itself, look at this.
echo 6.6.87.2-microsoft-standard-WSL2 >run/osrelease
mount --bind run/osrelease proc/sys/kernel/osrelease
hostname wslimg

# WSL lays its own /init over the distribution's.
touch init
mount --bind "$here/wslinit.sh" init
if [[ -n $name ]]; then
	echo "$name" >run/wslname
	mkdir -p mnt/c
	mount --bind "$drive" mnt/c
	# 9p is not in every kernel: the mount is a folder's, the table says 9p.
	cat proc/self/mounts >run/mounts
	echo 'C:\134 /mnt/c 9p rw,noatime,aname=drvfs;path=C:\134;uid=0;gid=0;symlinkroot=/mnt/,cache=5,access=client,msize=65536,trans=fd,rfd=6,wfd=6 0 0' >>run/mounts
	python3 - <<-'PYTHON' # mount(8) follows the link
		import ctypes, os
		link = os.open("proc/mounts", os.O_PATH | os.O_NOFOLLOW)
		libc = ctypes.CDLL(None, use_errno=True)
		if libc.mount(b"run/mounts", b"/proc/self/fd/%d" % link, None, 4096, None): # MS_BIND
		    raise OSError(ctypes.get_errno(), "mount run/mounts")
	PYTHON
fi

pivot_root . .
umount -l .
ln -sf /init /bin/wslpath
printf '127.0.0.1\tlocalhost\n127.0.1.1\twslimg\n' >/etc/hosts
exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=linux /sbin/init
