//go:build oracle && linux

package deflate

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"hash/crc32"
	"io"
	"math/rand/v2"
	"os/exec"
	"testing"

	kgzip "github.com/klauspost/compress/gzip"
)

// gzipOf makes one gzip member of pieces.
func gzipOf(t *testing.T, pieces [][]byte, plain []byte) []byte {
	t.Helper()
	out := []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}
	for _, p := range pieces {
		out = append(out, p...)
	}
	out = append(out, Final...)
	out = binary.LittleEndian.AppendUint32(out, crc32.ChecksumIEEE(plain))
	return binary.LittleEndian.AppendUint32(out, uint32(len(plain)))
}

// Every decoder that an archive may meet must make the same bytes of pieces
// with searched, spliced and reused parts.
func TestDecodersAgree(t *testing.T) {
	var file []byte
	for _, name := range []string{"text", "random", "zeros", "skew", "runs"} {
		file = append(file, plainSamples()[name]...)
	}
	var tarball bytes.Buffer
	w := tar.NewWriter(&tarball)
	if err := w.WriteHeader(&tar.Header{Name: "file", Mode: 0o644, Size: int64(len(file))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(file); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	plain := tarball.Bytes()

	for level := LevelFast; level <= LevelSmall; level++ {
		e := NewEncoder(level)
		var d Decoder
		var pieces [][]byte
		rng := rand.New(rand.NewPCG(uint64(level), 3))
		for rest := plain; len(rest) > 0; {
			n := min(len(rest), 1+rng.IntN(200_000))
			piece := rest[:n]
			rest = rest[n:]
			for at := 0; at < n; {
				k := min(n-at, 1+rng.IntN(40_000))
				src := stdDeflate(t, piece[at:at+k], 1+rng.IntN(9))
				if _, _, err := d.InflateTokens(make([]byte, k), src); err != nil {
					t.Fatal(err)
				}
				switch rng.IntN(3) {
				case 0:
					e.Splice(at, k, src, d.Stream())
				case 1:
					from := rng.IntN(k)
					e.Reuse(d.Tokens(), Range{from, k - from, at + from})
				}
				at += k
			}
			pieces = append(pieces, e.Encode(nil, piece))
		}
		gz := gzipOf(t, pieces, plain)

		for _, args := range [][]string{
			{"gzip", "-dc"},
			{"pigz", "-dc"},
			{"libdeflate-gzip", "-dc"},
			{"igzip", "-dc"},
			{"zcat"},
			{"bsdcat"},
			{"python3", "-c", "import gzip,sys; sys.stdout.buffer.write(gzip.decompress(sys.stdin.buffer.read()))"},
			{"bsdtar", "-xOf", "-", "file"},
			{"tar", "-xzOf", "-", "file"},
		} {
			want := plain
			if args[len(args)-1] == "file" {
				want = file
			}
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Stdin = bytes.NewReader(gz)
			var msg bytes.Buffer
			cmd.Stderr = &msg
			got, err := cmd.Output()
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: %v, equal: %v: %s", args[0], err, bytes.Equal(got, want), &msg)
			}
		}
		for name, open := range map[string]func(io.Reader) (io.Reader, error){
			"compress/gzip": func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
			"klauspost":     func(r io.Reader) (io.Reader, error) { return kgzip.NewReader(r) },
		} {
			r, err := open(bytes.NewReader(gz))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%s: %v, equal: %v", name, err, bytes.Equal(got, plain))
			}
		}
	}
}
