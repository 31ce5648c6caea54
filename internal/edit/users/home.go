package users

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// home makes the home directory out of /etc/skel. One that exists is left alone,
// unless it is root's and the user new: then --copy-in made it on the way.
func (a *adder) home(fresh bool) error {
	path := a.account.Home
	if n, err := a.t.Lstat(path); err == nil && fresh && n.IsDir() && n.UID == 0 {
		return a.adopt(path, n)
	}
	if _, err := a.t.Lookup(path); !errors.Is(err, tree.ErrNotExist) {
		return err
	}
	i := strings.LastIndexByte(path, '/')
	if !strings.HasPrefix(path, "/") || i == len(path)-1 {
		return fmt.Errorf("home directory %q of user %s is no clean absolute path", path, a.name)
	}
	if _, err := a.t.MkdirAll(path[:i], 0o755); err != nil {
		return err
	}
	mode, err := a.homeMode()
	if err != nil {
		return err
	}
	if err := a.t.Put(path, &tree.Node{Mode: fsys.ModeDir | mode, UID: a.account.UID, GID: a.account.GID}); err != nil {
		return err
	}
	return a.fill(path)
}

// adopt makes a home that root has, and the directories in it, the user's.
func (a *adder) adopt(path string, home *tree.Node) error {
	mode, err := a.homeMode()
	if err != nil {
		return err
	}
	home.Mode = fsys.ModeDir | mode
	below := &tree.Tree{Root: home}
	_ = below.Walk(func(_ string, n *tree.Node) error { // visit never fails
		if n.IsDir() && n.UID == 0 {
			n.UID, n.GID = a.account.UID, a.account.GID
		}
		return nil
	})
	return a.fill(path)
}

// fill copies what the home directory path starts with.
func (a *adder) fill(path string) error {
	n, err := a.copySkel(path)
	if err != nil {
		return err
	}
	a.note(path, fmt.Sprintf("made, with what is in /etc/skel (%d)", n))
	return nil
}

// homeMode follows login.defs(5): HOME_MODE, else what UMASK leaves of 0777.
func (a *adder) homeMode() (uint32, error) {
	for _, path := range []string{"/etc/login.defs", "/usr/etc/login.defs"} {
		for _, key := range []string{"HOME_MODE", "UMASK"} {
			s, err := setting(a.t, path, key, " ")
			if err != nil {
				return 0, err
			}
			n, err := strconv.ParseUint(s, 8, 12)
			if err != nil {
				continue
			}
			if key == "UMASK" {
				n = 0o777 &^ n
			}
			return uint32(n), nil
		}
	}
	return 0o755, nil
}

// maxSkel bounds what a home directory starts with.
const maxSkel = 10000

// copySkel copies what the home does not have yet.
func (a *adder) copySkel(home string) (int, error) {
	skel, err := a.t.Lookup("/etc/skel")
	if errors.Is(err, tree.ErrNotExist) || err == nil && !skel.IsDir() {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	from, err := a.t.Canonical("/etc/skel")
	if err != nil {
		return 0, err
	}
	if at, err := a.t.Canonical(home); err != nil || strings.HasPrefix(at+"/", from+"/") {
		return 0, errors.Join(err, fmt.Errorf("home directory %s lies inside /etc/skel", home))
	}
	type step struct {
		from *tree.Node
		to   string
	}
	n := 0
	for todo := []step{{skel, home}}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		for _, e := range s.from.Entries() {
			if n++; n > maxSkel {
				return 0, fmt.Errorf("/etc/skel: more than %d entries", maxSkel)
			}
			to := s.to + "/" + e.Name
			if old, err := a.t.Lstat(to); err == nil {
				if old.IsDir() && e.Node.IsDir() {
					todo = append(todo, step{e.Node, to})
				}
				continue
			}
			c := &tree.Node{
				Mode: e.Node.Mode, UID: a.account.UID, GID: a.account.GID, Rdev: e.Node.Rdev,
				Target: e.Node.Target, Content: e.Node.Content, Xattrs: slices.Clone(e.Node.Xattrs),
			}
			if err := a.t.Put(to, c); err != nil {
				return 0, err
			}
			if e.Node.IsDir() {
				todo = append(todo, step{e.Node, to})
			}
		}
	}
	return n, nil
}

// mayBecomeRoot lets the user run commands as root: its password is locked, so
// sudo and doas must not ask for one.
func (a *adder) mayBecomeRoot() error {
	dir, base, text := sudoersDir, "90-wslimg-"+a.name, a.name+" ALL=(ALL:ALL) NOPASSWD:ALL\n"
	var perm uint32 = 0o440
	if _, err := a.t.Lookup("/etc/doas.d"); err == nil && !Executable(a.t, "/usr/bin/sudo") {
		dir, base, text, perm = "/etc/doas.d", base+".conf", "permit nopass "+a.name+"\n", 0o640
	} else if !Executable(a.t, "/usr/bin/sudo") {
		return nil
	}
	if _, err := a.t.MkdirAll(dir, 0o750); err != nil {
		return err
	}
	path := dir + "/" + base
	text = "# The password of " + a.name + " is locked, it cannot be asked for.\n" + text
	done, err := a.t.Update(path, []byte(text), perm)
	if done {
		a.note(path, "lets "+a.name+" become root without a password")
	}
	if err != nil || dir != sudoersDir {
		return err
	}
	return a.includeSudoers()
}

const sudoersDir = "/etc/sudoers.d"

// includeSudoers makes /etc/sudoers, where there is one, read what is in
// sudoersDir. The form with # is the one that every version of sudo knows.
func (a *adder) includeSudoers() error {
	const path = "/etc/sudoers"
	b, err := a.t.ReadFile(path, maxFile)
	if errors.Is(err, tree.ErrNotExist) { // sudo has one elsewhere
		return nil
	}
	if err != nil {
		return err
	}
	for l := range strings.Lines(string(b)) {
		f := strings.Fields(l)
		if len(f) > 1 && (f[0] == "#includedir" || f[0] == "@includedir") && strings.Trim(f[1], `"/`) == strings.Trim(sudoersDir, "/") {
			return nil
		}
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	_, err = a.t.Update(path, append(b, "#includedir "+sudoersDir+"\n"...), 0o440)
	a.note(path, "reads "+sudoersDir)
	return err
}
