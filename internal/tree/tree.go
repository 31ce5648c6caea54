// Package tree holds a whole filesystem's metadata in memory: one node per
// inode, several names where the inode has them, and for every regular file
// where its bytes are. Edits change it; sinks write it out.
package tree

import (
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Tree is a root directory and what hangs below it. Paths are rooted and
// clean ("/etc/fstab"), of raw bytes. A Tree is not safe for concurrent change.
type Tree struct {
	Root *Node
	// Now is the mtime of everything that edits create: the newest time in the
	// image unless the caller sets another, so that output is reproducible.
	Now fsys.Time
}

// Node is an inode. Hard links are several entries that share one Node.
type Node struct {
	Mode     uint32 // raw st_mode
	UID, GID uint32
	Links    uint32 // names in the tree that lead here
	Mtime    fsys.Time
	Rdev     fsys.Rdev
	Target   string       // of a symlink
	Xattrs   []fsys.Xattr // shared by nodes: replaced as a whole, never changed in place
	Content  *Content     // of a regular file; nil means empty
	dir      *[]Entry     // of a directory, sorted by name; nil means none. A pointer keeps all others small.
}

// Entry is a name in a directory.
type Entry struct {
	Name string
	Node *Node
}

// New returns a tree that has nothing but a root directory.
func New() *Tree {
	return &Tree{Root: &Node{Mode: fsys.ModeDir | 0o755, Links: 1}}
}

// IsDir tells whether n is a directory.
func (n *Node) IsDir() bool { return n.Mode&fsys.ModeType == fsys.ModeDir }

// IsRegular tells whether n is a regular file.
func (n *Node) IsRegular() bool { return n.Mode&fsys.ModeType == fsys.ModeRegular }

// IsSymlink tells whether n is a symbolic link.
func (n *Node) IsSymlink() bool { return n.Mode&fsys.ModeType == fsys.ModeSymlink }

// Size is the length of a regular file's content in bytes.
func (n *Node) Size() int64 {
	if n.Content == nil {
		return 0
	}
	return n.Content.Size
}

// Entries are a directory's names in byte order. The slice is the tree's own.
func (n *Node) Entries() []Entry {
	if n.dir == nil {
		return nil
	}
	return *n.dir
}

func (n *Node) setEntries(list []Entry) {
	if n.dir == nil {
		n.dir = new([]Entry)
	}
	*n.dir = list
}

// Child returns what name leads to in directory n, or nil.
func (n *Node) Child(name string) *Node {
	entries := n.Entries()
	if i, ok := find(entries, name); ok {
		return entries[i].Node
	}
	return nil
}

func find(entries []Entry, name string) (int, bool) {
	return slices.BinarySearchFunc(entries, name, func(e Entry, name string) int { return strings.Compare(e.Name, name) })
}

// Set makes name in directory n lead to child, in place of what was there.
func (n *Node) Set(name string, child *Node) {
	child.Links++
	entries := n.Entries()
	i, ok := find(entries, name)
	if ok {
		entries[i].Node.Links--
		entries[i].Node = child
		return
	}
	n.setEntries(slices.Insert(entries, i, Entry{name, child}))
}

// Remove takes name out of directory n and tells whether it was there.
func (n *Node) Remove(name string) bool {
	entries := n.Entries()
	i, ok := find(entries, name)
	if ok {
		entries[i].Node.Links--
		n.setEntries(slices.Delete(entries, i, i+1))
	}
	return ok
}

// Xattr returns the value of an extended attribute.
func (n *Node) Xattr(name string) ([]byte, bool) {
	for _, x := range n.Xattrs {
		if x.Name == name {
			return x.Value, true
		}
	}
	return nil, false
}

// Walk calls visit for every name below and including the root, parents
// first, siblings in byte order, until it returns an error. What visit does to
// the entries of the directory that it was given is respected.
func (t *Tree) Walk(visit func(path string, n *Node) error) error {
	if err := visit("/", t.Root); err != nil {
		return err
	}
	type step struct {
		path string
		todo []Entry // of the directory, not yet visited
	}
	stack := []step{{"/", slices.Clone(t.Root.Entries())}}
	for len(stack) > 0 {
		s := &stack[len(stack)-1]
		if len(s.todo) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		e := s.todo[0]
		s.todo = s.todo[1:]
		path := join(s.path, e.Name)
		if err := visit(path, e.Node); err != nil {
			return err
		}
		if entries := e.Node.Entries(); len(entries) > 0 {
			stack = append(stack, step{path, slices.Clone(entries)})
		}
	}
	return nil
}

func join(dir, name string) string {
	if dir == "/" {
		return "/" + name
	}
	return dir + "/" + name
}
