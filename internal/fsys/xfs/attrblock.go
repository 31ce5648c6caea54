package xfs

import (
	"sort"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of the leaves of attributes' tree, struct xfs_attr_leafblock.
const (
	attrLeafMagic   = 0xfbee
	attrLeafMagicV5 = 0x3bee

	attrLeafHeader   = 32
	attrLeafHeaderV5 = 80
)

// blocks reads attributes kept in blocks. The kernel finds one by the tree,
// and lists all from leaf to leaf by their links: both must lead to the same.
func (l *attrList) blocks() error {
	list, err := l.fs.extents(l.d, &l.d.attr)
	if err != nil {
		return err
	}
	buf := l.fs.buffer(l.fs.sb.blockSize)
	defer l.fs.release(buf)
	b := *buf
	tree := hashTree{v5: l.fs.sb.v5, what: "attribute tree"}
	for _, e := range list {
		tree.most += e.n
	}
	tree.read = func(at uint32) ([]byte, int64, error) {
		off, err := l.readBlock(list, at, b)
		return b, off, err
	}
	var back, forward uint32
	var last int64
	err = tree.leaves(func(b []byte, off int64, r hashRange) error {
		if magic := be.Uint16(b[8:]); magic != l.magic(attrLeafMagic, attrLeafMagicV5) {
			return ondisk.Corruptf(off+8, "attribute leaf magic %#x", magic)
		}
		if got := be.Uint32(b[4:]); got != back {
			return ondisk.Corruptf(off+4, "attribute leaf: the one before is %#x, want %#x", got, back)
		}
		if last != 0 && forward != r.at {
			return ondisk.Corruptf(last, "attribute leaf: the next is %#x, want %#x", forward, r.at)
		}
		back, forward, last = r.at, be.Uint32(b), off
		return l.leaf(list, b, off, r)
	})
	if err == nil && forward != 0 {
		err = ondisk.Corruptf(last, "last attribute leaf: the next is %#x", forward)
	}
	return err
}

func (l *attrList) magic(v4, v5 uint16) uint16 {
	if l.fs.sb.v5 {
		return v5
	}
	return v4
}

// readBlock reads block at of the attribute fork into b and checks whose it is.
func (l *attrList) readBlock(list []extent, at uint32, b []byte) (int64, error) {
	off, err := l.readForkBlock(list, uint64(at), b, "attribute block")
	if err == nil && l.fs.sb.v5 {
		err = l.fs.checkSelf(b, off, daSelf, l.d.ino, "attribute block")
	}
	return off, err
}

// readForkBlock reads one filesystem block of the attribute fork by its number.
func (l *attrList) readForkBlock(list []extent, at uint64, b []byte, what string) (int64, error) {
	i := sort.Search(len(list), func(i int) bool { return list[i].end() > at })
	if i == len(list) || list[i].off > at || list[i].unwritten {
		return ondisk.NoOffset, ondisk.Corruptf(l.d.off, "%s: file block %#x has no place", what, at)
	}
	off := l.fs.sb.blockOffset(list[i].start + (at - list[i].off))
	return off, ondisk.ReadFull(l.fs.dev, b, off, what)
}

// leaf reads the entries of one leaf, which r leads to.
func (l *attrList) leaf(list []extent, b []byte, off int64, r hashRange) error {
	counts, header := 12, attrLeafHeader
	if l.fs.sb.v5 {
		counts, header = 56, attrLeafHeaderV5
	}
	n, firstUsed := int(be.Uint16(b[counts:])), int(be.Uint16(b[counts+4:]))
	if firstUsed == 0 { // stands for 64 KiB, which 16 bits do not hold
		firstUsed = len(b)
	}
	if n > (len(b)-header)/8 || firstUsed < header+n*8 || firstUsed > len(b) {
		return ondisk.Corruptf(off+int64(counts), "attribute leaf: %d entries, names from %#x", n, firstUsed)
	}
	var last uint32
	for i := range n {
		e := b[header+i*8:]
		hash := be.Uint32(e)
		if hash < last {
			return ondisk.Corruptf(off+int64(header+i*8), "attribute leaf: entry %d is out of order", i)
		}
		last = hash
		if err := r.check(hash, off+int64(header+i*8), "attribute leaf"); err != nil {
			return err
		}
		at, flags := int(be.Uint16(e[4:])), e[6]
		if at < firstUsed || at > len(b)-3 {
			return ondisk.Corruptf(off+int64(header+i*8), "attribute leaf: name at %#x", at)
		}
		if hidden(flags) {
			continue
		}
		if err := l.leafEntry(list, b[at:], flags, hash, off+int64(at)); err != nil {
			return err
		}
	}
	return nil
}

// leafEntry reads a name and its value: both here, or the value elsewhere.
// An attribute whose name has another hash is one that the kernel cannot find.
func (l *attrList) leafEntry(list []extent, e []byte, flags byte, hash uint32, off int64) error {
	wrongHash := func(name []byte) error {
		return ondisk.Corruptf(off, "attribute leaf: hash of %q is %#x, want %#x", name, hash, nameHash(name))
	}
	if flags&attrLocal != 0 {
		valueLen, nameLen := int(be.Uint16(e)), int(e[2])
		if len(e) < 3+nameLen+valueLen {
			return ondisk.Corruptf(off, "attribute leaf: name of %d and value of %d bytes do not fit", nameLen, valueLen)
		}
		name := e[3 : 3+nameLen]
		if nameHash(name) != hash {
			return wrongHash(name)
		}
		return l.add(flags, name, e[3+nameLen:3+nameLen+valueLen], off)
	}
	if len(e) < 9 || len(e) < 9+int(e[8]) {
		return ondisk.Corruptf(off, "attribute leaf: entry cut off")
	}
	name := e[9 : 9+int(e[8])]
	if nameHash(name) != hash {
		return wrongHash(name)
	}
	if be.Uint32(e) == 0 { // where the leaf or the root above it lies
		return ondisk.Corruptf(off, "attribute leaf: value of %q at block 0", name)
	}
	value, err := l.remoteValue(list, be.Uint32(e), be.Uint32(e[4:]), off)
	if err != nil {
		return err
	}
	return l.add(flags, name, value, off)
}
