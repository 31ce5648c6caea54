package ext4

import (
	"iter"
	"slices"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// ReadDir yields a directory's entries block by block. The blocks of a hash
// index hold no entries and are passed over; but an entry that the index does
// not lead to is damage, since the kernel does not show it, or not find it.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#directory-entries
func (fs *FS) ReadDir(ino fsys.Ino) iter.Seq2[fsys.Dirent, error] {
	return func(yield func(fsys.Dirent, error) bool) {
		if err := fs.readDir(ino, func(d fsys.Dirent) bool { return yield(d, nil) }); err != nil {
			yield(fsys.Dirent{}, err)
		}
	}
}

// readDir calls yield until it returns false.
func (fs *FS) readDir(ino fsys.Ino, yield func(fsys.Dirent) bool) error {
	buf := fs.inodeBufs.Get().(*[]byte)
	defer fs.inodeBufs.Put(buf)
	n, err := fs.namedInode(ino, *buf)
	switch {
	case err != nil:
		return err
	case !n.isType(fsys.ModeDir):
		return n.errorf(0, "mode %#o is no directory", n.mode)
	case n.has(flagEncrypt):
		return encrypted("directory, whose names cannot be shown")
	case n.has(flagInline):
		return fs.inlineDir(&n, yield)
	case n.size == 0 || n.size%fs.sb.blockSize != 0:
		return n.errorf(0, "directory of %d bytes with blocks of %d", n.size, fs.sb.blockSize)
	}
	runs, err := fs.runs(&n)
	if err != nil {
		return err
	}
	if err := checkDirRuns(&n, runs); err != nil {
		return err
	}
	index, err := fs.readIndex(&n, runs)
	if err != nil {
		return err
	}
	block := fs.borrowBlock()
	defer fs.releaseBlock(block)
	for _, r := range runs {
		for at := int64(0); at < r.Len; at += fs.sb.blockSize {
			if err := ondisk.ReadFull(fs.dev, *block, r.Phys+at, "directory block"); err != nil {
				return err
			}
			d := dirBlock{
				fs: fs, n: &n, b: *block, off: r.Phys + at, first: r.Off+at == 0,
				index: index, block: uint32((r.Off + at) / fs.sb.blockSize),
			}
			if more, err := d.read(yield); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// checkDirRuns makes sure that a directory has no hole and uses no block
// twice, which also bounds the work by the size of the filesystem.
func checkDirRuns(n *inode, runs []fsys.Run) error {
	for _, r := range runs {
		if r.Phys < 0 {
			return n.errorf(0, "directory has a hole at %#x", r.Off)
		}
	}
	if len(runs) < 2 {
		return nil
	}
	byPlace := slices.Clone(runs)
	slices.SortFunc(byPlace, func(a, b fsys.Run) int {
		if a.Phys < b.Phys {
			return -1
		}
		return 1
	})
	for i, r := range byPlace[1:] {
		if r.Phys < byPlace[i].Phys+byPlace[i].Len {
			return n.errorf(r.Phys, "directory uses a block twice")
		}
	}
	return nil
}
