package xfs

import (
	"iter"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// dirLeafOffset is where the hash index begins in a directory's data fork, in
// bytes; entries lie below it, and all that a reader needs is there.
const dirLeafOffset = 1 << 35

// dirTypes maps the file type byte of an entry (xfs_dir3_ft_*) to st_mode.
// Type 8 is overlayfs's whiteout, a character device.
var dirTypes = [...]uint32{
	0, fsys.ModeRegular, fsys.ModeDir, fsys.ModeChar, fsys.ModeBlock,
	fsys.ModeFifo, fsys.ModeSocket, fsys.ModeSymlink, fsys.ModeChar,
}

// yieldEntry receives an entry or, once and last, an error; it returns false
// when no more is wanted.
type yieldEntry = func(fsys.Dirent, error) bool

// ReadDir implements fsys.FS.
func (fs *FS) ReadDir(ino fsys.Ino) iter.Seq2[fsys.Dirent, error] {
	return func(yield func(fsys.Dirent, error) bool) {
		d, err := fs.load(uint64(ino))
		if err != nil {
			yield(fsys.Dirent{}, err)
			return
		}
		defer fs.drop(d)
		w := dirWalk{fs: fs, dir: d, yield: yield}
		if err := w.run(); err != nil && !w.stopped {
			yield(fsys.Dirent{}, err)
		}
	}
}

// dirWalk is one pass over a directory.
type dirWalk struct {
	fs      *FS
	dir     *dinode
	yield   yieldEntry
	index   dirIndex      // of a directory of one block, nil elsewhere
	met     []hashedEntry // entries of a larger one
	dots    int           // of "." and "..", how many may still come
	stopped bool          // the caller has had enough
}

func (w *dirWalk) run() error {
	switch {
	case w.dir.mode&fsys.ModeType != fsys.ModeDir:
		return ondisk.Corruptf(w.dir.off+2, "mode %#o, want a directory", w.dir.mode)
	case w.dir.data.format == formatLocal:
		return w.shortForm(w.dir.data.b[:w.dir.size])
	}
	list, err := w.fs.extents(w.dir, &w.dir.data)
	if err != nil {
		return err
	}
	return w.blocks(list)
}

// blocks reads the directory blocks that list maps below the hash index.
func (w *dirWalk) blocks(list []extent) error {
	sb := w.fs.sb
	dirSize := sb.dirBlocks << sb.blockLog
	if w.dir.size%dirSize != 0 || w.dir.size > dirLeafOffset {
		return ondisk.Corruptf(w.dir.off+56, "directory: %d bytes, in blocks of %d", w.dir.size, dirSize)
	}
	buf := w.fs.buffer(dirSize)
	defer w.fs.release(buf)
	end := uint64(w.dir.size) >> sb.blockLog
	met := false
	for len(list) > 0 && list[0].off < dirLeafOffset>>sb.blockLog {
		first := list[0].off
		if first%uint64(sb.dirBlocks) != 0 || first >= end {
			return ondisk.Corruptf(w.dir.off, "directory: extent at block %#x, the entries' end is at %#x", first, end)
		}
		off, stale, err := w.fs.readMapped(&list, *buf, "directory block")
		if err != nil {
			return err
		}
		w.dots = 0
		if first == 0 {
			w.dots = 2
		}
		if sb.v5 {
			check := w.fs.checkSelf
			if stale {
				check = w.fs.checkOwner
			}
			if err := check(*buf, off, dirSelf, w.dir.ino, "directory block"); err != nil {
				return err
			}
		}
		if err := w.dataBlock(*buf, off, int64(first)<<sb.blockLog); err != nil || w.stopped {
			return err
		}
		met = true
	}
	if !met {
		return ondisk.Corruptf(w.dir.off, "directory without a block")
	}
	if w.index != nil || !w.hashed() {
		return nil
	}
	return w.checkIndex(list)
}

// readMapped fills b from the begin of list, whose extents must adjoin for
// that long, and takes what was read off the list. It returns the byte offset
// of the first part, and whether the log has changed any, so that the checksum
// is not up to date.
func (fs *FS) readMapped(list *[]extent, b []byte, what string) (first int64, stale bool, err error) {
	sb := fs.sb
	first = ondisk.NoOffset
	next := (*list)[0].off
	for len(b) > 0 {
		if len(*list) == 0 || (*list)[0].off != next || (*list)[0].unwritten {
			return first, stale, ondisk.Corruptf(first, "%s: file block %#x has no place", what, next)
		}
		e := &(*list)[0]
		n := min(e.n, uint64(len(b))>>sb.blockLog)
		off := sb.blockOffset(e.start)
		if err := ondisk.ReadFull(fs.dev, b[:n<<sb.blockLog], off, what); err != nil {
			return first, stale, err
		}
		stale = stale || fs.over.replayed(off, int64(n<<sb.blockLog))
		if first < 0 {
			first = off
		}
		b = b[n<<sb.blockLog:]
		next += n
		e.off, e.start, e.n = e.off+n, e.start+n, e.n-n
		if e.n == 0 {
			*list = (*list)[1:]
		}
	}
	return first, stale, nil
}

// entry checks one entry and hands it on, less "." and "..".
func (w *dirWalk) entry(name []byte, ino uint64, ftype byte, off int64) error {
	if err := w.fs.sb.checkInode(ino); err != nil {
		return ondisk.Corruptf(off, "entry %q: inode number %d is outside the allocation groups", name, ino)
	}
	if w.fs.sb.internal(ino) {
		return ondisk.Corruptf(off, "entry %q: inode %d is metadata of the filesystem", name, ino)
	}
	if w.dots > 0 { // the first two entries of the first block
		want := [...]string{"..", "."}[w.dots-1]
		if string(name) != want || want == "." && ino != w.dir.ino {
			return ondisk.Corruptf(off, "entry %q with inode %d, want %q of directory %d", name, ino, want, w.dir.ino)
		}
		w.dots--
		return nil
	}
	s := string(name)
	if s == "" || s == "." || s == ".." || strings.IndexByte(s, '/') >= 0 || strings.IndexByte(s, 0) >= 0 {
		return ondisk.Corruptf(off, "entry name %q", s)
	}
	var mode uint32
	if w.fs.sb.feat.fileType() {
		if int(ftype) >= len(dirTypes) {
			return ondisk.Corruptf(off, "entry %q: file type %d", s, ftype)
		}
		mode = dirTypes[ftype]
	}
	if !w.yield(fsys.Dirent{Name: s, Ino: fsys.Ino(ino), Type: mode, Off: off}, nil) {
		w.stopped = true
	}
	return nil
}
