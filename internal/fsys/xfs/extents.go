package xfs

import (
	"github.com/wslimg/wslimg/internal/ondisk"
)

// extentSize is the bytes of struct xfs_bmbt_rec.
const extentSize = 16

// maxExtents bounds the extents of one fork held in memory.
const maxExtents = 1 << 24

// extent maps n blocks of a file from block off to filesystem (or realtime)
// block start.
type extent struct {
	off, start, n uint64
	unwritten     bool // allocated, reads as zeros
}

func (e extent) end() uint64 { return e.off + e.n }

// decodeExtent unpacks a record: 1 bit state, 54 bits offset, 52 bits block,
// 21 bits count.
func decodeExtent(b []byte) extent {
	l0, l1 := be.Uint64(b), be.Uint64(b[8:])
	return extent{
		off:       l0 >> 9 & (1<<54 - 1),
		start:     l0&(1<<9-1)<<43 | l1>>21,
		n:         l1 & (1<<21 - 1),
		unwritten: l0>>63 != 0,
	}
}

// extentList collects the extents of a fork in file order and checks each.
type extentList struct {
	sb       *superblock
	realtime bool
	written  bool // of attributes: none is unwritten
	list     []extent
}

// add appends the records in b, read from byte off of the volume.
func (l *extentList) add(b []byte, off int64) error {
	for ; len(b) >= extentSize; b, off = b[extentSize:], off+extentSize {
		e := decodeExtent(b)
		if e.n == 0 {
			return ondisk.Corruptf(off, "extent of no blocks")
		}
		if len(l.list) > 0 && e.off < l.list[len(l.list)-1].end() {
			return ondisk.Corruptf(off, "extent at file block %#x, the one before ends at %#x", e.off, l.list[len(l.list)-1].end())
		}
		if !l.realtime {
			if err := l.sb.checkBlocks(e.start, e.n); err != nil {
				return ondisk.Corruptf(off, "extent: blocks %#x+%d are outside the allocation groups", e.start, e.n)
			}
		}
		if e.unwritten && l.written {
			return ondisk.Corruptf(off, "extent of attributes is unwritten")
		}
		if len(l.list) >= maxExtents {
			return ondisk.Unsupportedf("file of more than %d extents", maxExtents)
		}
		l.list = append(l.list, e)
	}
	return nil
}

// extents returns the mapping of a fork, sorted and without overlaps.
func (fs *FS) extents(d *dinode, f *fork) ([]extent, error) {
	l := extentList{sb: fs.sb, realtime: d.rt && !f.isAttr, written: f.isAttr}
	switch f.format {
	case formatExtents:
		l.list = make([]extent, 0, min(f.extents, uint64(len(f.b)/extentSize)))
		// decodeForks has bounded the count by the fork's size.
		if err := l.add(f.b[:f.extents*extentSize], d.off); err != nil {
			return nil, err
		}
	case formatBtree:
		if err := fs.walkBtree(d, f, &l); err != nil {
			return nil, err
		}
		if uint64(len(l.list)) != f.extents {
			return nil, ondisk.Corruptf(d.off, "%s: %d extents, the inode says %d", f.name(), len(l.list), f.extents)
		}
	}
	return fs.intents.remap(l.list, fs.sb, d, f)
}
