package ready

import (
	"strings"

	"github.com/wslimg/wslimg/internal/edit/cloudinit"
)

func cloudInit(s *scan) {
	if !cloudinit.Installed(s.t) || s.lookup(cloudinit.DisabledPath) != nil {
		return
	}
	if s.o.Profile == Lima {
		s.write(cloudinit.DisabledPath, nil, 0o644, "cloud-init would make a user with Lima's id", act{"switch cloud-init off", "switched cloud-init off"})
		return
	}
	want, err := cloudinit.Config(s.t)
	if s.failed(err) {
		return
	}
	if s.read(cloudinit.ConfigPath) != string(want) {
		s.write(cloudinit.ConfigPath, want, 0o644, "cloud-init is not set up for WSL",
			act{"limit it to WSL's and the seed's data, without network and default user", "limited to WSL's and the seed's data, without network and default user"})
	}
}

func grow(s *scan) {
	if !cloudinit.Installed(s.t) || s.o.Profile == Lima {
		return
	}
	cfg := s.read("/etc/cloud/cloud.cfg")
	if (strings.Contains(cfg, "growpart") || strings.Contains(cfg, "resizefs")) && s.read(cloudinit.GrowPath) != cloudinit.GrowConfig {
		s.write(cloudinit.GrowPath, []byte(cloudinit.GrowConfig), 0o644, "cloud-init would grow a partition", act{"switch it off", "switched off"})
	}
}
