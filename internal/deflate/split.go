package deflate

import "math/bits"

const (
	chunkSymbols = 1024
	maxChunks    = 256
)

// A chunk is a run of tokens.
type chunk struct {
	st     stats
	tokens []Token
	plain  int // bytes that it makes
	cost   int // estimate of what it takes as a block of its own
	gain   int // what merging with the next one saves
}

// A splitter cuts tokens into blocks where their statistics change.
type splitter struct {
	chunks []chunk
	live   []int32 // chunks not merged into another, in order
}

// blocks writes tokens, which make plain, as one block or several.
func (s *splitter) blocks(w *blockWriter, tokens []Token, plain []byte) {
	for len(tokens) > 0 {
		tokens, plain = s.some(w, tokens, plain)
	}
}

// some writes the first tokens, as many as make maxChunks chunks, and returns
// the others with what they make.
func (s *splitter) some(w *blockWriter, tokens []Token, plain []byte) ([]Token, []byte) {
	if s.chunks == nil {
		s.chunks = make([]chunk, maxChunks)
		s.live = make([]int32, 0, maxChunks)
	}
	rest := plain
	s.live = s.live[:0]
	for i := range s.chunks {
		if len(tokens) == 0 {
			break
		}
		c := &s.chunks[i]
		n, symbols := 0, 0
		for n < len(tokens) && symbols < chunkSymbols {
			symbols += tokens[n].Lits() + 1
			n++
		}
		c.st = stats{}
		c.tokens = tokens[:n]
		c.plain = c.st.count(c.tokens, rest)
		c.cost = c.st.cost()
		rest = rest[c.plain:]
		tokens = tokens[n:]
		s.live = append(s.live, int32(i))
	}
	for k := range s.live[1:] {
		s.weigh(k)
	}
	for len(s.live) > 1 {
		best := 0
		for k := range s.live[1:] {
			if s.chunks[s.live[k]].gain > s.chunks[s.live[best]].gain {
				best = k
			}
		}
		a := &s.chunks[s.live[best]]
		if a.gain <= 0 {
			break
		}
		b := &s.chunks[s.live[best+1]]
		a.cost += b.cost - a.gain
		a.plain += b.plain
		a.tokens = a.tokens[:len(a.tokens)+len(b.tokens)]
		for i, f := range &b.st {
			a.st[i] += f
		}
		s.live = append(s.live[:best+1], s.live[best+2:]...)
		if best > 0 {
			s.weigh(best - 1)
		}
		if best+1 < len(s.live) {
			s.weigh(best)
		}
	}
	for _, i := range s.live {
		c := &s.chunks[i]
		w.block(c.tokens, &c.st, plain[:c.plain])
		plain = plain[c.plain:]
	}
	return tokens, plain
}

// weigh sets the gain of merging the live chunk k with its successor.
func (s *splitter) weigh(k int) {
	a, b := &s.chunks[s.live[k]], &s.chunks[s.live[k+1]]
	a.gain = a.cost + b.cost - mergedCost(&a.st, &b.st)
}

// cost estimates the size in bits of a dynamic block with these symbols, but
// for extra bits.
func (s *stats) cost() int { return mergedCost(s, &noStats) }

var noStats stats

// mergedCost is the cost of the sum of a and b.
func mergedCost(a, b *stats) int {
	// Each symbol takes log2(sum/f) bits f times at best, and its code's length
	// in the header.
	var c int64
	var sum uint32
	for i := range maxLitLen {
		f := a[i] + b[i]
		sum += f
		if f < uint32(len(symbolCost)) {
			c -= int64(symbolCost[f])
		} else {
			c -= int64(f)*int64(log2(f)) - symbolHeader
		}
	}
	c += int64(sum) * int64(log2(sum|1))
	sum = 0
	for i := maxLitLen; i < numStats; i++ {
		f := a[i] + b[i]
		sum += f
		if f < uint32(len(symbolCost)) {
			c -= int64(symbolCost[f])
		} else {
			c -= int64(f)*int64(log2(f)) - symbolHeader
		}
	}
	c += int64(sum) * int64(log2(sum|1))
	return int(c>>logScale) + blockHeader
}

const (
	blockHeader  = 100           // bits that a dynamic header takes, but for
	symbolHeader = 4 << logScale // what each symbol adds to it
)

// symbolCost[f] is f*log2(f)-symbolHeader, the share of a symbol of frequency f.
var symbolCost = func() (t [1024]int32) {
	for f := 1; f < len(t); f++ {
		t[f] = int32(f)*int32(log2(uint32(f))) - symbolHeader
	}
	return t
}()

const (
	logScale = 12 // fraction bits of log2
	logBits  = 9  // of the argument below its top one
)

// log2 is the base 2 logarithm of f > 0, a little low, in units of 1<<-logScale.
func log2(f uint32) uint32 {
	n := uint32(bits.Len32(f)) - 1
	return n<<logScale + uint32(logTable[f<<(31-n&31)<<1>>(32-logBits)])
}

// logTable is made with integers alone, so that it is the same everywhere.
var logTable = func() (t [1 << logBits]uint16) {
	for i := range t {
		// Squaring doubles the logarithm; each bit of it is whether the square
		// of a number from [1, 2) leaves that range.
		x := uint64(1<<logBits+i) << (31 - logBits)
		for range logScale {
			x = x * x >> 31
			t[i] <<= 1
			if x>>32 != 0 {
				t[i]++
				x >>= 1
			}
		}
	}
	return t
}()
