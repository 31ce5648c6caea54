package deflate

import (
	"encoding/binary"
	"math/bits"
)

const (
	hash3Bits = 13
	hash4Bits = 17

	hash3Mul  = 0x9e3779b1 << 8 & (1<<32 - 1)
	hash4Mul  = 0x9e3779b1
	nearDist  = 2048
	linkNear  = 1 << 15 // in links: not the link of a chain
	linkBatch = 2048
)

// lazyParams say how hard a lazyMatcher looks.
type lazyParams struct {
	depth   int  // places that are compared, at most
	next    int  // the same where a match is known at the position before
	nice    uint // a match of that length is good enough
	lazyMax uint // one of that length is taken without looking at the next position
}

// A lazyMatcher finds matches through chains of the places of the same four
// bytes, and the last place of the same three. It works in two steps: links are
// made for some thousand positions at a time in a loop without branches, then
// the tokens are chosen by following them.
type lazyMatcher struct {
	head3 [1 << hash3Bits]uint16 // last position with a hash
	head4 [1 << hash4Bits]uint16

	// links[i] is how far before position i the same four bytes are, at most
	// linkNear-1; or else linkNear + how far three bytes with the same hash are,
	// at most nearDist-1, 0 if nowhere so near.
	links [windowSize]uint16

	w      window
	ready  int // positions below are in the window
	linked int // positions below have links

	lazyParams
}

// reset forgets the piece before, all of it: what this one makes may depend on
// nothing else, and clearing is cheap beside a search.
func (m *lazyMatcher) reset() {
	m.links = [windowSize]uint16{}
	m.w = window{}
	m.head3 = [1 << hash3Bits]uint16{}
	m.head4 = [1 << hash4Bits]uint16{}
	m.ready, m.linked = 0, 0
}

// link makes links for positions [m.linked, to), all but the last three of
// which bytes are in the window.
func (m *lazyMatcher) link(to int) {
	for i := uint(m.linked); i < uint(to); i++ {
		at := i & (windowSize - 1)
		v := binary.LittleEndian.Uint32(m.w[at : at+4])
		h3 := v * hash3Mul >> (32 - hash3Bits)
		c3 := uint(m.head3[h3])
		m.head3[h3] = uint16(i)
		h4 := v * hash4Mul >> (32 - hash4Bits)
		c4 := uint(m.head4[h4])
		m.head4[h4] = uint16(i)

		d := uint32(i - c3)
		if d&(windowSize-nearDist) != 0 {
			d = 0
		}
		d |= linkNear
		e := uint32(i - c4)
		if binary.LittleEndian.Uint32(m.w[c4:c4+4])^v|e&linkNear == 0 {
			d = e
		}
		m.links[at] = uint16(d)
	}
	m.linked = to
}

// find looks for the longest match at position i of more than have bytes, at
// least 3, and at most limit, among those that links[i] leads to; n is have if
// there is none. back, at most maxDist, is how many bytes precede i.
func (m *lazyMatcher) find(i uint16, have, limit, back uint, depth int, nice uint) (n, dist uint) {
	n = have
	d := uint(m.links[i])
	if uint16(d-1) >= linkNear-1 {
		return n, 0
	}
	c := i - uint16(d)
	if n < 4 {
		n = m.w.match(c, i, 4, limit)
		dist = d
		if n >= nice {
			return n, dist
		}
		depth--
		step := uint(m.links[c])
		d += step
		if d > back {
			return n, dist
		}
		c -= uint16(step)
	}
	// A longer match has the four bytes at t too. If their chain seems to have
	// fewer members, follow that one, testing the other place.
	t := i + uint16(n) - 3
	if e := uint(m.links[t]); e > d {
		if e >= linkNear || e > back {
			return n, dist
		}
		d = e
		c = t - uint16(d)
		t = i
	}
	from := c + uint16(d)
	tail := m.w.load32(t)
	off := t - from
	for {
		if m.w.load32(c+off) == tail {
			if l := m.w.match(i-uint16(d), i, 0, limit); l > n {
				n, dist = l, d
				if l >= nice {
					return n, dist
				}
				t = i + uint16(n) - 3
				off = t - from
				tail = m.w.load32(t)
			}
		}
		if depth--; depth <= 0 {
			return n, dist
		}
		step := uint(m.links[c])
		d += step
		if d > back {
			return n, dist
		}
		c -= uint16(step)
	}
}

// more makes links for some positions from at on, but none from end on. It
// returns the last position from which a search has links as far as it looks.
func (m *lazyMatcher) more(plain []byte, at, end int) (enough int) {
	if m.ready < min(at+linkBatch+2*maxMatch, len(plain)) {
		// So much that maxDist bytes before at stay.
		to := min(at+windowSize-maxDist-8, len(plain))
		m.w.fill(m.ready, plain[m.ready:to])
		m.ready = to
	}
	m.link(min(at+linkBatch, end))
	if m.linked == end {
		// Not known.
		for i := range 8 {
			m.links[uint16(end+i)] = 1
		}
		return end
	}
	return m.linked - 2 - int(m.nice)
}

// skip leaves the positions below at without links.
func (m *lazyMatcher) skip(at int) {
	for i := max(m.linked, at-maxDist); i < at; i++ {
		m.links[uint16(i)] = linkNear
	}
	m.linked = max(m.linked, at)
}

// search appends tokens for plain[at:]. Up to back of the bytes before it are
// linked if they have not been searched.
func (m *lazyMatcher) search(tokens []Token, plain []byte, at, back int) []Token {
	nice := m.nice
	// Positions behind end have too few bytes left to be looked up as words.
	end := max(len(plain)-7, 0)
	m.ready = max(m.ready, at-maxDist)
	m.skip(at - back)
	for m.linked < min(at, end) {
		m.more(plain, m.linked, min(at, end))
	}
	lit := at
	enough := at - 1 // the last position for which there are links enough
	for at < end {
		if at > enough {
			enough = m.more(plain, at, end)
		}
		var n, dist uint
		if link := m.links[uint16(at)]; link >= linkNear {
			// Whether the three bytes are the same is foreseen as badly as whether
			// there is a match at all: one branch for both.
			d := link - linkNear
			n, dist = 3, uint(d)
			if (m.w.load32(uint16(at))^m.w.load32(uint16(at)-d))<<8 != 0 {
				dist = 0
			}
		} else {
			limit := min(uint(len(plain)-at), maxMatch)
			n, dist = m.find(uint16(at), 3, limit, min(uint(at), maxDist), m.depth, min(nice, limit))
		}
		if dist == 0 {
			at++
			continue
		}
		for n < m.lazyMax && at+1 < end {
			if at > enough {
				enough = m.more(plain, at, end)
			}
			if m.links[uint16(at+1)] >= linkNear {
				break
			}
			limit := min(uint(len(plain)-at-1), maxMatch)
			n2, dist2 := m.find(uint16(at+1), max(n-1, 3), limit, min(uint(at+1), maxDist), m.next, min(nice, limit))
			if dist2 == 0 || n2 < n || 4*(int(n2)-int(n))+bits.Len(dist)-bits.Len(dist2) <= 2 {
				break
			}
			at, n, dist = at+1, n2, dist2
		}
		tokens = append(tokens, makeToken(at-lit, int(n), int(dist)))
		at += int(n)
		lit = at
	}
	if lit < len(plain) {
		tokens = append(tokens, makeToken(len(plain)-lit, 0, 0))
	}
	return tokens
}
