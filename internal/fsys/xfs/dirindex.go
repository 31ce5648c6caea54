package xfs

import (
	"math/bits"
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

// check makes sure that the index is sorted, and of which stale entries were
// removed. off is its place on the volume.
func (x dirIndex) check(stale uint32, off int64) error {
	for i := range x.len() {
		if i > 0 && x.hash(i) < x.hash(i-1) {
			return ondisk.Corruptf(off+int64(8*i), "directory block: index entry %d is out of order", i)
		}
		if x.place(i) == 0 {
			stale--
		}
	}
	if stale != 0 {
		return ondisk.Corruptf(off, "directory block: count of removed index entries is off by %d", int32(stale))
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
