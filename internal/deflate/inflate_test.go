package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// stdInflate is what compress/flate makes of src: the output and how many bytes
// of src it takes.
func stdInflate(src []byte, limit int) (out []byte, used int, err error) {
	r := bytes.NewReader(src)
	out, err = io.ReadAll(io.LimitReader(stdflate.NewReader(r), int64(limit)+1))
	return out, len(src) - r.Len(), err
}

// compareInflate fails unless Inflate does with src what compress/flate does.
func compareInflate(t *testing.T, d *Decoder, src []byte, size int) {
	t.Helper()
	want, wantUsed, wantErr := stdInflate(src, size)
	dst := bytes.Repeat([]byte{0xaa}, size+64)
	n, used, err := d.InflateTokens(dst[:size:size], src)
	if !bytes.Equal(dst[size:], bytes.Repeat([]byte{0xaa}, 64)) {
		t.Fatal("wrote behind dst")
	}
	if err != nil && !errors.Is(err, ondisk.ErrCorrupt) {
		t.Fatalf("error %v is not ErrCorrupt", err)
	}
	if len(want) > size {
		if err == nil {
			t.Fatalf("accepted %d bytes into %d", len(want), size)
		}
		return
	}
	if (err == nil) != (wantErr == nil) {
		t.Fatalf("error %v, compress/flate has %v", err, wantErr)
	}
	if err != nil {
		return
	}
	if !bytes.Equal(dst[:n], want) {
		t.Fatal("output differs from compress/flate")
	}
	if used != wantUsed {
		t.Fatalf("takes %d bytes, compress/flate %d", used, wantUsed)
	}
	if end := d.Stream().End; (end+7)/8 != int64(used) || d.Stream().Final >= end {
		t.Fatalf("stream %+v of %d bytes", d.Stream(), used)
	}
	if got := expand(d.Tokens(), dst[:n]); !bytes.Equal(got, want) {
		t.Fatal("tokens do not make the output")
	}
}

// expand makes the bytes that tokens describe; literals come from plain.
func expand(tokens []Token, plain []byte) []byte {
	var out []byte
	for _, tok := range tokens {
		if tok.Lits() > len(plain)-len(out) || tok.Len() > len(plain)-len(out)-tok.Lits() {
			return nil
		}
		out = append(out, plain[len(out):len(out)+tok.Lits()]...)
		for range tok.Len() {
			out = append(out, out[len(out)-tok.Dist()])
		}
	}
	return out
}

// plainSamples are inputs of many textures.
func plainSamples() map[string][]byte {
	rng := rand.New(rand.NewPCG(1, 2))
	random := make([]byte, 70000)
	for i := range random {
		random[i] = byte(rng.Uint32())
	}
	words := []string{"the ", "inode ", "of a ", "directory ", "is ", "\n", "0x", "cluster", "_", "ab"}
	var text []byte
	for len(text) < 200000 {
		text = append(text, words[rng.IntN(len(words))]...)
	}
	skew := make([]byte, 100000)
	for i := range skew {
		skew[i] = byte(rng.ExpFloat64() * 9)
	}
	var runs []byte
	for len(runs) < 90000 {
		period := 1 + rng.IntN(20)
		unit := random[rng.IntN(1000):][:period]
		for range 1 + rng.IntN(60) {
			runs = append(runs, unit...)
		}
	}
	return map[string][]byte{
		"empty": nil, "one": {7}, "zeros": make([]byte, 65536),
		"random": random, "text": text, "skew": skew, "runs": runs,
	}
}

func stdDeflate(t testing.TB, plain []byte, level int) []byte {
	var b bytes.Buffer
	w, err := stdflate.NewWriter(&b, level)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestInflate(t *testing.T) {
	var d Decoder
	for name, plain := range plainSamples() {
		for level := -2; level <= 9; level++ {
			src := stdDeflate(t, plain, level)
			for _, size := range []int{len(plain), len(plain) + 1, len(plain) + 1000, max(len(plain)-1, 0), len(plain) / 2} {
				compareInflate(t, &d, src, size)
				compareInflate(t, &d, append(slices.Clip(src), make([]byte, 100)...), size)
			}
			if t.Failed() {
				t.Fatalf("%s level %d", name, level)
			}
		}
	}
}

// Every cut and many damages must be judged as compress/flate judges them.
func TestInflateDamaged(t *testing.T) {
	var d Decoder
	rng := rand.New(rand.NewPCG(3, 4))
	for _, plain := range plainSamples() {
		plain = plain[:min(len(plain), 3000)]
		for _, level := range []int{-2, 0, 1, 9} {
			src := stdDeflate(t, plain, level)
			for cut := 0; cut < len(src); cut += 1 + len(src)/200 {
				compareInflate(t, &d, src[:cut], len(plain))
			}
			for range 300 {
				bad := bytes.Clone(src)
				for range 1 + rng.IntN(3) {
					bad[rng.IntN(min(len(bad), 1+rng.IntN(len(bad))))] ^= 1 << rng.IntN(8)
				}
				compareInflate(t, &d, bad, len(plain)+rng.IntN(400))
			}
		}
	}
}

// bitWriterLSB writes streams by hand.
type handBits struct {
	b []byte
	n uint
}

func (h *handBits) put(v uint64, n uint) *handBits {
	for i := range n {
		if h.n%8 == 0 {
			h.b = append(h.b, 0)
		}
		h.b[h.n/8] |= byte(v>>i&1) << (h.n % 8)
		h.n++
	}
	return h
}

// dynamic starts a final dynamic block whose code lengths are given literally.
func (h *handBits) dynamic(lit, dist []uint8) *handBits {
	h.put(1, 1).put(blockDynamic, 2).put(uint64(len(lit)-257), 5).put(uint64(len(dist)-1), 5).put(15, 4)
	for _, sym := range preOrder {
		if sym < 16 {
			h.put(4, 3)
		} else {
			h.put(0, 3)
		}
	}
	for _, n := range append(bytes.Clone(lit), dist...) {
		for i := range 4 {
			h.put(uint64(n)>>(3-i)&1, 1)
		}
	}
	return h
}

func TestInflateByHand(t *testing.T) {
	lits := func(pairs ...int) []uint8 {
		l := make([]uint8, 257)
		for i := 0; i < len(pairs); i += 2 {
			for len(l) <= pairs[i] {
				l = append(l, 0)
			}
			l[pairs[i]] = uint8(pairs[i+1])
		}
		return l
	}
	long := lits()
	for i := range 15 {
		long[i] = uint8(i + 1)
	}
	long[256] = 15
	var d Decoder
	for _, c := range []struct {
		name string
		src  []byte
		ok   bool
	}{
		{"empty input", nil, false},
		{"block type 3", new(handBits).put(7, 3).b, false},
		{"stored, bad complement", []byte{1, 1, 0, 1, 0, 'x'}, false},
		{"stored, cut", []byte{1, 200, 0, 55, 255, 0}, false},
		{"stored", []byte{1, 1, 0, 0xfe, 0xff, 'x'}, true},
		{"stored, empty", []byte{1, 0, 0, 0xff, 0xff}, true},
		{"fixed, empty", new(handBits).put(1, 1).put(1, 2).put(0, 7).b, true},
		{"fixed, symbol 286", new(handBits).put(1, 1).put(1, 2).put(0b01100011, 8).put(0, 20).b, false},
		{"fixed, match before the start", new(handBits).put(1, 1).put(1, 2).put(0b1000000, 7).put(0, 5).put(0, 7).b, false},
		{"fixed, distance symbol 30", new(handBits).put(1, 1).put(1, 2).put(0b00001100, 8).put(0b1000000, 7).put(0b01111, 5).put(0, 40).b, false},
		{"only end of block, one bit code", new(handBits).dynamic(lits(256, 1), []uint8{0}).put(0, 1).b, true},
		{"only end of block, unassigned bit", new(handBits).dynamic(lits(256, 1), []uint8{0}).put(1, 1).put(0, 8).b, false},
		{"only end of block, two bit code", new(handBits).dynamic(lits(256, 2), []uint8{0}).put(0, 2).b, false},
		{"no literal code", new(handBits).dynamic(lits(), []uint8{1}).put(0, 60).b, false},
		{"no end of block", new(handBits).dynamic(lits(1, 1, 2, 1), []uint8{1}).put(0, 60).b, false},
		{"over-subscribed", new(handBits).dynamic(lits(1, 1, 2, 1, 256, 1), []uint8{1}).put(0, 60).b, false},
		{"over-subscribed, short codes", new(handBits).dynamic(lits(1, 1, 2, 2, 3, 2, 256, 2), []uint8{1}).put(0, 60).b, false},
		{"incomplete", new(handBits).dynamic(lits(1, 1, 256, 2), []uint8{1}).put(0, 60).b, false},
		{"incomplete distance code", new(handBits).dynamic(lits(1, 1, 256, 1), []uint8{2, 2}).put(1, 1).put(0, 60).b, false},
		{"match without distance code", new(handBits).dynamic(lits(1, 2, 256, 2, 257, 1), []uint8{0}).put(0b01, 2).put(0, 1).put(0, 60).b, false},
		{"match by lone distance code", new(handBits).dynamic(lits(1, 2, 256, 2, 257, 1), []uint8{1}).put(0b01, 2).put(0, 1).put(0, 1).put(0b11, 2).b, true},
		{"fifteen bit codes", new(handBits).dynamic(long, []uint8{1, 1}).put(0x3fff, 15).put(0, 1).put(0x7fff, 15).b, true},
		{"287 literal codes", new(handBits).dynamic(lits(256, 1, 286, 1), []uint8{1}).put(0, 60).b, false},
		{"31 distance codes", new(handBits).dynamic(lits(1, 1, 256, 1), make([]uint8, 31)).put(0, 60).b, false},
	} {
		for _, tail := range []int{0, 1, 100} {
			src := append(bytes.Clone(c.src), make([]byte, tail)...)
			out := make([]byte, 1000)
			if _, _, err := d.Inflate(out, src); (err == nil) != c.ok {
				t.Errorf("%s: %v", c.name, err)
			}
			compareInflate(t, &d, src, 1000)
			compareInflate(t, &d, src, 10)
		}
	}
}

func TestInflateAllocatesNothing(t *testing.T) {
	plain := plainSamples()["text"]
	src := stdDeflate(t, plain, 6)
	dst := make([]byte, len(plain))
	var d Decoder
	if n := testing.AllocsPerRun(10, func() {
		if _, _, err := d.Inflate(dst, src); err != nil {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations a call", n)
	}
}

func FuzzInflate(f *testing.F) {
	for _, plain := range plainSamples() {
		plain = plain[:min(len(plain), 2000)]
		for _, level := range []int{-2, 0, 1, 6} {
			f.Add(stdDeflate(f, plain, level), uint32(len(plain)))
			f.Add(stdDeflate(f, plain, level), uint32(winSize+len(plain)))
		}
	}
	var d Decoder
	f.Fuzz(func(t *testing.T, src []byte, size uint32) {
		compareInflate(t, &d, src, int(size%(4*winSize)))
	})
}
