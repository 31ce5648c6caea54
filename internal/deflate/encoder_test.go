package deflate

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
)

// decodeBoth fails unless our inflater and compress/flate make want of stream.
func decodeBoth(t *testing.T, stream, want []byte) {
	t.Helper()
	got, used, err := stdInflate(stream, len(want))
	if err != nil || !bytes.Equal(got, want) {
		t.Fatalf("compress/flate: %v, equal: %v", err, bytes.Equal(got, want))
	}
	if used != len(stream) {
		t.Fatalf("stream of %d bytes ends after %d", len(stream), used)
	}
	var d Decoder
	own := make([]byte, len(want))
	if n, _, err := d.Inflate(own, stream); err != nil || !bytes.Equal(own[:n], want) {
		t.Fatalf("own inflater: %v, equal: %v", err, bytes.Equal(own[:n], want))
	}
}

func TestEncode(t *testing.T) {
	for level := LevelFast; level <= LevelSmall; level++ {
		e := NewEncoder(level)
		var stream, all []byte
		for name, plain := range plainSamples() {
			piece := e.Encode(nil, plain)
			decodeBoth(t, append(bytes.Clone(piece), Final...), plain)
			stream = append(stream, piece...)
			all = append(all, plain...)
			for n := range min(len(plain), 20) {
				decodeBoth(t, append(e.Encode(nil, plain[:n]), Final...), plain[:n])
			}
			if t.Failed() {
				t.Fatal(name, level)
			}
		}
		decodeBoth(t, append(stream, Final...), all)
	}
}

// segmented encodes a piece made of parts of every kind, drawn by rng from
// plain, and checks that it decodes. The output must not depend on what e did
// before.
func segmented(t *testing.T, e *Encoder, d *Decoder, rng *rand.Rand, plain []byte, deflate func([]byte) []byte) {
	t.Helper()
	var piece []byte
	type call func()
	var calls []call
	for range 1 + rng.IntN(6) {
		from := rng.IntN(len(plain) + 1)
		src := plain[from:][:rng.IntN(len(plain)-from+1)]
		switch rng.IntN(3) {
		case 0:
			piece = append(piece, src...)
		case 1:
			stored := deflate(src)
			out := make([]byte, len(src))
			if _, _, err := d.Inflate(out, stored); err != nil {
				t.Fatal(err)
			}
			at, s := len(piece), d.Stream()
			calls = append(calls, func() { e.Splice(at, len(src), stored, s) })
			piece = append(piece, out...)
		default:
			if _, _, err := d.InflateTokens(make([]byte, len(src)), deflate(src)); err != nil {
				t.Fatal(err)
			}
			tokens := slices.Clone(d.Tokens())
			var ranges []Range
			for off := 0; off < len(src); {
				off += rng.IntN(len(src) - off + 1)
				n := rng.IntN(len(src) - off + 1)
				ranges = append(ranges, Range{off, n, len(piece)})
				piece = append(piece, src[off:off+n]...)
				off += n
				if rng.IntN(2) == 0 {
					piece = append(piece, plain[:rng.IntN(min(len(plain), 600)+1)]...)
				}
				if rng.IntN(3) == 0 {
					break
				}
			}
			calls = append(calls, func() { e.Reuse(tokens, ranges...) })
		}
	}
	for _, c := range calls {
		c()
	}
	out := e.Encode([]byte("before"), piece)
	got, ok := bytes.CutPrefix(out, []byte("before"))
	if !ok {
		t.Fatal("Encode does not append")
	}
	decodeBoth(t, append(bytes.Clone(got), Final...), piece)
	e = NewEncoder(e.level)
	for _, c := range calls {
		c()
	}
	if again := e.Encode(nil, piece); !bytes.Equal(again, got) {
		t.Fatal("a new Encoder's output differs")
	}
}

func TestEncodeParts(t *testing.T) {
	samples := plainSamples()
	var d Decoder
	for level := LevelFast; level <= LevelSmall; level++ {
		e := NewEncoder(level)
		for seed := range uint64(12) {
			rng := rand.New(rand.NewPCG(seed, 7))
			for _, name := range []string{"zeros", "random", "text", "skew", "runs", "one"} {
				segmented(t, e, &d, rng, samples[name], func(p []byte) []byte {
					return stdDeflate(t, p, 1+rng.IntN(9))
				})
			}
		}
	}
}

// Tokens that are not those of the bytes must not do harm.
func TestReuseWrongTokens(t *testing.T) {
	e := NewEncoder(LevelFast)
	plain := plainSamples()["text"][:5000]
	for _, tokens := range [][]Token{
		nil,
		{makeToken(1000, 258, 900), makeToken(0, 258, 32768), makeToken(9000, 3, 1)},
		{makeToken(0, 258, 1)},
		{makeToken(0, 3, 32768)},
	} {
		e.Reuse(tokens, Range{0, 2000, 100}, Range{2500, 1000, 3000})
		e.Reuse(tokens, Range{0, 5000, 4000}, Range{0, 10, -1}) // leave the piece
		decodeBoth(t, append(e.Encode(nil, plain), Final...), plain)
	}
}

func FuzzEncode(f *testing.F) {
	for _, plain := range plainSamples() {
		f.Add(plain[:min(len(plain), 1000)], uint64(1), uint8(0))
	}
	var d Decoder
	encoders := []*Encoder{NewEncoder(LevelFast), NewEncoder(LevelDefault), NewEncoder(LevelSmall)}
	own := NewEncoder(LevelDefault)
	f.Fuzz(func(t *testing.T, plain []byte, seed uint64, level uint8) {
		e := encoders[int(level)%len(encoders)]
		decodeBoth(t, append(e.Encode(nil, plain), Final...), plain)
		segmented(t, e, &d, rand.New(rand.NewPCG(seed, 1)), plain, func(p []byte) []byte {
			return append(own.Encode(nil, p), Final...)
		})
	})
}

// Gaps far apart leave stretches of the piece that no matcher has seen; neither
// those nor what an Encoder did before may show.
func TestEncodeFarGaps(t *testing.T) {
	text := plainSamples()["text"]
	rng := rand.New(rand.NewPCG(12, 13))
	var d Decoder
	for level := LevelFast; level <= LevelSmall; level++ {
		used := NewEncoder(level)
		for range 12 {
			var plain []byte
			var calls []func(e *Encoder)
			for len(plain) < 600_000 {
				gap := rng.IntN(20_000)
				plain = append(plain, text[rng.IntN(len(text)-gap):][:gap]...)
				part := text[rng.IntN(len(text)/2):][:rng.IntN(90_000)]
				stored := stdDeflate(t, part, 1)
				if _, _, err := d.Inflate(make([]byte, len(part)), stored); err != nil {
					t.Fatal(err)
				}
				at, s := len(plain), d.Stream()
				calls = append(calls, func(e *Encoder) { e.Splice(at, len(part), stored, s) })
				plain = append(plain, part...)
			}
			encode := func(e *Encoder) []byte {
				for _, c := range calls {
					c(e)
				}
				return e.Encode(nil, plain)
			}
			got := encode(used)
			if !bytes.Equal(got, encode(NewEncoder(level))) {
				t.Fatalf("level %d: the output depends on what was encoded before", level)
			}
			decodeBoth(t, append(got, Final...), plain)
		}
	}
}
