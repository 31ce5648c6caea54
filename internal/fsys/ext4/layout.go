package ext4

import (
	"io"
	"sort"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxRuns bounds the memory of one file's layout (24 bytes a run).
const maxRuns = 4 << 20

// runs maps an inode's bytes [0, size), inline data excepted, as the trees on
// the volume say. Memory grows with the extents, whatever the size.
func (fs *FS) runs(n *inode) ([]fsys.Run, error) {
	b := runBuilder{n: n, bs: fs.sb.blockSize, left: fs.sb.blocks}
	var err error
	switch {
	case !n.has(flagExtents):
		err = fs.blockMap(n, &b)
	case n.size > b.bs*(1<<32-1):
		err = n.errorf(0, "size %d is more than extents can hold", n.size)
	default:
		err = fs.extents(n, &b)
	}
	if err != nil {
		return nil, err
	}
	return b.finish(), nil
}

type runBuilder struct {
	n    *inode
	bs   int64
	runs []fsys.Run
	next int64  // file offset behind the last run
	left uint64 // blocks of the filesystem that the file can still own
}

// add takes one stretch of a file: count blocks from logical block lblk lie at
// pblk. Those of an unwritten stretch read as zeros.
func (b *runBuilder) add(lblk, count, pblk uint64, unwritten bool) error {
	// No overflow: lblk + count <= 2^32, bs <= 2^16, pblk is on the volume.
	off, n := int64(lblk)*b.bs, int64(count)*b.bs
	if count > b.left {
		return b.n.errorf(0, "file owns more blocks than the filesystem has")
	}
	b.left -= count
	if off >= b.n.size {
		return nil // preallocated, or what verity keeps behind the end
	}
	phys := int64(pblk) * b.bs
	if unwritten {
		phys = fsys.Hole
	}
	if off > b.next {
		b.append(b.next, off-b.next, fsys.Hole)
	}
	b.append(off, min(n, b.n.size-off), phys)
	if len(b.runs) > maxRuns {
		return ondisk.Unsupportedf("file in more than %d pieces", maxRuns)
	}
	return nil
}

func (b *runBuilder) append(off, n, phys int64) {
	b.next = off + n
	if len(b.runs) > 0 {
		last := &b.runs[len(b.runs)-1]
		if last.Phys == fsys.Hole && phys == fsys.Hole || last.Phys >= 0 && phys == last.Phys+last.Len {
			last.Len += n
			return
		}
	}
	b.runs = append(b.runs, fsys.Run{Off: off, Len: n, Phys: phys})
}

func (b *runBuilder) finish() []fsys.Run {
	if b.next < b.n.size {
		b.append(b.next, b.n.size-b.next, fsys.Hole)
	}
	return b.runs
}

// checkRegular makes sure that an inode is a plain, readable file.
func (n *inode) checkRegular() error {
	switch {
	case !n.isType(fsys.ModeRegular):
		return n.errorf(0, "mode %#o is no regular file", n.mode)
	case n.has(flagEncrypt):
		return encrypted("file")
	}
	return nil
}

// Layout tells where a file's bytes lie. Inline data and blocks that only the
// journal holds are Encoded.
func (fs *FS) Layout(ino fsys.Ino) ([]fsys.Run, error) {
	n, err := fs.borrowInode(ino)
	if err != nil {
		return nil, err
	}
	defer fs.inodes.Put(n)
	if err := n.checkRegular(); err != nil {
		return nil, err
	}
	if n.has(flagInline) {
		data, err := fs.inlineData(&n.inode)
		if err != nil {
			return nil, err
		}
		b := runBuilder{n: &n.inode}
		if have := min(int64(len(data)), n.size); have > 0 {
			b.append(0, have, fsys.Encoded)
		}
		return b.finish(), nil // the kernel shows zeros behind the data
	}
	runs, err := fs.runs(&n.inode)
	if err != nil {
		return nil, err
	}
	return fs.overlay.split(runs), nil
}

// Open returns the file's content, through the journal where it matters.
func (fs *FS) Open(ino fsys.Ino) (io.ReaderAt, error) {
	n, err := fs.borrowInode(ino)
	if err != nil {
		return nil, err
	}
	defer fs.inodes.Put(n)
	if err := n.checkRegular(); err != nil {
		return nil, err
	}
	f := &file{dev: fs.dev, size: n.size}
	if n.has(flagInline) {
		f.inline, err = fs.inlineData(&n.inode)
		return f, err
	}
	f.runs, err = fs.runs(&n.inode)
	return f, err
}

// file reads a file's bytes; beyond inline data and runs there are zeros.
type file struct {
	dev    io.ReaderAt
	size   int64
	runs   []fsys.Run
	inline []byte
}

func (f *file) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "read at offset %d of a file", off)
	}
	if off >= f.size {
		return 0, io.EOF
	}
	var err error
	if int64(len(p)) > f.size-off {
		p, err = p[:f.size-off], io.EOF
	}
	clear(p)
	if off < int64(len(f.inline)) {
		copy(p, f.inline[off:])
	}
	end := off + int64(len(p))
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].Off+f.runs[i].Len > off })
	for _, r := range f.runs[i:] {
		if r.Off >= end {
			break
		}
		if r.Phys < 0 {
			continue
		}
		from, to := max(off, r.Off), min(end, r.Off+r.Len)
		if err := ondisk.ReadFull(f.dev, p[from-off:to-off], r.Phys+from-r.Off, "file data"); err != nil {
			return int(from - off), err
		}
	}
	return len(p), err
}
