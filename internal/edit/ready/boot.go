package ready

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// wslConf: malformed lines are made harmless, others are for the user to judge.
func wslConf(s *scan) {
	f := s.conf()
	for _, i := range f.Issues() {
		sev := map[wslconf.Level]Severity{wslconf.Trap: Warn, wslconf.Ignored: Warn, wslconf.Fatal: Error}[i.Level]
		p := problem{path: wslconf.Path, what: i.String(), severity: sev, act: act{fix: "correct the line"}}
		if i.Level == wslconf.Fatal {
			p.act = act{"make the line harmless", "made harmless"}
			p.repair = func() error {
				f := s.conf()
				f.Repair()
				return write(s.t, wslconf.Path, f.Bytes(), 0o644)
			}
		}
		s.add(p)
	}
}

// tools: without a shell nothing starts, without the others something does.
func tools(s *scan) {
	need := []string{"/bin/sh", "/bin/mount"}
	if s.hasSystemd() {
		need = append(need, "/bin/login")
	}
	for _, path := range need {
		if users.Executable(s.t, path) {
			continue
		}
		s.note(path, "is missing or cannot be run", "install the package that has it in the image")
		if path != "/bin/sh" {
			s.problems[len(s.problems)-1].severity = Warn
		}
	}
}

func arch(s *scan) {
	switch a := s.os.Arch; {
	case a == "": // no program to look at: TOOLS speaks of that
	case a != "amd64" && a != "arm64":
		s.note("/bin/sh", "is a program for "+a+"; WSL runs amd64 and arm64", "take an image for the right machine")
	case s.o.Arch != "" && a != s.o.Arch:
		s.note("/bin/sh", "is a program for "+a+", this machine is "+s.o.Arch, "take an image for "+s.o.Arch)
	}
}

func slashInit(s *scan) {
	if s.lstat("/init") != nil {
		s.remove("/init", "is in the way of WSL's own init")
	}
}

func fstab(s *scan) {
	s.commentLines("/etc/fstab", func(f []string) string {
		if len(f) < 2 {
			return ""
		}
		dev, dir, kind := f[0], f[1], ""
		if len(f) > 2 {
			kind = f[2]
		}
		switch {
		case kind == "swap" || dir == "none" || dir == "swap":
			return "is swap space"
		case dir == "/":
			return "mounts / from " + dev
		case dir == "/boot" || strings.HasPrefix(dir, "/boot/") || dir == "/efi":
			return "mounts " + dir
		case isDevice(dev):
			return "mounts " + dir + " from " + dev
		}
		return ""
	})
	s.commentLines("/etc/crypttab", func(f []string) string {
		if len(f) > 1 && isDevice(f[1]) {
			return "opens " + f[1]
		}
		return ""
	})
}

// isDevice tells whether an fstab(5) source is a disk.
func isDevice(source string) bool {
	tag, _, found := strings.Cut(source, "=")
	return strings.HasPrefix(source, "/dev/") ||
		found && slices.Contains([]string{"UUID", "LABEL", "PARTUUID", "PARTLABEL", "ID"}, tag)
}

// commentLines finds lines that should be comments; bad says why, by fields.
func (s *scan) commentLines(path string, bad func(fields []string) string) {
	lines := slices.Collect(strings.Lines(s.read(path)))
	var what []string
	for i, l := range lines {
		if f := strings.Fields(l); len(f) > 0 && f[0][0] != '#' {
			if why := bad(f); why != "" {
				what = append(what, fmt.Sprintf("line %d %s", i+1, fsys.Printable(why)))
				lines[i] = "# wslimg: " + l
			}
		}
	}
	if what != nil {
		s.write(path, []byte(strings.Join(lines, "")), 0o644, strings.Join(what, ", "), commentIt)
	}
}

func machineID(s *scan) {
	const path = "/etc/machine-id"
	n := s.lookup(path)
	switch {
	case n == nil && s.hasSystemd():
		s.write(path, nil, 0o444, "is missing", act{"make an empty one", "made an empty one"})
	case n != nil && n.Size() > 0:
		s.write(path, nil, 0o444, "is set", emptyIt)
	}
	if n := s.lstat("/var/lib/dbus/machine-id"); n != nil && n.IsRegular() {
		s.remove("/var/lib/dbus/machine-id", "is a copy of the machine's id")
	}
}

func boot(s *scan) {
	for _, dir := range []string{"/boot", "/lib/modules", "/usr/lib/modules", "/lib/firmware", "/usr/lib/firmware"} {
		if s.merged("/lib") && strings.HasPrefix(dir, "/lib/") {
			continue
		}
		files, bytes := s.weigh(dir)
		if files == 0 {
			continue
		}
		s.add(problem{path: dir, act: emptyIt, what: fmt.Sprintf("holds %s, %d bytes", entries(files), bytes), repair: func() error {
			return s.empty(dir)
		}})
	}
}

// weigh counts the files below a directory and their bytes. A link to a
// directory does not count: who knows where it leads.
func (s *scan) weigh(dir string) (files int, bytes int64) {
	n := s.lstat(dir)
	if n == nil || !n.IsDir() {
		return 0, 0
	}
	below := &tree.Tree{Root: n}
	_ = below.Walk(func(_ string, n *tree.Node) error { // visit never fails
		if !n.IsDir() {
			files++
			bytes += n.Size()
		}
		return nil
	})
	return files, bytes
}

// empty removes what is in a directory.
func (s *scan) empty(dir string) error {
	for _, e := range s.list(dir) {
		if _, err := s.t.Remove(dir + "/" + e.Name); err != nil {
			return err
		}
	}
	return nil
}

func systemd(s *scan) {
	if !s.hasSystemd() {
		return
	}
	if s.lookup("/sbin/init") == nil {
		target := s.systemdPath()
		s.add(problem{path: "/sbin/init", what: "is missing", act: act{"link it to systemd", "linked to systemd"}, repair: func() error {
			return s.t.Symlink("/sbin/init", target)
		}})
	}
	if _, _, ok := s.conf().Get("boot.systemd"); !ok && !s.o.KeepInit {
		s.setConf("boot.systemd", "true", "boot.systemd is not set")
	}
}

func notSystemd(s *scan) {
	at, err := s.t.Canonical("/sbin/init")
	if !s.conf().Bool("boot.systemd") || err == nil && strings.HasSuffix(at, "/systemd") {
		return
	}
	if s.failed(err) && s.hasSystemd() {
		return // SYSTEMD makes the link
	}
	s.unsetConf("boot.systemd", "boot.systemd is true, but /sbin/init is no systemd")
}
