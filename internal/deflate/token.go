package deflate

// A Token is a run of literals and the match behind it, the unit that matchers
// and decoders hand to the block writer: bits 0-15 the match's distance
// (1-32768), 16-31 its length (3-258), 32-63 the number of literals. The last
// token of a sequence may have length 0: literals only.
type Token uint64

func makeToken(lits, length, dist int) Token {
	return Token(uint64(lits)<<32 | uint64(length)<<16 | uint64(dist))
}

// Lits is the number of literals before the match.
func (t Token) Lits() int { return int(t >> 32) }

// Len is the length of the match in bytes, 0 if there is none.
func (t Token) Len() int { return int(t >> 16 & 0xffff) }

// Dist is how many bytes back the match starts.
func (t Token) Dist() int { return int(t & 0xffff) }
