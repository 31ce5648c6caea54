package tree

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// What can be wrong with a path in the tree.
var (
	ErrNotExist = errors.New("does not exist")
	ErrNotDir   = errors.New("is not a directory")
	ErrLoop     = errors.New("too many symbolic links") // more than 40, as in the kernel
)

const maxLinks = 40

// Lookup returns the node that path leads to, following symbolic links as a
// process chrooted into the tree would: absolute targets start at the tree's
// root and ".." never leaves it.
func (t *Tree) Lookup(path string) (*Node, error) {
	_, n, err := t.resolve(path, true, nil)
	return n, err
}

// Lstat is Lookup that does not follow the last element.
func (t *Tree) Lstat(path string) (*Node, error) {
	_, n, err := t.resolve(path, false, nil)
	return n, err
}

// Canonical returns the path without symbolic links that path leads to.
func (t *Tree) Canonical(path string) (string, error) {
	p, _, err := t.resolve(path, true, nil)
	return p, err
}

// resolve walks path from the root; last: a last symbolic link is followed too.
// Its stack of directories makes ".." exact. What a directory has not is
// ErrNotExist, unless missing is there to make it.
func (t *Tree) resolve(path string, last bool, missing func(dir *Node, name string) *Node) (string, *Node, error) {
	fail := func(err error) (string, *Node, error) {
		return "", nil, fmt.Errorf("%s: %w", fsys.Brief(path), err)
	}
	stack := []Entry{{"", t.Root}}
	todo := strings.Split(path, "/")
	links := 0
	for len(todo) > 0 {
		elem := todo[0]
		todo = todo[1:]
		at := stack[len(stack)-1].Node
		switch {
		case elem == "" || elem == ".":
			continue
		case !at.IsDir():
			return fail(ErrNotDir)
		case elem == "..":
			stack = stack[:max(1, len(stack)-1)]
			continue
		}
		next := at.Child(elem)
		if next == nil && missing != nil {
			next = missing(at, elem)
		}
		switch {
		case next == nil:
			return fail(ErrNotExist)
		case next.IsSymlink() && (last || len(todo) > 0):
			if links++; links > maxLinks {
				return fail(ErrLoop)
			}
			if strings.HasPrefix(next.Target, "/") {
				stack = stack[:1]
			}
			todo = append(strings.Split(next.Target, "/"), todo...)
		default:
			stack = append(stack, Entry{elem, next})
		}
	}
	if len(stack) == 1 {
		return "/", t.Root, nil
	}
	var b strings.Builder
	for _, e := range stack[1:] {
		b.WriteByte('/')
		b.WriteString(e.Name)
	}
	return b.String(), stack[len(stack)-1].Node, nil
}

// ReadFile returns the content of the regular file that path leads to; more
// than limit bytes is an error.
func (t *Tree) ReadFile(path string, limit int64) ([]byte, error) {
	n, err := t.Lookup(path)
	if err != nil {
		return nil, err
	}
	b, err := n.Read(limit)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", fsys.Brief(path), err)
	}
	return b, nil
}

// Read returns a regular file's content; more than limit bytes is an error.
func (n *Node) Read(limit int64) (b []byte, err error) {
	switch {
	case !n.IsRegular():
		return nil, errors.New("is not a regular file")
	case n.Size() > limit:
		return nil, fmt.Errorf("has %d bytes, at most %d are read", n.Size(), limit)
	case n.Size() == 0:
		return nil, nil
	}
	r, err := n.Content.Open()
	if err != nil {
		return nil, err
	}
	if c, ok := r.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	b = make([]byte, n.Size())
	if k, err := r.ReadAt(b, 0); k < len(b) {
		return nil, err
	}
	return b, nil
}
