package xfs

import (
	"math/bits"
	"slices"
	"sort"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// nameHash is the hash by which directories and attributes find a name
// (xfs_da_hashname).
func nameHash(name []byte) uint32 {
	var h uint32
	for _, c := range name {
		h = uint32(c) ^ bits.RotateLeft32(h, 7)
	}
	return h
}

// dirIndex is the hash index at the end of a directory of one block: pairs of
// a hash and the place of an entry in units of dirAlign, sorted by hash. A
// place of 0 is that of an entry that was removed.
type dirIndex []byte

func (x dirIndex) len() int           { return len(x) / 8 }
func (x dirIndex) hash(i int) uint32  { return be.Uint32(x[8*i:]) }
func (x dirIndex) place(i int) uint32 { return be.Uint32(x[8*i+4:]) }

// live counts the entries that were not removed.
func (x dirIndex) live() int {
	n := 0
	for i := range x.len() {
		if x.place(i) != 0 {
			n++
		}
	}
	return n
}

// check makes sure that the index is sorted, and of which stale entries were
// removed. off is its place on the volume.
func (x dirIndex) check(stale uint32, off int64) error {
	for i := range x.len() {
		if i > 0 && x.hash(i) < x.hash(i-1) {
			return ondisk.Corruptf(off+int64(8*i), "directory index: entry %d is out of order", i)
		}
	}
	if have := x.len() - x.live(); stale != uint32(have) {
		return ondisk.Corruptf(off, "directory index: %d removed entries, want %d", have, stale)
	}
	return nil
}

// has tells whether the index leads from a name to the entry at byte at.
func (x dirIndex) has(name []byte, at int) bool {
	h := nameHash(name)
	for i := sort.Search(x.len(), func(i int) bool { return x.hash(i) >= h }); i < x.len() && x.hash(i) == h; i++ {
		if x.place(i) == uint32(at/dirAlign) {
			return true
		}
	}
	return false
}

// Magics of the blocks of the hash index of larger directories: its leaves,
// and the nodes above them, which attributes have, too.
const (
	dirLeaf1Magic   = 0xd2f1
	dirLeafNMagic   = 0xd2ff
	dirLeaf1MagicV5 = 0x3df1
	dirLeafNMagicV5 = 0x3dff

	dirLeafHeader   = 16
	dirLeafHeaderV5 = 64
	dirFreeOffset   = 2 * dirLeafOffset // where the index of free space begins
)

// hashedEntry is what an index leaf holds of an entry: hash above place.
type hashedEntry uint64

// checkIndex makes sure that the index, whose blocks list begins with, leads to
// each entry that was met once, and to nothing else.
func (w *dirWalk) checkIndex(list []extent) error {
	sb := w.fs.sb
	slices.Sort(w.met)
	led := make([]bool, len(w.met))
	left := len(w.met)
	buf := w.fs.buffer(sb.dirBlocks << sb.blockLog)
	defer w.fs.release(buf)
	for len(list) > 0 && list[0].off < dirFreeOffset>>sb.blockLog {
		leaf, off, err := w.readLeaf(&list, *buf)
		if err != nil {
			return err
		}
		for ; len(leaf) > 0; leaf, off = leaf[8:], off+8 {
			e := hashedEntry(be.Uint64(leaf))
			if uint32(e) == 0 {
				continue // removed
			}
			i, found := slices.BinarySearch(w.met, e)
			if !found || led[i] {
				return ondisk.Corruptf(off, "directory index: hash %#x leads to %#x, which has another or is met twice", uint64(e)>>32, uint32(e))
			}
			led[i] = true
			left--
		}
	}
	if left != 0 {
		return ondisk.Corruptf(w.dir.off, "directory index: lacks %d of %d entries", left, len(w.met))
	}
	return nil
}

// readLeaf reads the next block of the index through b. It returns its
// entries, none for a node, and their place on the volume.
func (w *dirWalk) readLeaf(list *[]extent, b []byte) (entries []byte, off int64, err error) {
	off, stale, err := w.fs.readMapped(list, b, "directory index block")
	if err != nil {
		return nil, off, err
	}
	node, leaf1, leafN, header, count := nodeMagic, dirLeaf1Magic, dirLeafNMagic, dirLeafHeader, 12
	if w.fs.sb.v5 {
		node, leaf1, leafN, header, count = nodeMagicV5, dirLeaf1MagicV5, dirLeafNMagicV5, dirLeafHeaderV5, 56
		check := w.fs.checkSelf
		if stale {
			check = w.fs.checkOwner
		}
		if err := check(b, off, daSelf, w.dir.ino, "directory index block"); err != nil {
			return nil, off, err
		}
	}
	switch magic := int(be.Uint16(b[8:])); magic {
	case node:
		return nil, off, nil
	case leaf1, leafN:
	default:
		return nil, off, ondisk.Corruptf(off+8, "directory index block magic %#x", magic)
	}
	n := int(be.Uint16(b[count:]))
	if n > (len(b)-header)/8 {
		return nil, off, ondisk.Corruptf(off+int64(count), "directory index block: %d entries", n)
	}
	entries, stale16 := b[header:header+8*n], be.Uint16(b[count+2:])
	return entries, off + int64(header), dirIndex(entries).check(uint32(stale16), off+int64(header))
}
