package ext4

import (
	"cmp"
	"slices"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	flagCasefold   = 0x40000000 // names are hashed in another form
	compatDirIndex = 0x20

	dxRootEntries = 0x20 // after ".", ".." and 8 bytes of root info
	dxNodeEntries = direntHeader
	dxEntry       = 8
	dxMaxLevels   = 3
)

// dirIndex is what the hash index of a directory says: in which block of the
// directory names of which hashes stand.
type dirIndex struct {
	nameHasher
	signed, unsigned bool      // which of the two hashes may have been used
	leaves           []dirLeaf // sorted by block
}

// dirLeaf is a block with names of hashes from low to high. The lowest bit of
// each says that names of just that hash may also stand in the block before.
type dirLeaf struct{ block, low, high uint32 }

// readIndex reads the index of a directory with the given runs, block 0 being
// the root. It returns nil where the kernel passes over the index, too, and
// lists the blocks one after the other.
func (fs *FS) readIndex(n *inode, runs []fsys.Run) (*dirIndex, error) {
	if !n.has(flagIndex) || n.has(flagCasefold) || !fs.sb.hasCompat(compatDirIndex) {
		return nil, nil
	}
	buf := fs.borrowBlock()
	defer fs.releaseBlock(buf)
	if err := ondisk.ReadFull(fs.dev, *buf, runs[0].Phys, "directory block"); err != nil {
		return nil, err
	}
	root := *buf
	reserved, version, infoLength, levels := le.Uint32(root[0x18:]), root[0x1c], root[0x1d], root[0x1e]
	if reserved != 0 || version > hashTEA || infoLength != 8 || levels >= dxMaxLevels {
		return nil, nil
	}
	x := &dirIndex{nameHasher: nameHasher{version, fs.sb.hashSeed}}
	x.signed, x.unsigned = fs.sb.flags&flagsUnsignedHash == 0, fs.sb.flags&flagsSignedHash == 0
	w := indexWalk{fs: fs, runs: runs, x: x, blocks: uint32(min(n.size/fs.sb.blockSize, 1<<32-1))}
	ok, err := w.node(root, dxRootEntries, int(levels), 0, 1<<32-1)
	if err != nil || !ok {
		return nil, err
	}
	slices.SortFunc(x.leaves, func(a, b dirLeaf) int { return cmp.Compare(a.block, b.block) })
	for i := 1; i < len(x.leaves); i++ {
		if block := x.leaves[i].block; block == x.leaves[i-1].block {
			return nil, n.errorf(runs[0].Phys, "hash index has block %d twice", block)
		}
	}
	return x, nil
}

type indexWalk struct {
	fs     *FS
	runs   []fsys.Run
	x      *dirIndex
	blocks uint32 // of the directory
	met    uint32 // how many of them the index has named
}

// node takes the entries at byte pos of the node in b, which covers hashes from
// low to high. ok is false if it is none. It calls itself dxMaxLevels times at
// most, since level falls.
func (w *indexWalk) node(b []byte, pos, level int, low, high uint32) (ok bool, err error) {
	limit, count := int(le.Uint16(b[pos:])), int(le.Uint16(b[pos+2:]))
	w.met += uint32(count)
	if count == 0 || count > limit || pos+limit*dxEntry > len(b) || w.met > w.blocks {
		return false, nil // no node, or a block is named twice
	}
	for i := range count {
		e := b[pos+i*dxEntry:]
		child, end := le.Uint32(e[4:])&0x0fffffff, high
		if i > 0 {
			low = le.Uint32(e)
		}
		if i+1 < count {
			end = le.Uint32(e[dxEntry:])
		}
		if child >= w.blocks || end < low {
			return false, nil
		}
		if level == 0 {
			w.x.leaves = append(w.x.leaves, dirLeaf{child, low, end})
			continue
		}
		if ok, err := w.child(child, level-1, low, end); err != nil || !ok {
			return ok, err
		}
	}
	return true, nil
}

func (w *indexWalk) child(block uint32, level int, low, high uint32) (bool, error) {
	buf := w.fs.borrowBlock()
	defer w.fs.releaseBlock(buf)
	off := int64(block) * w.fs.sb.blockSize
	i, _ := slices.BinarySearchFunc(w.runs, off, func(r fsys.Run, off int64) int { return cmp.Compare(r.Off+r.Len-1, off) })
	if i == len(w.runs) {
		return false, nil
	}
	if err := ondisk.ReadFull(w.fs.dev, *buf, w.runs[i].Phys+off-w.runs[i].Off, "directory block"); err != nil {
		return false, err
	}
	return w.node(*buf, dxNodeEntries, level, low, high)
}

// leads tells whether the index leads from a name to the given block.
func (x *dirIndex) leads(name []byte, block uint32) bool {
	i, found := slices.BinarySearchFunc(x.leaves, block, func(l dirLeaf, block uint32) int { return cmp.Compare(l.block, block) })
	if !found {
		return false
	}
	l := x.leaves[i]
	covers := func(h uint32) bool {
		return h >= l.low&^1 && (h < l.high&^1 || h == l.high&^1 && l.high&1 != 0)
	}
	return x.signed && covers(x.hash(name, true)) || x.unsigned && covers(x.hash(name, false))
}
