package deflate

import "encoding/binary"

// A blockWriter turns tokens into blocks.
type blockWriter struct {
	bitWriter
	h       huffman
	lens    [numStats]uint8  // of the dynamic codes
	codes   [numStats]uint32 // code<<8 | bits
	lengths [512]uint32      // by length, with their extra bits; above maxMatch unused
	header  header
}

var (
	fixedLens = func() (l [numStats]uint8) {
		copy(l[:maxLitLen], fixedLitLens[:])
		copy(l[maxLitLen:], fixedDistLens[:])
		return l
	}()
	fixedCodes = func() (c [numStats]uint32) {
		var lit [numLitLen]uint32
		assign(lit[:], fixedLitLens[:])
		copy(c[:maxLitLen], lit[:])
		var dist [numDistSym]uint32
		assign(dist[:], fixedDistLens[:])
		copy(c[maxLitLen:], dist[:])
		return c
	}()
)

// block writes tokens, whose symbols st counts and which make plain, as one
// block of the cheapest type. It changes st.
func (w *blockWriter) block(tokens []Token, st *stats, plain []byte) {
	st[endOfBlock] = 1
	w.h.lengths(w.lens[:maxLitLen], st[:maxLitLen], maxLitCode)
	w.h.lengths(w.lens[maxLitLen:], st[maxLitLen:], maxCodeLen)
	w.header.prepare(&w.h, &w.lens)

	dynamic, fixed := w.header.bits, 3
	for sym, f := range st {
		dynamic += int(f) * int(w.lens[sym])
		fixed += int(f) * int(fixedLens[sym])
	}
	extra := 0
	for s, n := range lengthExtra {
		extra += int(st[endOfBlock+1+s]) * int(n)
	}
	for s, n := range distExtra {
		extra += int(st[maxLitLen+s]) * int(n)
	}
	// A stored block of up to 65535 bytes costs at most 42 bits.
	stored := len(plain)*8 + (len(plain)/65535+1)*42
	if stored < min(dynamic, fixed)+extra {
		w.stored(plain)
		return
	}
	w.grow((min(dynamic, fixed)+extra)/8 + 16)
	codes := &fixedCodes
	if dynamic < fixed {
		w.header.write(&w.bitWriter)
		assign(w.codes[:maxLitLen], w.lens[:maxLitLen])
		assign(w.codes[maxLitLen:], w.lens[maxLitLen:])
		codes = &w.codes
	} else {
		w.put(blockFixed<<1, 3)
	}
	w.tokens(tokens, codes, plain)
	end := codes[endOfBlock]
	w.put(uint64(end>>8), uint(end&0xff))
}

// tokens writes the codes of tokens; w.out has room for them.
func (w *blockWriter) tokens(tokens []Token, codes *[numStats]uint32, plain []byte) {
	// Each length with its extra bits is one code.
	for s, base := range lengthBase {
		c := codes[endOfBlock+1+s]
		top := 1 << lengthExtra[s]
		for x := 0; x < top && int(base)+x <= maxMatch; x++ {
			w.lengths[int(base)+x] = c + uint32(x)<<(8+c&0xff) + uint32(lengthExtra[s])
		}
	}
	out := w.out[:cap(w.out)]
	o := len(w.out)
	buf, n := w.bits, w.n
	at := uint(0)
	for _, t := range tokens {
		lits := uint(t.Lits())
		for lits > 4 {
			v := binary.LittleEndian.Uint32(plain[at : at+4])
			c := codes[v&0xff]
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>8&0xff]
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>16&0xff]
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>24]
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			o = flush(out, o, buf, n)
			buf >>= n & 56
			n &= 7
			at += 4
			lits -= 4
		}
		for at+4 > uint(len(plain)) && lits > 0 {
			c := codes[plain[at]]
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			o = flush(out, o, buf, n)
			buf >>= n & 56
			n &= 7
			at++
			lits--
		}
		if lits > 0 {
			v := binary.LittleEndian.Uint32(plain[at : at+4])
			c := codes[v&0xff] & uint32(int32(-lits)>>31)
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>8&0xff] & uint32(int32(1-lits)>>31)
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>16&0xff] & uint32(int32(2-lits)>>31)
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			c = codes[v>>24] & uint32(int32(3-lits)>>31)
			buf |= uint64(c>>8) << (n & 63)
			n += uint(c & 0xff)
			o = flush(out, o, buf, n)
			buf >>= n & 56
			n &= 7
			at += lits
		}

		at += uint(t.Len())
		dist := uint(t.Dist())
		if dist == 0 {
			continue
		}
		c := w.lengths[t.Len()&511]
		buf |= uint64(c>>8) << (n & 63)
		n += uint(c & 0xff)
		s := distSym(dist)
		c = codes[maxLitLen+s]
		buf |= uint64(c>>8) << (n & 63)
		n += uint(c & 0xff)
		buf |= uint64(dist-uint(distBase[s])) << (n & 63)
		n += uint(distExtra[s])
		o = flush(out, o, buf, n)
		buf >>= n & 56
		n &= 7
	}
	w.out, w.bits, w.n = out[:o], buf, n
}

func flush(out []byte, o int, buf uint64, n uint) int {
	binary.LittleEndian.PutUint64(out[o:], buf)
	return o + int(n>>3)
}
