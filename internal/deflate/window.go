package deflate

import (
	"encoding/binary"
	"math/bits"
)

const windowSize = 1 << 16

// A window is a ring of the bytes around the place that is searched: at least
// maxDist bytes before it and what follows it. The byte of stream position i is
// at uint16(i), so that positions of 16 bits index it without a bounds check;
// its first bytes are repeated behind its end, so that words may be loaded from
// any place.
type window [windowSize + 8]byte

func (w *window) load32(i uint16) uint32 {
	j := uint(i)
	return binary.LittleEndian.Uint32(w[j : j+4])
}

func (w *window) load64(i uint16) uint64 {
	j := uint(i)
	return binary.LittleEndian.Uint64(w[j : j+8])
}

// fill puts p at position at.
func (w *window) fill(at int, p []byte) {
	for len(p) > 0 {
		i := at & (windowSize - 1)
		n := copy(w[i:windowSize], p)
		if i < 8 {
			copy(w[windowSize:], w[:8])
		}
		at += n
		p = p[n:]
	}
}

// match is how many bytes at a and b are the same, at most limit, where have
// are known to be.
func (w *window) match(a, b uint16, have, limit uint) uint {
	n := have
	for n < limit {
		x := w.load64(a+uint16(n)) ^ w.load64(b+uint16(n))
		if x != 0 {
			return min(n+uint(bits.TrailingZeros64(x))/8, limit)
		}
		n += 8
	}
	return limit
}
