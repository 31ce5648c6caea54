package deflate

const (
	denseChunk  = 8 << 10 // bytes judged together
	denseSample = 512     // of them looked at first
	denseStride = 32      // between places that are remembered
	denseBits   = 12
)

// A denseFinder tells what cannot be compressed: data that is compressed or
// encrypted already. Searching it costs as much as any other.
type denseFinder struct {
	seen [1 << denseBits]uint32 // position+1 of some places in dense chunks
	used bool                   // seen is not all zero
}

func (f *denseFinder) reset() {
	if f.used {
		*f = denseFinder{}
	}
}

// judge reports whether the denseChunk bytes at plain[at:] have an even
// distribution of bytes, and whether they repeat such data from before.
func (f *denseFinder) judge(plain []byte, at int) (dense, repeats bool) {
	chunk := plain[at : at+denseChunk]
	var counts [256]uint32
	for i := 0; i < denseChunk; i += denseChunk / denseSample {
		counts[chunk[i]]++
	}
	// Most data fails by far, so this limit is lax.
	if !even(&counts, denseSample, 30) {
		return false, false
	}
	counts = [256]uint32{}
	for _, b := range chunk {
		counts[b]++
	}
	if !even(&counts, denseChunk, 4) {
		return false, false
	}
	for i := at; i < at+denseChunk; i += 1024 {
		repeats = repeats || f.repeats(plain, i)
		for k := i; k < i+1024; k += denseStride {
			f.seen[denseHash(load64(plain, k))] = uint32(k + 1)
		}
	}
	f.used = true
	return true, repeats
}

// repeats reports whether plain[at:] repeats what was seen. As many places in a
// row are looked up as lie between those remembered.
func (f *denseFinder) repeats(plain []byte, at int) bool {
	for i := at; i < at+denseStride; i++ {
		v := load64(plain, i)
		c := int(f.seen[denseHash(v)]) - 1
		if c >= 0 && i-c <= maxDist && load64(plain, c) == v {
			return true
		}
	}
	return false
}

func denseHash(v uint64) uint64 { return v * 0x9e3779b97f4a7c15 >> (64 - denseBits) }

// even reports whether the sum of squares of n counts is at most so many
// percent above what bytes drawn evenly lead one to expect. Four percent are
// about half a percent of size that Huffman coding could save.
func even(counts *[256]uint32, n, percent int) bool {
	sum := 0
	for _, c := range counts {
		sum += int(c) * int(c)
	}
	return sum <= (n+n*n/256)*(100+percent)/100
}
