package deflate

import "math/bits"

// A decode table maps the next bits of the stream to entries. Its first part is
// indexed by the low tableBits bits; codes longer than that lead through a
// link entry to a subtable behind the first part.
//
// Entry layout, from the low end (bits:meaning):
//
//	literal:  0-5 bits to consume; 8-15 the byte; 31 set
//	length:   0-5 bits to consume with extra bits; 8-12 bits without; 16-24 base
//	distance: 0-5 bits to consume with extra bits; 8-12 bits without; 16-30 base
//	link:     0-5 bits to consume; 8-11 subtable bits; 16-27 subtable start; entryOdd|entryLink
//	end:      0-5 bits to consume; entryOdd|entryEnd
//	invalid:  entryOdd
const (
	entryLit  = 1 << 31
	entryOdd  = 1 << 15 // none of literal, length, distance
	entryLink = 1 << 14
	entryEnd  = 1 << 13

	litBits  = 11
	distBits = 8
	preBits  = maxPreLen

	// The largest tables that complete codes of at most 15 bits can need:
	// 288 symbols over 11 bits, 32 symbols over 8 bits.
	litTableSize  = 2342
	distTableSize = 402
)

// litEntries, distEntries and preEntries are the entries of each symbol, less
// the length of its code.
var (
	litEntries  = makeLitEntries()
	distEntries = makeDistEntries()
	preEntries  = makePreEntries()
)

func makeLitEntries() (t [numLitLen]uint32) {
	for i := range t {
		switch {
		case i < endOfBlock:
			t[i] = entryLit | uint32(i)<<8
		case i == endOfBlock:
			t[i] = entryOdd | entryEnd
		case i-endOfBlock-1 < len(lengthBase):
			s := i - endOfBlock - 1
			t[i] = uint32(lengthBase[s])<<16 | uint32(lengthExtra[s])
		default:
			t[i] = entryOdd
		}
	}
	return t
}

func makeDistEntries() (t [numDistSym]uint32) {
	for i := range t {
		if i < maxDistSym {
			t[i] = uint32(distBase[i])<<16 | uint32(distExtra[i])
		} else {
			t[i] = entryOdd
		}
	}
	return t
}

func makePreEntries() (t [numPreSym]uint32) {
	for i := range t {
		t[i] = uint32(i) << 16
	}
	return t
}

// withLen completes the entry of a symbol with the length of its code (or of
// what of it lies in a subtable).
func withLen(e uint32, n uint32) uint32 {
	if e&(entryLit|entryOdd) != 0 {
		return e + n
	}
	return e + (n<<8 | n)
}

// builder holds the scratch space of buildTable.
type builder struct {
	sorted [numLitLen]uint16
}

// build fills table for the code with the given lengths. It reports false if
// the lengths are over-subscribed or leave codes unassigned; as in zlib and
// compress/flate, a lone code of length one and no code at all pass, and their
// unassigned codes decode as invalid.
func (b *builder) build(table []uint32, tableBits uint, lens []uint8, entries []uint32) bool {
	var count [maxCodeLen + 1]uint16
	for _, n := range lens {
		count[n&maxCodeLen]++
	}
	var start [maxCodeLen + 2]uint16
	left := 1
	for n := 1; n <= maxCodeLen; n++ {
		left = left<<1 - int(count[n])
		if left < 0 {
			return false
		}
		start[n+1] = start[n] + count[n]
	}
	used := int(start[maxCodeLen+1])
	if left > 0 && (used > 1 || used == 1 && count[1] == 0) {
		return false
	}
	for sym, n := range lens {
		if n != 0 {
			n &= maxCodeLen
			b.sorted[start[n]] = uint16(sym)
			start[n]++
		}
	}
	main := table[:1<<tableBits]
	if left > 0 {
		for i := range main {
			main[i] = entryOdd
		}
		if used == 1 {
			e := withLen(entries[b.sorted[0]], 1)
			for i := 0; i < len(main); i += 2 {
				main[i] = e
			}
		}
		return true
	}

	// Codes are assigned in order of length; code is kept with its bits
	// reversed, as the stream delivers them. The table doubles whenever the
	// length grows, so each entry is written once and then copied.
	n := uint(1)
	for count[n] == 0 {
		n++
	}
	var code uint
	sorted := b.sorted[:used]
	for filled := uint(1) << n; n <= tableBits; {
		for range count[n] {
			main[code] = withLen(entries[sorted[0]], uint32(n))
			sorted = sorted[1:]
			if len(sorted) == 0 {
				for ; filled < uint(len(main)); filled <<= 1 {
					copy(main[filled:], main[:filled])
				}
				return true
			}
			code = nextCode(code, filled-1)
		}
		n++
		if n <= tableBits {
			copy(main[filled:], main[:filled])
			filled <<= 1
		}
	}

	// The longer codes, one subtable for each distinct first part.
	firstMask := uint(len(main) - 1)
	prefix := ^uint(0)
	next := uint(len(main))
	var sub []uint32
	for ; n <= maxCodeLen; n++ {
		for range count[n] {
			if code&firstMask != prefix {
				prefix = code & firstMask
				// The subtable is as wide as its longest code, found by
				// counting until the codes that follow fill it.
				width := n - tableBits
				room := 1<<width - int(count[n])
				for k := n; room > 0 && k < maxCodeLen; {
					k++
					width++
					room = room<<1 - int(count[k])
				}
				sub = table[next : next+1<<width]
				main[prefix] = entryOdd | entryLink | uint32(next)<<16 | uint32(width)<<8 | uint32(tableBits)
				next += 1 << width
			}
			e := withLen(entries[sorted[0]], uint32(n-tableBits))
			sorted = sorted[1:]
			for i := code >> tableBits; i < uint(len(sub)); i += 1 << (n - tableBits) {
				sub[i] = e
			}
			if len(sorted) == 0 {
				return true
			}
			code = nextCode(code, 1<<n-1)
			count[n]--
		}
	}
	return true
}

// nextCode is the code after code, both bit-reversed, where mask has one bit
// for each bit of the code. The code must not be the last (all ones).
func nextCode(code, mask uint) uint {
	bit := uint(1) << (bits.Len(code^mask) - 1)
	return code&(bit-1) | bit
}
