package ready

import (
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/fsys"
)

const shadow = "/etc/shadow"

// rootPassword looks also where systems without shadow keep passwords, and at
// the copies that passwd(1) makes before a change.
func rootPassword(s *scan) {
	for _, path := range []string{"/etc/passwd", "/etc/passwd-", shadow, shadow + "-"} {
		s.lockPasswords(path)
	}
	n := s.lookup(shadow)
	if n == nil {
		return
	}
	if mode := n.Mode & fsys.ModePerm; mode != 0o640 && mode != 0o600 && mode != 0 {
		perm := uint32(0o600)
		if n.GID != 0 {
			perm = 0o640 // for the group of those programs that check passwords
		}
		s.chmod(shadow, perm)
	}
}

func (s *scan) lockPasswords(path string) {
	tab, err := users.ReadTable(s.t, path)
	if s.failed(err) {
		return
	}
	var who []string
	for _, r := range tab.Rows() {
		if locked(r[1], s.o.Profile) || r[0] != "root" && s.o.Profile != Publish {
			continue
		}
		r[1] = "*"
		who = append(who, fsys.Printable(r[0]))
	}
	if who != nil {
		s.add(problem{path: path, what: "password of " + strings.Join(who, ", "), act: act{"lock it", "locked"}, repair: func() error {
			tab.Touch()
			_, err := tab.Write(s.t, 0o600)
			return err
		}})
	}
}

// locked tells whether a password field lets nobody in: "x" sends to shadow, an
// empty one is a password. Behind the "!" of usermod(8) --lock the hash is still
// there, which must not be published.
func locked(field string, p Profile) bool {
	return field == "x" || strings.HasPrefix(field, "*") || strings.HasPrefix(field, "!") && (p != Publish || !strings.Contains(field, "$"))
}

// chmod finds that a file should have that mode.
func (s *scan) chmod(path string, perm uint32) {
	mode := s.lookup(path).Mode & fsys.ModePerm
	a := act{fmt.Sprintf("make it %04o", perm), fmt.Sprintf("made %04o", perm)}
	s.add(problem{path: path, what: fmt.Sprintf("has mode %04o", mode), act: a, repair: func() error {
		n, err := s.t.Own(path)
		if err == nil {
			n.Mode = n.Mode&^uint32(fsys.ModePerm) | perm
		}
		return err
	}})
}

// accounts lists passwd.
func (s *scan) accounts() []users.Account {
	list, err := users.Accounts(s.t)
	if s.failed(err) {
		return nil
	}
	return list
}

// first returns the account with uid 1000.
func (s *scan) first() (users.Account, bool) {
	list := s.accounts()
	i := slices.IndexFunc(list, func(a users.Account) bool { return a.UID == users.FirstUID })
	if i < 0 {
		return users.Account{}, false
	}
	return list[i], true
}

// uid1000: an image that already has that user needs no first-start script.
func uid1000(s *scan) {
	a, taken := s.first()
	if !taken {
		return
	}
	if s.o.Profile == Lima {
		s.note("/etc/passwd", "uid 1000 belongs to "+fsys.Printable(a.Name), "remove that user in the image; Lima makes its own with this id")
		return
	}
	f, err := wslconf.Load(s.t, wslconf.DistPath, wslconf.DistKeys)
	if s.failed(err) {
		return
	}
	s.note("/etc/passwd", "uid 1000 belongs to "+fsys.Printable(a.Name)+": everyone who installs this is that user, the first start asks for none", "remove that user in the image before you publish it")
	s.problems[0].severity = Warn
	if _, _, ok := f.Get("oobe.defaultUid"); !ok {
		return
	}
	s.add(problem{path: wslconf.DistPath, what: "oobe.defaultUid is set, but uid 1000 belongs to " + fsys.Printable(a.Name),
		act: act{"take the first-start script out", "took the first-start script out"}, repair: func() error {
			f.Repair()
			f.Unset("oobe.defaultUid")
			if s.o.Dist.OOBE == nil {
				f.Unset("oobe.command")
			}
			return write(s.t, wslconf.DistPath, f.Bytes(), 0o644)
		}})
}

// noUser: an image with one user of its own gets it as the default.
func noUser(s *scan) {
	def, _, set := s.conf().Get("user.default")
	a, has := s.first()
	switch {
	case s.o.Profile == Lima:
		if set && def != "root" {
			s.unsetConf("user.default", "user.default is set; Lima's start script must run as root")
		}
	case s.o.UserLater: // cloudinit.Lint compares the two
	case set && s.o.Profile == Publish && !has && def != "root":
		s.unsetConf("user.default", "user.default is set; the first start makes the user")
	case set && !slices.ContainsFunc(s.accounts(), func(a users.Account) bool { return a.Name == def }):
		s.note(wslconf.Path, "user.default is "+fsys.Printable(def)+", who is not in /etc/passwd: every shell is root's", "make that user with --user "+fsys.Printable(def)+", or set another one")
	case set:
	case has && users.CheckName(a.Name) == nil:
		s.setConf("user.default", a.Name, "no default user is set, uid 1000 is "+a.Name)
	case !has && s.o.Profile == Import:
		s.note("/etc/passwd", "nobody has uid 1000, every shell is root's", "make the default user, or choose one that is there, with --user NAME")
	}
}

// shell: of root, of the default user, of uid 1000.
func shell(s *scan) {
	def, _, _ := s.conf().Get("user.default")
	listed, err := users.Shells(s.t)
	if s.failed(err) {
		return
	}
	for _, a := range s.accounts() {
		if a.UID != 0 && a.Name != def && a.UID != users.FirstUID {
			continue
		}
		base := a.Shell[strings.LastIndexByte(a.Shell, '/')+1:]
		if base == "nologin" || base == "false" || !users.Executable(s.t, a.Shell) {
			s.newShell(a)
		} else if listed != nil && !slices.Contains(listed, a.Shell) {
			s.add(problem{path: "/etc/shells", severity: Warn, what: "lacks " + fsys.Printable(a.Shell) + ", the shell of " + fsys.Printable(a.Name),
				act: act{"add it", "added"}, repair: func() error {
					_, err := users.ListShell(s.t, a.Shell)
					return err
				}})
			listed = append(listed, a.Shell)
		}
	}
}

func (s *scan) newShell(a users.Account) {
	to, err := users.Shell(s.t)
	if s.failed(err) {
		return
	}
	what := fmt.Sprintf("the shell of %s is %s", fsys.Printable(a.Name), fsys.Printable(a.Shell))
	if to == "" {
		s.note("/etc/passwd", what, "install a shell in the image")
		return
	}
	s.add(problem{path: "/etc/passwd", what: what, act: act{"make it " + to, "made it " + to}, repair: func() error {
		if _, err := users.ListShell(s.t, to); err != nil {
			return err
		}
		_, err := users.SetShell(s.t, a.Name, to)
		return err
	}})
}

// setuid: programs that are there as files of their own and have lost the bit.
func setuid(s *scan) {
	for _, path := range []string{"/usr/bin/sudo", "/usr/bin/su", "/bin/su"} {
		n := s.lookup(path)
		if n == nil || !n.IsRegular() || strings.HasPrefix(path, "/bin/") && s.merged("/bin") {
			continue
		}
		if at, _ := s.t.Canonical(path); strings.HasSuffix(at, "/busybox") {
			continue // drops what it does not need itself
		}
		if _, caps := n.Xattr("security.capability"); n.Mode&0o4000 == 0 && !caps {
			s.note(path, fmt.Sprintf("has mode %04o, without the setuid bit", n.Mode&fsys.ModePerm), "reinstall its package in the image")
		}
	}
}

func limaTools(s *scan) {
	for _, path := range []string{"/bin/bash", "/usr/bin/sudo", "/usr/sbin/useradd", "/usr/sbin/sshd"} {
		if !users.Executable(s.t, path) {
			s.note(path, "is missing", "install it in the image")
		}
	}
	if !s.hasSystemd() {
		s.note("/sbin/init", "is no systemd: containerd and Lima's guest agent cannot start", "take an image with systemd")
	}
}
