package ready

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/edit/edittest"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// cases show each rule at work: on which distribution, changed how, what it
// finds and what is there afterwards. "want" lines are path and the rest of
// the line that edittest.Dump gives, or "-path" for what must be gone.
var cases = []struct {
	rule    string
	distro  string
	lines   string // for edittest.Build
	profile Profile
	finds   string // path of the first problem
	want    []string
}{
	{rule: "WSLCONF", distro: "debian", lines: `f0644 /etc/wsl.conf "; old\n[ boot ]\nsystemd=true\n"`, finds: "/etc/wsl.conf",
		want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "# old\n[boot]\nsystemd=true\n" <nil>`}},
	{rule: "SLASHINIT", distro: "plain", finds: "/init", want: []string{"-/init"}},
	{rule: "FSTAB", distro: "debian", finds: "/etc/fstab",
		want: []string{`/etc/fstab 0100644 0:0 1 "" "# <file system>\n# wslimg: PARTUUID=6a1b / ext4 defaults,x-systemd.growfs 0 1\n# wslimg: UUID=12-34 /boot/efi vfat umask=077 0 1\n# wslimg: /dev/vdb none swap sw 0 0\ntmpfs /scratch tmpfs size=1m 0 0\nsrv:/x /nfs nfs ro 0 0\nC:\\134a /win drvfs ro 0 0\n" <nil>`}},
	{rule: "FSTAB", distro: "debian", lines: `f0600 /etc/crypttab "# <name>\nsda5_crypt UUID=1-2 none luks\nx /file none"` + "\n" + `f0644 /etc/fstab ""`, finds: "/etc/crypttab",
		want: []string{`/etc/crypttab 0100600 0:0 1 "" "# <name>\n# wslimg: sda5_crypt UUID=1-2 none luks\nx /file none" <nil>`}},
	{rule: "FSTAB", distro: "plain", finds: "/etc/fstab", want: []string{`/etc/fstab 0100644 0:0 1 "" "# wslimg: /dev/root / auto defaults 1 1" <nil>`}},
	{rule: "SYSTEMD", distro: "debian", finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[boot]\nsystemd=true\n" <nil>`}},
	{rule: "SYSTEMD", distro: "arch", lines: `f0644 /etc/wsl.conf "[boot]\nsystemd=true\n"` + "\nl /usr/sbin/init /nowhere", finds: "/sbin/init",
		want: []string{`/usr/sbin/init 0120777 0:0 1 "/usr/lib/systemd/systemd"`}},
	{rule: "NOTSYSTEMD", distro: "plain", finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[boot]\n" <nil>`}},
	{rule: "NOTSYSTEMD", distro: "alpine", lines: `f0644 /etc/wsl.conf "[boot]\nsystemd=1\n"`, finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[boot]\n" <nil>`}},
	{rule: "RESOLV", distro: "debian", finds: "/etc/resolv.conf", want: []string{"-/etc/resolv.conf"}},
	{rule: "RESOLV", distro: "rhel", finds: "/etc/resolv.conf", want: []string{"-/etc/resolv.conf"}},
	{rule: "HOSTNAME", distro: "debian", finds: "/etc/hostname", want: []string{"-/etc/hostname", "-/etc/hosts"}},
	{rule: "MACHINEID", distro: "debian", finds: "/etc/machine-id", want: []string{`/etc/machine-id 0100444 0:0 1 "" "" <nil>`, `/var/lib/dbus/machine-id 0120777 0:0 1 "/etc/machine-id"`}},
	{rule: "MACHINEID", distro: "fedora", lines: `f0444 /var/lib/dbus/machine-id "0123\n"`, finds: "/etc/machine-id", want: []string{"-/var/lib/dbus/machine-id"}},
	{rule: "MACHINEID", distro: "arch", lines: "l /etc/machine-id /nowhere", finds: "/etc/machine-id", want: []string{`/etc/machine-id 0100444 0:0 1 "" "" <nil>`}},
	{rule: "SSHKEYS", distro: "debian", finds: "/etc/ssh/ssh_host_ed25519_key",
		want: []string{"-/etc/ssh/ssh_host_ed25519_key", "-/etc/ssh/ssh_host_ed25519_key.pub", "/etc/systemd/system/wslimg-ssh-keygen.service 0100644",
			`/etc/systemd/system/multi-user.target.wants/wslimg-ssh-keygen.service 0120777 0:0 1 "/etc/systemd/system/wslimg-ssh-keygen.service"`}},
	{rule: "SSHKEYS", distro: "suse", finds: "/etc/ssh/ssh_host_ed25519_key", want: []string{"-/etc/systemd/system/wslimg-ssh-keygen.service"}},
	{rule: "SSHKEYS", distro: "rhel", finds: "/etc/ssh/ssh_host_ed25519_key", want: []string{"-/etc/systemd/system/wslimg-ssh-keygen.service"}},
	{rule: "SSHD", distro: "debian", profile: Publish, finds: "/etc/systemd/system/multi-user.target.wants/ssh.service", want: []string{"-/etc/systemd/system/multi-user.target.wants/ssh.service"}},
	{rule: "SSHD", distro: "arch", profile: Lima, finds: "/etc/systemd/system/multi-user.target.wants/sshd.service",
		want: []string{`/etc/systemd/system/multi-user.target.wants/sshd.service 0120777 0:0 1 "/usr/lib/systemd/system/sshd.service"`}},
	{rule: "BOOT", distro: "debian", finds: "/boot", want: []string{"/boot 040755", "-/boot/vmlinuz-6.1", "/usr/lib/modules 040755", "-/usr/lib/modules/6.1", "-/usr/lib/firmware/x.bin"}},
	{rule: "BOOT", distro: "alpine", lines: `f0644 /lib/modules/6.1/a.ko "x"`, finds: "/boot", want: []string{"-/lib/modules/6.1"}},
	{rule: "NETUNITS", distro: "debian", finds: "/etc/systemd/system/systemd-networkd.service",
		want: []string{`/etc/systemd/system/systemd-networkd.service 0120777 0:0 1 "/dev/null"`, `/etc/systemd/system/systemd-networkd.socket 0120777 0:0 1 "/dev/null"`}},
	{rule: "NETUNITS", distro: "rhel", finds: "/etc/systemd/system/NetworkManager.service", want: []string{`/etc/systemd/system/NetworkManager.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "NETUNITS", distro: "suse", finds: "/etc/systemd/system/wicked.service", want: []string{`/etc/systemd/system/wickedd.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "NETUNITS", distro: "arch", finds: "/etc/systemd/system/systemd-networkd.service"},
	{rule: "WAITONLINE", distro: "debian", finds: "/etc/systemd/system/systemd-networkd-wait-online.service"},
	{rule: "WAITONLINE", distro: "fedora", finds: "/etc/systemd/system/NetworkManager-wait-online.service"},
	{rule: "RESOLVED", distro: "debian", finds: "/etc/systemd/system/systemd-resolved.service", want: []string{
		`/etc/systemd/system/systemd-resolved.service 0120777 0:0 1 "/dev/null"`,
		`/etc/nsswitch.conf 0100644 0:0 1 "" "passwd: files systemd\nhosts: files dns myhostname\n" <nil>`}},
	{rule: "TMPMOUNT", distro: "debian", finds: "/etc/systemd/system/tmp.mount", want: []string{`/etc/systemd/system/tmp.mount 0120777 0:0 1 "/dev/null"`}},
	{rule: "GETTY", distro: "debian", finds: "/etc/systemd/system/console-getty.service", want: []string{
		`/etc/systemd/system/getty@.service 0120777 0:0 1 "/dev/null"`, `/etc/systemd/system/serial-getty@.service 0120777 0:0 1 "/dev/null"`,
		`/etc/systemd/system/systemd-vconsole-setup.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "TMPFILES", distro: "debian", lines: "l /etc/systemd/system/systemd-tmpfiles-setup.service /dev/null", finds: "/etc/systemd/system/systemd-tmpfiles-setup.service",
		want: []string{"-/etc/systemd/system/systemd-tmpfiles-setup.service"}},
	{rule: "FIRSTBOOT", distro: "arch", finds: "/etc/systemd/system/systemd-firstboot.service"},
	{rule: "AUDIT", distro: "fedora", finds: "/etc/systemd/system/auditd.service", want: []string{`/etc/systemd/system/audit-rules.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "MULTIPATH", distro: "ubuntu", finds: "/etc/systemd/system/multipathd.socket.d/wslimg.conf",
		want: []string{`/etc/systemd/system/multipathd.socket.d/wslimg.conf 0100644 0:0 1 "" "[Unit]\nConditionVirtualization=!container\n" <nil>`}},
	{rule: "AGENTS", distro: "debian", finds: "/etc/systemd/system/hv-kvp-daemon.service", want: []string{`/etc/systemd/system/walinuxagent.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "TIME", distro: "debian", finds: "/etc/systemd/system/sysinit.target.wants/systemd-timesyncd.service", want: []string{"-/etc/systemd/system/systemd-timesyncd.service"}},
	{rule: "TIME", distro: "rhel", lines: "l /usr/lib/systemd/system/multi-user.target.wants/chronyd.service ../chronyd.service", finds: "/etc/systemd/system/multi-user.target.wants/chronyd.service",
		want: []string{`/etc/systemd/system/chronyd.service 0120777 0:0 1 "/dev/null"`}},
	{rule: "NETCFG", distro: "debian", finds: "/etc/netplan/50-cloud-init.yaml", want: []string{"-/etc/netplan/50-cloud-init.yaml"}},
	{rule: "NETCFG", distro: "rhel", finds: "/etc/NetworkManager/system-connections/eth0.nmconnection", want: []string{"-/etc/sysconfig/network-scripts/ifcfg-eth0"}},
	{rule: "NETCFG", distro: "suse", finds: "/etc/sysconfig/network/ifcfg-eth0", want: []string{"/etc/sysconfig/network/ifcfg-lo 0100644"}},
	{rule: "NETCFG", distro: "arch", finds: "/etc/systemd/network/20-wired.network"},
	{rule: "SELINUX", distro: "rhel", finds: "/etc/selinux/config", want: []string{"-/.autorelabel",
		`/etc/selinux/config 0100644 0:0 1 "" "# This file\nSELINUX=disabled\nSELINUXTYPE=targeted\n" <nil>`}},
	{rule: "CLOUDINIT", distro: "debian", finds: "/etc/cloud/cloud.cfg.d/99_wslimg.cfg",
		want: []string{`/etc/cloud/cloud.cfg.d/99_wslimg.cfg 0100644 0:0 1 "" "# Written by wslimg for WSL.\ndatasource_list: [WSL, NoCloud]\nnetwork: {config: disabled}\nsystem_info:\n  distro: debian\n  default_user:\n" <nil>`}},
	{rule: "CLOUDINIT", distro: "ubuntu", profile: Lima, finds: "/etc/cloud/cloud-init.disabled"},
	{rule: "GROW", distro: "rhel", finds: "/etc/cloud/cloud.cfg.d/98_wslimg_grow.cfg"},
	{rule: "ROOTPW", distro: "debian", lines: `f0644:0:42 /etc/shadow "root:$y$x:1:0:99999:7:::\njoe:$y$z:1:0:99999:7:::\n"`, finds: "/etc/shadow",
		want: []string{`/etc/shadow 0100640 0:42 1 "" "root:*:1:0:99999:7:::\njoe:$y$z:1:0:99999:7:::\n" <nil>`}},
	{rule: "ROOTPW", distro: "debian", lines: `f0000 /etc/shadow "root:!:1:0:99999:7:::\njoe:$y$z:1:0:99999:7:::\n"`, profile: Publish, finds: "/etc/shadow",
		want: []string{`/etc/shadow 0100000 0:0 1 "" "root:!:1:0:99999:7:::\njoe:*:1:0:99999:7:::\n" <nil>`}},
	{rule: "ROOTPW", distro: "debian", lines: `f0600 /etc/shadow "root:!:1::::::\njoe:!$y$z:1::::::\nd:!*:1::::::\n"`, profile: Publish, finds: "/etc/shadow",
		want: []string{`/etc/shadow 0100600 0:0 1 "" "root:!:1::::::\njoe:*:1::::::\nd:!*:1::::::\n" <nil>`}},
	{rule: "ROOTPW", distro: "debian", lines: `f0600 /etc/shadow- "root:$y$x:1::::::\n"` + "\n" + `f0600 /etc/shadow "root:!$y$x:1::::::\n"`, finds: "/etc/shadow-",
		want: []string{`/etc/shadow 0100600 0:0 1 "" "root:!$y$x:1::::::\n" <nil>`, `/etc/shadow- 0100600 0:0 1 "" "root:*:1::::::\n" <nil>`}},
	{rule: "ROOTPW", distro: "debian", lines: `f0644 /etc/passwd "root::0:0::/root:/bin/sh\njoe::1000:1000::/:/bin/sh\n"` + "\nl /etc/shadow /nowhere", finds: "/etc/passwd",
		want: []string{`/etc/passwd 0100644 0:0 1 "" "root:*:0:0::/root:/bin/sh\njoe::1000:1000::/:/bin/sh\n" <nil>`}},
	{rule: "ROOTPW", distro: "plain", finds: "/etc/shadow", want: []string{`/etc/shadow 0100600 0:0 1 "" "root:*:19000:0:99999:7:::\n" <nil>`}},
	{rule: "DISTCONF", distro: "debian", lines: `f0600:1:1 /etc/wsl.conf ""`, profile: Publish, finds: "/usr/lib/wsl/icon.ico", want: []string{
		`/etc/wsl-distribution.conf 0100644 0:0 1 "" "[oobe]\ndefaultName=debian-13\ncommand=/usr/lib/wsl/oobe.sh\ndefaultUid=1000\n\n[shortcut]\nicon=/usr/lib/wsl/icon.ico\n\n[windowsterminal]\nprofileTemplate=/usr/lib/wsl/terminal-profile.json\n" <nil>`,
		"/usr/lib/wsl/oobe.sh 0100755 0:0", "/usr/lib/wsl/icon.ico 0100644 0:0", "/usr/lib/wsl/terminal-profile.json 0100640 0:0", "/etc/wsl.conf 0100644 0:0"}},
	{rule: "DISTCONF", distro: "alpine", profile: Publish, lines: "f0600 /usr/share/wsl/a.ico \"x\"\n" + `f0644 /etc/wsl-distribution.conf "[shortcut]\nicon=/usr/share/wsl/a.ico\n[oobe]\ndefaultName=mine\n"`,
		finds: "/usr/share/wsl/a.ico", want: []string{"-/usr/lib/wsl/oobe.sh", "-/usr/lib/wsl/icon.ico", "/usr/share/wsl/a.ico 0100644",
			`/etc/wsl-distribution.conf 0100644 0:0 1 "" "[shortcut]\nicon=/usr/share/wsl/a.ico\n[oobe]\ndefaultName=mine\n\n[windowsterminal]\nprofileTemplate=/usr/lib/wsl/terminal-profile.json\n" <nil>`}},
	{rule: "NOUSER", distro: "alpine", finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[user]\ndefault=alpine\n" <nil>`}},
	{rule: "NOUSER", distro: "debian", lines: `f0644 /etc/wsl.conf "[user]\ndefault=joe\n"`, profile: Publish, finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[user]\n" <nil>`}},
	{rule: "NOUSER", distro: "debian", lines: `f0644 /etc/wsl.conf "[user]\ndefault=joe\n"`, profile: Lima, finds: "/etc/wsl.conf", want: []string{`/etc/wsl.conf 0100644 0:0 1 "" "[user]\n" <nil>`}},
	{rule: "SHELL", distro: "debian", lines: `f0644 /etc/passwd "root:x:0:0::/root:/sbin/nologin\njoe:x:1000:1000::/:/bin/zsh\nd:x:1:1::/:/sbin/nologin\n"`, finds: "/etc/passwd",
		want: []string{`/etc/passwd 0100644 0:0 1 "" "root:x:0:0::/root:/bin/bash\njoe:x:1000:1000::/:/bin/bash\nd:x:1:1::/:/sbin/nologin\n" <nil>`}},
	{rule: "SHELL", distro: "debian", lines: `f0644 /etc/shells "/bin/sh"`, finds: "/etc/shells", want: []string{`/etc/shells 0100644 0:0 1 "" "/bin/sh\n/bin/bash\n" <nil>`}},
	{rule: "WSLPATH", distro: "plain", finds: "/usr/bin/wslpath", want: []string{`/usr/bin/wslpath 0120777 0:0 1 "/init"`}},
	{rule: "LOCALE", distro: "fedora", finds: "/etc/default/locale", want: []string{`/etc/default/locale 0100644 0:0 1 "" "LANG=en_US.UTF-8\n" <nil>`}},
	{rule: "PSEUDO", distro: "debian", finds: "/dev", want: []string{"/dev 040755", "-/dev/console", "/run 040755", "-/run/utmp", "/tmp 041777", "-/tmp/x", "-/lost+found", "-/var/spool/master.sock"}},
	{rule: "CACHE", distro: "debian", finds: "/var/cache/apt/archives", want: []string{"-/var/cache/apt/archives/x.deb", "/var/cache/apt/archives/lock 0100640", "-/var/lib/apt/lists/x_Packages",
		"/var/log/journal 042755", "-/var/log/journal/0123456789abcdef0123456789abcdef", "-/var/lib/systemd/random-seed", "-/swapfile"}},
	{rule: "CACHE", distro: "fedora", profile: Publish, finds: "/var/cache/dnf", want: []string{"-/var/cache/libdnf5/x.solv", "-/var/log/messages"}},
	{rule: "CACHE", distro: "alpine", profile: Publish, lines: "l /var/lib/cloud/instance /var/lib/cloud/instances/i-1\nf0600 /var/lib/cloud/instances/i-1/user-data.txt \"x\"\nf0600 /var/lib/cloud/seed/nocloud/user-data \"y\"",
		finds: "/var/cache/apk", want: []string{"-/var/lib/cloud/instance", "-/var/lib/cloud/instances/i-1/user-data.txt", "/var/lib/cloud/seed/nocloud/user-data 0100600"}},
	{rule: "CACHE", distro: "arch", finds: "/var/cache/pacman/pkg"},
	{rule: "CACHE", distro: "suse", finds: "/var/cache/zypp"},
	{rule: "CACHE", distro: "alpine", finds: "/var/cache/apk"},
	{rule: "XATTR", distro: "rhel", finds: "/etc", want: []string{"/etc 040755 0:0 1 \"\"\n", "/etc/hosts 0100644 0:0 1 \"\" \"127"}},
}

// noted are the rules that only the user can satisfy: what they find, and on what.
var noted = []struct {
	rule, distro, lines string
	profile             Profile
	path                string
	refuse              bool
}{
	{rule: "TOOLS", distro: "debian", lines: "f0644 /usr/bin/mount ELF", path: "/bin/mount"},
	{rule: "TOOLS", distro: "debian", lines: "l /usr/bin/login /nowhere", path: "/bin/login"},
	{rule: "TOOLS", distro: "arch", lines: "l /usr/bin/sh /nowhere", path: "/bin/sh", refuse: true},
	{rule: "ARCH", distro: "debian", lines: `f0755 /usr/bin/dash "\x7fELF\x02\x01\x01_________\x03\x00\xf3\x00____________________________________________"`, path: "/bin/sh", refuse: true},
	{rule: "SSHD", distro: "plain", profile: Lima, path: "/usr/sbin/sshd"},
	{rule: "UID1000", distro: "alpine", profile: Lima, path: "/etc/passwd"},
	{rule: "UID1000", distro: "alpine", profile: Publish, path: "/etc/passwd"},
	{rule: "NOUSER", distro: "debian", path: "/etc/passwd"},
	{rule: "NOUSER", distro: "debian", lines: `f0644 /etc/wsl.conf "[user]\ndefault=ghost\n"`, path: "/etc/wsl.conf"},
	{rule: "SETUID", distro: "debian", lines: "f0755 /usr/bin/sudo ELF", path: "/usr/bin/sudo"},
	{rule: "LIMATOOLS", distro: "alpine", profile: Lima, path: "/bin/bash"},
	{rule: "TZDATA", distro: "plain", path: "/usr/share/zoneinfo"},
}

// only are options under which no other rule is at work.
func only(rule string, p Profile) Options {
	if p == "" {
		p = Import
	}
	o := Options{Profile: p}
	for _, id := range ids() {
		if id != rule {
			o.Disable = append(o.Disable, id)
		}
	}
	return o
}

func apply(t *testing.T, tr *tree.Tree, o Options) (int, error) {
	t.Helper()
	e, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := e.Apply(context.Background(), tr)
	return len(ch), err
}

func check(t *testing.T, tr *tree.Tree, o Options) []Finding {
	t.Helper()
	before := edittest.Dump(tr)
	f, err := Check(context.Background(), tr, o)
	if err != nil {
		t.Fatal(err)
	}
	if edittest.Dump(tr) != before {
		t.Error("Check changed the tree")
	}
	return f
}

func TestRulesRepair(t *testing.T) {
	for _, c := range cases {
		t.Run(c.rule+" "+c.distro, func(t *testing.T) {
			tr := edittest.Build(edittest.Distros[c.distro](), c.lines)
			o := only(c.rule, c.profile)
			found := check(t, tr, o)
			if len(found) == 0 || found[0].Path != c.finds || !found[0].Repaired || found[0].Rule != c.rule {
				t.Fatalf("found %+v, want %s first", found, c.finds)
			}
			for _, f := range found {
				if f.What == "" || f.Fix == "" || f.Severity == Off {
					t.Errorf("finding says too little: %+v", f)
				}
			}
			before := edittest.Dump(tr)
			disabled := o
			disabled.Disable = ids()
			if n, err := apply(t, tr, disabled); n != 0 || err != nil || edittest.Dump(tr) != before {
				t.Errorf("a disabled rule did %d things, %v", n, err)
			}
			if n, err := apply(t, tr, o); n != len(found) || err != nil {
				t.Errorf("%d changes for %d findings, %v", n, len(found), err)
			}
			after := edittest.Dump(tr)
			if left := check(t, tr, o); len(left) != 0 {
				t.Errorf("still found: %+v", left)
			}
			if n, err := apply(t, tr, o); n != 0 || err != nil || edittest.Dump(tr) != after {
				t.Errorf("second run: %d changes, %v", n, err)
			}
			for _, w := range c.want {
				path, gone := strings.CutPrefix(w, "-")
				if gone && strings.Contains("\n"+after, "\n"+path+" ") {
					t.Errorf("%s is still there", path)
				}
				if !gone && !strings.Contains("\n"+after, "\n"+w) {
					got, _ := tr.ReadFile(strings.Fields(w)[0], 1<<20)
					t.Errorf("no %s\nthe file holds %q", w, got)
				}
			}
		})
	}
}

func TestRulesNote(t *testing.T) {
	for _, c := range noted {
		t.Run(c.rule+" "+c.distro, func(t *testing.T) {
			tr := edittest.Build(edittest.Distros[c.distro](), c.lines)
			o := only(c.rule, c.profile)
			found := check(t, tr, o)
			if len(found) == 0 || found[0].Path != c.path || found[0].Repaired || found[0].Fix == "" {
				t.Fatalf("found %+v, want %s first", found, c.path)
			}
			before := edittest.Dump(tr)
			n, err := apply(t, tr, o)
			if n != 0 || edittest.Dump(tr) != before || c.refuse != (err != nil) {
				t.Errorf("%d changes, %v", n, err)
			}
		})
	}
}

// A rule that cannot do its work names itself and how to do without it.
func TestFailedRuleHint(t *testing.T) {
	tr := edittest.Build(edittest.Debian(), "")
	if _, err := tr.Remove("/etc/systemd/system/multi-user.target.wants"); err != nil {
		t.Fatal(err)
	}
	edittest.Build(tr, `f0644 /etc/systemd/system/multi-user.target.wants "x"`)
	_, err := apply(t, tr, only("SSHKEYS", Import))
	if err == nil || !strings.Contains(err.Error(), "rule SSHKEYS: ") || !strings.Contains(ondisk.HintOf(err), "--disable SSHKEYS") {
		t.Errorf("%v (hint %q)", err, ondisk.HintOf(err))
	}
}

func TestEveryRuleHasACase(t *testing.T) {
	for _, r := range Rules {
		seen := false
		for _, c := range cases {
			seen = seen || c.rule == r.ID
		}
		for _, c := range noted {
			seen = seen || c.rule == r.ID
		}
		if !seen {
			t.Errorf("%s has none", r.ID)
		}
		if r.About == "" || r.Why == "" || r.Source == "" {
			t.Errorf("%s is not explained", r.ID)
		}
		if r.Import == Off && r.Publish == Off && r.Lima == Off {
			t.Errorf("%s never applies", r.ID)
		}
	}
	list := ids()
	slices.Sort(list)
	if len(slices.Compact(list)) != len(Rules) {
		t.Error("an id stands twice")
	}
}

// TestDistros: after the edits of a profile nothing that they can repair is
// left, a second run does nothing, and only the listed problems stay.
func TestDistros(t *testing.T) {
	stay := map[string]string{
		"debian import": "NOUSER", "ubuntu import": "NOUSER", "rhel import": "NOUSER", "fedora import": "NOUSER",
		"suse import": "NOUSER", "arch import": "NOUSER", "plain import": "NOUSER TZDATA", "plain publish": "TZDATA",
		"alpine import": "TZDATA", "alpine publish": "UID1000 TZDATA",
		"alpine lima": "SSHD UID1000 LIMATOOLS TZDATA", "plain lima": "SSHD LIMATOOLS TZDATA",
	}
	for name, build := range edittest.Distros {
		for _, p := range Profiles {
			t.Run(name+" "+string(p), func(t *testing.T) {
				tr, o := build(), Options{Profile: p}
				before := edittest.Dump(tr)
				if _, err := apply(t, tr, o); err != nil {
					t.Fatal(err)
				}
				if p == None && edittest.Dump(tr) != before {
					t.Error("the tree changed")
				}
				var left []string
				for _, f := range check(t, tr, o) {
					left = append(left, f.Rule)
				}
				if got := strings.Join(slices.Compact(left), " "); got != stay[name+" "+string(p)] {
					t.Errorf("left: %s, want %s", got, stay[name+" "+string(p)])
				}
				after := edittest.Dump(tr)
				if n, err := apply(t, tr, o); n != 0 || err != nil || edittest.Dump(tr) != after {
					t.Errorf("second run: %d changes, %v", n, err)
				}
			})
		}
	}
}

// TestHostileLinks: directories that rules empty are links elsewhere, or loops.
func TestHostileLinks(t *testing.T) {
	tr := edittest.Debian()
	for _, d := range []string{"/tmp", "/run", "/boot", "/proc", "/usr/lib/modules"} {
		if _, err := tr.Remove(d); err != nil {
			t.Fatal(err)
		}
	}
	edittest.Build(tr, "l /tmp /etc\nl /run ../../..\nl /boot .\nl /proc proc\nl /usr/lib/modules /usr\nl /etc/netplan2 /\nl /etc/hosts hosts\n")
	if _, err := apply(t, tr, Options{Profile: Import}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/passwd", "/usr/bin/bash", "/usr/lib/systemd/systemd"} {
		if _, err := tr.Lookup(path); err != nil {
			t.Error(err)
		}
	}
}

func TestUID1000TakesFirstStartOut(t *testing.T) {
	tr := edittest.Build(edittest.Alpine(), `f0644 /etc/wsl-distribution.conf "[oobe]\ncommand=/x\ndefaultUid=1000\n"`)
	o := only("UID1000", Publish)
	if n, err := apply(t, tr, o); n != 1 || err != nil {
		t.Error(n, err)
	}
	if b, err := tr.ReadFile("/etc/wsl-distribution.conf", 100); string(b) != "[oobe]\n" || err != nil {
		t.Errorf("%q %v", b, err)
	}
	if left := check(t, tr, o); len(left) != 1 || left[0].Severity != Warn {
		t.Error(left)
	}
	if n, err := apply(t, tr, o); n != 0 || err != nil {
		t.Error("again:", n, err)
	}
}

func TestKeepsWhatWSLConfClaims(t *testing.T) {
	tr := edittest.Build(edittest.Debian(), `f0644 /etc/wsl.conf "[network]\ngenerateResolvConf=false\ngenerateHosts=false\n[boot]\nsystemd=false\n[user]\ndefault=root\n"`)
	if _, err := apply(t, tr, Options{Profile: Import}); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{"/etc/resolv.conf", "/etc/hosts"} {
		if _, err := tr.Lstat(path); err != nil {
			t.Error(err)
		}
	}
	b, err := tr.ReadFile("/etc/wsl.conf", 1000)
	if err != nil || !strings.Contains(string(b), "systemd=false") || !strings.Contains(string(b), "default=root") {
		t.Errorf("%q, %v", b, err)
	}
}

// TestUserDataDecides: the default user is left to user data that makes users.
func TestUserDataDecides(t *testing.T) {
	for profile, tr := range map[Profile]*tree.Tree{
		Import:  edittest.Alpine(),
		Publish: edittest.Build(edittest.Debian(), `f0644 /etc/wsl.conf "[user]\ndefault=joe\n"`),
	} {
		o := only("NOUSER", profile)
		if found := check(t, tr, o); len(found) != 1 {
			t.Error(found)
		}
		o.UserLater = true
		if found := check(t, tr, o); len(found) != 0 {
			t.Error(found)
		}
	}
}

func TestPublishTakesGivenFiles(t *testing.T) {
	tr := edittest.Build(edittest.Debian(), "f0700:5:5 /usr/lib/wsl/oobe.sh \"#!/old\"\n"+
		`f0644 /etc/wsl-distribution.conf "# mine\n[oobe]\ncommand=/opt/x\ndefaultName=a\n"`)
	o := Options{Profile: Publish, Dist: Dist{Name: "b", OOBE: []byte("#!/bin/sh\nexit 0\n")}}
	if _, err := apply(t, tr, o); err != nil {
		t.Fatal(err)
	}
	conf, _ := tr.ReadFile("/etc/wsl-distribution.conf", 1000)
	if want := "# mine\n[oobe]\ncommand=/usr/lib/wsl/oobe.sh\ndefaultName=b\ndefaultUid=1000\n"; !strings.HasPrefix(string(conf), want) {
		t.Errorf("%q", conf)
	}
	script, _ := tr.ReadFile("/usr/lib/wsl/oobe.sh", 1000)
	n, _ := tr.Lookup("/usr/lib/wsl/oobe.sh")
	if string(script) != string(o.Dist.OOBE) || n.Mode != 0o100755 || n.UID != 0 {
		t.Errorf("%q %#o", script, n.Mode)
	}
	if n, err := apply(t, tr, o); n != 0 || err != nil {
		t.Error("second run:", n, err)
	}
}

// TestPublishKeepsGivenScript: one that the user brings runs, whoever has uid 1000.
func TestPublishKeepsGivenScript(t *testing.T) {
	tr := edittest.Build(edittest.Alpine(), `f0644 /etc/wsl-distribution.conf "[oobe]\ndefaultUid=1000\n"`)
	o := Options{Profile: Publish, Dist: Dist{OOBE: []byte("#!/bin/sh\n")}}
	if _, err := apply(t, tr, o); err != nil {
		t.Fatal(err)
	}
	conf, _ := tr.ReadFile("/etc/wsl-distribution.conf", 1000)
	if want := "[oobe]\ndefaultName="; !strings.HasPrefix(string(conf), want) || !strings.Contains(string(conf), "\ncommand=/usr/lib/wsl/oobe.sh\n") {
		t.Errorf("%q", conf)
	}
	if b, err := tr.ReadFile("/usr/lib/wsl/oobe.sh", 100); string(b) != "#!/bin/sh\n" {
		t.Error(b, err)
	}
	if n, err := apply(t, tr, o); n != 0 || err != nil {
		t.Error("second run:", n, err)
	}
}

func TestOptions(t *testing.T) {
	for what, o := range map[string]Options{
		"profile": {Profile: "x"}, "rule": {Profile: Import, Disable: []string{"FSTABS"}},
		"name": {Profile: Publish, Dist: Dist{Name: "a b"}}, "#!": {Profile: Publish, Dist: Dist{OOBE: []byte("MZ")}},
		"icon": {Profile: Publish, Dist: Dist{Icon: []byte("PNG")}},
	} {
		if _, err := New(o); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	found := check(t, edittest.Debian(), Options{Profile: Import, Arch: "arm64"})
	if !slices.ContainsFunc(found, func(f Finding) bool { return f.Rule == "ARCH" }) {
		t.Error("amd64 passes on an arm64 machine")
	}
}

// Inodes that have equal attributes share the list of them.
func TestSharedXattrs(t *testing.T) {
	tr := edittest.Build(tree.New(), "f0755 /bin/a \"\"\nf0755 /bin/b \"\"\n")
	list := []fsys.Xattr{{Name: "security.capability", Value: []byte("cap")}, {Name: "security.selinux", Value: []byte("label")}}
	paths := []string{"/bin/a", "/bin/b"}
	for _, path := range paths {
		n, err := tr.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		n.Xattrs = list
	}
	if _, err := apply(t, tr, only("XATTR", Import)); err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		n, err := tr.Lookup(path)
		if err != nil {
			t.Fatal(err)
		}
		if len(n.Xattrs) != 1 || n.Xattrs[0].Name != "security.capability" {
			t.Errorf("%s has %v", path, n.Xattrs)
		}
	}
}
