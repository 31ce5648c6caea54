// Package users reads the account files of a tree (passwd, shadow, group,
// gshadow, subuid, subgid) and adds the default user.
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

// maxFile bounds an account file; a passwd of 10,000 users has under 1 MiB.
const maxFile = 4 << 20

// Table is a colon-separated account file. Its lines keep their order and
// whatever they hold that is not understood.
type Table struct {
	path    string
	exists  bool
	rows    [][]string // one per line, split at colons
	changed bool
}

// ReadTable reads the account file at path; a missing one has no rows.
func ReadTable(t *tree.Tree, path string) (*Table, error) {
	b, err := t.ReadFile(path, maxFile)
	if errors.Is(err, tree.ErrNotExist) {
		return &Table{path: path}, nil
	}
	if err != nil {
		return nil, err
	}
	tab := &Table{path: path, exists: true}
	for l := range strings.Lines(string(b)) {
		tab.rows = append(tab.rows, strings.Split(strings.TrimSuffix(l, "\n"), ":"))
	}
	return tab, nil
}

// Exists tells whether the file is there.
func (tab *Table) Exists() bool { return tab.exists }

// Rows are the entries, without comments, blank lines and NIS references.
// What is changed in a row is written by Write after Touch.
func (tab *Table) Rows() [][]string {
	var rows [][]string
	for _, r := range tab.rows {
		if len(r) > 1 && r[0] != "" && !strings.ContainsAny(r[0][:1], "#+-") {
			rows = append(rows, r)
		}
	}
	return rows
}

// Row is the first entry of that name, or nil.
func (tab *Table) Row(name string) []string {
	for _, r := range tab.Rows() {
		if r[0] == name {
			return r
		}
	}
	return nil
}

// ByID is the first entry whose third field is the number id, or nil.
func (tab *Table) ByID(id uint32) []string {
	for _, r := range tab.Rows() {
		if n, ok := ID(r); ok && n == id {
			return r
		}
	}
	return nil
}

// ID is the number in the third field of a passwd or group entry.
func ID(row []string) (uint32, bool) {
	if len(row) < 3 {
		return 0, false
	}
	n, err := strconv.ParseUint(row[2], 10, 32)
	return uint32(n), err == nil
}

// freeID is the first number from id on that no entry has.
func (tab *Table) freeID(id uint32) uint32 {
	taken := map[uint32]bool{}
	for _, r := range tab.Rows() {
		if n, ok := ID(r); ok {
			taken[n] = true
		}
	}
	for taken[id] {
		id++
	}
	return id
}

// Add appends an entry, before NIS references, which must stay last.
func (tab *Table) Add(fields ...string) {
	at := len(tab.rows)
	for at > 0 && strings.HasPrefix(tab.rows[at-1][0], "+") {
		at--
	}
	tab.rows = slices.Insert(tab.rows, at, fields)
	tab.changed = true
}

// Touch notes that a row was changed.
func (tab *Table) Touch() { tab.changed = true }

// addMember puts name into the comma-separated last field of a group's entry.
func (tab *Table) addMember(group, name string) {
	r := tab.Row(group)
	if len(r) < 4 {
		return
	}
	members := strings.FieldsFunc(r[3], func(c rune) bool { return c == ',' })
	if !slices.Contains(members, name) {
		r[3] = strings.Join(append(members, name), ",")
		tab.changed = true
	}
}

// Write puts the table back if it was changed, a new file with mode perm, and
// tells whether it did.
func (tab *Table) Write(t *tree.Tree, perm uint32) (bool, error) {
	if !tab.changed {
		return false, nil
	}
	var b strings.Builder
	for _, r := range tab.rows {
		b.WriteString(strings.Join(r, ":"))
		b.WriteByte('\n')
	}
	tab.changed = false
	return t.Update(tab.path, []byte(b.String()), perm)
}

// passwd fields, passwd(5).
const (
	fName = iota
	fPassword
	fUID
	fGID
	fGecos
	fHome
	fShell
	passwdFields
)

// Account is an entry of passwd.
type Account struct {
	Name     string
	UID, GID uint32
	Home     string
	Shell    string // "/bin/sh" where the entry has none
}

// Accounts lists the valid entries of /etc/passwd.
func Accounts(t *tree.Tree) ([]Account, error) {
	tab, err := ReadTable(t, "/etc/passwd")
	if err != nil {
		return nil, err
	}
	var list []Account
	for _, r := range tab.Rows() {
		if a, ok := account(r); ok {
			list = append(list, a)
		}
	}
	return list, nil
}

func account(r []string) (Account, bool) {
	if len(r) != passwdFields {
		return Account{}, false
	}
	uid, err1 := strconv.ParseUint(r[fUID], 10, 32)
	gid, err2 := strconv.ParseUint(r[fGID], 10, 32)
	a := Account{Name: r[fName], UID: uint32(uid), GID: uint32(gid), Home: r[fHome], Shell: r[fShell]}
	if a.Shell == "" {
		a.Shell = "/bin/sh"
	}
	return a, err1 == nil && err2 == nil
}

// FirstUID is the id of the first ordinary user, login.defs(5) UID_MIN, and the
// one that WSL's users have on the Windows side.
const FirstUID = 1000

// Executable tells whether path leads to a file that can be run.
func Executable(t *tree.Tree, path string) bool {
	n, err := t.Lookup(path)
	return err == nil && n.IsRegular() && n.Mode&0o111 != 0
}

// SetShell gives an account another login shell and tells whether it changed.
func SetShell(t *tree.Tree, name, shell string) (bool, error) {
	tab, err := ReadTable(t, "/etc/passwd")
	if err != nil {
		return false, err
	}
	r := tab.Row(name)
	if len(r) != passwdFields {
		return false, fmt.Errorf("/etc/passwd: no entry for %s", fsys.Printable(name))
	}
	if r[fShell] == shell {
		return false, nil
	}
	r[fShell] = shell
	tab.Touch()
	return tab.Write(t, 0o644)
}
