package ext4

import (
	"io"
	"sort"

	"github.com/wslimg/wslimg/internal/fsys"
)

// overlay is the volume with the blocks of a replayed journal in their places.
// It holds where they are, not what is in them.
type overlay struct {
	dev       io.ReaderAt
	blockSize int64
	blocks    []replayed // sorted by block, each once
}

// replayed is a block whose bytes the journal holds.
type replayed struct {
	block   uint64
	at      int64 // byte offset on the volume of the journal's copy
	escaped bool  // the copy's first four bytes stand for the journal's magic
}

// find returns the index of the first replayed block that is not before block.
func (o *overlay) find(block uint64) int {
	return sort.Search(len(o.blocks), func(i int) bool { return o.blocks[i].block >= block })
}

// any tells whether a block from first to end-1 was replayed.
func (o *overlay) any(first, end uint64) bool {
	i := o.find(first)
	return i < len(o.blocks) && o.blocks[i].block < end
}

// ReadAt reads p from the volume, then the replayed blocks over it.
func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 || len(p) == 0 {
		return o.dev.ReadAt(p, off)
	}
	end := off + int64(len(p))
	i := o.find(uint64(off / o.blockSize))
	if i == len(o.blocks) || int64(o.blocks[i].block)*o.blockSize >= end {
		return o.dev.ReadAt(p, off)
	}
	if r := o.blocks[i]; int64(r.block)*o.blockSize > off || int64(r.block+1)*o.blockSize < end {
		// Some of it, or all around, is the volume's own.
		if n, err := o.dev.ReadAt(p, off); n < len(p) {
			return n, err
		}
	}
	for ; i < len(o.blocks); i++ {
		begin := int64(o.blocks[i].block) * o.blockSize
		if begin >= end {
			break
		}
		from, to := max(off, begin), min(end, begin+o.blockSize)
		if n, err := o.readCopy(o.blocks[i], p[from-off:to-off], from-begin); err != nil {
			return int(from-off) + n, err
		}
	}
	return len(p), nil
}

// readCopy fills p from offset skip of a replayed block.
func (o *overlay) readCopy(r replayed, p []byte, skip int64) (int, error) {
	n, err := o.dev.ReadAt(p, r.at+skip)
	if n < len(p) {
		return n, err
	}
	if r.escaped {
		for i := skip; i < 4 && i-skip < int64(len(p)); i++ {
			p[i-skip] = byte(jbdMagic >> (24 - 8*i))
		}
	}
	return n, nil
}

// split marks as Encoded what the journal holds of a file's data: with
// data=journal, data goes through the log too.
func (o *overlay) split(runs []fsys.Run) []fsys.Run {
	if o == nil || !o.touches(runs) {
		return runs
	}
	var out []fsys.Run
	add := func(off, n, phys int64) {
		if k := len(out) - 1; k >= 0 && phys == fsys.Encoded && out[k].Phys == fsys.Encoded {
			out[k].Len += n
		} else if n > 0 {
			out = append(out, fsys.Run{Off: off, Len: n, Phys: phys})
		}
	}
	for _, r := range runs {
		done := int64(0)
		if r.Phys >= 0 {
			for i := o.find(uint64(r.Phys / o.blockSize)); i < len(o.blocks); i++ {
				at := int64(o.blocks[i].block)*o.blockSize - r.Phys
				if at >= r.Len {
					break
				}
				add(r.Off+done, at-done, r.Phys+done)
				done = min(at+o.blockSize, r.Len)
				add(r.Off+at, done-at, fsys.Encoded)
			}
			add(r.Off+done, r.Len-done, r.Phys+done)
		} else {
			add(r.Off, r.Len, r.Phys)
		}
	}
	return out
}

// touches tells whether any run holds a replayed block.
func (o *overlay) touches(runs []fsys.Run) bool {
	for _, r := range runs {
		if r.Phys >= 0 && o.any(uint64(r.Phys/o.blockSize), uint64((r.Phys+r.Len+o.blockSize-1)/o.blockSize)) {
			return true
		}
	}
	return false
}
