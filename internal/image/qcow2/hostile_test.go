package qcow2

import (
	"bytes"
	"encoding/binary"
	"errors"
	"math"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Every broken field gives an error of its class that says where, soon and
// without much memory.
func TestHostile(t *testing.T) {
	const cs = 4096
	at := func(off int64, v uint64) func(*builder) { return func(b *builder) { b.put64(off, v) } }
	at32 := func(off int64, v uint32) func(*builder) { return func(b *builder) { b.put32(off, v) } }
	l1 := func(v uint64) func(*builder) { return func(b *builder) { b.put64(b.l1Entry(0), v) } }
	l2 := func(v uint64) func(*builder) { return func(b *builder) { b.put64(b.entry(0), v) } }
	end := uint64(len(mixed(t, newBuilder(3, 12, 100*cs)).file)+cs-1) &^ (cs - 1)
	cases := []struct {
		name   string
		damage func(*builder)
		class  error
		want   string
	}{
		{"magic", func(b *builder) { b.file[3] = 0 }, ondisk.ErrNotFormat, "magic"},
		{"version 1", at32(4, 1), ondisk.ErrUnsupported, "version 1"},
		{"version 4", at32(4, 4), ondisk.ErrUnsupported, "version 4"},
		{"version", at32(4, math.MaxUint32), ondisk.ErrUnsupported, "version 4294967295"},
		{"cluster bits 8", at32(20, 8), ondisk.ErrCorrupt, "cluster_bits 8, want 9 to 21, at byte 0x14"},
		{"cluster bits 22", at32(20, 22), ondisk.ErrCorrupt, "cluster_bits 22"},
		{"cluster bits 63", at32(20, 63), ondisk.ErrCorrupt, "cluster_bits 63"},
		{"cluster bits", at32(20, math.MaxUint32), ondisk.ErrCorrupt, "cluster_bits 4294967295"},
		{"size negative", at(24, 1<<63), ondisk.ErrCorrupt, "virtual size 9223372036854775808"},
		{"size too large for L1", at(24, 1<<62), ondisk.ErrCorrupt, "L1 table of 1 entries, want 2199023255552"},
		{"AES", at32(32, 1), ondisk.ErrEncrypted, "AES"},
		{"LUKS", at32(32, 2), ondisk.ErrEncrypted, "LUKS"},
		{"other encryption", at32(32, 77), ondisk.ErrEncrypted, "method 77"},
		{"L1 size", at32(36, math.MaxUint32), ondisk.ErrCorrupt, "L1 table: 4294967295 entries of 8 bytes, at most 33554432 bytes"},
		{"L1 size just over", at32(36, 32<<20/8+1), ondisk.ErrCorrupt, "L1 table: 4194305 entries"},
		{"L1 size 0", at32(36, 0), ondisk.ErrCorrupt, "L1 table of 0 entries, want 1"},
		{"L1 misaligned", at(40, l1Cluster*cs+512), ondisk.ErrCorrupt, "L1 table: offset 0x2200 is not a multiple"},
		{"L1 behind the end", at(40, end+cs), ondisk.ErrCorrupt, "L1 table: ends at byte"},
		{"L1 far away", at(40, math.MaxUint64&^(cs-1)), ondisk.ErrCorrupt, "L1 table: offset 0xfffffffffffff000 is too large"},
		{"L1 far away, signed", at(40, math.MaxInt64&^(cs-1)), ondisk.ErrCorrupt, "L1 table: offset 0x7ffffffffffff000 is too large"},
		{"refcount table size", at32(56, math.MaxUint32), ondisk.ErrCorrupt, "refcount table: 4294967295 entries"},
		{"no refcount table", at32(56, 0), ondisk.ErrCorrupt, "no refcount table"},
		{"refcount table misaligned", at(48, 1), ondisk.ErrCorrupt, "refcount table: offset 0x1"},
		{"snapshots", at32(60, 65537), ondisk.ErrCorrupt, "snapshot table: 65537 entries"},
		{"snapshots misaligned", func(b *builder) { b.put32(60, 1); b.put64(64, 8) }, ondisk.ErrCorrupt, "snapshot table: offset 0x8"},
		{"refcount order", at32(96, 7), ondisk.ErrCorrupt, "refcount_order 7"},
		{"header length 0", at32(100, 0), ondisk.ErrCorrupt, "header_length 0"},
		{"header length", at32(100, cs+8), ondisk.ErrCorrupt, "header_length 4104"},
		{"feature", at(72, 1<<5|1<<40), ondisk.ErrUnsupported, `incompatible feature bit 5, bit 40`},
		{"compression without feature", func(b *builder) { b.file[104] = 1 }, ondisk.ErrCorrupt, "compression type 1 contradicts"},
		{"feature without compression", at(72, incompatCompression), ondisk.ErrCorrupt, "compression type 0 contradicts"},
		{"compression type", func(b *builder) { b.file[104] = 9; b.put64(72, incompatCompression) }, ondisk.ErrUnsupported, "compression type 9"},
		{"subclusters too small", at(72, incompatExtendedL2), ondisk.ErrCorrupt, "subclusters of 128 bytes"},
		{"data file without a name", at(72, incompatDataFile), ondisk.ErrUnsupported, "external file that it does not name"},
		{"raw data file without one", at(88, autoclearRawData), ondisk.ErrCorrupt, "raw external data"},
		{"extension length", func(b *builder) { b.put32(112, 1); b.put32(116, math.MaxUint32) }, ondisk.ErrCorrupt, "extension 0x1: length 4294967295"},
		{"backing offset", at(8, cs+1), ondisk.ErrCorrupt, "backing name at 0x1001"},
		{"backing offset far", at(8, math.MaxUint64), ondisk.ErrCorrupt, "backing name at 0xffffffffffffffff"},
		{"backing length", func(b *builder) { b.put64(8, 200); b.put32(16, 1024) }, ondisk.ErrCorrupt, "backing name of 1024 bytes"},
		{"backing over the end", func(b *builder) { b.put64(8, cs-10); b.put32(16, 11) }, ondisk.ErrCorrupt, "backing name of 11 bytes"},

		{"L1 reserved bits", l1(0x5001), ondisk.ErrCorrupt, "L1 entry 0: 0x5001 has reserved bits set, at byte 0x2000"},
		{"L2 misaligned", l1(0x3200), ondisk.ErrCorrupt, "L2 table at 0x3200 is not a multiple of the cluster size 4096, at byte 0x2000"},
		{"L2 behind the end", l1(1 << 40), ondisk.ErrCorrupt, "L2 table at 0x10000000000 of 4096 bytes: the file ends at"},
		{"L2 far behind the end", l1(0x00ff_ffff_ffff_f000), ondisk.ErrCorrupt, "L2 table at 0xfffffffffff000"},
		{"L2 is the L1 table", l1(l1Cluster * cs), ondisk.ErrCorrupt, "overlaps the L1 table"},
		{"L2 is a table of rubbish", l1(0x4000), ondisk.ErrCorrupt, "L2 entry"},

		{"cluster misaligned", l2(0x4200), ondisk.ErrCorrupt, "cluster at 0x4200 is not a multiple"},
		{"cluster reserved bits", l2(0x4002), ondisk.ErrCorrupt, "L2 entry: 0x4002 has reserved bits set"},
		{"cluster high reserved bits", l2(1<<61 | 0x4000), ondisk.ErrCorrupt, "reserved bits"},
		{"cluster behind the end", l2(end), ondisk.ErrCorrupt, "the file ends at"},
		{"cluster far behind the end", l2(0x00ff_ffff_ffff_f000), ondisk.ErrCorrupt, "the file ends at"},
		{"cluster is the L1 table", l2(l1Cluster * cs), ondisk.ErrCorrupt, "overlaps the L1 table"},
		{"zero cluster misaligned", l2(0x4201), ondisk.ErrCorrupt, "cluster at 0x4200 is not a multiple"},
		{"compressed behind the end", l2(entryCompressed | 1<<40), ondisk.ErrCorrupt, "compressed cluster at 0x10000000000"},
		{"compressed in the header", l2(entryCompressed | 600), ondisk.ErrCorrupt, "overlaps the header"},
		{"compressed is rubbish", l2(entryCompressed | 0x4000), ondisk.ErrCorrupt, "compressed cluster of disk byte 0x0"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			b := mixed(t, newBuilder(3, 12, 100*cs))
			c.damage(b)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			m, err := Open(b.device(), Options{})
			if err == nil {
				_, err = readAll(m, 1<<20)
				if _, extErr := m.NextExtent(0); extErr == nil && c.name != "compressed is rubbish" {
					t.Error("NextExtent succeeds")
				}
			}
			runtime.ReadMemStats(&after)
			if err == nil {
				t.Fatal("no error")
			}
			if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %q (%v), want %v: %q", err, errors.Unwrap(err), c.class, c.want)
			}
			if d := time.Since(start); d > time.Second {
				t.Errorf("took %v", d)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 16<<20 {
				t.Errorf("allocated %d bytes", n)
			}
		})
	}
}

// Reserved bits mean other things with subclusters.
func TestHostileSubclusters(t *testing.T) {
	for name, c := range map[string]struct {
		entry, bitmap uint64
		want          string
	}{
		"zero flag":                    {0x14000 | 1, 0, "reserved bits"},
		"allocated and zero":           {0x14000, 1<<32 | 1, "subcluster bitmap"},
		"allocated without a cluster":  {0, 1, "subcluster bitmap"},
		"compressed with a bitmap":     {entryCompressed | 0x14000, 1, "for a compressed cluster"},
		"cluster misaligned":           {0x14200, 1, "not a multiple"},
		"unallocated, but misaligned":  {0x14200, 0, "not a multiple"},
		"cluster of data past the end": {0x4000_0000, 1 << 31, "the file ends at"},
	} {
		t.Run(name, func(t *testing.T) {
			b := mixed(t, newBuilder(3, 14, 30<<14).extended())
			b.put64(b.entry(0), c.entry)
			b.put64(b.entry(0)+8, c.bitmap)
			_, err := readAll(open(t, b), 1<<20)
			if !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// A zero flag means nothing before version 3, where qemu calls it corrupt.
func TestZeroFlagVersion2(t *testing.T) {
	b := newBuilder(2, 12, 1<<20)
	b.put64(b.entry(0), entryZero)
	b.finish()
	if _, err := readAll(open(t, b), 1<<20); !errors.Is(err, ondisk.ErrCorrupt) {
		t.Errorf("error %v", err)
	}
}

func TestFeatureNames(t *testing.T) {
	b := newBuilder(3, 12, 1<<20)
	b.incompat = 1<<7 | 1<<9
	entry := func(kind, bit byte, name string) string {
		e := make([]byte, 48)
		e[0], e[1] = kind, bit
		copy(e[2:], name)
		return string(e)
	}
	b.extensions = []extension{{0x6803f857, entry(1, 7, "other kind") + entry(0, 7, "time travel\x1b[31m")}}
	b.finish()
	_, err := Open(b.device(), Options{})
	if want := `incompatible feature bit 7 ("time travel\x1b[31m"), bit 9`; !errors.Is(err, ondisk.ErrUnsupported) || !strings.HasSuffix(err.Error(), want) {
		t.Errorf("%v", err)
	}
}

// Without leave, nothing that the image names is opened.
func TestRefersRefused(t *testing.T) {
	b := newBuilder(3, 12, 1<<20)
	b.backing = "/etc/passwd\n"
	b.finish()
	if _, err := Open(b.device(), Options{}); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), `"/etc/passwd\n"`) {
		t.Errorf("backing file: %v", err)
	}
	b = newBuilder(3, 12, 1<<20)
	b.incompat = incompatDataFile
	b.extensions = []extension{{0x44415441, "/etc/shadow"}}
	b.finish()
	if _, err := Open(b.device(), Options{}); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), `"/etc/shadow"`) {
		t.Errorf("data file: %v", err)
	}
}

// A file that is cut anywhere gives an error, or all of the disk where only
// what nothing refers to was cut.
func TestTruncated(t *testing.T) {
	for name, b := range kinds(t) {
		t.Run(name, func(t *testing.T) {
			size, whole := len(b.file), 0
			step := max(1, size/200)
			for n := 0; n < size; n += step {
				m, err := Open(bytes.NewReader(b.file[:n]), Options{})
				var got []byte
				if err == nil {
					got, err = readAll(m, 1<<20)
				}
				if err == nil && !bytes.Equal(got, b.want) {
					t.Errorf("cut to %d of %d: other bytes without an error", n, size)
				}
				if err == nil {
					whole++
				} else if n >= headerV2Len && !errors.Is(err, ondisk.ErrCorrupt) {
					t.Errorf("cut to %d: %v", n, err)
				}
			}
			if whole > 30 {
				t.Errorf("%d cuts are harmless, more than the last cluster's end has", whole)
			}
		})
	}
}

// The count of sectors of a compressed cluster is rounded up: the file may end
// where its stream does.
func TestCompressedAtTheEnd(t *testing.T) {
	b := newBuilder(3, 12, 2*4096)
	b.compressed(t, 0, text(1, 4096))
	b.finish()
	if len(b.file)%512 == 0 {
		t.Fatal("the file ends on a sector")
	}
	got, err := readAll(open(t, b), 1<<20)
	if err != nil || !bytes.Equal(got, b.want) {
		t.Errorf("other bytes, %v", err)
	}
}

// A stream must make a whole cluster, no more and no less.
func TestCompressedSize(t *testing.T) {
	for _, compression := range []uint8{compressionZlib, compressionZstd} {
		for _, n := range []int{0, 1, 4095, 4097, 1 << 20} {
			b := newBuilder(3, 12, 2*4096)
			b.compression = compression
			if compression == compressionZlib {
				b.stored(0, deflated(t, text(1, n)))
			} else {
				b.stored(0, zstdFrame(t, text(1, n)))
			}
			b.finish()
			if _, err := readAll(open(t, b), 1<<20); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "compressed cluster of disk byte 0x0") {
				t.Errorf("compression %d, %d bytes: %v", compression, n, err)
			}
		}
	}
}

// A few KiB that claim a disk of petabytes, all of it one cluster: what is not
// read costs nothing.
func TestSharedCluster(t *testing.T) {
	b := newBuilder(3, 21, 2<<20)
	b.compressed(t, 0, make([]byte, 2<<20))
	l2 := b.get64(b.l1Entry(0)) & offsetMask
	entry := b.get64(b.entry(0))
	for i := range int64(2 << 20 / 8) {
		b.put64(int64(l2)+8*i, entry)
	}
	b.finish()
	const reach = 1 << (21 + 18)
	b.size = 1000 * reach
	b.put64(24, uint64(b.size))
	b.put32(36, 1000)
	for i := range int64(1000) {
		b.put64(l1Cluster*b.clusterSize()+8*i, l2)
	}
	m := open(t, b)
	start := time.Now()
	p := make([]byte, 5000)
	for i := range int64(1000) {
		if _, err := m.ReadAt(p, i*reach+i*777); err != nil {
			t.Fatal(err)
		}
	}
	if e, err := m.NextExtent(0); err != nil || e.Zero {
		t.Error(e, err)
	}
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("took %v", d)
	}
}

func FuzzHeader(f *testing.F) {
	for _, b := range kinds(f) {
		f.Add(b.file[:min(len(b.file), 1024)])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := readHeader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			classified(t, err)
			return
		}
		if h.size < 0 || h.l1Size < 0 || h.l1Size > maxL1Bytes/8 || int64(h.l1Size)*8 > int64(len(b)) {
			t.Errorf("%+v", h)
		}
	})
}

func FuzzImage(f *testing.F) {
	for _, bits := range []uint{9, 12} {
		f.Add(mixed(f, newBuilder(2, bits, 40<<bits)).file)
		f.Add(mixed(f, newBuilder(3, bits, 40<<bits)).file)
	}
	z := newBuilder(3, 9, 40<<9)
	z.compression = compressionZstd
	f.Add(mixed(f, z).file)
	f.Add(mixed(f, newBuilder(3, 14, 11<<14).extended()).file)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := Open(bytes.NewReader(b), Options{Backing: func(string, string) (blockdev.Device, error) {
			return bytes.NewReader(make([]byte, 5000)), nil
		}})
		if err != nil {
			classified(t, err)
			return
		}
		if m.clusterBits > 14 {
			return // right, but slow
		}
		view := m.Fork()
		p := make([]byte, 10_000)
		for off := int64(0); off < min(m.Size(), 200_000); off += int64(len(p)) {
			n, err := view.ReadAt(p, off)
			if err != nil && off+int64(len(p)) <= m.Size() {
				classified(t, err)
			}
			if err == nil && n != len(p) {
				t.Fatalf("read %d of %d without an error", n, len(p))
			}
		}
		off := int64(0)
		for range 20 {
			if off >= m.Size() {
				break
			}
			e, err := m.NextExtent(off)
			if err != nil {
				classified(t, err)
				break
			}
			if e.Off != off || e.Len <= 0 || e.Len > m.Size()-off {
				t.Fatalf("extent %+v at %d of %d", e, off, m.Size())
			}
			c, err := m.Cluster(off)
			if err != nil {
				classified(t, err)
				break
			}
			if c.Off > off || c.Off+c.Len <= off {
				t.Fatalf("cluster %+v at %d", c, off)
			}
			if c.Storage == blockdev.Deflate || c.Storage == blockdev.Zstd {
				stored, err := m.ReadStored(c, nil)
				if err == nil && int64(len(stored)) > c.RefLen {
					t.Fatalf("%d bytes are stored, at most %d", len(stored), c.RefLen)
				}
			}
			off += e.Len
		}
	})
}

// classified makes sure that a broken image is not taken for a broken disk of
// the host, and the other way round.
func classified(t *testing.T, err error) {
	t.Helper()
	for _, class := range []error{ondisk.ErrCorrupt, ondisk.ErrUnsupported, ondisk.ErrEncrypted, ondisk.ErrNotFormat} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Fatalf("error of no class: %v", err)
}

func FuzzZstdFrame(f *testing.F) {
	f.Add(zstdFrame(f, text(1, 1000)))
	f.Add(zstdFrame(f, nil))
	f.Add(binary.LittleEndian.AppendUint32(nil, 0x184d2a50))
	f.Fuzz(func(t *testing.T, b []byte) {
		frame, err := parseFrame(b)
		if err != nil {
			return
		}
		if frame.len < 8 || frame.len > len(b) {
			t.Fatalf("%+v of %d bytes", frame, len(b))
		}
		// What is measured must be what the decoder takes.
		plain := make([]byte, 1<<16)
		if n, err := decodeFrame(plain[:0], b[:frame.len]); err == nil && !frame.skippable && frame.content >= 0 && n != frame.content {
			t.Fatalf("%+v decodes to %d bytes", frame, n)
		}
	})
}
