package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"testing"

	kflate "github.com/klauspost/compress/flate"
)

const clusterSize = 65536

// A benchCluster is a cluster's plain bytes and how qcow2 stores them.
type benchCluster struct{ plain, stored []byte }

// benchClusters are the compressed clusters of the qcow2 image that
// WSLIMG_BENCH_QCOW2 names; without it Go's own tools and sources, cut into
// clusters and compressed with a window of 4 KiB as qemu does.
var benchClusters = sync.OnceValues(func() ([]benchCluster, error) {
	if name := os.Getenv("WSLIMG_BENCH_QCOW2"); name != "" {
		return qcow2Clusters(name)
	}
	plain, err := benchPlain(16 << 20)
	if err != nil {
		return nil, err
	}
	var all []benchCluster
	for len(plain) >= clusterSize {
		var b bytes.Buffer
		w, err := kflate.NewWriterWindow(&b, 4096)
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(plain[:clusterSize]); err != nil {
			return nil, err
		}
		if err := w.Close(); err != nil {
			return nil, err
		}
		// qcow2 counts 512-byte sectors.
		b.Write(make([]byte, 511&-b.Len()))
		all = append(all, benchCluster{plain[:clusterSize], b.Bytes()})
		plain = plain[clusterSize:]
	}
	return all, nil
})

// benchPlain is the file that WSLIMG_BENCH_PLAIN names, or n bytes of Go's
// tools and sources.
func benchPlain(n int) ([]byte, error) {
	if name := os.Getenv("WSLIMG_BENCH_PLAIN"); name != "" {
		return os.ReadFile(name)
	}
	var tools, sources []byte
	root := runtime.GOROOT()
	read := func(to *[]byte, limit int) fs.WalkDirFunc {
		return func(path string, e fs.DirEntry, err error) error {
			if err != nil || !e.Type().IsRegular() {
				return err
			}
			b, err := os.ReadFile(path)
			*to = append(*to, b...)
			if len(*to) > limit {
				*to = (*to)[:limit]
				return filepath.SkipAll
			}
			return err
		}
	}
	if err := filepath.WalkDir(filepath.Join(root, "pkg", "tool"), read(&tools, n/2)); err != nil {
		return nil, err
	}
	err := filepath.WalkDir(filepath.Join(root, "src"), read(&sources, n/2))
	return append(tools, sources...), err
}

// qcow2Clusters reads the compressed clusters of up to 128 MiB of an image, by
// the tables of docs/interop/qcow2.txt, for benchmarks only.
func qcow2Clusters(name string) ([]benchCluster, error) {
	img, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	be := binary.BigEndian
	shift := 62 - (uint(be.Uint32(img[20:])) - 8)
	l1, l1n := be.Uint64(img[40:]), be.Uint32(img[36:])
	const offMask = 1<<56 - 1<<9
	var d Decoder
	var all []benchCluster
	for i := range uint64(l1n) {
		l2 := be.Uint64(img[l1+8*i:]) & offMask
		if l2 == 0 {
			continue
		}
		for k := range uint64(clusterSize / 8) {
			e := be.Uint64(img[l2+8*k:])
			if e>>62&1 == 0 {
				continue
			}
			off := e & (1<<shift - 1)
			end := off&^511 + (e>>shift&(1<<(62-shift)-1)+1)*512
			plain := make([]byte, clusterSize)
			stored := img[off:min(end, uint64(len(img)))]
			if n, _, err := d.Inflate(plain, stored); n != clusterSize || err != nil {
				return nil, err
			}
			if all = append(all, benchCluster{plain, stored}); len(all) == 128<<20/clusterSize {
				return all, nil
			}
		}
	}
	return all, nil
}

func clusters(b *testing.B) []benchCluster {
	all, err := benchClusters()
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(all) * clusterSize))
	b.ResetTimer()
	return all
}

// BenchmarkInflate decodes all clusters once per operation.
func BenchmarkInflate(b *testing.B) {
	dst := make([]byte, clusterSize)
	own := func(inflate func(d *Decoder, dst, src []byte) (int, int, error)) func(b *testing.B) {
		return func(b *testing.B) {
			var d Decoder
			all := clusters(b)
			for b.Loop() {
				for _, c := range all {
					if n, _, err := inflate(&d, dst, c.stored); n != clusterSize || err != nil {
						b.Fatal(n, err)
					}
				}
			}
		}
	}
	reader := func(r io.Reader, reset func(io.Reader) error) func(b *testing.B) {
		return func(b *testing.B) {
			src := new(bytes.Reader)
			all := clusters(b)
			for b.Loop() {
				for _, c := range all {
					src.Reset(c.stored)
					if err := reset(src); err != nil {
						b.Fatal(err)
					}
					if _, err := io.ReadFull(r, dst); err != nil {
						b.Fatal(err)
					}
				}
			}
		}
	}
	std := stdflate.NewReader(nil)
	kp := kflate.NewReader(nil)
	b.Run("own", own((*Decoder).Inflate))
	b.Run("own-tokens", own((*Decoder).InflateTokens))
	b.Run("klauspost", reader(kp, func(r io.Reader) error { return kp.(kflate.Resetter).Reset(r, nil) }))
	b.Run("std", reader(std, func(r io.Reader) error { return std.(stdflate.Resetter).Reset(r, nil) }))
}

// BenchmarkEncode compresses, in independent pieces of 1 MiB, the file that
// WSLIMG_BENCH_PLAIN names, or Go's tools and sources. It reports the size as
// a share of the input.
func BenchmarkEncode(b *testing.B) {
	const piece = 1 << 20
	run := func(name string, encode func(p []byte) int) {
		b.Run(name, func(b *testing.B) {
			plain, err := benchPlain(16 << 20)
			if err != nil {
				b.Fatal(err)
			}
			b.SetBytes(int64(len(plain)))
			size := 0
			for b.Loop() {
				size = 0
				for at := 0; at < len(plain); at += piece {
					size += encode(plain[at:min(at+piece, len(plain))])
				}
			}
			b.ReportMetric(100*float64(size)/float64(len(plain)), "size%")
		})
	}
	for _, l := range []struct {
		name  string
		level Level
	}{{"fast", LevelFast}, {"default", LevelDefault}, {"small", LevelSmall}} {
		e := NewEncoder(l.level)
		var out []byte
		run(l.name, func(p []byte) int {
			out = e.Encode(out[:0], p)
			return len(out)
		})
	}
	var out bytes.Buffer
	for _, level := range []int{1, 5, 6} {
		w, err := kflate.NewWriter(io.Discard, level)
		if err != nil {
			b.Fatal(err)
		}
		run(fmt.Sprintf("klauspost-%d", level), func(p []byte) int {
			out.Reset()
			w.Reset(&out)
			w.Write(p)
			w.Close()
			return out.Len()
		})
	}
	for _, level := range []int{1, 6} {
		w, err := stdflate.NewWriter(io.Discard, level)
		if err != nil {
			b.Fatal(err)
		}
		run(fmt.Sprintf("std-%d", level), func(p []byte) int {
			out.Reset()
			w.Reset(&out)
			w.Write(p)
			w.Close()
			return out.Len()
		})
	}
}

// BenchmarkReuse makes one piece of each cluster from its own tokens.
func BenchmarkReuse(b *testing.B) {
	var d Decoder
	e := NewEncoder(LevelFast)
	var out []byte
	dst := make([]byte, clusterSize)
	all := clusters(b)
	size := 0
	for b.Loop() {
		size = 0
		for _, c := range all {
			if _, _, err := d.InflateTokens(dst, c.stored); err != nil {
				b.Fatal(err)
			}
			e.Reuse(d.Tokens(), Range{0, clusterSize, 0})
			out = e.Encode(out[:0], dst)
			size += len(out)
		}
	}
	b.ReportMetric(100*float64(size)/float64(len(all)*clusterSize), "size%")
}
