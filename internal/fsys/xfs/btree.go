package xfs

import (
	"math"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of the extent B+tree, struct xfs_btree_block (long form) and
// xfs_bmdr_block (its root within the inode).
const (
	btreeMagic    = 0x424d4150 // "BMAP"
	btreeMagicV5  = 0x424d4133 // "BMA3"
	btreeHeader   = 24
	btreeHeaderV5 = 72
	rootHeader    = 4
	maxBtreeLevel = 9

	btreeLeft  = 8 // offsets of bb_leftsib and bb_rightsib
	btreeRight = 16
	noSibling  = math.MaxUint64 // NULLFSBLOCK
)

// btreeNode is an inner node being walked: the children that are left.
type btreeNode struct {
	level    int
	children []byte // 8-byte block numbers
}

// walkBtree hands the leaves of the extent tree rooted in fork f to l, from
// left to right. The order that l demands of the extents bounds the walk: a
// block that is met twice, or a leaf without extents, ends it.
//
// The kernel goes from leaf to leaf by their siblings instead, so each must
// be the right sibling of the one before, or it would show another mapping.
func (fs *FS) walkBtree(d *dinode, f *fork, l *extentList) error {
	if len(f.b) < rootHeader {
		return ondisk.Corruptf(d.off, "%s of %d bytes holds no tree root", f.name(), len(f.b))
	}
	level, n := int(be.Uint16(f.b)), int(be.Uint16(f.b[2:]))
	most := (len(f.b) - rootHeader) / 16
	if level < 1 || level > maxBtreeLevel || n < 1 || n > most {
		return ondisk.Corruptf(d.off, "%s: extent tree root of level %d with %d of %d children", f.name(), level, n, most)
	}
	ptrs := rootHeader + most*8
	stack := make([]btreeNode, 0, level)
	stack = append(stack, btreeNode{level, f.b[ptrs : ptrs+n*8]})
	buf := fs.buffer(fs.sb.blockSize)
	defer fs.release(buf)
	var leaf int64             // where the last one lies
	right := uint64(noSibling) // its right sibling
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		if len(top.children) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		child, level := be.Uint64(top.children), top.level-1
		top.children = top.children[8:]
		off, body, n, err := fs.readBtreeBlock(d, child, level, *buf)
		if err != nil {
			return err
		}
		if level == 0 {
			if leaf != 0 && right != child {
				return ondisk.Corruptf(leaf+btreeRight, "extent tree leaf: right sibling %#x, want %#x", right, child)
			}
			leaf, right = off, be.Uint64((*buf)[btreeRight:])
			if err := l.add(body[:n*extentSize], off+fs.sb.blockSize-int64(len(body))); err != nil {
				return err
			}
			continue
		}
		ptrs := len(body) / 16 * 8
		children := append([]byte(nil), body[ptrs:ptrs+n*8]...)
		stack = append(stack, btreeNode{level, children})
	}
	if right != noSibling {
		return ondisk.Corruptf(leaf+btreeRight, "last extent tree leaf: right sibling %#x", right)
	}
	return nil
}

// readBtreeBlock reads and checks block fsb of an extent tree into b. It
// returns its place, what follows the header, and the number of records.
func (fs *FS) readBtreeBlock(d *dinode, fsb uint64, level int, b []byte) (off int64, body []byte, n int, err error) {
	sb := fs.sb
	if err := sb.checkBlocks(fsb, 1); err != nil {
		return 0, nil, 0, ondisk.Corruptf(d.off, "extent tree block %#x is outside the allocation groups", fsb)
	}
	off = sb.blockOffset(fsb)
	if err := ondisk.ReadFull(fs.dev, b, off, "extent tree block"); err != nil {
		return off, nil, 0, err
	}
	magic, header := uint32(btreeMagic), btreeHeader
	if sb.v5 {
		magic, header = btreeMagicV5, btreeHeaderV5
	}
	if got := be.Uint32(b); got != magic {
		return off, nil, 0, ondisk.Corruptf(off, "extent tree block magic %#x, want %#x", got, magic)
	}
	if sb.v5 {
		owner := d.ino
		if fs.reowned[owner] {
			owner = be.Uint64(b[longSelf.owner:])
		}
		if err := fs.checkSelf(b, off, longSelf, owner, "extent tree block"); err != nil {
			return off, nil, 0, err
		}
	}
	if got := int(be.Uint16(b[4:])); got != level {
		return off, nil, 0, ondisk.Corruptf(off+4, "extent tree block of level %d, want %d", got, level)
	}
	for _, at := range []int{btreeLeft, btreeRight} {
		if sibling := be.Uint64(b[at:]); sibling != noSibling && (sibling == fsb || sb.checkBlocks(sibling, 1) != nil) {
			return off, nil, 0, ondisk.Corruptf(off+int64(at), "extent tree block %#x: sibling %#x", fsb, sibling)
		}
	}
	body, n = b[header:], int(be.Uint16(b[6:]))
	if n < 1 || n > len(body)/16 {
		return off, nil, 0, ondisk.Corruptf(off+6, "extent tree block with %d of %d records", n, len(body)/16)
	}
	return off, body, n, nil
}
