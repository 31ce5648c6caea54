package ready

import (
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

func resolv(s *scan) {
	const path = "/etc/resolv.conf"
	n := s.lstat(path)
	if n == nil || !s.conf().Bool("network.generateResolvConf") {
		return
	}
	s.remove(path, "is in the place of WSL's own")
	if n.IsDir() {
		s.problems[len(s.problems)-1].severity = Error
	}
}

func hostname(s *scan) {
	if s.lstat("/etc/hostname") != nil {
		s.remove("/etc/hostname", "is the machine's name; [network] hostname sets the distribution's")
	}
	if s.lstat("/etc/hosts") != nil && s.conf().Bool("network.generateHosts") {
		s.remove("/etc/hosts", "is written by WSL; [network] generateHosts=false keeps yours")
	}
}

func netUnits(s *scan) {
	s.maskEnabled(
		"systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-varlink.socket",
		"systemd-networkd-varlink-metrics.socket", "systemd-networkd-resolve-hook.socket",
		"NetworkManager.service", "networking.service", "network.service", "dhcpcd.service", "dhcpcd@.service",
		"connman.service", "wicked.service", "wickedd.service", "wickedd-nanny.service",
		"wickedd-auto4.service", "wickedd-dhcp4.service", "wickedd-dhcp6.service",
	)
}

func waitOnline(s *scan) {
	s.maskEnabled("systemd-networkd-wait-online.service", "systemd-networkd-wait-online@.service",
		"NetworkManager-wait-online.service", "ifupdown-wait-online.service")
}

func resolved(s *scan) {
	s.maskEnabled("systemd-resolved.service", "systemd-resolved-varlink.socket", "systemd-resolved-monitor.socket")
	const unit, path = "systemd-resolved.service", "/etc/nsswitch.conf"
	if s.installed(unit) && !s.masked(unit) && len(s.wants(unit)) == 0 {
		return // not running, and not ours to judge: the module answers "unavailable"
	}
	lines := slices.Collect(strings.Lines(s.read(path)))
	changed := false
	for i, l := range lines {
		if without := dropResolve(l); without != l {
			lines[i], changed = without, true
		}
	}
	if changed {
		s.write(path, []byte(strings.Join(lines, "")), 0o644, "hosts: asks systemd-resolved", act{"take resolve out", "took resolve out"})
	}
}

// dropResolve takes the service "resolve" and the actions behind it out of an
// nsswitch.conf(5) line for hosts.
func dropResolve(l string) string {
	rest, ok := strings.CutPrefix(l, "hosts:")
	if !ok {
		return l
	}
	before, after, ok := strings.Cut(rest, " resolve")
	if !ok || after != "" && !strings.ContainsRune(" \t\n[", rune(after[0])) {
		return l
	}
	if trimmed := strings.TrimLeft(after, " \t"); strings.HasPrefix(trimmed, "[") {
		if _, tail, ok := strings.Cut(trimmed, "]"); ok {
			after = tail
		}
	}
	return "hosts:" + before + after
}

// netConfig: only files that name one machine's interfaces; lo stays.
func netConfig(s *scan) {
	for _, c := range []struct{ dir, prefix, suffix string }{
		{"/etc/netplan", "", ".yaml"},
		{"/etc/NetworkManager/system-connections", "", ""},
		{"/etc/systemd/network", "", ".network"},
		{"/etc/network/interfaces.d", "", ""},
		{"/etc/sysconfig/network-scripts", "ifcfg-", ""},
		{"/etc/sysconfig/network", "ifcfg-", ""},
	} {
		for _, e := range s.list(c.dir) {
			if strings.HasPrefix(e.Name, c.prefix) && strings.HasSuffix(e.Name, c.suffix) && e.Name != "ifcfg-lo" && !e.Node.IsDir() {
				s.remove(c.dir+"/"+e.Name, fsys.Printable(e.Name)+" configures an interface")
			}
		}
	}
}
