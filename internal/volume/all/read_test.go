package all

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/ondisk"
)

func TestGPT(t *testing.T) {
	for _, sector := range []int64{512, 1024, 2048, 4096} {
		t.Run(fmt.Sprint(sector), func(t *testing.T) {
			last := diskSize/sector - 1
			d := gptDisk(t, int(sector))
			if table := check(t, d, "gpt", gptParts, 0); table.Sector != int(sector) {
				t.Errorf("sector %d", table.Sector)
			}

			t.Run("enlarged", func(t *testing.T) {
				big := memDisk{append(bytes.Clone(d.b), make([]byte, 1<<20)...)}
				check(t, big, "gpt", gptParts, 0)
				// The damaged primary header still knows where the disk ended.
				big.b[sector+16] ^= 1
				check(t, big, "gpt", gptParts, 1)
			})
			t.Run("primary header gone", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				clear(d.b[sector : 2*sector])
				check(t, d, "gpt", gptParts, 1)
			})
			t.Run("primary header damaged", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				d.b[sector+16] ^= 1
				w := check(t, d, "gpt", gptParts, 1).Warnings[0]
				if want := fmt.Sprintf("at byte %#x; the backup was used", sector+16); !strings.Contains(w, want) {
					t.Errorf("warning %q, want %q", w, want)
				}
			})
			t.Run("primary entries damaged", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				d.b[2*sector+40] ^= 1
				check(t, d, "gpt", gptParts, 1)
			})
			t.Run("backup damaged", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				clear(d.b[last*sector:])
				check(t, d, "gpt", gptParts, 0)
			})
			t.Run("both damaged", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				d.b[sector+16] ^= 1
				d.b[last*sector+16] ^= 1
				fails(t, d, ondisk.ErrCorrupt, "primary partition table: GPT header: checksum 0x")
			})
			t.Run("both gone", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				clear(d.b[sector : 2*sector])
				clear(d.b[last*sector:])
				fails(t, d, ondisk.ErrCorrupt, "announces a GPT, but there is none")
			})
			t.Run("protective MBR gone", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				clear(d.b[:512])
				check(t, d, "gpt", gptParts, 1)
			})
			t.Run("all but the backup gone", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				clear(d.b[:2*sector])
				whole(t, d)
			})
			t.Run("hybrid MBR", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				d.entry(0, 1, 0x83, 2048, 100)
				check(t, d, "gpt", gptParts, 0)
			})
			t.Run("stale, under an MBR", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				copy(d.b[:512], mbrDisk(t).b)
				check(t, d, "mbr", mbrParts, 0)
			})
			t.Run("larger entries", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				entries := d.b[2*sector:][:128*128]
				for i := 63; i >= 0; i-- {
					copy(entries[i*256:], entries[i*128:][:128])
					clear(entries[i*256+128:][:128])
				}
				d.patch(sector, 1, func(h []byte) {
					binary.LittleEndian.PutUint32(h[80:], 64)
					binary.LittleEndian.PutUint32(h[84:], 256)
				})
				check(t, d, "gpt", gptParts, 0)
			})
			t.Run("larger header", func(t *testing.T) {
				d := memDisk{bytes.Clone(d.b)}
				d.patch(sector, 1, func(h []byte) {
					copy(h[8:], "\x00\x00\x02\x00") // a revision to come
					binary.LittleEndian.PutUint32(h[12:], 200)
					h[150] = 7
				})
				check(t, d, "gpt", gptParts, 0)
			})
		})
	}
}

func TestMBR(t *testing.T) {
	check(t, mbrDisk(t), "mbr", mbrParts, 0)
	logical := []part{
		mbrParts[0],
		{5, 5010 * 512, 100 * 512, "0x83", "", "0123abcd-05"},
		{6, 6001 * 512, 200 * 512, "0x8e", "", "0123abcd-06"},
		{7, 7002 * 512, 300 * 512, "0x82", "", "0123abcd-07"},
	}
	check(t, logicalDisk(t), "mbr", logical, 0)

	cases := map[string]struct {
		change   func(d memDisk)
		parts    []part
		warnings int
	}{
		"empty first table":     {func(d memDisk) { d.entry(5000, 0, 0, 0, 0) }, []part{logical[0], {5, 6001 * 512, 200 * 512, "0x8e", "", "0123abcd-05"}, {6, 7002 * 512, 300 * 512, "0x82", "", "0123abcd-06"}}, 0},
		"loop":                  {func(d memDisk) { d.entry(7000, 1, 0x05, 0, 100) }, logical, 1},
		"loop of one":           {func(d memDisk) { d.entry(5000, 1, 0x05, 0, 100) }, logical[:2], 1},
		"no signature":          {func(d memDisk) { d.b[6000*512+510] = 0 }, logical[:2], 1},
		"no signature at all":   {func(d memDisk) { d.b[5000*512+510] = 0 }, logical[:1], 0},
		"chain leaves the disk": {func(d memDisk) { d.entry(5000, 1, 0x05, 1<<31, 100) }, logical[:2], 1},
		"garbage in slot 3":     {func(d memDisk) { d.entry(5000, 2, 0x83, 0xf0000000, 0xf0000000) }, logical, 0},
		"OS/2 uses slot 3":      {func(d memDisk) { d.entry(7000, 2, 0x83, 1000, 10) }, append(logical[:4:4], part{8, 8000 * 512, 10 * 512, "0x83", "", "0123abcd-08"}), 0},
		"link before partition": {func(d memDisk) { d.entry(5000, 0, 0x05, 1000, 1000); d.entry(5000, 1, 0x83, 10, 100) }, logical, 0},
		"extended off the disk": {func(d memDisk) { d.entry(0, 1, 0x05, 1<<30, 100) }, logical[:1], 1},
		"boot flag of no sense": {func(d memDisk) { d.b[5000*512+446] = 0x17 }, logical[:1], 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			d := logicalDisk(t)
			c.change(d)
			check(t, d, "mbr", c.parts, c.warnings)
		})
	}
	t.Run("endless", func(t *testing.T) {
		d := memDisk{make([]byte, diskSize)}
		d.entry(0, 0, 0x05, 1, 16000)
		for i := range int64(15000) {
			d.entry(1+i, 1, 0x05, uint32(i+1), 100)
		}
		if table := check(t, d, "mbr", nil, 1); !strings.Contains(table.Warnings[0], "100 tables without a partition") {
			t.Errorf("%q", table.Warnings)
		}
	})
	t.Run("very many", func(t *testing.T) {
		d := memDisk{make([]byte, diskSize)}
		d.entry(0, 0, 0x05, 1, 16000)
		for i := range int64(7000) {
			d.entry(1+2*i, 0, 0x83, 1, 1)
			d.entry(1+2*i, 1, 0x05, uint32(2*i+2), 2)
		}
		table, err := Read(d)
		if err != nil || len(table.Volumes) != 252 || len(table.Warnings) != 1 {
			t.Errorf("%d volumes, %v", len(table.Volumes), err)
		}
	})
}

func whole(t *testing.T, d memDisk) {
	t.Helper()
	table, err := Read(d)
	if err != nil || table.Kind != "none" || len(table.Volumes) != 1 {
		t.Fatalf("%+v, %v", table, err)
	}
	v := table.Volumes[0]
	if v.Device.Size() != d.Size() || v.Number != 0 || v.Kind != "whole disk" || v.Start != 0 {
		t.Errorf("%+v", v)
	}
}

func TestWholeDisk(t *testing.T) {
	for _, size := range []int{0, 1, 511, 512, 1024, 5000, diskSize} {
		whole(t, memDisk{make([]byte, size)})
	}
	d := memDisk{make([]byte, diskSize)}
	copy(d.b[1080:], "\x53\xef")
	whole(t, d)
	copy(d.b[510:], "\x55\xaa") // a boot sector, no partition
	whole(t, d)
	d = mbrDisk(t)
	d.b[446+16] = 0x41 // text where a boot flag would be: the boot sector of a filesystem
	whole(t, d)
}

// A cut image keeps what it has of its partitions, and says so.
func TestCutOff(t *testing.T) {
	d := mbrDisk(t)
	cut := memDisk{d.b[:4096*512+512]}
	check(t, cut, "mbr", []part{mbrParts[0], {4, 4096 * 512, 512, "0x82", "", "0123abcd-04"}}, 1)
	check(t, memDisk{d.b[:4096*512]}, "mbr", mbrParts[:1], 1)
	g := gptDisk(t, 512)
	check(t, memDisk{g.b[:8192*512]}, "gpt", []part{gptParts[0], gptParts[2]}, 1)
}

func TestOverlap(t *testing.T) {
	d := mbrDisk(t)
	d.entry(0, 3, 0x82, 4095, 100)
	table := check(t, d, "mbr", []part{mbrParts[0], {4, 4095 * 512, 100 * 512, "0x82", "", "0123abcd-04"}}, 1)
	if !strings.Contains(table.Warnings[0], "partitions 1 and 4 overlap at byte 0x1ffe00") {
		t.Errorf("%q", table.Warnings)
	}
}

func fails(t *testing.T, d memDisk, class error, want string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	table, err := Read(d)
	runtime.ReadMemStats(&after)
	if err == nil {
		t.Fatalf("no error: %+v", table)
	}
	if !errors.Is(err, class) || !strings.Contains(err.Error(), want) {
		t.Errorf("error %q, want %v: %q", err, class, want)
	}
	if n, took := after.TotalAlloc-before.TotalAlloc, time.Since(start); n > 8<<20 || took > time.Second {
		t.Errorf("%d bytes, %v", n, took)
	}
}

func TestHostileGPT(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		change func(h []byte)
		want   string
	}{
		"entries":              {func(h []byte) { le.PutUint32(h[80:], 1<<32-1) }, "4294967295 entries of 128 bytes"},
		"entries just over":    {func(h []byte) { le.PutUint32(h[80:], 4097) }, "4097 entries"},
		"entry size 0":         {func(h []byte) { le.PutUint32(h[84:], 0) }, "entry size 0"},
		"entry size 129":       {func(h []byte) { le.PutUint32(h[84:], 129) }, "entry size 129"},
		"entry size":           {func(h []byte) { le.PutUint32(h[84:], 1<<31) }, "128 entries of 2147483648 bytes"},
		"header size 0":        {func(h []byte) { le.PutUint32(h[12:], 0) }, "GPT header: size 0"},
		"header size":          {func(h []byte) { le.PutUint32(h[12:], 1<<32-1) }, "GPT header: size 4294967295"},
		"my LBA":               {func(h []byte) { le.PutUint64(h[24:], 2) }, "says it is at LBA 2"},
		"entries at LBA 0":     {func(h []byte) { le.PutUint64(h[72:], 0) }, "entries at LBA 0"},
		"entries far away":     {func(h []byte) { le.PutUint64(h[72:], 1<<63) }, "entries at LBA 9223372036854775808"},
		"entries off the disk": {func(h []byte) { le.PutUint64(h[72:], 1<<40) }, "GPT entries: ends"},
	} {
		t.Run(name, func(t *testing.T) {
			d := gptDisk(t, 512)
			clear(d.b[diskSize-512:])
			d.patch(512, 1, c.change)
			fails(t, d, ondisk.ErrCorrupt, c.want)
		})
	}
	for name, lbas := range map[string][2]uint64{
		"reversed": {100, 99}, "at 0": {0, 100}, "the header": {1, 100}, "endless": {100, 1<<64 - 1}, "overflow": {1 << 62, 1 << 62},
	} {
		t.Run(name, func(t *testing.T) {
			d := gptDisk(t, 512)
			clear(d.b[diskSize-512:])
			le.PutUint64(d.b[1024+32:], lbas[0])
			le.PutUint64(d.b[1024+40:], lbas[1])
			d.patch(512, 1, func([]byte) {})
			fails(t, d, ondisk.ErrCorrupt, "partition 1: from LBA")
		})
	}
}

// A failure of the host's disk is not taken for a damaged table.
func TestIOError(t *testing.T) {
	bad := errors.New("bad sector")
	for name, d := range map[string]memDisk{"gpt": gptDisk(t, 512), "mbr": mbrDisk(t), "none": {make([]byte, diskSize)}} {
		for sector := range int64(3) {
			_, err := Read(failing{d, sector * 512, bad})
			if needed := sector == 0 || name != "mbr" && sector == 1 || name == "gpt"; needed && !errors.Is(err, bad) {
				t.Errorf("%s, sector %d: %v", name, sector, err)
			}
		}
	}
}

type failing struct {
	memDisk
	at  int64
	err error
}

func (f failing) ReadAt(p []byte, off int64) (int, error) {
	if off <= f.at && off+int64(len(p)) > f.at {
		return 0, f.err
	}
	return f.memDisk.ReadAt(p, off)
}

func FuzzRead(f *testing.F) {
	head := func(d memDisk) []byte { return d.b[:20<<10] }
	f.Add(head(gptDisk(f, 512)), []byte(nil))
	f.Add(head(gptDisk(f, 4096)), []byte(nil))
	f.Add(head(mbrDisk(f)), []byte(nil))
	d := logicalDisk(f)
	f.Add(d.b[:512], d.b[5000*512:][:512])
	g := gptDisk(f, 512)
	f.Add(g.b[:512], g.b[diskSize-33*512:])
	f.Fuzz(func(t *testing.T, start, end []byte) {
		d := memDisk{append(append(bytes.Clone(start), make([]byte, 1<<20)...), end...)}
		if len(end) == 512 && len(start) > 512 {
			copy(d.b[min(5000*512, len(d.b)-512):], end)
		}
		table, err := Read(d)
		if err != nil {
			if !errors.Is(err, ondisk.ErrCorrupt) && !errors.Is(err, ondisk.ErrUnsupported) {
				t.Fatal(err)
			}
			return
		}
		if len(table.Volumes) > 4096 || len(table.Warnings) > 20_000 {
			t.Fatalf("%d volumes, %d warnings", len(table.Volumes), len(table.Warnings))
		}
		for _, v := range table.Volumes {
			if v.Start < 0 || v.Device.Size() < 0 || v.Start+v.Device.Size() > d.Size() {
				t.Fatalf("%+v", v)
			}
		}
	})
}
