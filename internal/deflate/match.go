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
}

func (m *fastMatcher) reset() { m.table = [1 << fastHashBits]uint32{} }

func hash4(v uint32, bits uint) uint32 { return v * 0x9e3779b1 >> (32 - bits) }

// search appends tokens for plain[at:].
func (m *fastMatcher) search(tokens []Token, plain []byte, at int) []Token {
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

const (
	hash3Bits = 15
	hash4Bits = 16
)

// A lazyMatcher keeps chains of the places of four bytes and the last place of
// three.
type lazyMatcher struct {
	head3 [1 << hash3Bits]uint32 // position + 1
	head4 [1 << hash4Bits]uint32
	next  [maxDist]uint32
	until int // positions below are in the chains
}

func (m *lazyMatcher) reset() {
	m.head3 = [1 << hash3Bits]uint32{}
	m.head4 = [1 << hash4Bits]uint32{}
	m.until = 0
}

func hash3(v uint32) uint32 { return (v << 8) * 0x9e3779b1 >> (32 - hash3Bits) }

// insert enters the positions below at.
func (m *lazyMatcher) insert(plain []byte, at int) {
	i := max(m.until, at-maxDist)
	for ; i < at && i+4 <= len(plain); i++ {
		v := load32(plain, i)
		m.head3[hash3(v)] = uint32(i + 1)
		h := hash4(v, hash4Bits)
		m.next[i&(maxDist-1)] = m.head4[h]
		m.head4[h] = uint32(i + 1)
	}
	m.until = max(m.until, at)
}

// find is the longest match at plain[at:] longer than have, which is at least
// minMatch-1; n is have if there is none.
func (m *lazyMatcher) find(plain []byte, at, have, depth, nice int) (n, dist int) {
	m.insert(plain, at)
	if at+8 > len(plain) {
		return have, 0
	}
	v := load32(plain, at)
	n = have
	if n < 3 {
		if c := int(m.head3[hash3(v)]) - 1; c >= 0 && at-c <= 4096 && (load32(plain, c)^v)<<8 == 0 {
			n, dist = 3, at-c
		}
	}
	low := max(at-maxDist, 0)
	for c := int(m.head4[hash4(v, hash4Bits)]) - 1; c >= low; c = int(m.next[c&(maxDist-1)]) - 1 {
		tail := max(n, 3) - 3
		if at+tail+4 <= len(plain) && load32(plain, c+tail) == load32(plain, at+tail) && load32(plain, c) == v {
			if l := matchLen(plain, c, at, 4); l > n {
				n, dist = l, at-c
				if l >= nice || at+l >= len(plain) {
					break
				}
			}
		}
		if depth--; depth == 0 {
			break
		}
	}
	return n, dist
}

// search appends tokens for plain[at:].
func (m *lazyMatcher) search(tokens []Token, plain []byte, at int, level Level) []Token {
	depth, nice := 16, 30
	if level == LevelSmall {
		depth, nice = 40, 80
	}
	m.insert(plain, at)
	lit := at
	for at < len(plain) {
		n, dist := m.find(plain, at, 2, depth, nice)
		if dist == 0 {
			at++
			continue
		}
		for n < nice && at+1 < len(plain) {
			n2, dist2 := m.find(plain, at+1, n, depth/2, nice)
			if dist2 == 0 {
				break
			}
			at, n, dist = at+1, n2, dist2
		}
		tokens = append(tokens, makeToken(at-lit, n, dist))
		at += n
		lit = at
	}
	if lit < len(plain) {
		tokens = append(tokens, makeToken(len(plain)-lit, 0, 0))
	}
	return tokens
}
