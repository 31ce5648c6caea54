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
			buf, n = add(buf, n, codes[v&0xff])
			buf, n = add(buf, n, codes[v>>8&0xff])
			buf, n = add(buf, n, codes[v>>16&0xff])
			buf, n = add(buf, n, codes[v>>24])
			o, buf, n = flush(out, o, buf, n)
			at += 4
			lits -= 4
		}
		if at+4 <= uint(len(plain)) {
			// Up to four at once, without a branch that would be hard to foresee.
			v := binary.LittleEndian.Uint32(plain[at : at+4])
			buf, n = add(buf, n, codes[v&0xff]&ifLess(0, lits))
			buf, n = add(buf, n, codes[v>>8&0xff]&ifLess(1, lits))
			buf, n = add(buf, n, codes[v>>16&0xff]&ifLess(2, lits))
			buf, n = add(buf, n, codes[v>>24]&ifLess(3, lits))
			o, buf, n = flush(out, o, buf, n)
		} else {
			for _, b := range plain[at : at+lits] {
				buf, n = add(buf, n, codes[b])
				o, buf, n = flush(out, o, buf, n)
			}
		}
		at += lits + uint(t.Len())
		dist := uint(t.Dist())
		if dist == 0 {
			continue
		}
		s := distSym(dist)
		buf, n = add(buf, n, w.lengths[t.Len()&511])
		buf, n = add(buf, n, codes[maxLitLen+s])
		buf |= uint64(dist-uint(distBase[s])) << (n & 63)
		n += uint(distExtra[s])
		o, buf, n = flush(out, o, buf, n)
	}
	w.out, w.bits, w.n = out[:o], buf, n
}

// add appends a code to the n bits of buf.
func add(buf uint64, n uint, code uint32) (uint64, uint) {
	return buf | uint64(code>>8)<<(n&63), n + uint(code&0xff)
}

// flush moves whole bytes from buf to out[o:].
func flush(out []byte, o int, buf uint64, n uint) (int, uint64, uint) {
	binary.LittleEndian.PutUint64(out[o:], buf)
	return o + int(n>>3), buf >> (n & 56), n & 7
}

// ifLess is all ones if a < b, else 0; both are small.
func ifLess(a, b uint) uint32 { return uint32(int32(a-b) >> 31) }
