package deflate

import "math/bits"

const (
	hash3Bits = 15
	hash4Bits = 16
)

// A lazyMatcher finds matches through chains of the places of four bytes and
// the last place of three. Positions are of 16 bits; what is left from more
// than 64 KiB ago looks like a nearer place, and is told apart by the bytes
// being different, or else is as good.
type lazyMatcher struct {
	head3 [1 << hash3Bits]uint16
	head4 [1 << hash4Bits]uint16
	next  [maxDist]uint16
	w     window
	ready int // positions below are in the window
	done  int // positions below are in the chains
}

func (m *lazyMatcher) reset() {
	m.head3 = [1 << hash3Bits]uint16{}
	m.head4 = [1 << hash4Bits]uint16{}
	m.next = [maxDist]uint16{}
	m.ready, m.done = 0, 0
}

func hash3(v uint32) uint32 { return (v << 8) * 0x9e3779b1 >> (32 - hash3Bits) }

// insert enters position i.
func (m *lazyMatcher) insert(i uint16) {
	v := m.w.load32(i)
	m.head3[hash3(v)] = i
	h := hash4(v, hash4Bits)
	m.next[i&(maxDist-1)] = m.head4[h]
	m.head4[h] = i
}

type lazyParams struct {
	depth int  // candidates looked at
	nice  uint // a match that long ends the search
}

var (
	depthFlag = 16
	niceFlag  = 30
)

// find enters position i and looks for the longest match there of more than
// have bytes and at most limit, not more than back bytes away. n is have if
// there is none; have is at least 2.
func (m *lazyMatcher) find(i uint16, have, limit uint, back uint, depth int, nice uint) (n, dist uint) {
	v := m.w.load32(i)
	h3 := hash3(v)
	c3 := m.head3[h3]
	m.head3[h3] = i
	h := hash4(v, hash4Bits)
	c := m.head4[h]
	m.head4[h] = i
	m.next[i&(maxDist-1)] = c

	n = have
	d := uint(i - c)
	if d == 0 || d > back || m.w.load32(c) != v {
		if n < 3 {
			if d = uint(i - c3); d != 0 && d <= back && (m.w.load32(c3)^v)<<8 == 0 {
				return 3, d
			}
		}
		return n, 0
	}
	if n < 4 {
		n = m.w.match(c, i, 4, limit)
		dist = d
		if n >= nice {
			return n, dist
		}
		c = m.next[c&(maxDist-1)]
		depth--
		last := d
		d = uint(i - c)
		if d <= last || d > back {
			return n, dist
		}
	}
	tail := m.w.load32(i + uint16(n) - 3)
	for {
		if m.w.load32(c+uint16(n)-3) == tail && m.w.load32(c) == v {
			if l := m.w.match(c, i, 4, limit); l > n {
				n, dist = l, d
				if l >= nice {
					return n, dist
				}
				tail = m.w.load32(i + uint16(n) - 3)
			}
		}
		if depth--; depth <= 0 {
			return n, dist
		}
		c = m.next[c&(maxDist-1)]
		last := d
		d = uint(i - c)
		if d <= last || d > back {
			return n, dist
		}
	}
}

// search appends tokens for plain[at:].
func (m *lazyMatcher) search(tokens []Token, plain []byte, at int, level Level) []Token {
	depth, nice := depthFlag, uint(niceFlag)
	if level == LevelSmall {
		depth, nice = 35, 65
	}
	// Bring in what precedes and is new.
	if m.ready < at {
		m.ready = max(m.ready, at-maxDist)
		m.w.fill(m.ready, plain[m.ready:at])
		m.ready = at
	}
	for m.done = max(m.done, at-maxDist); m.done < at && m.done+4 <= len(plain); m.done++ {
		if m.done+4 > m.ready {
			n := min(len(plain)-m.ready, 4)
			m.w.fill(m.ready, plain[m.ready:m.ready+n])
			m.ready += n
		}
		m.insert(uint16(m.done))
	}
	lit := at
	for at+8 <= len(plain) {
		if m.ready-at < 2*maxMatch+16 && m.ready < len(plain) {
			n := min(len(plain)-m.ready, maxDist-1024)
			m.w.fill(m.ready, plain[m.ready:m.ready+n])
			m.ready += n
		}
		limit := min(uint(len(plain)-at), maxMatch)
		n, dist := m.find(uint16(at), 2, limit, min(uint(at), maxDist), depth, min(nice, limit))
		if dist == 0 || n == 3 && dist > 8192 {
			at++
			continue
		}
		start := at + 1
		for n < nice && at+9 <= len(plain) {
			limit = min(uint(len(plain)-at-1), maxMatch)
			n2, dist2 := m.find(uint16(at+1), max(n-1, 2), limit, min(uint(at+1), maxDist), depth/2, min(nice, limit))
			start = at + 2
			if dist2 == 0 || n2 < n || 4*(int(n2)-int(n))+bits.Len(dist)-bits.Len(dist2) <= 2 {
				break
			}
			at, n, dist = at+1, n2, dist2
		}
		tokens = append(tokens, makeToken(at-lit, int(n), int(dist)))
		at += int(n)
		for end := min(at, len(plain)-4); start < end; start++ {
			m.insert(uint16(start))
		}
		lit = at
	}
	m.done = at
	if lit < len(plain) {
		tokens = append(tokens, makeToken(len(plain)-lit, 0, 0))
	}
	return tokens
}
