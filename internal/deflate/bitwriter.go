package deflate

import "encoding/binary"

// A bitWriter appends bits to out, the low bit of each byte first.
type bitWriter struct {
	out  []byte
	bits uint64 // not yet in out
	n    uint   // how many, at most 7 between calls
}

// put appends the low n bits of v, n at most 48; v has no others.
func (w *bitWriter) put(v uint64, n uint) {
	w.bits |= v << w.n
	w.n += n
	for w.n >= 8 {
		w.out = append(w.out, byte(w.bits))
		w.bits >>= 8
		w.n -= 8
	}
}

// align ends a byte with an empty stored block, unless there is none begun.
func (w *bitWriter) align() {
	if w.n != 0 {
		w.storedHeader(0)
	}
}

// storedHeader starts a stored block of n bytes, n at most 65535.
func (w *bitWriter) storedHeader(n int) {
	w.put(blockStored<<1, 3)
	w.put(0, -w.n&7)
	w.out = binary.LittleEndian.AppendUint16(w.out, uint16(n))
	w.out = binary.LittleEndian.AppendUint16(w.out, ^uint16(n))
}

// stored appends p as stored blocks.
func (w *bitWriter) stored(p []byte) {
	for len(p) > 0 {
		n := min(len(p), 65535)
		w.storedHeader(n)
		w.out = append(w.out, p[:n]...)
		p = p[n:]
	}
}

// splice appends the blocks of a whole deflate stream, none of them final.
func (w *bitWriter) splice(stream []byte, s Stream) {
	w.align()
	at := int64(len(w.out))
	w.out = append(w.out, stream[:s.End/8]...)
	w.bits, w.n = 0, 0
	if k := uint(s.End % 8); k != 0 {
		w.bits, w.n = uint64(stream[s.End/8])&(1<<k-1), k
	}
	// The final bit lies in what was copied or in the last, broken byte.
	if s.Final/8 < s.End/8 {
		w.out[at+s.Final/8] &^= 1 << (s.Final % 8)
	} else {
		w.bits &^= 1 << (s.Final % 8)
	}
}

// grow makes room for n more bytes.
func (w *bitWriter) grow(n int) {
	if cap(w.out)-len(w.out) < n {
		grown := make([]byte, len(w.out), max(2*cap(w.out), len(w.out)+n))
		copy(grown, w.out)
		w.out = grown
	}
}
