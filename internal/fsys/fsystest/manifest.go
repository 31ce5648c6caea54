package fsystest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
)

// Manifest walks fs from its root and returns one line for each name, sorted.
// It also holds fs to the contract and returns the first breach as an error.
func Manifest(dev blockdev.Device, fs fsys.FS) ([]string, error) {
	w := walker{dev: dev, fs: fs, content: true}
	w.walk()
	return w.lines, errors.Join(w.errs...)
}

// walker visits every inode that can be reached by name, once, without recursion.
type walker struct {
	dev     blockdev.Device
	fs      fsys.FS
	content bool // read and digest what files hold
	lenient bool // go on after an error

	lines []string
	errs  []error
	paths int // bytes of the paths in lines and queue
	seen  map[fsys.Ino]*node
	queue []*node
}

type node struct {
	*fsys.Inode
	line  string // without the path
	path  string // the first name seen
	names uint32
}

// pathBudget ends a walk through a tree that a damaged image blew up.
const pathBudget = 64 << 20

func (w *walker) fail(path string, err error) {
	w.errs = append(w.errs, fmt.Errorf("%q: %w", path, err))
}

func (w *walker) done() bool {
	return len(w.errs) > 0 && !w.lenient || w.paths > pathBudget || len(w.errs) > 10000
}

func (w *walker) walk() {
	w.seen = map[fsys.Ino]*node{}
	w.visit("/", fsys.Dirent{Ino: w.fs.Root(), Type: fsys.ModeDir})
	for len(w.queue) > 0 && !w.done() {
		dir := w.queue[len(w.queue)-1]
		w.queue = w.queue[:len(w.queue)-1]
		w.list(dir)
	}
	if !w.lenient && len(w.errs) == 0 {
		for _, n := range w.seen {
			if !n.IsDir() && n.names != n.Nlink {
				w.fail(n.path, fmt.Errorf("inode %d: %d links, %d names seen", n.Ino, n.Nlink, n.names))
			}
		}
	}
	slices.Sort(w.lines)
}

func (w *walker) list(dir *node) {
	names := map[string]bool{}
	for d, err := range w.fs.ReadDir(dir.Ino) {
		if err != nil {
			w.fail(dir.path, err)
			return
		}
		path := strings.TrimSuffix(dir.path, "/") + "/" + d.Name
		switch {
		case d.Name == "" || d.Name == "." || d.Name == ".." || len(d.Name) > fsys.MaxName || strings.ContainsAny(d.Name, "/\x00"):
			w.fail(dir.path, fmt.Errorf("contract: yields the name %q", d.Name))
		case names[d.Name]:
			if !w.lenient { // finding duplicates is the tree's task
				w.fail(path, errors.New("is there twice"))
			}
		default:
			names[d.Name] = true
			w.visit(path, d)
		}
		if w.done() {
			return
		}
	}
}

func (w *walker) visit(path string, d fsys.Dirent) {
	w.paths += len(path)
	n := w.seen[d.Ino]
	if n == nil {
		inode, err := w.fs.Inode(d.Ino)
		if err != nil {
			w.fail(path, err)
			return
		}
		n = &node{Inode: inode, path: path}
		w.seen[d.Ino] = n
		if err := w.check(n); err != nil {
			w.fail(path, err)
			return
		}
		if n.IsDir() {
			w.queue = append(w.queue, n)
		}
	} else if n.IsDir() {
		w.fail(path, fmt.Errorf("directory inode %d is also %q", d.Ino, n.path))
		return
	}
	if d.Type != 0 && d.Type != n.Mode&fsys.ModeType && !w.lenient {
		w.fail(path, fmt.Errorf("dirent type %#o, inode mode %#o", d.Type, n.Mode))
	}
	n.names++
	w.lines = append(w.lines, quote(path)+" "+n.line)
}

// check holds an inode to the contract and writes its line.
func (w *walker) check(n *node) error {
	if n.Size < 0 {
		return fmt.Errorf("contract: size %d", n.Size)
	}
	if n.Mtime.Nsec >= 1e9 {
		return fmt.Errorf("contract: %d nanoseconds", n.Mtime.Nsec)
	}
	if isLink := n.Mode&fsys.ModeType == fsys.ModeSymlink; isLink != (n.Target != "") || len(n.Target) > fsys.MaxTarget {
		return fmt.Errorf("contract: mode %#o with a target of %d bytes", n.Mode, len(n.Target))
	}
	for i, x := range n.Xattrs {
		if x.Value == nil || len(x.Name) > fsys.MaxXattrName || len(x.Value) > fsys.MaxXattr {
			return fmt.Errorf("contract: xattr %q has %d bytes, nil: %t", x.Name, len(x.Value), x.Value == nil)
		}
		if i > 0 && x.Name <= n.Xattrs[i-1].Name {
			return fmt.Errorf("contract: xattr %q after %q", x.Name, n.Xattrs[i-1].Name)
		}
	}
	digest := ""
	if n.IsRegular() {
		f, err := openFile(w.dev, w.fs, n.Inode)
		if err != nil {
			return err
		}
		if w.content {
			digest, err = f.digest()
		} else {
			err = f.probe()
		}
		if err != nil {
			return err
		}
	}
	plain := *n.Inode
	if !w.content {
		plain.Target = "" // like file data, a symlink's block has no checksum
	}
	n.line = Line(&plain, digest)
	return nil
}

// Line is the manifest line of an inode without its path. digest is empty for
// all but regular files.
func Line(n *fsys.Inode, digest string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "ino=%d mode=%06o uid=%d gid=%d nlink=%d size=%d mtime=%d.%09d",
		n.Ino, n.Mode, n.UID, n.GID, n.Nlink, n.Size, n.Mtime.Sec, n.Mtime.Nsec)
	if t := n.Mode & fsys.ModeType; t == fsys.ModeBlock || t == fsys.ModeChar {
		fmt.Fprintf(&b, " rdev=%d:%d", n.Rdev.Major, n.Rdev.Minor)
	}
	if n.Target != "" {
		b.WriteString(" target=" + quote(n.Target))
	}
	if digest != "" {
		b.WriteString(" data=" + digest)
	}
	for _, x := range n.Xattrs {
		b.WriteString(" " + quote(x.Name) + "=" + quoteValue(x.Value))
	}
	return b.String()
}

// PathLine is a whole manifest line.
func PathLine(path string, n *fsys.Inode, digest string) string {
	return quote(path) + " " + Line(n, digest)
}

// quoteValue shows short values and digests long ones.
func quoteValue(v []byte) string {
	const most = 48
	if len(v) <= most {
		return quote(string(v))
	}
	sum := sha256.Sum256(v)
	return fmt.Sprintf("%d:%x", len(v), sum[:digestBytes])
}

func quote(s string) string { return strconv.QuoteToASCII(s) }

// Parse splits the text of a manifest into sorted lines; lines that are empty
// or begin with '#' do not count.
func Parse(text string) []string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\r\n")
		if line != "" && line[0] != '#' {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	return lines
}

// Diff returns the lines that only one of two sorted manifests has, marked
// "+ " for got and "- " for want.
func Diff(got, want []string) []string {
	var d []string
	for len(got) > 0 || len(want) > 0 {
		switch {
		case len(want) == 0 || len(got) > 0 && got[0] < want[0]:
			d = append(d, "+ "+got[0])
			got = got[1:]
		case len(got) == 0 || want[0] < got[0]:
			d = append(d, "- "+want[0])
			want = want[1:]
		default:
			got, want = got[1:], want[1:]
		}
	}
	return d
}
