package deflate

import "math/bits"

// A huffman computes length-limited prefix codes. It is scratch space, to be
// reused.
type huffman struct {
	a, b [numLitLen]uint32
}

// freqShift leaves room for the symbol below its frequency.
const freqShift = 9

// lengths sets lens to the code lengths of an optimal prefix code for freqs,
// then shortens those beyond limit. Symbols of frequency 0 get length 0, but at
// least two symbols get a code, as some decoders do not take fewer.
func (h *huffman) lengths(lens []uint8, freqs []uint32, limit int) {
	var sum uint64
	for _, f := range freqs {
		sum += uint64(f)
	}
	scale := max(bits.Len64(sum)-(32-freqShift), 0)
	n := 0
	for sym, f := range freqs {
		lens[sym] = 0
		if f != 0 {
			h.a[n] = max(f>>scale, 1)<<freqShift | uint32(sym)
			n++
		}
	}
	if n < 2 {
		other := 0
		if n == 1 {
			other = int(h.a[0] & (1<<freqShift - 1))
		}
		lens[other] = 1
		lens[max(1-other, 0)] = 1
		return
	}
	sorted := h.sort(n)

	// Moffat and Katajainen's construction in place: first the internal nodes
	// of the tree with their parents, then depths from the root down.
	freq := func(v uint32) uint32 { return v >> freqShift }
	tree := h.a[:n]
	if &sorted[0] == &h.a[0] {
		tree = h.b[:n]
	}
	for i, v := range sorted {
		tree[i] = freq(v)
	}
	leaf, root := 0, 0
	for next := 0; next < n-1; next++ {
		var sum uint32
		for range 2 {
			if leaf >= n || root < next && tree[root] < tree[leaf] {
				sum += tree[root]
				tree[root] = uint32(next)
				root++
			} else {
				sum += tree[leaf]
				leaf++
			}
		}
		tree[next] = sum
	}
	var count [64]int // codes of each length
	tree[n-2] = 0
	for i := n - 3; i >= 0; i-- {
		tree[i] = tree[tree[i]] + 1
	}
	// tree[:n-1] holds the internal nodes' depths, deepest first.
	avail, depth := 1, 0
	for i := n - 2; avail > 0; depth++ {
		inner := 0
		for i >= 0 && tree[i] == uint32(depth) {
			inner++
			i--
		}
		count[min(depth, limit)] += avail - inner
		avail = 2 * inner
	}
	// Codes cut to limit overfill the code space; give room back by moving the
	// deepest shorter code one down, beside one of those.
	total := 0
	for l := 1; l <= limit; l++ {
		total += count[l] << (limit - l)
	}
	for ; total > 1<<limit; total-- {
		l := limit - 1
		for count[l] == 0 {
			l--
		}
		count[l]--
		count[l+1] += 2
		count[limit]--
	}
	i := 0
	for l := limit; l > 0; l-- {
		for range count[l] {
			lens[sorted[i]&(1<<freqShift-1)] = uint8(l)
			i++
		}
	}
}

// sort orders h.a[:n] by frequency, then symbol; the result is in h.a or h.b.
func (h *huffman) sort(n int) []uint32 {
	src, dst := h.a[:n], h.b[:n]
	var all uint32
	for _, v := range src {
		all |= v
	}
	// The symbols are in order already, so a stable sort by digits of the
	// frequency does.
	for shift := freqShift; all>>shift != 0; shift += 8 {
		var start [257]uint16
		for _, v := range src {
			start[v>>shift&0xff+1]++
		}
		for i := 1; i < 256; i++ {
			start[i] += start[i-1]
		}
		for _, v := range src {
			k := &start[v>>shift&0xff]
			dst[*k] = v
			*k++
		}
		src, dst = dst, src
	}
	return src
}

// assign sets codes to the canonical codes of the lengths, bits reversed as the
// stream wants them, with the length in the low 8 bits.
func assign(codes []uint32, lens []uint8) {
	var count, next [maxCodeLen + 2]uint32
	for _, l := range lens {
		count[l&maxCodeLen]++
	}
	count[0] = 0
	for l := 1; l <= maxCodeLen; l++ {
		next[l+1] = (next[l] + count[l]) << 1
	}
	for sym, l := range lens {
		codes[sym] = 0
		if l != 0 {
			c := next[l&maxCodeLen]
			next[l&maxCodeLen]++
			codes[sym] = uint32(bits.Reverse16(uint16(c))>>(16-l))<<8 | uint32(l)
		}
	}
}
