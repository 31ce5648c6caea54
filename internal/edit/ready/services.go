package ready

import (
	"strings"

	"github.com/wslimg/wslimg/internal/edit/users"
)

func tmpMount(s *scan)  { s.maskEnabled("tmp.mount") }
func firstBoot(s *scan) { s.maskEnabled("systemd-firstboot.service") }
func audit(s *scan)     { s.maskEnabled("auditd.service", "audit-rules.service") }

// getty: generators start them, links or not.
func getty(s *scan) {
	s.maskInstalled("console-getty.service", "getty@.service", "serial-getty@.service", "systemd-vconsole-setup.service")
}

func agents(s *scan) {
	s.maskInstalled(
		"hypervkvpd.service", "hv-kvp-daemon.service", "hv_kvp_daemon.service",
		"hypervvssd.service", "hv-vss-daemon.service", "hypervfcopyd.service", "hv-fcopy-daemon.service",
		"walinuxagent.service", "waagent.service", "walinuxagent-network-setup.service",
		"google-guest-agent.service", "google-guest-agent-manager.service", "google-osconfig-agent.service",
		"google-startup-scripts.service", "google-shutdown-scripts.service",
		"amazon-ssm-agent.service", "qemu-guest-agent.service", "open-vm-tools.service", "vmtoolsd.service",
		"vgauth.service", "vgauthd.service", "spice-vdagentd.service", "spice-vdagentd.socket",
		"vboxadd.service", "vboxadd-service.service", "vboxservice.service",
	)
}

func timeSync(s *scan) {
	s.disable("systemd-timesyncd.service", "systemd-time-wait-sync.service", "chronyd.service", "chrony.service",
		"ntp.service", "ntpd.service", "ntpsec.service")
}

func tmpfiles(s *scan) {
	for _, e := range s.list(admin) {
		if strings.HasPrefix(e.Name, "systemd-tmpfiles-") && s.masked(e.Name) {
			s.add(problem{path: admin + "/" + e.Name, what: "is masked", act: act{"unmask it", "unmasked"}, repair: func() error {
				_, err := s.t.Remove(admin + "/" + e.Name)
				return err
			}})
		}
	}
}

func multipath(s *scan) {
	const unit, path = "multipathd.socket", admin + "/multipathd.socket.d/wslimg.conf"
	const text = "[Unit]\nConditionVirtualization=!container\n"
	if s.installed(unit) && !s.masked(unit) && s.read(path) != text {
		s.write(path, []byte(text), 0o644, unit+" starts", act{"let it not start in containers, of which WSL is one", "limited to other than containers, of which WSL is one"})
	}
}

const (
	keygenUnit = "wslimg-ssh-keygen.service"
	keygenText = `[Unit]
Description=Make the ssh host keys that are missing
Before=ssh.service sshd.service ssh.socket sshd.socket
After=cloud-init.service cloud-init-network.service
ConditionPathExistsGlob=!/etc/ssh/ssh_host_*_key

[Service]
Type=oneshot
ExecStart=/usr/bin/ssh-keygen -A

[Install]
WantedBy=multi-user.target
`
)

func sshKeys(s *scan) {
	for _, e := range s.list("/etc/ssh") {
		if strings.HasPrefix(e.Name, "ssh_host_") {
			s.remove("/etc/ssh/"+e.Name, "is the machine's own key")
		}
	}
	if !users.Executable(s.t, "/usr/sbin/sshd") || !users.Executable(s.t, "/usr/bin/ssh-keygen") || !s.hasSystemd() || s.makesKeys() {
		return
	}
	path, link := admin+"/"+keygenUnit, admin+"/multi-user.target.wants/"+keygenUnit
	s.add(problem{path: path, what: "nothing makes host keys when sshd starts",
		act: act{"add a unit that runs ssh-keygen -A", "added a unit that runs ssh-keygen -A"}, repair: func() error {
			if err := write(s.t, path, []byte(keygenText), 0o644); err != nil {
				return err
			}
			if _, err := s.t.MkdirAll(admin+"/multi-user.target.wants", 0o755); err != nil {
				return err
			}
			return s.t.Symlink(link, path)
		}})
}

// makesKeys tells whether the distribution makes host keys when it starts: by
// a unit of its own or, on SUSE, by sshd's unit. One that runs only at a first
// boot (Debian 13's) does not count: for systemd an empty machine-id is none.
func (s *scan) makesKeys() bool {
	for _, unit := range []string{"sshd-keygen@.service", "sshd-keygen.service", "sshdgenkeys.service", "ssh-keygen.service", keygenUnit} {
		if s.installed(unit) && !strings.Contains(s.read(s.unitPath(unit)), "ConditionFirstBoot=yes") {
			return true
		}
	}
	return users.Executable(s.t, "/usr/sbin/sshd-gen-keys-start")
}

// sshd: under the publish profile it must not start by itself, under lima it must.
func sshd(s *scan) {
	names := []string{"ssh.service", "sshd.service", "ssh.socket", "sshd.socket"}
	if s.o.Profile == Publish {
		s.disable(names...)
		return
	}
	found := ""
	for _, u := range names {
		n := s.lookup(admin + "/multi-user.target.wants/" + u)
		if len(s.wants(u)) > 0 && !s.masked(u) || n != nil {
			return
		}
		if found == "" && s.installed(u) && !s.masked(u) && strings.HasSuffix(u, ".service") {
			found = u
		}
	}
	if found == "" || !s.hasSystemd() {
		s.note("/usr/sbin/sshd", "no ssh server is started", "install and enable one in the image")
		return
	}
	link := admin + "/multi-user.target.wants/" + found
	s.add(problem{path: link, what: found + " is not enabled", act: act{"enable it", "enabled"}, repair: func() error {
		if _, err := s.t.MkdirAll(admin+"/multi-user.target.wants", 0o755); err != nil {
			return err
		}
		return s.t.Symlink(link, s.unitPath(found))
	}})
}

// unitPath is where the unit's file is.
func (s *scan) unitPath(unit string) string {
	for _, dir := range unitDirs {
		if s.lstat(dir+"/"+unit) != nil {
			return dir + "/" + unit
		}
	}
	return admin + "/" + unit
}
