package deflate

import "math/bits"

const (
	numStats   = maxLitLen + maxDistSym
	maxLitCode = 14 // bits; four literals and what is left of a byte fit a word
)

// lengthSym[n] is the symbol of a match of n bytes, less endOfBlock+1.
var lengthSym = makeLengthSym()

func makeLengthSym() (t [512]uint8) {
	for s := range lengthBase {
		for n := int(lengthBase[s]); n <= maxMatch; n++ {
			t[n] = uint8(s)
		}
	}
	return t
}

// distSym is the symbol of a distance.
func distSym(dist uint) uint {
	// Two symbols for each power of two: the top bit and the one below it.
	d := dist - 1
	if d < 2 {
		return d
	}
	n := uint(bits.Len(d)) - 2
	return 2*n + d>>n
}

// stats counts the symbols of a block: literals and lengths, then distances.
type stats [numStats]uint32

// count adds the symbols of tokens, which stand for plain, and returns how many
// bytes of plain that is.
func (s *stats) count(tokens []Token, plain []byte) int {
	at := 0
	for _, t := range tokens {
		for _, b := range plain[at : at+t.Lits()] {
			s[b]++
		}
		at += t.Lits() + t.Len()
		if t.Len() != 0 {
			s[endOfBlock+1+uint(lengthSym[t.Len()&511])]++
			s[maxLitLen+distSym(uint(t.Dist()))]++
		}
	}
	return at
}
