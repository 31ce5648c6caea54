package tarball

import (
	"io"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/sink"
	"github.com/wslimg/wslimg/internal/tree"
)

// BenchmarkWrite writes a tree whose content lies on a device of 64 KiB
// clusters, stored in the format's own coding. Bytes are those of the plain tar.
func BenchmarkWrite(b *testing.B) {
	plain := textDevice(16 << 20)
	for _, c := range []struct {
		name    string
		o       Options
		storage blockdev.Storage
	}{
		{"tar", Options{}, blockdev.Raw},
		{"gzip-fast", Options{Format: Gzip, Compression: Fast}, blockdev.Deflate},
		{"gzip-default", Options{Format: Gzip}, blockdev.Deflate},
		{"gzip-small", Options{Format: Gzip, Compression: Small}, blockdev.Deflate},
		{"zstd-default", Options{Format: Zstd}, blockdev.Zstd},
	} {
		b.Run(c.name, func(b *testing.B) {
			tr := clusterTree(b, newClusterDevice(b, plain, 65536, c.storage), 65536)
			c.o.Jobs = 1
			s, err := New(io.Discard, c.o)
			if err != nil {
				b.Fatal(err)
			}
			var stats sink.Stats
			b.ReportAllocs()
			for b.Loop() {
				if stats, err = s.Write(b.Context(), tr, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.SetBytes(stats.Plain)
		})
	}
}

// BenchmarkPlan lays out a tree of many small files: headers, cuts, order.
func BenchmarkPlan(b *testing.B) {
	plain := textDevice(1 << 20)
	tr := newTree()
	for i := range 20_000 {
		put(b, tr, "/"+string(rune('a'+i%26))+string(rune(0x1000+i)), &tree.Node{Mode: 0o100644, Content: &tree.Content{
			Size: 40, Dev: plain, Runs: []fsys.Run{{Len: 40, Phys: int64(i)}}}, Mtime: tr.Root.Mtime})
	}
	b.ReportAllocs()
	for b.Loop() {
		t := &task{}
		p := planner{stats: newTally()}
		if err := p.run(tr.Items(tree.Disk), func() (*task, error) { t.reset(); return t, nil }); err != nil {
			b.Fatal(err)
		}
	}
}
