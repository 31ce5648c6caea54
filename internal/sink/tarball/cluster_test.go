package tarball

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// clusterDevice is a device of compressed clusters.
type clusterDevice struct {
	memDevice
	size    int64
	storage blockdev.Storage
	stored  [][]byte // by cluster
}

func newClusterDevice(t testing.TB, plain memDevice, size int64, s blockdev.Storage) *clusterDevice {
	d := &clusterDevice{memDevice: plain, size: size, storage: s}
	enc, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < plain.Size(); off += size {
		c := plain[off : off+size]
		var out []byte
		switch s {
		case blockdev.Raw:
			out = c
		case blockdev.Zstd:
			out = enc.EncodeAll(c, nil)
		case blockdev.Deflate:
			var b bytes.Buffer
			w, _ := flate.NewWriter(&b, 6)
			_, _ = w.Write(c)
			_ = w.Close()
			out = append(b.Bytes(), "behind the stream"...)
		}
		d.stored = append(d.stored, out)
	}
	return d
}

func (d *clusterDevice) Cluster(off int64) (blockdev.Cluster, error) {
	if off < 0 || off >= d.Size() {
		return blockdev.Cluster{}, fmt.Errorf("cluster at %d of %d", off, d.Size())
	}
	i := off / d.size
	return blockdev.Cluster{Off: i * d.size, Len: d.size, Storage: d.storage, Ref: uint64(i), RefLen: int64(len(d.stored[i]))}, nil
}

func (d *clusterDevice) ReadStored(c blockdev.Cluster, buf []byte) ([]byte, error) {
	return append(buf[:0], d.stored[c.Ref]...), nil
}

// clusterTree spreads files over a device: some of whole clusters, some of parts.
func clusterTree(t testing.TB, dev blockdev.Device, size int64) *tree.Tree {
	r := rand.New(rand.NewPCG(uint64(size), 5))
	tr := newTree()
	for i, off := 0, int64(0); off < dev.Size(); i++ {
		n := 1 + r.Int64N(size/2)
		if i%3 == 0 {
			n = size * (1 + r.Int64N(4))
			off = (off + size - 1) / size * size
		}
		if off >= dev.Size() {
			break
		}
		n = min(n, dev.Size()-off)
		put(t, tr, fmt.Sprintf("/%d", i), &tree.Node{Mode: fsys.ModeRegular,
			Content: &tree.Content{Size: n, Dev: dev, Runs: []fsys.Run{{Len: n, Phys: off}}}})
		off += n
	}
	return tr
}

// textDevice holds text of which deflate leaves about half.
func textDevice(n int) memDevice {
	r := rand.New(rand.NewPCG(3, 4))
	var b bytes.Buffer
	for b.Len() < n {
		fmt.Fprintf(&b, "%d %x the quick brown fox %x\n", r.Uint32N(1000), r.Uint64(), r.Uint64())
	}
	return b.Bytes()[:n]
}

func TestStoredClustersAreReused(t *testing.T) {
	plain := textDevice(4 << 20)
	for _, size := range []int64{65536, 2 << 20} {
		for format, storage := range map[Format]blockdev.Storage{Zstd: blockdev.Zstd, Gzip: blockdev.Deflate} {
			dev := newClusterDevice(t, plain, size, storage)
			tr := clusterTree(t, dev, size)
			for _, c := range []Compression{Fast, Default, Small} {
				out, _ := write(t, tr, Options{Format: format, Compression: c})
				checkTar(t, tr, tree.Disk, plainOf(t, format, out))
				reused := 0
				for _, s := range dev.stored {
					if bytes.Contains(out, s[1:len(s)/2]) {
						reused++
					}
				}
				if c == Small && reused > 0 {
					t.Errorf("%d-byte clusters, %v: %d reused for an output that must not depend on them", size, storage, reused)
				}
				if c != Small && reused < len(dev.stored)/4 {
					t.Errorf("%d-byte clusters, %v: %d of %d reused", size, storage, reused, len(dev.stored))
				}
			}
		}
	}
}

func TestDamagedClustersAreNotCopied(t *testing.T) {
	plain := textDevice(1 << 20)
	for format, storage := range map[Format]blockdev.Storage{Zstd: blockdev.Zstd, Gzip: blockdev.Deflate} {
		dev := newClusterDevice(t, plain, 65536, storage)
		other := newClusterDevice(t, plain[:65536-512], 65536-512, storage)
		for i, s := range dev.stored {
			switch i % 5 {
			case 0: // cut short
				dev.stored[i] = s[:len(s)/2]
			case 1: // too short when decoded
				dev.stored[i] = other.stored[0]
			case 2: // too long when decoded
				dev.stored[i] = append(bytes.Clone(s), s...)
			case 3:
				dev.stored[i] = nil
			}
		}
		tr := clusterTree(t, dev, 65536)
		for _, c := range []Compression{Fast, Default} {
			out, _ := write(t, tr, Options{Format: format, Compression: c})
			checkTar(t, tr, tree.Disk, plainOf(t, format, out)) // by way of ReadAt, which is right here
		}
	}
}

// TestCuts checks that tasks are bounded and no cluster of one file is torn.
func TestCuts(t *testing.T) {
	plain := textDevice(8 << 20)
	for _, size := range []int64{512, 65536, 1 << 20, 2 << 20} {
		dev := newClusterDevice(t, plain, size, blockdev.Raw)
		var tasks []*task
		p := planner{cutter: cutter{atClusters: true}, stats: newTally()}
		err := p.run(clusterTree(t, dev, size).Items(tree.Disk), func() (*task, error) {
			tasks = append(tasks, &task{})
			return tasks[len(tasks)-1], nil
		})
		if err != nil {
			t.Fatal(err)
		}
		for i, k := range tasks {
			sum := 0
			for j, pc := range k.pieces {
				if sum += pc.n; pc.n == 0 {
					t.Fatalf("%d-byte clusters: task %d has an empty piece", size, i)
				}
				if end := pc.phys + int64(pc.n); pc.dev != nil && j == len(k.pieces)-1 && i < len(tasks)-1 {
					next := tasks[i+1].pieces[0]
					if next.dev != nil && next.phys == end && end%size != 0 {
						t.Errorf("%d-byte clusters: task %d ends inside a cluster, at %#x", size, i, end)
					}
				}
			}
			if sum != k.size || sum > maxTask || sum == 0 {
				t.Errorf("%d-byte clusters: task %d has %d bytes and says %d, at most %d", size, i, sum, k.size, maxTask)
			}
		}
	}
}

// The bytes of a plain tar and of Small tell nothing of the container.
func TestBytesDoNotDependOnTheContainer(t *testing.T) {
	plain := textDevice(2 << 20)
	for _, o := range []Options{{Format: Tar}, {Format: Gzip, Compression: Small}, {Format: Zstd, Compression: Small}} {
		want, _ := write(t, clusterTree(t, plain, 65536), o)
		for size, s := range map[int64]blockdev.Storage{512: blockdev.Raw, 65536: blockdev.Deflate, 1 << 20: blockdev.Zstd} {
			dev := newClusterDevice(t, plain, size, s)
			if got, _ := write(t, clusterTree(t, dev, 65536), o); !bytes.Equal(got, want) {
				t.Errorf("%+v: %d-byte clusters of storage %d give other bytes", o, size, s)
			}
		}
	}
}
