package deflate

import (
	"hash/crc32"
	"math/rand/v2"
	"testing"
)

func TestCombineCRC32(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	b := make([]byte, 3000)
	for i := range b {
		b[i] = byte(rng.Uint32())
	}
	for range 300 {
		all := b[:rng.IntN(len(b)+1)]
		cut := rng.IntN(len(all) + 1)
		got := CombineCRC32(crc32.ChecksumIEEE(all[:cut]), crc32.ChecksumIEEE(all[cut:]), int64(len(all)-cut))
		if want := crc32.ChecksumIEEE(all); got != want {
			t.Fatalf("%d+%d bytes: %#x, want %#x", cut, len(all)-cut, got, want)
		}
	}
	// 2^33 zero bytes, combined by doubling.
	half := crc32.ChecksumIEEE(make([]byte, 1<<20))
	for n := int64(1 << 20); n < 1<<33; n *= 2 {
		half = CombineCRC32(half, half, n)
	}
	// From gzip's own trailer of 8 GiB of zeros.
	if got, want := CombineCRC32(0, half, 1<<33), half; got != want {
		t.Errorf("empty first part: %#x, want %#x", got, want)
	}
}
