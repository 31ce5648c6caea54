// Package edittest builds small trees that look like the disk images of the
// usual distributions, for the tests of edits.
package edittest

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// Epoch is the newest time in the trees that Build makes, in seconds since 1970.
const Epoch = 1_700_000_000

// Build adds to t what lines describe, one entry each:
//
//	d0755[:UID:GID] PATH
//	f0644[:UID:GID] PATH [CONTENT]   quoted as in Go, or ELF for a program
//	l PATH TARGET
//	s0755 PATH                       a socket
//	c0644 PATH                       a character device
//
// Directories that are missing are made. It panics on what it does not
// understand: the lines are part of a test.
func Build(t *tree.Tree, lines string) *tree.Tree {
	t.Now = fsys.Time{Sec: Epoch}
	for l := range strings.Lines(lines) {
		if l = strings.TrimSpace(l); l != "" && !strings.HasPrefix(l, "#") {
			if err := add(t, l); err != nil {
				panic(fmt.Sprintf("%s: %v", l, err))
			}
		}
	}
	return t
}

var kinds = map[byte]uint32{
	'd': fsys.ModeDir, 'f': fsys.ModeRegular, 'l': fsys.ModeSymlink, 's': fsys.ModeSocket, 'c': fsys.ModeChar,
}

func add(t *tree.Tree, l string) error {
	head, rest, _ := strings.Cut(l, " ")
	path, arg, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n := &tree.Node{Mode: kinds[head[0]] | 0o777}
	if head != "l" {
		spec := strings.Split(head[1:], ":")
		mode, err := strconv.ParseUint(spec[0], 8, 12)
		if err != nil {
			return err
		}
		n.Mode = kinds[head[0]] | uint32(mode)
		if len(spec) == 3 {
			uid, _ := strconv.Atoi(spec[1])
			gid, _ := strconv.Atoi(spec[2])
			n.UID, n.GID = uint32(uid), uint32(gid)
		}
	}
	switch {
	case head == "l":
		n.Target = strings.TrimSpace(arg)
	case arg == "ELF":
		n.Content = tree.Bytes(elf())
	case arg != "":
		text, err := strconv.Unquote(strings.TrimSpace(arg))
		if err != nil {
			return err
		}
		n.Content = tree.Bytes([]byte(text))
	}
	if _, err := t.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
		return err
	}
	if old, err := t.Lstat(path); err == nil && old.IsDir() && n.IsDir() {
		old.Mode, old.UID, old.GID = n.Mode, n.UID, n.GID
		return nil
	}
	return t.Put(path, n)
}

// elf is the header of an x86-64 program.
func elf() []byte {
	h := make([]byte, 64)
	copy(h, "\x7fELF\x02\x01\x01")
	binary.LittleEndian.PutUint16(h[16:], 3)
	binary.LittleEndian.PutUint16(h[18:], 62)
	return h
}

// Dump lists a tree, a line an entry with all that an edit can change, for
// comparing two states.
func Dump(t *tree.Tree) string {
	var b strings.Builder
	_ = t.Walk(func(path string, n *tree.Node) error {
		fmt.Fprintf(&b, "%s %#o %d:%d %d %q", path, n.Mode, n.UID, n.GID, n.Links, n.Target)
		for _, x := range n.Xattrs {
			fmt.Fprintf(&b, " %s=%q", x.Name, x.Value)
		}
		if n.IsRegular() {
			data, err := n.Read(1 << 20)
			fmt.Fprintf(&b, " %q %v", data, err)
		}
		b.WriteByte('\n')
		return nil
	})
	return b.String()
}

// SetXattr gives a node an extended attribute.
func SetXattr(n *tree.Node, name, value string) {
	n.Xattrs = append(n.Xattrs, fsys.Xattr{Name: name, Value: []byte(value)})
}
