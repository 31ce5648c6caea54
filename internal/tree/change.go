package tree

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Parent resolves the directory part of path, following symbolic links inside
// the tree, and returns it with the last element.
func (t *Tree) Parent(path string) (*Node, string, error) {
	path = strings.TrimRight(path, "/")
	i := strings.LastIndexByte(path, '/')
	base := path[i+1:]
	if base == "" || base == "." || base == ".." {
		return nil, "", fmt.Errorf("%s: names no entry", fsys.Brief(path))
	}
	dir, err := t.Lookup(path[:max(i, 0)])
	if err == nil && !dir.IsDir() {
		err = fmt.Errorf("%s: %w", fsys.Brief(path[:i]), ErrNotDir)
	}
	return dir, base, err
}

// Put makes path lead to a new inode made from n, in place of what was there:
// a symbolic link is replaced, not followed, other names of a hard-linked file
// keep the old one. Mtime is t.Now; a label of the directory is taken over.
func (t *Tree) Put(path string, n *Node) error {
	dir, base, err := t.Parent(path)
	if err != nil {
		return err
	}
	if old := dir.Child(base); old != nil && old.IsDir() && len(old.Entries()) > 0 {
		return fmt.Errorf("%s: is a directory that is not empty", fsys.Brief(path))
	}
	t.add(dir, base, n)
	return nil
}

// add makes name in dir lead to the new inode n.
func (t *Tree) add(dir *Node, name string, n *Node) {
	n.Mtime, n.Links = t.Now, 0
	if _, ok := n.Xattr(selinux); !ok {
		if label, ok := dir.Xattr(selinux); ok {
			n.Xattrs = append(n.Xattrs, fsys.Xattr{Name: selinux, Value: label})
			slices.SortFunc(n.Xattrs, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
		}
	}
	dir.Set(name, n)
}

const selinux = "security.selinux"

// WriteFile gives path the content data. An existing regular file keeps its
// owner, mode and attributes, and its other names keep the old content;
// anything else is replaced by a root-owned file of mode perm.
func (t *Tree) WriteFile(path string, data []byte, perm uint32) error {
	n := &Node{Mode: fsys.ModeRegular | perm, Content: Bytes(data)}
	old, err := t.Lstat(path)
	if err != nil && !errors.Is(err, ErrNotExist) {
		return err
	}
	if err == nil && old.IsRegular() {
		n.Mode, n.UID, n.GID, n.Xattrs = old.Mode, old.UID, old.GID, slices.Clone(old.Xattrs)
	}
	return t.Put(path, n)
}

// Update is WriteFile that follows symbolic links to an existing file, and
// tells whether anything changed. A link that leads nowhere is replaced.
func (t *Tree) Update(path string, data []byte, perm uint32) (bool, error) {
	at, n, err := t.resolve(path, true, nil)
	switch {
	case errors.Is(err, ErrNotExist), errors.Is(err, ErrLoop):
		return true, t.WriteFile(path, data, perm)
	case err != nil:
		return false, err
	case n.IsDir():
		return false, fmt.Errorf("%s: is a directory", fsys.Brief(path))
	}
	if n.IsRegular() && n.Size() == int64(len(data)) {
		old, err := n.Read(n.Size())
		if err != nil {
			return false, fmt.Errorf("%s: %w", fsys.Brief(path), err)
		}
		if bytes.Equal(old, data) {
			return false, nil
		}
	}
	return true, t.WriteFile(at, data, perm)
}

// Own returns the node that path leads to, links followed, for a change of its
// attributes: a file that has other names is copied first, so that only this
// name sees the change.
func (t *Tree) Own(path string) (*Node, error) {
	at, n, err := t.resolve(path, true, nil)
	if err != nil || n.Links <= 1 || n.IsDir() {
		return n, err
	}
	dir, base, err := t.Parent(at)
	if err != nil {
		return nil, err
	}
	c := *n
	c.Xattrs = slices.Clone(n.Xattrs)
	c.Links = 0
	dir.Set(base, &c)
	return &c, nil
}

// Symlink makes path a symbolic link to target.
func (t *Tree) Symlink(path, target string) error {
	return t.Put(path, &Node{Mode: fsys.ModeSymlink | 0o777, Target: target})
}

// MkdirAll makes the directories of path that are missing, root-owned, mode
// perm, and returns the last one. Where mkdir -p gives up at a symbolic link
// that leads nowhere, the directory that it leads to is made: the link stays,
// and whoever goes through it finds what is put there.
func (t *Tree) MkdirAll(path string, perm uint32) (*Node, error) {
	_, n, err := t.resolve(path, true, func(dir *Node, name string) *Node {
		made := &Node{Mode: fsys.ModeDir | perm}
		t.add(dir, name, made)
		return made
	})
	if err == nil && !n.IsDir() {
		err = fmt.Errorf("%s: %w", fsys.Brief(path), ErrNotDir)
	}
	return n, err
}

// Remove takes the name path, and all below it, out of the tree, and tells
// whether it was there. A last symbolic link is not followed.
func (t *Tree) Remove(path string) (bool, error) {
	dir, base, err := t.Parent(path)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	old := dir.Child(base)
	if old == nil {
		return false, nil
	}
	dropNames(old)
	return dir.Remove(base), nil
}

// dropNames keeps Links right for the inodes that lose names below n.
func dropNames(n *Node) {
	todo := []*Node{n}
	for len(todo) > 0 {
		d := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range d.Entries() {
			e.Node.Links--
			todo = append(todo, e.Node)
		}
	}
}

// Mount puts another tree in place of the directory that path leads to, as
// mount(8) would: the directory's own attributes and entries are hidden.
func (t *Tree) Mount(path string, sub *Tree) error {
	at, err := t.Canonical(path)
	if err != nil {
		return err
	}
	dir, base, err := t.Parent(at)
	if err != nil {
		return err
	}
	old := dir.Child(base)
	if !old.IsDir() {
		return fmt.Errorf("%s: %w", fsys.Brief(path), ErrNotDir)
	}
	dropNames(old)
	sub.Root.Links = 0
	dir.Set(base, sub.Root)
	if later(sub.Now, t.Now) {
		t.Now = sub.Now
	}
	return nil
}
