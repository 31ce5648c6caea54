package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// Spec is SRC:DST[:MODE[:UID:GID]].
type Spec struct {
	Src      string // on the host
	Dst      string // in the tree, absolute
	Mode     uint32 // of files; directories get x where it has r
	HasMode  bool
	UID, GID uint32
}

var specForm = regexp.MustCompile(`^(.+?):(/[^:]*)(?::([0-7]{3,4})(?::([0-9]+):([0-9]+))?)?$`)

// ParseSpec reads a Spec; SRC may be a Windows path with a drive letter.
func ParseSpec(s string) (Spec, error) {
	m := specForm.FindStringSubmatch(s)
	if m == nil {
		return Spec{}, fmt.Errorf("%q is not of the form SRC:/DST[:MODE[:UID:GID]]", s)
	}
	sp := Spec{Src: m[1], Dst: m[2], HasMode: m[3] != ""}
	for _, f := range []struct {
		text string
		base int
		to   *uint32
	}{{m[3], 8, &sp.Mode}, {m[4], 10, &sp.UID}, {m[5], 10, &sp.GID}} {
		if f.text == "" {
			continue
		}
		n, err := strconv.ParseUint(f.text, f.base, 32)
		if err != nil {
			return Spec{}, fmt.Errorf("%q: %w", s, err)
		}
		*f.to = uint32(n)
	}
	return sp, nil
}

// maxHost bounds the entries of a host folder.
const maxHost = 1 << 20

// FromFS makes nodes, owned by root, of the file or folder name of a host's
// filesystem, and of all that is in it. Contents are read from fsys later.
// Symbolic links stay links; what is neither file, folder nor link is an error.
func FromFS(host fs.FS, name string) (*tree.Node, error) {
	type step struct {
		name string
		dir  *tree.Node
		base string
	}
	top := &tree.Node{}
	count := 0
	for todo := []step{{name, top, "x"}}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if count++; count > maxHost {
			return nil, fmt.Errorf("%s: more than %d entries", name, maxHost)
		}
		n, err := node(host, s.name)
		if err != nil {
			return nil, err
		}
		s.dir.Set(s.base, n)
		if !n.IsDir() {
			continue
		}
		entries, err := fs.ReadDir(host, s.name)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			below := s.name + "/" + e.Name()
			if s.name == "." {
				below = e.Name()
			}
			if !fs.ValidPath(below) { // Go opens no such file
				return nil, fmt.Errorf("%q: the name is no UTF-8", below)
			}
			todo = append(todo, step{below, n, e.Name()})
		}
	}
	return top.Child("x"), nil
}

func node(host fs.FS, name string) (*tree.Node, error) {
	st, err := fs.Lstat(host, name)
	if err != nil {
		return nil, err
	}
	n := &tree.Node{Mode: hostMode(st.Mode(), runtime.GOOS)}
	switch st.Mode().Type() {
	case 0:
		n.Mode |= fsys.ModeRegular
		if st.Size() > 0 {
			n.Content = tree.Stream(st.Size(), func() (io.ReaderAt, error) { return open(host, name) })
		}
	case fs.ModeDir:
		n.Mode |= fsys.ModeDir
	case fs.ModeSymlink:
		n.Mode = fsys.ModeSymlink | 0o777
		n.Target, err = fs.ReadLink(host, name)
	default:
		err = fmt.Errorf("%s: is no file, folder or symbolic link (%s)", name, st.Mode().Type())
	}
	return n, err
}

// hostMode is the mode that a file of the host has in the tree. Windows keeps
// none, and Go says that everyone may write there.
func hostMode(mode fs.FileMode, goos string) uint32 {
	perm := uint32(mode.Perm())
	if goos == "windows" {
		perm &^= 0o022
	}
	return perm
}

func open(host fs.FS, name string) (io.ReaderAt, error) {
	f, err := host.Open(name)
	if err != nil {
		return nil, err
	}
	if r, ok := f.(io.ReaderAt); ok {
		return r, nil // an io.Closer too, which the reader of the content closes
	}
	b, err := io.ReadAll(f)
	if err := errors.Join(err, f.Close()); err != nil {
		return nil, err
	}
	return bytes.NewReader(b), nil
}

// CopyIn returns the edit that puts src, made by FromFS, where the spec says.
// A file goes to DST, or into it where that is a directory or ends in "/"; what
// is in a folder goes into DST. Files that are there are replaced, directories
// joined; the tree's own symbolic links are followed on the way to DST.
func CopyIn(sp Spec, src *tree.Node) *Copy { return &Copy{Spec: sp, src: src} }

// Copy is the edit that CopyIn returns.
type Copy struct {
	Spec
	src *tree.Node
	dst string // where the last Apply put src
}

// Name is that of the flag.
func (c *Copy) Name() string { return "copy-in" }

// Review finds what the last Apply copied and later edits took out again.
func (c *Copy) Review(t *tree.Tree) []edit.Finding {
	type step struct {
		from *tree.Node
		to   string
	}
	for todo := []step{{c.src, c.dst}}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		if _, err := t.Lstat(s.to); errors.Is(err, tree.ErrNotExist) || errors.Is(err, tree.ErrNotDir) {
			return []edit.Finding{{
				Rule: c.Name(), Severity: edit.Warn, Path: s.to, What: "was copied in, and then taken out by a readiness edit",
				Fix: "copy it to another place, or leave that edit out with --disable RULE (-v lists the edits)",
			}}
		}
		for _, e := range s.from.Entries() {
			todo = append(todo, step{e.Node, s.to + "/" + e.Name})
		}
	}
	return nil
}

// Apply copies.
func (c *Copy) Apply(ctx context.Context, t *tree.Tree) ([]edit.Change, error) {
	type step struct {
		from *tree.Node
		to   string
	}
	dst := c.destination(t)
	c.dst = dst
	if dst == "" && !c.src.IsDir() {
		return nil, fmt.Errorf("%s: names no file", fsys.Printable(c.Dst))
	}
	if i := strings.LastIndexByte(dst, '/'); i > 0 {
		if _, err := t.MkdirAll(dst[:i], 0o755); err != nil {
			return nil, err
		}
	}
	n := 0
	for todo := []step{{c.src, dst}}; len(todo) > 0; {
		s := todo[0]
		todo = todo[1:]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		done, err := c.put(t, s.from, s.to)
		if err != nil {
			return nil, err
		}
		if done {
			n++
		}
		for _, e := range s.from.Entries() {
			todo = append(todo, step{e.Node, s.to + "/" + e.Name})
		}
	}
	if n == 0 {
		return nil, nil
	}
	what := "copied in"
	if n > 1 {
		what = fmt.Sprintf("copied in, %d entries", n)
	}
	return []edit.Change{{Rule: c.Name(), Path: dst, What: what}}, nil
}

func (c *Copy) destination(t *tree.Tree) string {
	dst := strings.TrimRight(c.Dst, "/")
	at, err := t.Lookup(c.Dst)
	if !c.src.IsDir() && (err == nil && at.IsDir() || dst != c.Dst) {
		base := strings.ReplaceAll(c.Src, `\`, "/") // either separator, on any host
		dst += "/" + base[strings.LastIndexByte(base, '/')+1:]
	}
	return dst
}

// put makes one entry and tells whether it changed anything.
func (c *Copy) put(t *tree.Tree, from *tree.Node, to string) (bool, error) {
	if from.IsDir() {
		if at, err := t.Lookup(to); err == nil && at.IsDir() {
			return false, nil
		}
	}
	n := &tree.Node{Mode: from.Mode, UID: c.UID, GID: c.GID, Target: from.Target, Content: from.Content}
	if c.HasMode && !from.IsSymlink() {
		n.Mode = from.Mode&fsys.ModeType | c.Mode
		if from.IsDir() {
			n.Mode |= c.Mode & 0o444 >> 2
		}
	}
	if old, err := t.Lstat(to); err == nil {
		same, err := equal(old, n)
		if same || err != nil {
			return false, err
		}
	}
	return true, t.Put(to, n)
}

// equal compares what a copy would change, contents last.
func equal(a, b *tree.Node) (bool, error) {
	if a.Mode != b.Mode || a.UID != b.UID || a.GID != b.GID || a.Target != b.Target || a.Size() != b.Size() || a.IsDir() {
		return false, nil
	}
	if a.Size() == 0 {
		return true, nil
	}
	ra, err := a.Content.Open()
	if err != nil {
		return false, err
	}
	defer closing(ra)
	rb, err := b.Content.Open()
	if err != nil {
		return false, err
	}
	defer closing(rb)
	const chunk = 64 << 10
	pa, pb := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); off < a.Size(); off += chunk {
		k := min(chunk, a.Size()-off)
		for _, r := range []struct {
			r io.ReaderAt
			p []byte
		}{{ra, pa[:k]}, {rb, pb[:k]}} {
			if n, err := r.r.ReadAt(r.p, off); n < len(r.p) {
				return false, errors.Join(err, io.ErrUnexpectedEOF)
			}
		}
		if !bytes.Equal(pa[:k], pb[:k]) {
			return false, nil
		}
	}
	return true, nil
}

// closing closes a reader that was only read from.
func closing(r io.ReaderAt) {
	if c, ok := r.(io.Closer); ok {
		_ = c.Close()
	}
}
