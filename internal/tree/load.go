package tree

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Load reads all metadata of fs. Directories are read level by level and the
// inodes of a level in the order of their numbers, which is disk order in
// every filesystem at hand, so that a small cache below serves. data is the
// device that the runs of fs refer to, best the one without a metadata cache;
// volume tells its contents apart from those of a tree mounted later.
//
// Names that share an inode share a Node. A directory with a second name and a
// name that stands twice in its directory are ErrCorrupt: no tree has them.
// Paths of more than maxPath bytes, and trees that would take more than
// maxMemory bytes, are ErrUnsupported.
func Load(ctx context.Context, fs fsys.FS, data blockdev.Device, volume int) (*Tree, error) {
	l := loader{
		fs: fs, data: data, volume: volume,
		seen: map[fsys.Ino]*Node{}, budget: maxMemory, dirBytes: fs.Info().Size,
	}
	return l.load(ctx)
}

func (l *loader) load(ctx context.Context) (*Tree, error) {
	top := name{ino: l.fs.Root()}
	root, err := l.inode(&top)
	if err != nil {
		return nil, err
	}
	if !root.IsDir() {
		return nil, top.wrap(ondisk.Corruptf(ondisk.NoOffset, "mode %#o is no directory", root.Mode))
	}
	top.node = root
	level := []name{top}
	for len(level) > 0 {
		if level, err = l.level(ctx, level); err != nil {
			return nil, err
		}
	}
	root.Links = 1
	return &Tree{Root: root, Now: l.newest}, nil
}

type loader struct {
	fs     fsys.FS
	data   blockdev.Device
	volume int
	seen   map[fsys.Ino]*Node
	newest fsys.Time
	budget int64 // bytes that the tree may still take, about
	// dirBytes is how large the directories still to come can be: no two of
	// them share a block, so that reading all is reading the volume once.
	dirBytes int64
}

// maxMemory bounds the tree: room for some five million files. Small images
// can claim far more, with directories, extents or attributes that share their
// blocks.
const maxMemory = 2 << 30

// About what the parts of a tree take in memory, in bytes.
const (
	nameCost  = 128 // entry, and name while it is read; without the string
	nodeCost  = 320 // node, its content, and its place in the loader's map
	runCost   = 24
	xattrCost = 40 // without the strings
)

// spend takes bytes off the budget.
func (l *loader) spend(bytes int) error {
	if l.budget -= int64(bytes); l.budget < 0 {
		return ondisk.Unsupportedf("names, extents and attributes of more than %d MiB", maxMemory>>20)
	}
	return nil
}

// maxPath is the longest path in bytes that is loaded: four times what the
// kernel takes in a call, far more than any system has, and a bound on what the
// paths of all directories that are open at a time can take.
const maxPath = 4 * 4096

// name is an entry on its way into the tree.
type name struct {
	up   *name  // the directory's own, nil for the root
	base string // the entry's own name
	path int    // length of the path
	ino  fsys.Ino
	off  int64 // of the entry on the volume
	node *Node
}

// wrap puts the path and inode before err. The path is made for this only:
// those of all names at once may take far more memory than the tree.
func (e *name) wrap(err error) error {
	path := ""
	for n := e; n.up != nil; n = n.up {
		path = "/" + n.base + path
	}
	return fmt.Errorf("%s: inode %d: %w", fsys.Brief(cmp.Or(path, "/")), e.ino, err)
}

// level reads the given directories and returns the directories in them.
func (l *loader) level(ctx context.Context, dirs []name) ([]name, error) {
	slices.SortFunc(dirs, func(a, b name) int { return cmp.Compare(a.ino, b.ino) })
	var found []name
	for i := range dirs {
		d := &dirs[i]
		first := len(found)
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for e, err := range l.fs.ReadDir(d.ino) {
			if err != nil {
				return nil, d.wrap(err)
			}
			path := d.path + 1 + len(e.Name)
			if path > maxPath {
				return nil, d.wrap(ondisk.Unsupportedf("path of %d bytes, at most %d", path, maxPath))
			}
			if err := l.spend(nameCost + len(e.Name)); err != nil {
				return nil, d.wrap(err)
			}
			found = append(found, name{up: d, base: e.Name, path: path, ino: e.Ino, off: e.Off})
			d.node.entries = append(d.node.entries, Entry{Name: e.Name})
		}
		if err := d.sortEntries(found[first:]); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(found, func(a, b name) int { return cmp.Compare(a.ino, b.ino) })
	return l.nodes(ctx, found)
}

// nodes gives each entry its node and returns those that are directories.
func (l *loader) nodes(ctx context.Context, found []name) ([]name, error) {
	var below []name
	for i := range found {
		e := &found[i]
		if i%1024 == 0 && ctx.Err() != nil {
			return nil, ctx.Err()
		}
		e.node = l.seen[e.ino]
		if e.node == nil {
			n, err := l.inode(e)
			if err != nil {
				return nil, err
			}
			e.node = n
			if n.IsDir() {
				below = append(below, *e)
			}
		} else if e.node.IsDir() {
			return nil, e.wrap(ondisk.Corruptf(e.off, "directory has a second name"))
		}
		e.node.Links++
		k, _ := e.up.node.find(e.base)
		e.up.node.entries[k].Node = e.node
	}
	return below, nil
}

// sortEntries sorts what was found in a directory, each name once.
func (e *name) sortEntries(found []name) error {
	entries := e.node.entries
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Name, b.Name) })
	for i := 1; i < len(entries); i++ {
		if entries[i].Name == entries[i-1].Name {
			twin := slices.IndexFunc(found, func(n name) bool { return n.base == entries[i].Name })
			return e.wrap(ondisk.Corruptf(found[twin].off, "name %q stands twice", entries[i].Name))
		}
	}
	return nil
}

func (l *loader) inode(e *name) (*Node, error) {
	in, err := l.fs.Inode(e.ino)
	if err != nil {
		return nil, e.wrap(ondisk.At(err, e.off))
	}
	cost := nodeCost + len(in.Target)
	for _, x := range in.Xattrs {
		cost += xattrCost + len(x.Name) + len(x.Value)
	}
	if in.IsDir() {
		if l.dirBytes -= in.Size; l.dirBytes < 0 {
			return nil, e.wrap(ondisk.Corruptf(e.off, "directories of more bytes than the filesystem has, with one of %d", in.Size))
		}
	}
	n := &Node{
		Mode: in.Mode, UID: in.UID, GID: in.GID, Rdev: in.Rdev,
		Mtime: in.Mtime, Target: in.Target, Xattrs: in.Xattrs,
	}
	if n.IsRegular() {
		// Also of an empty file, as damage is an error even where it does not show.
		runs, err := l.fs.Layout(e.ino)
		if err != nil {
			return nil, e.wrap(err)
		}
		if in.Size > 0 {
			n.Content = l.content(e.ino, in.Size, runs)
		}
		cost += runCost * len(runs)
	}
	if err := l.spend(cost); err != nil {
		return nil, e.wrap(err)
	}
	if later(in.Mtime, l.newest) {
		l.newest = in.Mtime
	}
	l.seen[e.ino] = n
	return n, nil
}

func (l *loader) content(ino fsys.Ino, size int64, runs []fsys.Run) *Content {
	c := &Content{Size: size, Dev: l.data, Runs: runs, Volume: l.volume}
	if slices.ContainsFunc(runs, func(r fsys.Run) bool { return r.Phys == fsys.Encoded }) {
		fs := l.fs
		c.open = func() (io.ReaderAt, error) { return fs.Open(ino) }
	}
	return c
}

func later(a, b fsys.Time) bool {
	return a.Sec > b.Sec || a.Sec == b.Sec && a.Nsec > b.Nsec
}
