package ready

import (
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/fsys"
)

// unitDirs are where systemd finds units, systemd.unit(5).
var unitDirs = []string{
	"/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system",
	"/usr/lib/systemd/system", "/lib/systemd/system",
}

const admin = "/etc/systemd/system" // the administrator's units come first

// hasSystemd tells whether the image has systemd.
func (s *scan) hasSystemd() bool { return s.systemdPath() != "" }

func (s *scan) systemdPath() string {
	for _, p := range []string{"/usr/lib/systemd/systemd", "/lib/systemd/systemd"} {
		if users.Executable(s.t, p) {
			return p
		}
	}
	return ""
}

// installed tells whether the unit has a file.
func (s *scan) installed(unit string) bool {
	return slices.ContainsFunc(unitDirs, func(dir string) bool { return s.lstat(dir+"/"+unit) != nil })
}

// masked tells whether systemd would refuse to start the unit.
func (s *scan) masked(unit string) bool {
	for _, dir := range unitDirs {
		if n := s.lstat(dir + "/" + unit); n != nil {
			return n.IsSymlink() && n.Target == "/dev/null" || n.IsRegular() && n.Size() == 0
		}
	}
	return false
}

// wants lists the links by which something pulls the unit, or an instance of a
// template, in.
func (s *scan) wants(unit string) []string {
	var links []string
	prefix, suffix, template := strings.Cut(unit, "@.")
	for _, dir := range unitDirs {
		if dir == "/lib/systemd/system" && s.merged("/lib") {
			continue // the same directory again
		}
		for _, e := range s.list(dir) {
			if !e.Node.IsDir() || !strings.HasSuffix(e.Name, ".wants") && !strings.HasSuffix(e.Name, ".requires") && !strings.HasSuffix(e.Name, ".upholds") {
				continue
			}
			for _, l := range e.Node.Entries() {
				if l.Name == unit || template && strings.HasPrefix(l.Name, prefix+"@") && strings.HasSuffix(l.Name, "."+suffix) {
					links = append(links, dir+"/"+e.Name+"/"+l.Name)
				}
			}
		}
	}
	return links
}

func (s *scan) merged(dir string) bool {
	n := s.lstat(dir)
	return n != nil && n.IsSymlink()
}

// mask finds that a unit should be masked.
func (s *scan) mask(unit, what string) {
	path := admin + "/" + unit
	s.add(problem{path: path, what: what, act: maskIt, repair: func() error {
		if _, err := s.t.MkdirAll(admin, 0o755); err != nil {
			return err
		}
		return s.t.Symlink(path, "/dev/null")
	}})
}

// maskEnabled masks those of the units that something pulls in.
func (s *scan) maskEnabled(units ...string) {
	for _, u := range units {
		if links := s.wants(u); len(links) > 0 && !s.masked(u) && s.hasSystemd() {
			s.mask(u, u+" is started through "+fsys.Printable(links[0]))
		}
	}
}

// maskInstalled masks those of the units that exist: generators, devices or
// buses start them.
func (s *scan) maskInstalled(units ...string) {
	for _, u := range units {
		if s.installed(u) && !s.masked(u) && s.hasSystemd() {
			s.mask(u, u+" is installed")
		}
	}
}

// disable finds that units should not start by themselves: the administrator's
// links go, what the vendor pulls in is masked.
func (s *scan) disable(units ...string) {
	for _, u := range units {
		if s.masked(u) {
			continue
		}
		for _, l := range s.wants(u) {
			if strings.HasPrefix(l, admin+"/") {
				s.remove(l, u+" is enabled")
			} else {
				s.mask(u, u+" is started through "+fsys.Printable(l))
				break
			}
		}
	}
}
