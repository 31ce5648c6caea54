package edittest

import "github.com/wslimg/wslimg/internal/tree"

// Distros are trees as their vendors' disk images hold them, cut down to what
// readiness rules look at.
var Distros = map[string]func() *tree.Tree{
	"debian": Debian, "ubuntu": Ubuntu, "rhel": RHEL, "fedora": Fedora,
	"suse": SUSE, "arch": Arch, "alpine": Alpine, "plain": Plain,
}

// merged is a system whose /bin, /sbin and /lib are links into /usr.
func merged() *tree.Tree {
	return Build(tree.New(), `
d0755 /usr/bin
d0755 /usr/sbin
d0755 /usr/lib
l /bin usr/bin
l /sbin usr/sbin
l /lib usr/lib
f0755 /usr/bin/dash ELF
f0755 /usr/bin/bash ELF
l /usr/bin/sh bash
f4755 /usr/bin/mount ELF
f4755 /usr/bin/umount ELF
f4755 /usr/bin/su ELF
f4755 /usr/bin/sudo ELF
f0755 /usr/bin/login ELF
f0755 /usr/bin/ssh-keygen ELF
f0755 /usr/sbin/sshd ELF
f0755 /usr/sbin/useradd ELF
d0700 /root
d0755 /home
d1777 /tmp
d0755 /dev
d0555 /proc
d0555 /sys
d0755 /run
d0755 /mnt
d0755 /etc/skel
f0644 /etc/skel/.bashrc "# bashrc\n"
f0644 /etc/skel/.profile "# profile\n"
d0700 /etc/skel/.config
f0600 /etc/skel/.config/x "x"
f0755 /usr/share/zoneinfo/UTC "TZif"
f0440 /etc/sudoers "root ALL=(ALL:ALL) ALL\n@includedir /etc/sudoers.d\n"
d0750 /etc/sudoers.d
`)
}

// systemd adds what every systemd has, its vendor's units included.
func systemd(t *tree.Tree) *tree.Tree {
	return Build(t, `
f0755 /usr/lib/systemd/systemd ELF
l /usr/sbin/init ../lib/systemd/systemd
f0644 /usr/lib/systemd/system/getty@.service "[Service]\n"
f0644 /usr/lib/systemd/system/serial-getty@.service "[Service]\n"
f0644 /usr/lib/systemd/system/console-getty.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-firstboot.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-tmpfiles-setup.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-networkd.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-networkd.socket "[Socket]\n"
f0644 /usr/lib/systemd/system/systemd-networkd-wait-online.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-timesyncd.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-resolved.service "[Service]\n"
f0644 /usr/lib/systemd/system/systemd-vconsole-setup.service "[Service]\n"
f0644 /usr/lib/systemd/system/tmp.mount "[Mount]\n"
l /usr/lib/systemd/system/sysinit.target.wants/systemd-firstboot.service ../systemd-firstboot.service
l /usr/lib/systemd/system/sysinit.target.wants/systemd-tmpfiles-setup.service ../systemd-tmpfiles-setup.service
l /etc/systemd/system/getty.target.wants/getty@tty1.service /usr/lib/systemd/system/getty@.service
f0444 /etc/machine-id "0123456789abcdef0123456789abcdef\n"
d0755 /var/lib/dbus
d2755 /var/log/journal
f0640 /var/log/journal/0123456789abcdef0123456789abcdef/system.journal "LPKSHHRH"
f0600 /var/lib/systemd/random-seed "random"
`)
}

// vm adds what the disk of a machine has and a WSL distribution has not.
func vm(t *tree.Tree) *tree.Tree {
	return Build(t, `
f0644 /etc/fstab "# <file system>\nPARTUUID=6a1b / ext4 defaults,x-systemd.growfs 0 1\nUUID=12-34 /boot/efi vfat umask=077 0 1\n/dev/vdb none swap sw 0 0\ntmpfs /scratch tmpfs size=1m 0 0\nsrv:/x /nfs nfs ro 0 0\nC:\\134a /win drvfs ro 0 0\n"
f0644 /etc/hostname "localhost\n"
f0644 /etc/hosts "127.0.0.1 localhost\n"
f0600 /etc/ssh/ssh_host_ed25519_key "secret"
f0644 /etc/ssh/ssh_host_ed25519_key.pub "public"
f0644 /etc/ssh/sshd_config "UsePAM yes\n"
f0644 /boot/vmlinuz-6.1 "kernel"
f0644 /boot/initrd.img-6.1 "initramfs"
d0755 /boot/efi
f0644 /usr/lib/modules/6.1/modules.dep "dep"
f0644 /usr/lib/firmware/x.bin "fw"
d0700 /lost+found
f0600 /swapfile ""
`)
}

// accounts adds the account files without an ordinary user; admin is the
// group of those who may become root, shadow the group that reads hashes.
func accounts(t *tree.Tree, admin string, shadowMode string) *tree.Tree {
	return Build(t, `
f0644 /etc/passwd "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\nnobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
`+shadowMode+` /etc/shadow "root:$y$j9T$salt$hash:19000:0:99999:7:::\ndaemon:*:19000:0:99999:7:::\nnobody:*:19000:0:99999:7:::\n"
f0644 /etc/group "root:x:0:\ndaemon:x:1:\n`+admin+`:x:27:\nshadow:x:42:\nnogroup:x:65534:\n"
`+shadowMode+` /etc/gshadow "root:*::\ndaemon:*::\n`+admin+`:*::\nshadow:*::\nnogroup:*::\n"
f0644 /etc/subuid ""
f0644 /etc/subgid ""
f0644 /etc/shells "# /etc/shells\n/bin/sh\n/bin/bash\n/usr/bin/bash\n"
f0644 /etc/login.defs "# HOME_MODE 0755\nUMASK\t\t022\nHOME_MODE\t0700\n"
`)
}

// cloud adds cloud-init for a distribution of that name, with WSL's datasource.
func cloud(t *tree.Tree, distro, user string) *tree.Tree {
	return Build(t, `
f0755 /usr/bin/cloud-init "#!/usr/bin/python3\n"
f0644 /usr/lib/python3/dist-packages/cloudinit/sources/DataSourceWSL.py "# WSL\n"
f0644 /etc/cloud/cloud.cfg "users:\n  - default\ncloud_init_modules:\n  - seed_random\n  - growpart\n  - resizefs\n  - users_groups\nsystem_info:\n  distro: `+distro+`\n  default_user:\n    name: `+user+`\n"
d0755 /etc/cloud/cloud.cfg.d
d0755 /var/lib/cloud
l /etc/systemd/system/cloud-init.target.wants/cloud-init.service /usr/lib/systemd/system/cloud-init.service
`)
}

// Debian is like a Debian 13 genericcloud image.
func Debian() *tree.Tree {
	t := cloud(accounts(vm(systemd(merged())), "sudo", "f0640:0:42"), "debian", "debian")
	return Build(t, `
f0644 /usr/lib/os-release "PRETTY_NAME=\"Debian GNU/Linux 13 (trixie)\"\nID=debian\nVERSION_ID=\"13\"\nVERSION_CODENAME=trixie\n"
l /etc/os-release ../usr/lib/os-release
l /usr/bin/sh dash
l /etc/resolv.conf ../run/systemd/resolve/stub-resolv.conf
l /etc/systemd/system/multi-user.target.wants/systemd-networkd.service /usr/lib/systemd/system/systemd-networkd.service
l /etc/systemd/system/sockets.target.wants/systemd-networkd.socket /usr/lib/systemd/system/systemd-networkd.socket
l /etc/systemd/system/network-online.target.wants/systemd-networkd-wait-online.service /usr/lib/systemd/system/systemd-networkd-wait-online.service
l /etc/systemd/system/sysinit.target.wants/systemd-resolved.service /usr/lib/systemd/system/systemd-resolved.service
l /etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service /usr/lib/systemd/system/systemd-timesyncd.service
l /etc/systemd/system/dbus-org.freedesktop.timesync1.service /usr/lib/systemd/system/systemd-timesyncd.service
l /usr/lib/systemd/system/local-fs.target.wants/tmp.mount ../tmp.mount
l /var/lib/dbus/machine-id /etc/machine-id
f0644 /usr/lib/systemd/system/ssh.service "[Service]\nExecStart=/usr/sbin/sshd -D\n"
f0644 /usr/lib/systemd/system/sshd-keygen.service "[Unit]\nConditionFirstBoot=yes\n"
l /etc/systemd/system/ssh.service.wants/sshd-keygen.service /usr/lib/systemd/system/sshd-keygen.service
l /etc/systemd/system/multi-user.target.wants/ssh.service /usr/lib/systemd/system/ssh.service
l /etc/systemd/system/sshd.service /usr/lib/systemd/system/ssh.service
f0644 /usr/lib/systemd/system/walinuxagent.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/walinuxagent.service /usr/lib/systemd/system/walinuxagent.service
f0644 /usr/lib/systemd/system/hv-kvp-daemon.service "[Service]\n"
f0644 /etc/nsswitch.conf "passwd: files systemd\nhosts: files resolve [!UNAVAIL=return] dns myhostname\n"
f0600 /etc/netplan/50-cloud-init.yaml "network: {}\n"
f0644 /var/lib/apt/lists/x_Packages "Package: x\n"
f0644 /var/cache/apt/archives/x.deb "deb"
f0640 /var/cache/apt/archives/lock ""
f0644 /etc/default/locale "LANG=C.UTF-8\n"
f0755 /usr/bin/apt-get ELF
c0600 /dev/console
f0644 /run/utmp ""
f0600 /tmp/x "left over"
s0666 /var/spool/master.sock
f0644 /etc/default/useradd "# SHELL=/bin/zsh\nSHELL=/bin/sh\n"
`)
}

// Ubuntu is like an Ubuntu 24.04 server cloud image.
func Ubuntu() *tree.Tree {
	t := Debian()
	return Build(t, `
f0644 /usr/lib/os-release "PRETTY_NAME=\"Ubuntu 24.04 LTS\"\nID=ubuntu\nID_LIKE=debian\nVERSION_ID=\"24.04\"\nVERSION_CODENAME=noble\n"
f0644 /etc/cloud/cloud.cfg "users:\n  - default\ncloud_init_modules:\n  - growpart\n  - resizefs\nsystem_info:\n  distro: ubuntu\n  default_user:\n    name: ubuntu\n"
f0644 /usr/lib/systemd/system/multipathd.socket "[Socket]\n"
l /etc/systemd/system/sockets.target.wants/multipathd.socket /usr/lib/systemd/system/multipathd.socket
l /etc/systemd/system/dbus-org.freedesktop.resolve1.service /usr/lib/systemd/system/systemd-resolved.service
f0644 /usr/lib/systemd/system/snapd.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/snapd.service /usr/lib/systemd/system/snapd.service
f0600 /swap.img ""
`)
}

// rpm is what the images of the RHEL family have in common.
func rpm() *tree.Tree {
	t := cloud(accounts(vm(systemd(merged())), "wheel", "f0000"), "rhel", "cloud-user")
	return Build(t, `
l /etc/os-release ../usr/lib/os-release
f0644 /etc/resolv.conf "nameserver 10.0.2.3\n"
f0644 /usr/lib/systemd/system/NetworkManager.service "[Service]\n"
f0644 /usr/lib/systemd/system/NetworkManager-wait-online.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/NetworkManager.service /usr/lib/systemd/system/NetworkManager.service
l /etc/systemd/system/network-online.target.wants/NetworkManager-wait-online.service /usr/lib/systemd/system/NetworkManager-wait-online.service
f0644 /usr/lib/systemd/system/auditd.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/auditd.service /usr/lib/systemd/system/auditd.service
f0644 /usr/lib/systemd/system/chronyd.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/chronyd.service /usr/lib/systemd/system/chronyd.service
f0644 /usr/lib/systemd/system/sshd-keygen@.service "[Service]\n"
f0644 /usr/lib/systemd/system/sshd.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/sshd.service /usr/lib/systemd/system/sshd.service
f0644 /etc/selinux/config "# This file\nSELINUX=enforcing\nSELINUXTYPE=targeted\n"
f0644 /.autorelabel ""
f0600 /etc/NetworkManager/system-connections/eth0.nmconnection "[connection]\n"
f0644 /etc/sysconfig/network-scripts/ifcfg-eth0 "DEVICE=eth0\n"
f0644 /etc/locale.conf "LANG=en_US.UTF-8\n"
f0644 /var/cache/dnf/x.solv "solv"
f0644 /var/log/messages "boot\n"
`)
}

// RHEL is like an AlmaLinux 9 GenericCloud image.
func RHEL() *tree.Tree {
	t := Build(rpm(), `
f0644 /usr/lib/os-release "NAME=\"AlmaLinux\"\nID=\"almalinux\"\nID_LIKE=\"rhel centos fedora\"\nVERSION_ID=\"9.6\"\n"
`)
	label(t, "/etc", "system_u:object_r:etc_t:s0")
	label(t, "/etc/hosts", "system_u:object_r:net_conf_t:s0")
	return t
}

// Fedora is like a Fedora Cloud image.
func Fedora() *tree.Tree {
	return Build(rpm(), `
f0644 /usr/lib/os-release "NAME=\"Fedora Linux\"\nID=fedora\nVERSION_ID=42\n"
f0644 /etc/machine-id "uninitialized\n"
l /etc/systemd/system/multi-user.target.wants/systemd-resolved.service /usr/lib/systemd/system/systemd-resolved.service
l /usr/lib/systemd/system/local-fs.target.wants/tmp.mount ../tmp.mount
f0644 /usr/lib/systemd/system/audit-rules.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/audit-rules.service /usr/lib/systemd/system/audit-rules.service
f0644 /var/cache/libdnf5/x.solv "solv"
`)
}

// SUSE is like an openSUSE Leap image: wicked, sudoers below /usr/etc.
func SUSE() *tree.Tree {
	t := accounts(vm(systemd(merged())), "wheel", "f0640:0:15")
	return Build(t, `
f0644 /usr/lib/os-release "NAME=\"openSUSE Leap\"\nID=\"opensuse-leap\"\nID_LIKE=\"suse opensuse\"\nVERSION_ID=\"15.6\"\n"
l /etc/os-release ../usr/lib/os-release
l /etc/resolv.conf /run/netconfig/resolv.conf
f0644 /usr/lib/systemd/system/wicked.service "[Service]\n"
f0644 /usr/lib/systemd/system/wickedd.service "[Service]\n"
l /etc/systemd/system/multi-user.target.wants/wicked.service /usr/lib/systemd/system/wicked.service
l /etc/systemd/system/network.service /usr/lib/systemd/system/wicked.service
l /etc/systemd/system/wicked.service.wants/wickedd.service /usr/lib/systemd/system/wickedd.service
f0644 /etc/sysconfig/network/ifcfg-eth0 "BOOTPROTO='dhcp'\n"
f0644 /etc/sysconfig/network/ifcfg-lo "IPADDR=127.0.0.1\n"
f0755 /usr/sbin/sshd-gen-keys-start "#!/bin/sh\n"
f0644 /usr/lib/systemd/system/sshd.service "[Service]\nExecStartPre=/usr/sbin/sshd-gen-keys-start\n"
l /etc/systemd/system/multi-user.target.wants/sshd.service /usr/lib/systemd/system/sshd.service
f0644 /var/cache/zypp/x.solv "solv"
f0644 /etc/locale.conf "LANG=C.UTF-8\n"
`)
}

// Arch is like the Arch Linux cloud image.
func Arch() *tree.Tree {
	t := accounts(vm(systemd(merged())), "wheel", "f0600")
	return Build(t, `
f0644 /usr/lib/os-release "NAME=\"Arch Linux\"\nID=arch\n"
l /etc/os-release ../usr/lib/os-release
l /etc/resolv.conf ../run/systemd/resolve/stub-resolv.conf
l /etc/systemd/system/multi-user.target.wants/systemd-networkd.service /usr/lib/systemd/system/systemd-networkd.service
l /etc/systemd/system/dbus-org.freedesktop.network1.service /usr/lib/systemd/system/systemd-networkd.service
f0644 /etc/systemd/network/20-wired.network "[Match]\n"
f0644 /usr/lib/systemd/system/sshdgenkeys.service "[Service]\n"
f0644 /usr/lib/systemd/system/sshd.service "[Unit]\nWants=sshdgenkeys.service\n"
f0644 /var/cache/pacman/pkg/x.pkg.tar.zst "pkg"
f0644 /etc/locale.conf "LANG=C.UTF-8\n"
`)
}

// Alpine is like an Alpine cloud image: busybox, OpenRC, no bash, no sudo, doas.
func Alpine() *tree.Tree {
	t := Build(tree.New(), `
d0755 /bin
d0755 /sbin
d0755 /lib
d0755 /usr/bin
f0755 /bin/busybox ELF
l /bin/sh /bin/busybox
l /bin/ash /bin/busybox
l /bin/login /bin/busybox
l /bin/mount /bin/busybox
l /bin/su /bin/bbsuid
f4111 /bin/bbsuid ELF
l /sbin/init /bin/busybox
f0755 /sbin/openrc ELF
f4755 /usr/bin/doas ELF
d0755 /etc/doas.d
f0755 /usr/bin/ssh-keygen ELF
f0755 /usr/sbin/sshd ELF
f0644 /etc/os-release "NAME=\"Alpine Linux\"\nID=alpine\nVERSION_ID=3.21.0\n"
f0644 /etc/passwd "root:x:0:0:root:/root:/bin/sh\nbin:x:1:1:bin:/bin:/sbin/nologin\nalpine:x:1000:1000::/home/alpine:/bin/ash\n"
f0640:0:42 /etc/shadow "root:*::0:::::\nbin:!::0:::::\nalpine:!:19000:0:99999:7:::\n"
f0644 /etc/group "root:x:0:root\nwheel:x:10:root\nshadow:x:42:\nalpine:x:1000:\n"
f0644 /etc/shells "/bin/sh\n/bin/ash\n"
d0755:1000:1000 /home/alpine
f0755 /etc/init.d/networking "#!/sbin/openrc-run\n"
l /etc/runlevels/boot/networking /etc/init.d/networking
f0644 /var/cache/apk/x.apk "apk"
d0700 /root
d1777 /tmp
d0755 /dev
d0555 /proc
d0755 /run
`)
	return vm(t)
}

// Plain has neither systemd nor a merged /usr nor an os-release.
func Plain() *tree.Tree {
	return Build(tree.New(), `
d0755 /bin
d0755 /usr/bin
f0755 /bin/sh ELF
f0755 /bin/mount ELF
f0755 /bin/login ELF
f0755 /sbin/init ELF
f0755 /init ELF
f0644 /etc/passwd "root:x:0:0:root:/root:/bin/sh"
f0644 /etc/shadow "root::19000:0:99999:7:::"
f0644 /etc/group "root:x:0:"
f0644 /etc/fstab "/dev/root / auto defaults 1 1"
f0644 /etc/wsl.conf "[boot]\nsystemd=true\n"
`)
}

func label(t *tree.Tree, path, value string) {
	n, err := t.Lookup(path)
	if err != nil {
		panic(err)
	}
	SetXattr(n, "security.selinux", value+"\x00")
}
