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
	b := *buf
	tree := hashTree{v5: sb.v5, what: "directory index", root: uint32(int64(dirLeafOffset) >> sb.blockLog)}
	for _, e := range list {
		tree.most += e.n
	}
	tree.read = func(at uint32) ([]byte, int64, error) {
		off, err := w.readIndex(list, uint64(at), b)
		return b, off, err
	}
	err := tree.leaves(func(b []byte, off int64, r hashRange) error {
		leaf, off, err := w.leaf(b, off)
		if err != nil {
			return err
		}
		for ; len(leaf) > 0; leaf, off = leaf[8:], off+8 {
			e := hashedEntry(be.Uint64(leaf))
			if uint32(e) == 0 {
				continue // removed
			}
			if err := r.check(uint32(e>>32), off, "directory index"); err != nil {
				return err
			}
			i, found := slices.BinarySearch(w.met, e)
			if !found || led[i] {
				return ondisk.Corruptf(off, "directory index: hash %#x leads to %#x, which has another or is met twice", uint64(e)>>32, uint32(e))
			}
			led[i] = true
			left--
		}
		return nil
	})
	if err != nil {
		return err
	}
	if left != 0 {
		return ondisk.Corruptf(w.dir.off, "directory index: lacks %d of %d entries", left, len(w.met))
	}
	return nil
}

// readIndex reads block at of the index, which list maps, into b.
func (w *dirWalk) readIndex(list []extent, at uint64, b []byte) (int64, error) {
	i := sort.Search(len(list), func(i int) bool { return list[i].end() > at })
	if i == len(list) || list[i].off > at {
		return ondisk.NoOffset, ondisk.Corruptf(w.dir.off, "directory index: file block %#x has no place", at)
	}
	parts := slices.Clone(list[i:min(i+int(w.fs.sb.dirBlocks), len(list))]) // readMapped takes of them
	skip := at - parts[0].off
	parts[0].off, parts[0].start, parts[0].n = at, parts[0].start+skip, parts[0].n-skip
	off, stale, err := w.fs.readMapped(&parts, b, "directory index block")
	if err != nil || !w.fs.sb.v5 {
		return off, err
	}
	if stale {
		return off, w.fs.checkOwner(b, off, daSelf, w.dir.ino, "directory index block")
	}
	return off, w.fs.checkSelf(b, off, daSelf, w.dir.ino, "directory index block")
}

// leaf returns the entries of leaf b, read from byte off, and their place on
// the volume.
func (w *dirWalk) leaf(b []byte, off int64) (dirIndex, int64, error) {
	leaf1, leafN, header, count := dirLeaf1Magic, dirLeafNMagic, dirLeafHeader, 12
	if w.fs.sb.v5 {
		leaf1, leafN, header, count = dirLeaf1MagicV5, dirLeafNMagicV5, dirLeafHeaderV5, 56
	}
	if magic := int(be.Uint16(b[8:])); magic != leaf1 && magic != leafN {
		return nil, off, ondisk.Corruptf(off+8, "directory index block magic %#x", magic)
	}
	n, stale := int(be.Uint16(b[count:])), be.Uint16(b[count+2:])
	if n > (len(b)-header)/8 {
		return nil, off, ondisk.Corruptf(off+int64(count), "directory index block: %d entries", n)
	}
	entries := dirIndex(b[header : header+8*n])
	off += int64(header)
	return entries, off, entries.check(uint32(stale), off)
}
