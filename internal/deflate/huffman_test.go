package deflate

import (
	"math/rand/v2"
	"testing"
)

// Every code must be complete, within its limit, and no longer for what is
// more frequent.
func TestHuffmanLengths(t *testing.T) {
	rng := rand.New(rand.NewPCG(8, 9))
	var h huffman
	fibonacci := make([]uint32, 40)
	a, b := uint32(1), uint32(1)
	for i := range fibonacci {
		fibonacci[i] = a
		a, b = b, a+b
	}
	cases := [][]uint32{
		make([]uint32, 5), {0, 0, 7}, {1, 0}, {3, 3}, fibonacci,
		{1 << 31, 1 << 31, 1 << 30, 1, 2, 3},
	}
	for range 300 {
		freqs := make([]uint32, 2+rng.IntN(numLitLen-1))
		for i := range freqs {
			freqs[i] = uint32(rng.Uint64()>>33) >> rng.IntN(40)
		}
		cases = append(cases, freqs)
	}
	for _, freqs := range cases {
		for _, limit := range []int{9, maxLitCode, maxCodeLen} {
			lens := make([]uint8, len(freqs))
			h.lengths(lens, freqs, limit)
			kraft := 0
			for i, n := range lens {
				if int(n) > limit || freqs[i] != 0 && n == 0 {
					t.Fatalf("symbol %d of frequency %d has %d bits, limit %d", i, freqs[i], n, limit)
				}
				if n != 0 {
					kraft += 1 << (limit - int(n))
				}
				for k, m := range lens[:i] {
					if freqs[i] > freqs[k] && freqs[k] > 0 && n > m {
						t.Fatalf("frequencies %d and %d have %d and %d bits", freqs[i], freqs[k], n, m)
					}
				}
			}
			if kraft != 1<<limit {
				t.Fatalf("%v make an incomplete code %v", freqs, lens)
			}
		}
	}
}

// Where no code is cut, the cost must be that of a Huffman code.
func TestHuffmanOptimal(t *testing.T) {
	rng := rand.New(rand.NewPCG(10, 11))
	var h huffman
	for range 200 {
		freqs := make([]uint32, 2+rng.IntN(60))
		for i := range freqs {
			freqs[i] = 1 + rng.Uint32N(1000)
		}
		lens := make([]uint8, len(freqs))
		h.lengths(lens, freqs, maxCodeLen)
		got := 0
		for i, n := range lens {
			got += int(n) * int(freqs[i])
		}
		// The cost is the sum of all internal nodes.
		want := 0
		for heap := append([]uint32(nil), freqs...); len(heap) > 1; {
			for k := range 2 {
				for i := range heap[k+1:] {
					if heap[k+1+i] < heap[k] {
						heap[k], heap[k+1+i] = heap[k+1+i], heap[k]
					}
				}
			}
			want += int(heap[0] + heap[1])
			heap[1] += heap[0]
			heap = heap[1:]
		}
		if got != want {
			t.Fatalf("%v cost %d bits, want %d", freqs, got, want)
		}
	}
}

func TestSymbols(t *testing.T) {
	for n := minMatch; n <= maxMatch; n++ {
		s := lengthSym[n]
		if extra := n - int(lengthBase[s]); extra < 0 || extra >= 1<<lengthExtra[s] {
			t.Errorf("length %d has symbol %d", n, s)
		}
	}
	for dist := uint(1); dist <= maxDist; dist++ {
		s := distSym(dist)
		if extra := int(dist) - int(distBase[s]); extra < 0 || extra >= 1<<distExtra[s] {
			t.Errorf("distance %d has symbol %d", dist, s)
		}
	}
}
