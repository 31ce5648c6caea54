package xz

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// sample is text, noise, runs and repetitions near and far.
func sample(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, 0, n+100_000)
	for len(b) < n {
		k := 1 + rnd.IntN(50_000)
		switch rnd.IntN(5) {
		case 0:
			for range k {
				b = append(b, "the quick brown fox"[rnd.IntN(19)])
			}
		case 1:
			for range k {
				b = append(b, byte(rnd.Uint32()))
			}
		case 2:
			b = append(b, make([]byte, k*5)...)
		case 3:
			if len(b) > 0 {
				from := rnd.IntN(len(b))
				b = append(b, b[from:min(from+k, len(b))]...)
			}
		case 4:
			b = append(b, bytes.Repeat([]byte("abcdefg")[:1+rnd.IntN(7)], k/7)...)
		}
	}
	return b[:n]
}

func pack(t testing.TB, config xz.WriterConfig, plain []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := config.NewWriter(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(plain); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestRead(t *testing.T) {
	for name, config := range map[string]xz.WriterConfig{
		"defaults":       {},
		"small window":   {DictCap: 4096},
		"many blocks":    {BlockSize: 100_000},
		"crc32":          {CheckSum: xz.CRC32},
		"sha256":         {CheckSum: xz.SHA256},
		"no check":       {NoCheckSum: true},
		"no context":     {Properties: &lzma.Properties{LC: 0, LP: 0, PB: 0}},
		"other contexts": {Properties: &lzma.Properties{LC: 1, LP: 3, PB: 4}},
	} {
		t.Run(name, func(t *testing.T) {
			plain := sample(400_000)
			if config.DictCap > 0 {
				plain = sample(5 << 20) // the window must move more than once
			}
			packed := pack(t, config, plain)
			got, err := io.ReadAll(NewReader(bytes.NewReader(packed)))
			if err != nil || !bytes.Equal(got, plain) {
				t.Fatalf("%d bytes, want other %d: %v", len(got), len(plain), err)
			}
			// Streams may follow each other, with zeros between.
			two := append(append(append(bytes.Clone(packed), 0, 0, 0, 0, 0, 0, 0, 0), packed...), 0, 0, 0, 0)
			got, err = io.ReadAll(iotest.OneByteReader(NewReader(iotest.HalfReader(bytes.NewReader(two)))))
			if err != nil || !bytes.Equal(got, append(bytes.Clone(plain), plain...)) {
				t.Fatalf("two streams: %d bytes, %v", len(got), err)
			}
		})
	}
	plain := sample(100)
	for _, n := range []int{0, 1, 2, 100} {
		got, err := io.ReadAll(NewReader(bytes.NewReader(pack(t, xz.WriterConfig{}, plain[:n]))))
		if err != nil || !bytes.Equal(got, plain[:n]) {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

// Every cut and every flipped bit is noticed: all of the file is checked.
func TestDamaged(t *testing.T) {
	packed := pack(t, xz.WriterConfig{BlockSize: 1500, CheckSum: xz.SHA256}, sample(4_000))
	for n := range len(packed) {
		if _, err := io.ReadAll(NewReader(bytes.NewReader(packed[:n]))); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "cut off") {
			t.Fatalf("cut to %d of %d: %v", n, len(packed), err)
		}
	}
	for i := range packed {
		b := bytes.Clone(packed)
		b[i] ^= 1 << (i % 8)
		if _, err := io.ReadAll(NewReader(bytes.NewReader(b))); !errors.Is(err, ondisk.ErrCorrupt) && !errors.Is(err, ondisk.ErrUnsupported) {
			t.Fatalf("bit of byte %d flipped: %v", i, err)
		}
	}
	for name, tail := range map[string][]byte{"three zeros": {0, 0, 0}, "rubbish": []byte("rubbish rubbish")} {
		if _, err := io.ReadAll(NewReader(bytes.NewReader(append(bytes.Clone(packed), tail...)))); !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%s behind the stream: %v", name, err)
		}
	}
}

// A failure of the file's own reader stays what it is.
func TestReadError(t *testing.T) {
	packed := pack(t, xz.WriterConfig{}, sample(20_000))
	bad := errors.New("bad sector")
	_, err := io.ReadAll(NewReader(io.MultiReader(bytes.NewReader(packed[:len(packed)/2]), iotest.ErrReader(bad))))
	if !errors.Is(err, bad) || errors.Is(err, ondisk.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}

// The size of the dictionary is a claim: a small file costs little memory, and
// one that is beyond all use is refused.
func TestDictionary(t *testing.T) {
	r := NewReader(bytes.NewReader(pack(t, xz.WriterConfig{DictCap: 64 << 20}, sample(100_000))))
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Fatal(err)
	}
	if len(r.lz.buf) > 1<<20 {
		t.Errorf("a window of %d bytes for 100,000", len(r.lz.buf))
	}
	for b, want := range map[byte]error{37: ondisk.ErrUnsupported, 40: ondisk.ErrUnsupported, 41: ondisk.ErrCorrupt, 255: ondisk.ErrCorrupt} {
		if _, err := dictSize(b); !errors.Is(err, want) {
			t.Errorf("dictionary %d: %v", b, err)
		}
	}
	if n, err := dictSize(28); n != 64<<20 || err != nil {
		t.Errorf("dictionary 28: %d, %v", n, err)
	}
}

func FuzzReader(f *testing.F) {
	plain := sample(300)
	for _, c := range []xz.WriterConfig{{}, {BlockSize: 100, NoCheckSum: true}, {CheckSum: xz.CRC32, DictCap: 4096}} {
		f.Add(pack(f, c, plain))
	}
	f.Add(pack(f, xz.WriterConfig{}, make([]byte, 10_000)))
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		got, err := io.ReadAll(io.LimitReader(NewReader(bytes.NewReader(b)), limit))
		if err != nil && !errors.Is(err, ondisk.ErrCorrupt) && !errors.Is(err, ondisk.ErrUnsupported) {
			t.Fatal(err)
		}
		if err != nil || len(got) == limit {
			return
		}
		other, err := xz.NewReader(bytes.NewReader(b))
		if err != nil {
			return
		}
		want, err := io.ReadAll(io.LimitReader(other, limit))
		if err == nil && !bytes.Equal(got, want) {
			t.Fatal("another decoder reads other bytes")
		}
	})
}

// FuzzLZMA2 decodes chunks without the checksums around them.
func FuzzLZMA2(f *testing.F) {
	for _, plain := range [][]byte{sample(300), make([]byte, 5000), []byte("x")} {
		var buf bytes.Buffer
		w, err := lzma.NewWriter2(&buf)
		if err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write(plain); err != nil {
			f.Fatal(err)
		}
		if err := w.Close(); err != nil {
			f.Fatal(err)
		}
		f.Add(buf.Bytes())
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		r := NewReader(bytes.NewReader(b))
		const dict = 1 << 20
		r.lz.reset(dict)
		var got []byte
		for r.lz.active && len(got) < 1<<20 {
			out, err := r.lz.chunk(r.in)
			r.lz.take(len(out))
			if err != nil {
				if !errors.Is(err, ondisk.ErrCorrupt) {
					t.Fatal(err)
				}
				return
			}
			got = append(got, out...)
		}
		other, err := lzma.Reader2Config{DictCap: dict}.NewReader2(bytes.NewReader(b))
		if err != nil {
			return
		}
		want, err := io.ReadAll(io.LimitReader(other, int64(len(got))))
		if err == nil && !bytes.Equal(got, want) {
			t.Fatal("another decoder reads other bytes")
		}
	})
}

func BenchmarkReader(b *testing.B) {
	plain := sample(8 << 20)
	packed := pack(b, xz.WriterConfig{}, plain)
	for name, open := range map[string]func(io.Reader) (io.Reader, error){
		"wslimg":    func(r io.Reader) (io.Reader, error) { return NewReader(r), nil },
		"ulikunitz": func(r io.Reader) (io.Reader, error) { return xz.NewReader(r) },
	} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(plain)))
			for b.Loop() {
				r, err := open(bytes.NewReader(packed))
				if err != nil {
					b.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
