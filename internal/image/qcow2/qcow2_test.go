package qcow2

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
)

func noise(seed uint64, n int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 1))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func text(seed uint64, n int) []byte {
	rnd := rand.New(rand.NewPCG(seed, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = "etaoin shrdlu"[rnd.IntN(13)]
	}
	return b
}

// mixed is an image with clusters of every kind, a last one that is cut, and
// more clusters than one L2 table holds if clusters are small.
func mixed(t testing.TB, b *builder) *builder {
	t.Helper()
	cs := int(b.clusterSize())
	last := b.clusters() - 1
	b.plain(0, noise(1, cs))
	b.plain(1, noise(2, cs))
	b.compressed(t, 3, text(3, cs))
	b.compressed(t, 4, text(4, cs))
	if b.version == 3 {
		b.zero(5)
		b.zeroAllocated(6)
	}
	b.plain(8, noise(5, cs))
	if b.entrySize() == 16 {
		b.subclusters(7, noise(6, cs), 0x8000_f00f, 0x0ff0_0f00)
	}
	b.compressed(t, last-1, text(7, cs))
	b.plain(last, noise(8, cs))
	return b.finish()
}

func kinds(t testing.TB) map[string]*builder {
	t.Helper()
	m := make(map[string]*builder)
	for _, bits := range []uint{9, 12, 16} {
		size := int64(100)<<bits + 512
		m[fmt.Sprintf("v2/%d", bits)] = mixed(t, newBuilder(2, bits, size-512+100))
		m[fmt.Sprintf("v3/%d", bits)] = mixed(t, newBuilder(3, bits, size))
		z := newBuilder(3, bits, size)
		z.compression = compressionZstd
		m[fmt.Sprintf("zstd/%d", bits)] = mixed(t, z)
	}
	m["extended"] = mixed(t, newBuilder(3, 14, 30<<14+512).extended())
	return m
}

func open(t testing.TB, b *builder) *Image {
	t.Helper()
	m, err := Open(b.device(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// readAll reads a device by chunks.
func readAll(dev blockdev.Device, chunk int) ([]byte, error) {
	b := make([]byte, dev.Size())
	for off := 0; off < len(b); off += chunk {
		p := b[off:min(off+chunk, len(b))]
		if n, err := dev.ReadAt(p, int64(off)); n < len(p) {
			return b, fmt.Errorf("read %d at %#x: %d, %w", len(p), off, n, err)
		}
	}
	return b, nil
}

func TestRead(t *testing.T) {
	for name, b := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			m := open(t, b)
			fork := blockdev.Fork(m)
			for _, chunk := range []int{1 << 20, int(b.clusterSize()), 1000, 3*int(b.clusterSize()) - 7} {
				for what, dev := range map[string]blockdev.Device{"image": m, "view": fork} {
					got, err := readAll(dev, chunk)
					if err != nil {
						t.Fatalf("%s by %d: %v", what, chunk, err)
					}
					if !bytes.Equal(got, b.want) {
						t.Fatalf("%s by %d: other bytes", what, chunk)
					}
				}
			}
			if err := blockdev.Release(m, fork); err != nil {
				t.Error(err)
			}
			p := make([]byte, 100)
			if n, err := m.ReadAt(p, m.Size()-10); n != 10 || err != io.EOF {
				t.Errorf("read over the end: %d, %v", n, err)
			}
			if n, err := m.ReadAt(p, m.Size()); n != 0 || err != io.EOF {
				t.Errorf("read behind the end: %d, %v", n, err)
			}
			if _, err := m.ReadAt(p, -1); err == nil {
				t.Error("a negative offset was read")
			}
		})
	}
}

func TestConcurrent(t *testing.T) {
	b := mixed(t, newBuilder(3, 12, 300<<12))
	m := open(t, b)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			dev := blockdev.Device(m)
			if w%2 == 0 {
				dev = m.Fork()
			}
			rnd := rand.New(rand.NewPCG(uint64(w), 9))
			p := make([]byte, 9000)
			for range 300 {
				off := rnd.IntN(len(b.want) - len(p))
				if _, err := dev.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, b.want[off:][:len(p)]) {
					t.Errorf("read at %#x: %v", off, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// Extents and clusters cover the disk, and tell the truth about its bytes.
func TestMapping(t *testing.T) {
	for name, b := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			m := open(t, b)
			zeros := int64(0)
			for off := int64(0); off < m.Size(); {
				e, err := m.NextExtent(off)
				if err != nil || e.Off != off || e.Len <= 0 || e.Len > m.Size()-off {
					t.Fatalf("extent at %#x: %+v, %v", off, e, err)
				}
				if e.Zero {
					zeros += e.Len
					if !bytes.Equal(b.want[off:][:e.Len], make([]byte, e.Len)) {
						t.Errorf("extent %+v is not zero", e)
					}
				}
				off += e.Len
			}
			if want := 15 * b.clusterSize(); zeros < want {
				t.Errorf("only %d bytes are zero, want %d", zeros, want)
			}
			kinds := map[blockdev.Storage]int{}
			for off := int64(0); off < m.Size(); {
				c, err := m.Cluster(off)
				if err != nil || c.Off > off || c.Off+c.Len <= off {
					t.Fatalf("cluster at %#x: %+v, %v", off, c, err)
				}
				kinds[c.Storage]++
				plain, err := m.ReadStored(c, nil)
				if err != nil || int64(len(plain)) > c.RefLen {
					t.Fatalf("stored bytes of %+v: %d, %v", c, len(plain), err)
				}
				switch c.Storage {
				case blockdev.Zero:
					plain = make([]byte, c.Len)
				case blockdev.Deflate, blockdev.Zstd:
					v := m.Fork().(*view)
					v.stored, plain = plain, make([]byte, c.Len)
					if err := v.decode(plain); err != nil {
						t.Fatalf("cluster %+v: %v", c, err)
					}
				}
				end := min(c.Off+c.Len, m.Size())
				if !bytes.Equal(plain[:end-c.Off], b.want[c.Off:end]) {
					t.Errorf("cluster %+v: other bytes", c)
				}
				off = c.Off + c.Len
			}
			if kinds[blockdev.Zero] == 0 || kinds[blockdev.Raw] < 3 || kinds[blockdev.Deflate]+kinds[blockdev.Zstd] != 3 {
				t.Errorf("clusters of each kind: %v", kinds)
			}
		})
	}
}

// The stored bytes of a zstd cluster are its frames alone, however many and
// whether or not they tell their size.
func TestZstdFrames(t *testing.T) {
	b := newBuilder(3, 12, 4<<12)
	b.compression = compressionZstd
	content := text(1, 4096)
	unsized := func(p []byte) []byte { // a frame that does not tell its size
		f := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0x50} // window of 1 MiB
		f = append(f, byte(len(p)<<3|1), byte(len(p)>>5), byte(len(p)>>13))
		return append(f, p...)
	}
	frames := append(zstdFrame(t, content[:1000]), 0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'a', 'b', 'c')
	frames = append(frames, unsized(content[1000:3000])...)
	frames = append(frames, zstdFrame(t, content[3000:])...)
	b.stored(1, append(frames, make([]byte, 300)...))
	b.expect(1, content)
	m := open(t, b.finish())
	got, err := readAll(m, 1<<20)
	if err != nil || !bytes.Equal(got, b.want) {
		t.Fatalf("other bytes, %v", err)
	}
	c, err := m.Cluster(4096)
	if err != nil {
		t.Fatal(err)
	}
	stored, err := m.ReadStored(c, nil)
	if err != nil || !bytes.Equal(stored, frames) {
		t.Errorf("%d stored bytes, want the %d of the frames: %v", len(stored), len(frames), err)
	}
}

// sections is a device whose forks count.
type counting struct {
	blockdev.Device
	open *int
}

func (c counting) Fork() blockdev.Device { *c.open++; return closing{c} }

type closing struct{ counting }

func (c closing) Close() error { *c.open--; return nil }

func TestBacking(t *testing.T) {
	base := mixed(t, newBuilder(3, 12, 40<<12-100))
	top := newBuilder(3, 12, 60<<12)
	top.backing = "base.qcow2"
	top.extensions = []extension{{0xe2792aca, "qcow2"}}
	copy(top.want, base.want)
	top.plain(1, noise(20, 4096))
	top.zero(3)
	top.compressed(t, 30, text(21, 4096))
	top.finish()

	var open int
	var asked [2]string
	m, err := Open(top.device(), Options{Backing: func(name, format string) (blockdev.Device, error) {
		asked = [2]string{name, format}
		return Open(counting{base.device(), &open}, Options{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	if asked != [2]string{"base.qcow2", "qcow2"} {
		t.Errorf("asked for %q", asked)
	}
	// A cluster of zeros hides the backing file's.
	clear(top.want[3<<12 : 4<<12])
	fork := blockdev.Fork(m)
	for _, dev := range []blockdev.Device{m, fork} {
		got, err := readAll(dev, 10_000)
		if err != nil || !bytes.Equal(got, top.want) {
			t.Fatalf("other bytes, %v", err)
		}
	}
	if open != 1 {
		t.Errorf("%d views of the backing file", open)
	}
	if err := blockdev.Release(m, fork); err != nil || open != 0 {
		t.Errorf("after closing %d views, %v", open, err)
	}
	for off := int64(0); off < m.Size(); {
		e, err := m.NextExtent(off)
		if err != nil || e.Len <= 0 {
			t.Fatal(e, err)
		}
		if e.Zero && !bytes.Equal(top.want[off:][:e.Len], make([]byte, e.Len)) {
			t.Errorf("extent %+v is not zero", e)
		}
		off += e.Len
	}
	c, err := m.Cluster(4 << 12)
	if err != nil || c.Storage != blockdev.Deflate || c.Off != 4<<12 {
		t.Fatalf("a compressed cluster of the backing file: %+v, %v", c, err)
	}
	stored, err := m.ReadStored(c, nil)
	if err != nil || !bytes.Equal(stored[:100], deflated(t, text(4, 4096))[:100]) {
		t.Errorf("stored bytes of the backing file: %v", err)
	}
}

// A compressed cluster of the backing file that the overlay hides in part must
// not be handed out as it is stored.
func TestBackingHiddenInPart(t *testing.T) {
	base := newBuilder(3, 16, 4<<16)
	base.compressed(t, 1, text(1, 1<<16))
	base.finish()
	top := newBuilder(3, 12, 4<<16)
	top.backing = "base"
	copy(top.want, base.want)
	top.plain(20, noise(1, 4096))
	top.finish()
	m, err := Open(top.device(), Options{Backing: func(string, string) (blockdev.Device, error) {
		return Open(base.device(), Options{})
	}})
	if err != nil {
		t.Fatal(err)
	}
	for off := int64(0); off < m.Size(); {
		c, err := m.Cluster(off)
		if err != nil || c.Len <= 0 {
			t.Fatal(c, err)
		}
		if c.Storage == blockdev.Deflate {
			t.Fatalf("cluster %+v", c)
		}
		if c.Storage == blockdev.Raw {
			b, err := m.ReadStored(c, nil)
			if err != nil || !bytes.Equal(b, top.want[c.Off:][:c.Len]) {
				t.Errorf("cluster %+v: other bytes, %v", c, err)
			}
		}
		off = c.Off + c.Len
	}
}

func TestDataFile(t *testing.T) {
	b := newBuilder(3, 12, 8<<12)
	b.incompat = incompatDataFile
	b.autoclear = autoclearRawData
	b.extensions = []extension{{0x44415441, "disk.data"}}
	content := noise(1, 8<<12)
	for _, c := range []int64{0, 1, 5} {
		b.put64(b.entry(c), uint64(c<<12)|entryCopied)
		b.expect(c, content[c<<12:][:4096])
	}
	b.finish()
	m, err := Open(b.device(), Options{DataFile: func(name string) (blockdev.Device, error) {
		if name != "disk.data" {
			t.Errorf("asked for %q", name)
		}
		return bytes.NewReader(content), nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := readAll(m, 5000)
	if err != nil || !bytes.Equal(got, b.want) {
		t.Fatalf("other bytes, %v", err)
	}
}

func TestDetails(t *testing.T) {
	b := newBuilder(3, 16, 1<<20)
	b.compression = compressionZstd
	b.incompat = incompatDirty | incompatCorrupt
	b.compat = compatLazyRefcounts
	b.autoclear = autoclearBitmaps
	b.finish()
	b.put32(60, 2)
	b.put64(64, 1<<16)
	m := open(t, b)
	d := m.Details()
	if d.Version != 3 || d.VirtualSize != 1<<20 || d.ClusterSize != 1<<16 || d.Compression != "zstd" ||
		!d.LazyRefcounts || !d.Dirty || !d.Corrupt || d.Snapshots != 2 || !d.Bitmaps || d.ExtendedL2 {
		t.Errorf("%+v", d)
	}
	if w := m.Warnings(); len(w) != 2 {
		t.Errorf("warnings %q", w)
	}
}

// What a host file cannot deliver is its own error, not corruption.
func TestIOError(t *testing.T) {
	b := mixed(t, newBuilder(3, 12, 100<<12))
	m := open(t, b)
	bad := errors.New("bad sector")
	m.file = failing{b.device(), bad}
	m.data = m.file
	if _, err := m.ReadAt(make([]byte, 10), 0); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
}

type failing struct {
	blockdev.Device
	err error
}

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }
