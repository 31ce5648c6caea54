package xfs

import (
	"io"
	"sort"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Layout implements fsys.FS.
func (fs *FS) Layout(ino fsys.Ino) ([]fsys.Run, error) {
	d, err := fs.load(uint64(ino))
	if err != nil {
		return nil, err
	}
	defer fs.drop(d)
	if d.mode&fsys.ModeType != fsys.ModeRegular {
		return nil, ondisk.Corruptf(d.off+2, "mode %#o, want a regular file", d.mode)
	}
	list, err := fs.extents(d, &d.data)
	if err != nil {
		return nil, err
	}
	return fs.runs(d, list)
}

// runs turns extents into byte runs that cover the file's size: what lies
// behind its end is dropped, neighbours on the volume are joined.
func (fs *FS) runs(d *dinode, list []extent) ([]fsys.Run, error) {
	runs := make([]fsys.Run, 0, len(list))
	add := func(n, phys int64) {
		var off int64
		if len(runs) > 0 {
			last := &runs[len(runs)-1]
			off = last.Off + last.Len
			if last.Phys == fsys.Hole && phys == fsys.Hole || last.Phys >= 0 && phys == last.Phys+last.Len {
				last.Len += n
				return
			}
		}
		runs = append(runs, fsys.Run{Off: off, Len: n, Phys: phys})
	}
	blocks := (uint64(d.size) + uint64(fs.sb.blockSize) - 1) >> fs.sb.blockLog
	var end int64 // of what is covered
	for _, e := range list {
		if e.off >= blocks {
			break
		}
		off := int64(e.off << fs.sb.blockLog)
		if off > end {
			add(off-end, fsys.Hole)
		}
		n := min(int64(e.n<<fs.sb.blockLog), d.size-off)
		phys := int64(fsys.Hole)
		if !e.unwritten {
			var err error
			if phys, err = fs.physical(d, e); err != nil {
				return nil, err
			}
		}
		add(n, phys)
		end = off + n
	}
	if end < d.size {
		add(d.size-end, fsys.Hole)
	}
	return runs, nil
}

// physical returns the byte offset on the volume of a data extent.
func (fs *FS) physical(d *dinode, e extent) (int64, error) {
	if d.rt {
		off, err := fs.sb.realtimeOffset(e.start, e.n)
		return off, ondisk.At(err, d.off)
	}
	return fs.sb.blockOffset(e.start), nil
}

// Open implements fsys.FS. Every file's bytes lie on the volume, so it only
// follows the layout.
func (fs *FS) Open(ino fsys.Ino) (io.ReaderAt, error) {
	runs, err := fs.Layout(ino)
	if err != nil {
		return nil, err
	}
	return &file{fs.raw, runs}, nil
}

// file reads a regular file by its runs.
type file struct {
	dev  io.ReaderAt
	runs []fsys.Run
}

func (f *file) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "read at negative offset %d", off)
	}
	i := sort.Search(len(f.runs), func(i int) bool { return f.runs[i].Off+f.runs[i].Len > off })
	for ; i < len(f.runs) && n < len(p); i++ {
		r := f.runs[i]
		in := off - r.Off
		part := p[n:][:min(int64(len(p)-n), r.Len-in)]
		if r.Phys == fsys.Hole {
			clear(part)
		} else if err := ondisk.ReadFull(f.dev, part, r.Phys+in, "file data"); err != nil {
			return n, err
		}
		n += len(part)
		off += int64(len(part))
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
