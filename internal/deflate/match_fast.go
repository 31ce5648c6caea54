package deflate

import (
	"encoding/binary"
	"math/bits"
)

func load32(p []byte, i int) uint32 { return binary.LittleEndian.Uint32(p[i:]) }
func load64(p []byte, i int) uint64 { return binary.LittleEndian.Uint64(p[i:]) }

// matchLen is how many bytes p[b:] has in common with p[a:], at most maxMatch;
// a < b.
func matchLen(p []byte, a, b, have int) int {
	n := have
	end := min(len(p)-b, maxMatch)
	for n+8 <= end {
		if x := load64(p, a+n) ^ load64(p, b+n); x != 0 {
			return n + bits.TrailingZeros64(x)/8
		}
		n += 8
	}
	for n < end && p[a+n] == p[b+n] {
		n++
	}
	return n
}

const fastHashBits = 15

// A fastMatcher takes the first match that a table of the last places of four
// bytes offers.
type fastMatcher struct {
	table [1 << fastHashBits]uint32 // position + 1
	done  int                       // positions below have been searched, or passed over
}

func (m *fastMatcher) reset() { *m = fastMatcher{} }

func hash4(v uint32, bits uint) uint32 { return v * 0x9e3779b1 >> (32 - bits) }

// search appends tokens for plain[at:]. Some of the back bytes before it are
// entered if they have not been searched.
func (m *fastMatcher) search(tokens []Token, plain []byte, at, back int) []Token {
	for i := max(m.done, at-back); i < at && i+8 <= len(plain); i += 4 {
		m.table[hash4(load32(plain, i), fastHashBits)] = uint32(i + 1)
	}
	m.done = len(plain)
	lit := at // start of the pending literals
	for at+8 <= len(plain) {
		v := load32(plain, at)
		h := hash4(v, fastHashBits)
		c := int(m.table[h]) - 1
		m.table[h] = uint32(at + 1)
		if c < 0 || at-c > maxDist || load32(plain, c) != v {
			at += 1 + (at-lit)>>6
			continue
		}
		n := matchLen(plain, c, at, 4)
		tokens = append(tokens, makeToken(at-lit, n, at-c))
		end := at + n
		at++
		for ; at < end && at+8 <= len(plain); at += 2 {
			m.table[hash4(load32(plain, at), fastHashBits)] = uint32(at + 1)
		}
		at = end
		lit = at
	}
	if lit < len(plain) {
		tokens = append(tokens, makeToken(len(plain)-lit, 0, 0))
	}
	return tokens
}
