package ready

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

func selinux(s *scan) {
	const path = "/etc/selinux/config"
	lines := slices.Collect(strings.Lines(s.read(path)))
	for i, l := range lines {
		if strings.TrimSpace(l) == "SELINUX=enforcing" {
			lines[i] = "SELINUX=disabled\n"
			s.write(path, []byte(strings.Join(lines, "")), 0o644, "enforces SELinux", act{"set SELINUX=disabled", "set SELINUX=disabled"})
			break
		}
	}
	if s.lstat("/.autorelabel") != nil {
		s.remove("/.autorelabel", "asks for a relabel and a reboot")
	}
}

func wslPath(s *scan) {
	if n := s.lstat("/bin"); n == nil || !n.IsDir() || s.lstat("/usr/bin/wslpath") != nil {
		return
	}
	s.add(problem{path: "/usr/bin/wslpath", what: "WSL makes only /bin/wslpath", act: act{"link it to /init", "linked to /init"}, repair: func() error {
		if _, err := s.t.MkdirAll("/usr/bin", 0o755); err != nil {
			return err
		}
		return s.t.Symlink("/usr/bin/wslpath", "/init")
	}})
}

func locale(s *scan) {
	const path = "/etc/default/locale"
	lang := osinfo.ParseRelease([]byte(s.read("/etc/locale.conf")))["LANG"]
	if lang == "" || strings.Trim(lang, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.@-") != "" || s.lookup(path) != nil {
		return
	}
	s.write(path, []byte("LANG="+lang+"\n"), 0o644, "is missing, /etc/locale.conf sets LANG="+lang, act{"write it", "written"})
}

func tzdata(s *scan) {
	if len(s.list("/usr/share/zoneinfo")) == 0 {
		s.note("/usr/share/zoneinfo", "is missing: WSL cannot set the time zone", "install tzdata in the image")
	}
}

var pseudoDirs = []string{"/dev", "/proc", "/sys", "/run", "/tmp"}

func entries(n int) string {
	if n == 1 {
		return "1 entry"
	}
	return fmt.Sprintf("%d entries", n)
}

// pseudo looks at the directories themselves: a link in their place could lead
// anywhere.
func pseudo(s *scan) {
	for _, dir := range pseudoDirs {
		n := s.lstat(dir)
		if n == nil || !n.IsDir() || len(n.Entries()) == 0 {
			continue
		}
		s.add(problem{path: dir, what: "holds " + entries(len(n.Entries())), act: emptyIt, repair: func() error {
			return s.empty(dir)
		}})
	}
	places := []string{""}
	for _, e := range s.t.Root.Entries() {
		if e.Node.IsDir() {
			places = append(places, "/"+e.Name)
		}
	}
	for _, p := range places {
		if n := s.lstat(p + "/lost+found"); n != nil && n.IsDir() && len(n.Entries()) == 0 {
			s.remove(p+"/lost+found", "is empty, and of the old filesystem")
		}
	}
	isSocket := func(n *tree.Node) bool { return n.Mode&fsys.ModeType == fsys.ModeSocket }
	s.everywhere(isSocket, "sockets, which no program listens to", removeIt, func() error {
		return s.t.Walk(func(_ string, n *tree.Node) error {
			for _, e := range slices.Clone(n.Entries()) {
				if isSocket(e.Node) {
					n.Remove(e.Name)
				}
			}
			return nil
		})
	})
}

// everywhere finds all nodes of the tree that have a property, in one problem.
// Those in directories that pseudo empties are not told again.
func (s *scan) everywhere(has func(*tree.Node) bool, what string, a act, repair func() error) {
	count, first := 0, ""
	_ = s.t.Walk(func(path string, n *tree.Node) error { // visit never fails
		if has(n) && !slices.ContainsFunc(pseudoDirs, func(d string) bool { return strings.HasPrefix(path, d+"/") }) {
			if count++; count == 1 {
				first = path
			}
		}
		return nil
	})
	if count > 0 {
		s.add(problem{path: first, what: fmt.Sprintf("%d %s", count, what), act: a, repair: repair})
	}
}

// caches are directories whose files can be had again; suffix limits them.
var caches = []struct{ dir, suffix string }{
	{"/var/cache/apt/archives", ".deb"}, {"/var/cache/apt", ".bin"}, {"/var/lib/apt/lists", ""},
	{"/var/cache/dnf", ""}, {"/var/cache/libdnf5", ""}, {"/var/cache/yum", ""},
	{"/var/cache/pacman/pkg", ""}, {"/var/cache/zypp", ""}, {"/var/cache/apk", ""},
	{"/var/log/journal", ""},
}

func cache(s *scan) {
	for _, c := range caches {
		s.clear(c.dir, func(e tree.Entry) bool {
			return strings.HasSuffix(e.Name, c.suffix) && e.Name != "lock" && e.Name != "partial"
		})
	}
	if s.o.Profile == Publish {
		s.clear("/var/log", func(e tree.Entry) bool { return e.Node.IsRegular() })
		for _, path := range []string{"/var/lib/cloud/instance", "/var/lib/cloud/instances", "/var/lib/cloud/data"} {
			if s.lstat(path) != nil {
				s.remove(path, "holds what cloud-init was told on the old machine, passwords perhaps")
			}
		}
	}
	for _, path := range []string{"/var/lib/systemd/random-seed", "/var/lib/systemd/credential.secret", "/var/lib/random-seed"} {
		if s.lstat(path) != nil {
			s.remove(path, "must not be shared between machines")
		}
	}
	for _, path := range []string{"/swapfile", "/swap.img", "/swap/swapfile", "/swap.file"} {
		if n := s.lstat(path); n != nil && n.IsRegular() {
			s.remove(path, fmt.Sprintf("is a swap file of %d bytes", n.Size()))
		}
	}
}

// clear finds that some entries of a directory should go.
func (s *scan) clear(dir string, which func(tree.Entry) bool) {
	var paths []string
	for _, e := range s.list(dir) {
		if which(e) {
			paths = append(paths, dir+"/"+e.Name)
		}
	}
	if paths == nil {
		return
	}
	s.add(problem{path: dir, what: "holds " + entries(len(paths)) + " that can be had again", act: emptyIt, repair: func() error {
		for _, p := range paths {
			if _, err := s.t.Remove(p); err != nil {
				return err
			}
		}
		return nil
	}})
}

// unused are the attributes that WSL's kernel makes nothing of. File
// capabilities stay.
var unused = []string{"security.selinux", "security.ima", "security.evm"}

func xattrs(s *scan) {
	has := func(x fsys.Xattr) bool { return slices.Contains(unused, x.Name) }
	s.everywhere(func(n *tree.Node) bool { return slices.ContainsFunc(n.Xattrs, has) },
		"entries with SELinux, IMA or EVM attributes", act{"drop the attributes", "dropped the attributes"}, func() error {
			return s.t.Walk(func(_ string, n *tree.Node) error {
				var kept []fsys.Xattr // of its own: other nodes share the list
				for _, x := range n.Xattrs {
					if !has(x) {
						kept = append(kept, x)
					}
				}
				n.Xattrs = kept
				return nil
			})
		})
}
