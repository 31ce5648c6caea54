package blockdev

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// disk is a Device with every ability, which counts its reads and views.
type disk struct {
	b     []byte
	reads *atomic.Int64
	views *atomic.Int64
	bad   int64 // reads that touch this byte fail, if > 0
}

var errBad = errors.New("bad sector")

func newDisk(n int) disk {
	b := make([]byte, n)
	rnd := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return disk{b: b, reads: new(atomic.Int64), views: new(atomic.Int64)}
}

func (d disk) Size() int64 { return int64(len(d.b)) }

func (d disk) ReadAt(p []byte, off int64) (int, error) {
	d.reads.Add(1)
	if d.bad > 0 && off <= d.bad && off+int64(len(p)) > d.bad {
		return copy(p, d.b[off:d.bad]), errBad
	}
	return bytes.NewReader(d.b).ReadAt(p, off)
}

func (d disk) Fork() Device {
	d.views.Add(1)
	return view{d}
}

type view struct{ disk }

func (v view) Close() error {
	v.views.Add(-1)
	return nil
}

func (d disk) NextExtent(off int64) (Extent, error) {
	const run = 1000
	return Extent{Off: off, Len: min(run-off%run, d.Size()-off), Zero: off/run%2 == 0}, nil
}

func (d disk) Cluster(off int64) (Cluster, error) {
	const size = 512
	return Cluster{Off: off - off%size, Len: size, Storage: Raw}, nil
}

func (d disk) ReadStored(c Cluster, _ []byte) ([]byte, error) { return d.b[c.Off:][:c.Len], nil }

// plain hides all but the Device.
type plain struct{ Device }

func TestSection(t *testing.T) {
	d := newDisk(10_000)
	for _, bad := range [][2]int64{{-1, 5}, {0, -1}, {10_001, 0}, {9_999, 2}, {1, 1<<63 - 1}} {
		if _, err := Section(d, bad[0], bad[1]); err == nil {
			t.Errorf("Section(%d, %d) succeeded", bad[0], bad[1])
		}
	}
	s, err := Section(d, 700, 5_000)
	if err != nil {
		t.Fatal(err)
	}
	want := d.b[700:5700]
	for _, c := range []struct {
		off, n, got int64
		err         error
	}{{0, 10, 10, nil}, {4_990, 10, 10, nil}, {4_990, 11, 10, io.EOF}, {5_000, 1, 0, io.EOF}, {6_000, 1, 0, io.EOF}} {
		p := make([]byte, c.n)
		n, err := s.ReadAt(p, c.off)
		if int64(n) != c.got || !errors.Is(err, c.err) || err != nil && c.err == nil {
			t.Errorf("ReadAt(%d, %d): %d, %v", c.n, c.off, n, err)
		}
		if n > 0 && !bytes.Equal(p[:n], want[c.off:][:n]) {
			t.Errorf("ReadAt(%d, %d): other bytes", c.n, c.off)
		}
	}
	if _, err := s.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was read")
	}
	e, err := s.(Mapper).NextExtent(400)
	if err != nil || e != (Extent{Off: 400, Len: 900}) {
		t.Errorf("extent %+v, %v", e, err)
	}
	if e, err := s.(Mapper).NextExtent(4_400); err != nil || e != (Extent{Off: 4_400, Len: 600}) {
		t.Errorf("extent at the end %+v, %v", e, err)
	}
	c, err := s.(Clusters).Cluster(0)
	if err != nil || c.Off != 512-700 {
		t.Errorf("cluster %+v, %v", c, err)
	}
	if b, err := s.(Clusters).ReadStored(c, nil); err != nil || !bytes.Equal(b, d.b[512:1024]) {
		t.Errorf("stored bytes are others, %v", err)
	}
	if s, _ := Section(plain{d}, 0, 100); s != nil {
		if _, ok := s.(Clusters); ok {
			t.Error("section of a plain device is Clusters")
		}
		if e, err := s.(Mapper).NextExtent(10); err != nil || e != (Extent{Off: 10, Len: 90}) {
			t.Errorf("extent of a plain device %+v, %v", e, err)
		}
	}
}

// Views are given back once each, and giving back leaves the device open.
func TestRelease(t *testing.T) {
	d := newDisk(1000)
	s, err := Section(d, 0, 500)
	if err != nil {
		t.Fatal(err)
	}
	if err := Release(plain{s}, Fork(plain{s})); err != nil || d.views.Load() != 0 {
		t.Fatalf("a device without views: %v, %d", err, d.views.Load())
	}
	v := Fork(s)
	if _, ok := v.(Clusters); !ok {
		t.Error("the view lost Clusters")
	}
	if d.views.Load() != 1 {
		t.Fatalf("%d views", d.views.Load())
	}
	if err := s.(io.Closer).Close(); err != nil || d.views.Load() != 1 {
		t.Fatalf("closing the section: %v, %d views", err, d.views.Load())
	}
	if err := Release(s, v); err != nil || d.views.Load() != 0 {
		t.Fatalf("closing the view: %v, %d views", err, d.views.Load())
	}
}

func TestLRU(t *testing.T) {
	c := NewLRU[int, string](10)
	c.Add(1, "one", 4)
	c.Add(2, "two", 4)
	if _, ok := c.Get(1); !ok {
		t.Error("1 is gone")
	}
	c.Add(3, "three", 4) // 2 was used least recently
	if _, ok := c.Get(2); ok {
		t.Error("2 is still there")
	}
	c.Add(1, "uno", 10)
	if v, _ := c.Get(1); v != "uno" {
		t.Errorf("1 is %q", v)
	}
	if _, ok := c.Get(3); ok {
		t.Error("3 is still there")
	}
	c.Add(4, "heavy", 11)
	if _, ok := c.Get(4); ok {
		t.Error("what is too heavy was kept")
	}
	if v, ok := c.Get(1); !ok || v != "uno" {
		t.Error("what is too heavy drove others out")
	}
}

func TestCache(t *testing.T) {
	d := newDisk(100_000)
	c := NewCache(d, 4096, 40_000)
	rnd := rand.New(rand.NewPCG(3, 4))
	for range 2000 {
		off, n := rnd.IntN(len(d.b)), rnd.IntN(20_000)
		p := make([]byte, n)
		got, err := c.ReadAt(p, int64(off))
		want := d.b[off:min(off+n, len(d.b))]
		if !bytes.Equal(p[:got], want) {
			t.Fatalf("read %d at %d: %d bytes, other than the device's", n, off, got)
		}
		if short := off+n > len(d.b); short != (err == io.EOF) || err != nil && !short {
			t.Fatalf("read %d at %d of %d: %v", n, off, len(d.b), err)
		}
	}
	if n, err := c.ReadAt(make([]byte, 1), d.Size()); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	if _, err := c.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was read")
	}
	d.reads.Store(0)
	for i := range int64(100) {
		if _, err := c.ReadAt(make([]byte, 10), 4096*3+i*40); err != nil {
			t.Fatal(err)
		}
	}
	if n := d.reads.Load(); n > 1 {
		t.Errorf("%d reads of one block", n)
	}
}

// What can be read before a bad place is read; the failure is the device's own
// and is not remembered.
func TestCacheError(t *testing.T) {
	d := newDisk(10_000)
	d.bad = 5000
	c := NewCache(d, 4096, 40_000)
	p := make([]byte, 2000)
	if n, err := c.ReadAt(p, 4000); !errors.Is(err, errBad) || n != 1000 || !bytes.Equal(p[:n], d.b[4000:5000]) {
		t.Errorf("%d, %v", n, err)
	}
	if n, err := c.ReadAt(p[:900], 4050); err != nil || n != 900 {
		t.Errorf("before the bad place: %d, %v", n, err)
	}
}

// After Drop the bytes come from the device again, and the cache fills again.
func TestCacheDrop(t *testing.T) {
	d := newDisk(10_000)
	c := NewCache(d, 4096, 40_000)
	read := func() {
		t.Helper()
		p := make([]byte, 100)
		if _, err := c.ReadAt(p, 50); err != nil || !bytes.Equal(p, d.b[50:150]) {
			t.Fatalf("%x, %v", p, err)
		}
	}
	read()
	d.b[60]++
	c.Drop()
	read()
	d.b[60]--
	p := make([]byte, 1)
	if _, err := c.ReadAt(p, 60); err != nil || p[0] != d.b[60]+1 {
		t.Errorf("%x, %v: the block was not kept", p, err)
	}
}

func TestCacheConcurrent(t *testing.T) {
	d := newDisk(200_000)
	c := NewCache(d, 4096, 50_000)
	var wg sync.WaitGroup
	for w := range 8 {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(uint64(w), 5))
			p := make([]byte, 100)
			for range 2000 {
				off := rnd.IntN(len(d.b) - len(p))
				if _, err := c.ReadAt(p, int64(off)); err != nil || !bytes.Equal(p, d.b[off:off+len(p)]) {
					t.Errorf("read at %d: %v", off, err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// slow is a Device whose reads take a second.
type slow struct{ disk }

func (d slow) ReadAt(p []byte, off int64) (int, error) {
	time.Sleep(time.Second)
	return d.disk.ReadAt(p, off)
}

func TestCacheReadsABlockOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := slow{newDisk(10_000)}
		c := NewCache(d, 4096, 50_000)
		for range 4 {
			go func() {
				p := make([]byte, 10)
				if _, err := c.ReadAt(p, 5000); err != nil || !bytes.Equal(p, d.b[5000:5010]) {
					t.Errorf("%x, %v", p, err)
				}
			}()
		}
		start := time.Now()
		time.Sleep(time.Millisecond)
		if _, err := c.ReadAt(make([]byte, 10), 0); err != nil {
			t.Error(err)
		}
		if n, took := d.reads.Load(), time.Since(start); n != 2 || took > 1500*time.Millisecond {
			t.Errorf("two blocks were read %d times and took %v", n, took)
		}
	})
}

func TestCacheReusesItsBlocks(t *testing.T) {
	d := newDisk(1 << 20)
	c := NewCache(d, 4096, 64<<10)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	p := make([]byte, 100)
	for range 10 {
		for off := int64(0); off < d.Size(); off += 4096 {
			if _, err := c.ReadAt(p, off); err != nil {
				t.Fatal(err)
			}
		}
	}
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; used > 2<<20 {
		t.Errorf("10 MiB went through a cache of 64 KiB, which took %d bytes", used)
	}
}

func TestConcat(t *testing.T) {
	d := newDisk(10_000)
	section := func(off, n int64) Device {
		s, err := Section(d, off, n)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	c := Concat([]Device{section(5000, 700), section(0, 512), section(1000, 3000)})
	want := append(append(bytes.Clone(d.b[5000:5700]), d.b[:512]...), d.b[1000:4000]...)
	view := Fork(c)
	if n := d.views.Load(); n != 3 {
		t.Errorf("%d views", n)
	}
	for _, dev := range []Device{c, view} {
		for _, n := range []int{1, 100, 699, 1300, len(want), len(want) + 1} {
			for off := 0; off < len(want); off += 97 {
				p := make([]byte, n)
				got, err := dev.ReadAt(p, int64(off))
				if part := want[off:min(off+n, len(want))]; !bytes.Equal(p[:got], part) || (got < n) != (err == io.EOF) || got == n && err != nil {
					t.Fatalf("read %d at %d: %d, %v", n, off, got, err)
				}
			}
		}
	}
	if _, err := c.ReadAt(make([]byte, 1), -1); err == nil {
		t.Error("a negative offset was read")
	}
	for off := int64(0); off < c.Size(); {
		e, err := c.(Mapper).NextExtent(off)
		if err != nil || e.Off != off || e.Len <= 0 || e.Len > c.Size()-off {
			t.Fatalf("extent %+v at %d, %v", e, off, err)
		}
		off += e.Len
	}
	whole, cut := 0, 0
	for off := int64(0); off < c.Size(); {
		cl, err := c.(Clusters).Cluster(off)
		if err != nil || cl.Off > off || cl.Off+cl.Len <= off {
			t.Fatalf("cluster %+v at %d, %v", cl, off, err)
		}
		if cl.Len == 512 {
			whole++
		} else {
			cut++
		}
		b, err := c.(Clusters).ReadStored(cl, nil)
		if err != nil || !bytes.Equal(b, want[cl.Off:][:cl.Len]) {
			t.Fatalf("cluster %+v: other bytes, %v", cl, err)
		}
		off = cl.Off + cl.Len
	}
	if whole != 7 || cut != 4 {
		t.Errorf("%d whole clusters, %d cut ones", whole, cut)
	}
	if err := Release(c, view); err != nil || d.views.Load() != 0 {
		t.Errorf("%v, %d views left", err, d.views.Load())
	}
	if one := section(0, 10); Concat([]Device{one}) != one {
		t.Error("one part is wrapped")
	}
	if _, ok := Concat([]Device{plain{d}, d}).(Clusters); ok {
		t.Error("a plain part has no clusters")
	}
	bad := d
	bad.bad = 3
	broken := Concat([]Device{section(0, 512), bad})
	if n, err := broken.ReadAt(make([]byte, 1000), 0); n != 515 || !errors.Is(err, errBad) {
		t.Errorf("%d, %v", n, err)
	}
}
