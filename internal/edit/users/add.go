package users

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// CheckName says what is wrong with a user name: useradd(8)'s rules, in the
// strict form that every distribution accepts.
func CheckName(name string) error {
	bad := ""
	switch {
	case name == "" || len(name) > 32:
		bad = "has 1 to 32 characters"
	case name[0] != '_' && (name[0] < 'a' || name[0] > 'z'):
		bad = "starts with a lower-case letter or _"
	}
	for _, c := range []byte(name) {
		if !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789_-", rune(c)) {
			bad = "consists of lower-case letters, digits, _ and -"
		}
	}
	if bad != "" {
		return fmt.Errorf("%q is no user name: one %s", name, bad)
	}
	return nil
}

// Options describe the default user.
type Options struct {
	Name string
	// Later says that cloud-init makes the user at the first start: only
	// [user] default is set here.
	Later bool
}

// New checks the options and returns the edit that makes the user with uid
// 1000, or keeps the one that is there under that name, and makes it WSL's
// default.
func New(o Options) (edit.Edit, error) {
	if err := CheckName(o.Name); err != nil {
		return nil, err
	}
	return &userEdit{o}, nil
}

type userEdit struct{ Options }

func (e *userEdit) Name() string { return "user" }

func (e *userEdit) Apply(ctx context.Context, t *tree.Tree) ([]edit.Change, error) {
	var changes []edit.Change
	if !e.Later {
		a := &adder{t: t, name: e.Options.Name, tables: map[string]*Table{}}
		if err := a.run(); err != nil {
			return nil, err
		}
		changes = a.changes
	}
	conf, err := wslconf.New(wslconf.Options{Settings: []wslconf.Setting{{Key: "user.default", Value: e.Options.Name}}})
	if err != nil {
		return nil, err
	}
	more, err := conf.Apply(ctx, t)
	for i := range more {
		more[i].Rule = e.Name()
	}
	return append(changes, more...), err
}

// adder makes one account.
type adder struct {
	t       *tree.Tree
	name    string
	tables  map[string]*Table
	account Account
	changes []edit.Change
}

func (a *adder) note(path, what string) {
	a.changes = append(a.changes, edit.Change{Rule: "user", Path: path, What: what})
}

// files are the account files, with the mode of one that has to be made.
var files = []struct {
	path string
	perm uint32
}{
	{"/etc/passwd", 0o644}, {"/etc/shadow", 0o600}, {"/etc/group", 0o644}, {"/etc/gshadow", 0o600},
	{"/etc/subuid", 0o644}, {"/etc/subgid", 0o644},
}

func (a *adder) run() error {
	for _, f := range files {
		tab, err := ReadTable(a.t, f.path)
		if err != nil {
			return err
		}
		a.tables[f.path] = tab
	}
	fresh, err := a.entry()
	if err != nil || a.account.UID == 0 {
		return err
	}
	if fresh {
		a.subordinate("/etc/subuid")
		a.subordinate("/etc/subgid")
	}
	for _, group := range []string{"sudo", "wheel"} {
		a.tables["/etc/group"].addMember(group, a.name)
		a.tables["/etc/gshadow"].addMember(group, a.name)
	}
	for _, f := range files {
		if done, err := a.tables[f.path].Write(a.t, f.perm); err != nil {
			return err
		} else if done {
			a.note(f.path, "entry of "+a.name)
		}
	}
	if err := a.home(fresh); err != nil {
		return err
	}
	return a.mayBecomeRoot()
}

// entry finds the account or makes its entries, and tells whether it is new.
func (a *adder) entry() (fresh bool, err error) {
	passwd := a.tables["/etc/passwd"]
	if r := passwd.Row(a.name); r != nil {
		var ok bool
		if a.account, ok = account(r); !ok {
			return false, fmt.Errorf("/etc/passwd: the entry of %s is malformed", a.name)
		}
		if uid := a.account.UID; uid != 0 && uid < FirstUID {
			return false, ondisk.WithHint(fmt.Errorf("user %s is a system account (uid %d) in this image", a.name, uid), "choose another name")
		}
		return false, nil
	}
	if r := passwd.ByID(FirstUID); r != nil {
		return false, ondisk.WithHint(fmt.Errorf("uid %d belongs to user %q in this image", FirstUID, r[fName]),
			fmt.Sprintf("--user %s makes that account the default", fsys.Printable(r[fName])))
	}
	shell, err := Shell(a.t)
	if err != nil {
		return false, err
	}
	if shell == "" {
		return false, errors.New("the image has no login shell")
	}
	if _, err := ListShell(a.t, shell); err != nil {
		return false, err
	}
	a.account = Account{Name: a.name, UID: FirstUID, GID: a.group(), Home: "/home/" + a.name, Shell: shell}
	password := "!" // locked: WSL asks for none, sshd and su take none
	if shadow := a.tables["/etc/shadow"]; shadow.Exists() {
		password = "x"
		if shadow.Row(a.name) == nil {
			day := max(a.t.Now.Sec/(24*60*60), 1) // 0 would force a change at the first login
			shadow.Add(a.name, "!", strconv.FormatInt(day, 10), "0", "99999", "7", "", "", "")
		}
	}
	passwd.Add(a.name, password, strconv.Itoa(FirstUID), strconv.FormatUint(uint64(a.account.GID), 10), "", a.account.Home, shell)
	return true, nil
}

// group returns the id of the user's own group, which it makes if need be.
func (a *adder) group() uint32 {
	group, gshadow := a.tables["/etc/group"], a.tables["/etc/gshadow"]
	if r := group.Row(a.name); r != nil {
		if gid, ok := ID(r); ok {
			return gid
		}
	}
	gid := group.freeID(FirstUID)
	group.Add(a.name, "x", strconv.FormatUint(uint64(gid), 10), "")
	if gshadow.Exists() && gshadow.Row(a.name) == nil {
		gshadow.Add(a.name, "!", "", "")
	}
	return gid
}

// subordinate gives the user the next 65536 ids of subuid(5) or subgid(5),
// where the image uses them.
func (a *adder) subordinate(path string) {
	tab := a.tables[path]
	if !tab.Exists() || tab.Row(a.name) != nil {
		return
	}
	const first, count, last = 100000, 65536, 600100000 // login.defs(5) SUB_UID_MIN, _COUNT, _MAX
	start := uint64(first)
	for _, r := range tab.Rows() {
		if len(r) != 3 {
			continue
		}
		from, err1 := strconv.ParseUint(r[1], 10, 32)
		n, err2 := strconv.ParseUint(r[2], 10, 32)
		if err1 == nil && err2 == nil {
			start = max(start, from+n)
		}
	}
	if start+count <= last {
		tab.Add(a.name, strconv.FormatUint(start, 10), strconv.Itoa(count))
	}
}
