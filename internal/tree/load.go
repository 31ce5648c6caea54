package tree

import (
	"cmp"
	"context"
	"fmt"
	"hash/maphash"
	"io"
	"math"
	"runtime"
	"slices"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Load reads all metadata of fs. Directories are read level by level, and the
// inodes of a level in the order of their numbers, which is disk order in
// every filesystem at hand, so that a small cache below serves. Several workers
// share a level. data is the device that the runs of fs refer to, best the one
// without a metadata cache; volume tells its contents apart from those of a
// tree mounted later.
//
// Names that share an inode share a Node. A directory with a second name and a
// name that stands twice in its directory are ErrCorrupt: no tree has them.
// Paths of more than maxPath bytes, and trees that would take more than
// maxMemory bytes, are ErrUnsupported.
func Load(ctx context.Context, fs fsys.FS, data blockdev.Device, volume int) (*Tree, error) {
	l := newLoader(fs, min(runtime.GOMAXPROCS(0), maxWorkers))
	l.data, l.volume = data, volume
	return l.load(ctx)
}

type loader struct {
	fs      fsys.FS
	data    blockdev.Device
	volume  int
	workers int
	seen    map[fsys.Ino]*Node // of the levels above
	xattrs  xattrSets
	newest  fsys.Time
	memory  budget // bytes that the tree may still take, about
	// dirBytes is how large the directories still to come can be: no two of
	// them share a block, so that reading all is reading the volume once.
	dirBytes budget
	// fileBytes is the same for what is stored of files.
	fileBytes budget
}

func newLoader(fs fsys.FS, workers int) *loader {
	l := &loader{
		fs: fs, workers: workers, seen: map[fsys.Ino]*Node{},
		xattrs: xattrSets{seed: maphash.MakeSeed(), sets: map[uint64][]fsys.Xattr{}},
	}
	info := fs.Info()
	l.memory.left.Store(maxMemory)
	l.dirBytes.left.Store(info.Size)
	l.fileBytes.left.Store(cmp.Or(info.FileBytes, math.MaxInt64))
	return l
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
	l.seen[top.ino], l.newest = root, root.Mtime
	level := []name{top}
	for len(level) > 0 {
		found, err := l.readDirs(ctx, level)
		if err != nil {
			return nil, err
		}
		if err := l.readInodes(ctx, found); err != nil {
			return nil, err
		}
		if level, err = l.link(found); err != nil {
			return nil, err
		}
	}
	root.Links = 1
	return &Tree{Root: root, Now: l.newest}, nil
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

// spend takes bytes off what the tree may take.
func (l *loader) spend(bytes int) error {
	if !l.memory.spend(int64(bytes)) {
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
	up   *name // the directory's own, nil for the root
	ino  fsys.Ino
	off  int64 // of the entry on the volume
	node *Node
	slot uint32 // place among the directory's entries
	path uint16 // length of the path
}

func (e *name) entry() *Entry { return &e.up.node.Entries()[e.slot] }

// wrap puts the path and inode before err. The path is made for this only:
// those of all names at once may take far more memory than the tree.
func (e *name) wrap(err error) error {
	path := ""
	for n := e; n.up != nil; n = n.up {
		path = "/" + n.entry().Name + path
	}
	return fmt.Errorf("%s: inode %d: %w", fsys.Brief(cmp.Or(path, "/")), e.ino, err)
}

// Names and inodes that a worker takes on at a time. Inodes of that number
// fill a block of the cache.
const (
	dirBatch   = 16
	inodeBatch = 256
)

// readDirs reads the given directories and returns what they lead to, in the
// order of the inodes.
func (l *loader) readDirs(ctx context.Context, dirs []name) ([]name, error) {
	slices.SortFunc(dirs, func(a, b name) int { return cmp.Compare(a.ino, b.ino) })
	parts := make([][]name, (len(dirs)+dirBatch-1)/dirBatch)
	err := l.share(ctx, len(dirs), dirBatch, func(from, to int) error {
		var part []name
		var err error
		for i := from; i < to && err == nil && ctx.Err() == nil; i++ {
			part, err = l.readDir(part, &dirs[i])
		}
		parts[from/dirBatch] = part
		return err
	})
	if err != nil {
		return nil, err
	}
	found := slices.Concat(parts...)
	slices.SortFunc(found, func(a, b name) int { return cmp.Compare(a.ino, b.ino) })
	return found, nil
}

// readDir sets the entries of d, without their nodes, and appends them to found.
func (l *loader) readDir(found []name, d *name) ([]name, error) {
	var list []fsys.Dirent
	for e, err := range l.fs.ReadDir(d.ino) {
		if err != nil {
			return nil, d.wrap(err)
		}
		if path := int(d.path) + 1 + len(e.Name); path > maxPath {
			return nil, d.wrap(ondisk.Unsupportedf("path of %d bytes, at most %d", path, maxPath))
		}
		if err := l.spend(nameCost + len(e.Name)); err != nil {
			return nil, d.wrap(err)
		}
		list = append(list, e)
	}
	slices.SortFunc(list, func(a, b fsys.Dirent) int { return cmp.Compare(a.Name, b.Name) })
	entries := make([]Entry, len(list))
	d.node.setEntries(entries)
	found = slices.Grow(found, len(list))
	for i, e := range list {
		if i > 0 && e.Name == list[i-1].Name {
			return nil, d.wrap(ondisk.Corruptf(list[i-1].Off, "name %q stands twice", e.Name))
		}
		entries[i].Name = e.Name
		found = append(found, name{up: d, ino: e.Ino, off: e.Off, slot: uint32(i), path: d.path + 1 + uint16(len(e.Name))}) //nolint:gosec // below maxPath, see above
	}
	return found, nil
}

// readInodes makes the nodes of what is found for the first time.
func (l *loader) readInodes(ctx context.Context, found []name) error {
	return l.share(ctx, len(found), inodeBatch, func(from, to int) (err error) {
		for i := from; i < to && err == nil; i++ {
			e := &found[i]
			if again := i > 0 && found[i-1].ino == e.ino; !again && l.seen[e.ino] == nil {
				e.node, err = l.inode(e)
			}
		}
		return err
	})
}

// link puts the nodes in their places and returns those that are directories.
func (l *loader) link(found []name) ([]name, error) {
	var below []name
	for i := range found {
		e := &found[i]
		if e.node != nil {
			l.seen[e.ino] = e.node
			if later(e.node.Mtime, l.newest) {
				l.newest = e.node.Mtime
			}
			if e.node.IsDir() {
				below = append(below, *e)
			}
		} else if e.node = l.seen[e.ino]; e.node.IsDir() {
			return nil, e.wrap(ondisk.Corruptf(e.off, "directory has a second name"))
		}
		e.node.Links++
		e.entry().Node = e.node
	}
	return below, nil
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
		if !l.dirBytes.spend(in.Size) {
			return nil, e.wrap(ondisk.Corruptf(e.off, "directories of more bytes than the filesystem has, with one of %d", in.Size))
		}
	}
	n := &Node{
		Mode: in.Mode, UID: in.UID, GID: in.GID, Rdev: in.Rdev,
		Mtime: in.Mtime, Target: in.Target, Xattrs: l.xattrs.shared(in.Xattrs),
	}
	if n.IsRegular() {
		// Also of an empty file, as damage is an error even where it does not show.
		runs, err := l.fs.Layout(e.ino)
		if err != nil {
			return nil, e.wrap(err)
		}
		if !l.fileBytes.spend(stored(runs)) {
			return nil, e.wrap(ondisk.Corruptf(e.off, "files of more bytes than the filesystem has, with one of %d", in.Size))
		}
		if in.Size > 0 {
			n.Content = l.content(e.ino, in.Size, runs)
		}
		cost += runCost * len(runs)
	}
	if err := l.spend(cost); err != nil {
		return nil, e.wrap(err)
	}
	return n, nil
}

// stored is how many bytes of the volume a file takes.
func stored(runs []fsys.Run) (bytes int64) {
	for _, r := range runs {
		if r.Phys != fsys.Hole {
			bytes += r.Len
		}
	}
	return bytes
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
