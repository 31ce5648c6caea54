package ext4

import (
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// metadata reads all that a conversion needs to know before it reads data.
func metadata(b testing.TB, dev blockdev.Device) (inodes int) {
	fs, err := Open(dev, Options{})
	if err != nil {
		b.Fatal(err)
	}
	seen := map[fsys.Ino]bool{}
	queue := []fsys.Ino{fs.Root()}
	for len(queue) > 0 {
		dir := queue[len(queue)-1]
		queue = queue[:len(queue)-1]
		for d, err := range fs.ReadDir(dir) {
			if err != nil {
				b.Fatal(err)
			}
			if seen[d.Ino] {
				continue
			}
			seen[d.Ino] = true
			n, err := fs.Inode(d.Ino)
			if err != nil {
				b.Fatal(err)
			}
			switch {
			case n.IsDir():
				queue = append(queue, d.Ino)
			case n.IsRegular():
				if _, err := fs.Layout(d.Ino); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	return len(seen)
}

func BenchmarkMetadata(b *testing.B) {
	for _, name := range []string{"ext2", "ext4", "inline", "dirty"} {
		dev := fsystest.NewPatched(golden(b, name))
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			inodes := 0
			for b.Loop() {
				inodes += metadata(b, dev)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(inodes), "ns/inode")
		})
	}
}

func BenchmarkInode(b *testing.B) {
	fs, err := Open(fsystest.NewPatched(golden(b, "ext4")), Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := fs.Inode(rootIno); err != nil {
			b.Fatal(err)
		}
	}
}
