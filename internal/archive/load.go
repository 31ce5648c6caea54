// Package archive reads a root filesystem archive back into a tree, for
// looking at what WSL would make of it.
package archive

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// Problem is something in the archive that WSL's extraction would not take as
// it stands: bsdtar -x -p --xattrs --numeric-owner in the C locale, whose
// failure fails the import.
type Problem struct {
	Path string // raw bytes
	What string
}

// Limits of what is read.
const (
	maxEntries  = 8 << 20
	maxPath     = 4096    // PATH_MAX of Linux
	maxDir      = 1 << 17 // entries; each one may have to move all others
	maxProblems = 100
)

// Load reads a plain tar stream. All names, attributes and sizes are kept, of
// contents only what is small and of interest (see keep); reading others
// later is an error. Nothing is ever written outside the tree: names and
// links are resolved in it.
func Load(ctx context.Context, r io.Reader) (*tree.Tree, []Problem, error) {
	l := &loader{t: tree.New(), keep: newKeep()}
	tr := tar.NewReader(r)
	for n := 0; ; n++ {
		if n%1024 == 0 && ctx.Err() != nil {
			return nil, nil, ctx.Err()
		}
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return l.t, l.problems, nil
		}
		if err != nil {
			return nil, nil, corrupt(err)
		}
		if n >= maxEntries {
			return nil, nil, ondisk.Unsupportedf("archive of more than %d entries", maxEntries)
		}
		if err := l.entry(h, tr); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", fsys.Brief(h.Name), err)
		}
	}
}

func corrupt(err error) error {
	if errors.Is(err, tar.ErrHeader) {
		return ondisk.Corruptf(ondisk.NoOffset, "%v", err)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return ondisk.Corruptf(ondisk.NoOffset, "the archive is cut off")
	}
	return err
}

type loader struct {
	t        *tree.Tree
	keep     *keep
	problems []Problem
}

func (l *loader) problem(path, format string, args ...any) {
	if len(l.problems) < maxProblems {
		l.problems = append(l.problems, Problem{path, fmt.Sprintf(format, args...)})
	}
}

// types are the tar types that stand for inodes.
var types = map[byte]uint32{
	tar.TypeReg: fsys.ModeRegular, tar.TypeDir: fsys.ModeDir, tar.TypeSymlink: fsys.ModeSymlink,
	tar.TypeChar: fsys.ModeChar, tar.TypeBlock: fsys.ModeBlock, tar.TypeFifo: fsys.ModeFifo,
	tar.TypeGNUSparse: fsys.ModeRegular, tar.TypeCont: fsys.ModeRegular, tar.TypeLink: 0,
}

func (l *loader) entry(h *tar.Header, content io.Reader) error {
	mode, known := types[h.Typeflag]
	if !known {
		return nil // bsdtar passes over them too
	}
	l.names(h)
	path, ok := l.clean(h.Name)
	if !ok {
		return nil
	}
	if path == "/" {
		if mode == fsys.ModeDir {
			l.dress(l.t.Root, h)
		}
		return nil
	}
	dir, base, err := l.parent(path)
	if err != nil {
		l.problem(path, "cannot be placed: %v", err)
		return nil
	}
	if h.Typeflag == tar.TypeLink {
		return l.link(dir, base, path, h.Linkname)
	}
	old := dir.Child(base)
	if old != nil && old.IsDir() && mode == fsys.ModeDir {
		l.dress(old, h)
		return nil
	}
	n := &tree.Node{Mode: mode, Target: h.Linkname}
	if mode != fsys.ModeSymlink {
		n.Target = ""
	}
	l.dress(n, h)
	if mode == fsys.ModeRegular && h.Size > 0 {
		if n.Content, err = l.keep.content(path, n.Mode, h.Size, content); err != nil {
			return corrupt(err)
		}
	}
	return l.put(path, dir, base, n)
}

// put makes a name lead to n. What was there goes, as in an extraction.
func (l *loader) put(path string, dir *tree.Node, base string, n *tree.Node) error {
	if old := dir.Child(base); old != nil {
		if old == n {
			return nil
		}
		if _, err := l.t.Remove(path); err != nil {
			return err
		}
	}
	if len(dir.Entries()) >= maxDir {
		return ondisk.Unsupportedf("directory of more than %d entries", maxDir)
	}
	dir.Set(base, n)
	return nil
}

// dress gives a node the attributes of its header.
func (l *loader) dress(n *tree.Node, h *tar.Header) {
	n.Mode = n.Mode&fsys.ModeType | uint32(h.Mode)&fsys.ModePerm //nolint:gosec // cut to 12 bits
	n.UID, n.GID = id(h.Uid), id(h.Gid)
	n.Rdev = fsys.Rdev{Major: id64(h.Devmajor), Minor: id64(h.Devminor)}
	n.Mtime = fsys.Time{Sec: h.ModTime.Unix(), Nsec: uint32(h.ModTime.Nanosecond())} //nolint:gosec // below 1e9
	n.Xattrs = n.Xattrs[:0]
	for key, value := range h.PAXRecords {
		if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
			n.Xattrs = append(n.Xattrs, fsys.Xattr{Name: name, Value: []byte(value)})
			l.xattr(h.Name, name)
		}
	}
	slices.SortFunc(n.Xattrs, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
	if t := l.t.Now; n.Mtime.Sec > t.Sec || n.Mtime.Sec == t.Sec && n.Mtime.Nsec > t.Nsec {
		l.t.Now = n.Mtime
	}
}

func id(n int) uint32 { return id64(int64(n)) }

// id64 cuts a number that Linux would not take.
func id64(n int64) uint32 {
	if n < 0 || n > 1<<32-1 {
		return 1<<32 - 1
	}
	return uint32(n)
}

// link adds a name to an inode that came before.
func (l *loader) link(dir *tree.Node, base, path, target string) error {
	to, ok := l.clean(target)
	if !ok {
		return nil
	}
	n, err := l.t.Lstat(to)
	switch {
	case err != nil:
		l.problem(path, "is a hard link to %s, which does not come before it", fsys.Brief(to))
		return nil //nolint:nilerr // a problem of the archive, not of reading it
	case n.IsDir():
		l.problem(path, "is a hard link to the directory %s", fsys.Brief(to))
		return nil
	}
	return l.put(path, dir, base, n)
}

// parent finds or makes the directory that a clean path lies in.
func (l *loader) parent(path string) (*tree.Node, string, error) {
	i := strings.LastIndexByte(path, '/')
	dir, base := path[:i], path[i+1:]
	n := l.t.Root
	for elem := range strings.SplitSeq(strings.TrimPrefix(dir, "/"), "/") {
		if elem == "" {
			break // the root
		}
		next := n.Child(elem)
		switch {
		case next == nil:
			next = &tree.Node{Mode: fsys.ModeDir | 0o755}
			n.Set(elem, next)
		case next.IsSymlink():
			l.problem(path, "lies behind the symbolic link %s: WSL's extraction refuses it", fsys.Brief(elem))
			at, err := l.t.MkdirAll(dir, 0o755)
			return at, base, err
		case !next.IsDir():
			return nil, "", fmt.Errorf("%s: %w", fsys.Brief(elem), tree.ErrNotDir)
		}
		n = next
	}
	return n, base, nil
}
