package lvm

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
)

// fixture returns the partitions of the disk that testdata/make.sh made.
func fixture(t testing.TB) []volume.Volume {
	t.Helper()
	packed, err := os.ReadFile("testdata/disk.raw.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	disk, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return []volume.Volume{
		{Device: bytes.NewReader(disk[1<<20 : 9<<20]), Number: 1},
		{Device: bytes.NewReader(disk[9<<20 : 17<<20]), Number: 2},
	}
}

func find(t testing.TB, volumes []volume.Volume, name string) volume.Volume {
	t.Helper()
	for _, v := range volumes {
		if v.Name == name {
			return v
		}
	}
	t.Fatalf("no %q among %+v", name, volumes)
	return volume.Volume{}
}

func TestFixture(t *testing.T) {
	found, warnings, err := Read(fixture(t))
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	var names []string
	for _, v := range found {
		names = append(names, v.Name)
		if v.Kind != "lvm" || v.Start != -1 || v.Number != 0 || len(v.PartUUID) != 38 {
			t.Errorf("%+v", v)
		}
	}
	if got := strings.Join(names, " "); got != "test-vg/root test-vg/striped test-vg/broken test-vg/swap_1" {
		t.Errorf("volumes %s", got)
	}
	const extent = 64 << 10
	for name, extents := range map[string]int64{"root": 37, "striped": 12, "swap_1": 2} {
		dev := find(t, found, "test-vg/"+name).Device
		if dev.Size() != extents*extent {
			t.Errorf("%s: size %d", name, dev.Size())
		}
		view := blockdev.Fork(dev)
		all := make([]byte, dev.Size())
		if n, err := view.ReadAt(all, 0); n < len(all) {
			t.Fatal(n, err)
		}
		if err := blockdev.Release(dev, view); err != nil {
			t.Error(err)
		}
		for off := int64(0); off < dev.Size(); off += 4096 {
			want := fmt.Sprintf("%s at %d\n", name, off)
			p := make([]byte, len(want))
			if _, err := dev.ReadAt(p, off); err != nil || string(p) != want || !bytes.HasPrefix(all[off:], p) {
				t.Fatalf("%s at %d: %q, %v", name, off, p, err)
			}
		}
		if n, err := dev.ReadAt(make([]byte, 10), dev.Size()-5); n != 5 || err != io.EOF {
			t.Errorf("%s over the end: %d, %v", name, n, err)
		}
		if _, err := dev.ReadAt(make([]byte, 10), -1); err == nil {
			t.Errorf("%s: a negative offset was read", name)
		}
		for off := int64(0); off < dev.Size(); {
			e, err := dev.(blockdev.Mapper).NextExtent(off)
			if err != nil || e.Off != off || e.Len <= 0 || e.Len > dev.Size()-off || e.Zero {
				t.Fatalf("%s: extent %+v at %d, %v", name, e, off, err)
			}
			off += e.Len
		}
	}
	broken := find(t, found, "test-vg/broken").Device
	if _, err := broken.ReadAt(make([]byte, 1), 0); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), `type "error"`) {
		t.Errorf("%v", err)
	}
}

// One partition alone has part of the volumes; the others say what they lack.
func TestMissing(t *testing.T) {
	found, warnings, err := Read(fixture(t)[:1])
	if err != nil || len(warnings) > 0 {
		t.Fatal(warnings, err)
	}
	if _, err := find(t, found, "test-vg/swap_1").Device.ReadAt(make([]byte, 1), 0); err != nil {
		t.Error(err)
	}
	_, err = find(t, found, "test-vg/root").Device.ReadAt(make([]byte, 1), 0)
	if !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "is not in the image") || ondisk.HintOf(err) == "" {
		t.Errorf("%v", err)
	}
}

// physical is a physical volume of 1 MiB with its metadata in [4096, 4096+area).
type physical struct{ b []byte }

const areaOff = 4096

func newPhysical(id string, area int, text string, at int) physical {
	le := binary.LittleEndian
	p := physical{make([]byte, 1<<20)}
	label := p.b[512:1024]
	copy(label, labelMagic)
	le.PutUint64(label[8:], 1)
	le.PutUint32(label[20:], 32)
	copy(label[24:], labelType)
	copy(label[32:], id)
	le.PutUint64(label[64:], 1<<20)
	le.PutUint64(label[72:], 128<<10) // data area, of size 0: to the end
	le.PutUint64(label[104:], areaOff)
	le.PutUint64(label[112:], uint64(area))
	h := p.b[areaOff:][:512]
	copy(h[4:], mdaMagic)
	le.PutUint32(h[20:], 1)
	le.PutUint64(h[24:], areaOff)
	le.PutUint64(h[32:], uint64(area))
	le.PutUint64(h[40:], uint64(at))
	le.PutUint64(h[48:], uint64(len(text)))
	le.PutUint32(h[56:], checksum([]byte(text)))
	n := copy(p.b[areaOff+at:areaOff+area], text)
	copy(p.b[areaOff+512:], text[n:])
	p.sum()
	return p
}

// sum makes the checksums of label and header right.
func (p physical) sum() {
	binary.LittleEndian.PutUint32(p.b[512+16:], checksum(p.b[512+20:1024]))
	binary.LittleEndian.PutUint32(p.b[areaOff:], checksum(p.b[areaOff+4:][:508]))
}

const (
	idA = "aaaaaabbbbccccddddeeeeffffgggggg"
	vg  = `vg {
	id = "x" # a comment
	seqno = 7
	status = ["RESIZEABLE", "READ", "WRITE"]
	flags = []
	extent_size = 8
	max_lv = 0
	physical_volumes {
		pv0 { id = "aaaaaa-bbbb-cccc-dddd-eeee-ffff-gggggg" device = "/dev/\"x\\" pe_start = 256 pe_count = 200 }
	}
	logical_volumes {
		lv {
			id = "y"
			status = ["READ", "WRITE", "VISIBLE"]
			creation_time = 1700000000
			segment_count = 1
			segment1 { start_extent = 0 extent_count = 10 type = "striped" stripe_count = 1 stripes = ["pv0", 5] }
		}
		hidden { status = ["READ"] segment_count = 0 }
	}
}
# Generated by LVM2
contents = "Text Format Volume Group"
version = 1
`
)

func readOne(p physical) ([]volume.Volume, []string, error) {
	return Read([]volume.Volume{{Device: bytes.NewReader(p.b), Number: 3}})
}

// The text may begin anywhere in its area and go on behind the header.
func TestRing(t *testing.T) {
	const area = 8192
	for _, at := range []int{512, 1024, area - 1, area - len(vg), area - len(vg) + 1, area - 100} {
		p := newPhysical(idA, area, vg, at)
		copy(p.b[256*512+5*4096:], "here it is")
		found, warnings, err := readOne(p)
		if err != nil || len(warnings) > 0 || len(found) != 1 {
			t.Fatalf("at %d: %+v, %q, %v", at, found, warnings, err)
		}
		b := make([]byte, 10)
		if _, err := found[0].Device.ReadAt(b, 0); err != nil || string(b) != "here it is" || found[0].Device.Size() != 40960 || found[0].Name != "vg/lv" {
			t.Errorf("at %d: %q, %v", at, b, err)
		}
	}
}

// The newest metadata of all physical volumes counts.
func TestNewest(t *testing.T) {
	old := newPhysical(idA, 8192, vg, 512)
	fresh := newPhysical(strings.ToUpper(idA), 8192, strings.NewReplacer("seqno = 7", "seqno = 8", "lv {", "renamed {").Replace(vg), 512)
	for _, order := range [][]physical{{old, fresh}, {fresh, old}} {
		var parts []volume.Volume
		for _, p := range order {
			parts = append(parts, volume.Volume{Device: bytes.NewReader(p.b)})
		}
		found, _, err := Read(parts)
		if err != nil || len(found) != 1 || found[0].Name != "vg/renamed" {
			t.Errorf("%+v, %v", found, err)
		}
	}
}

// Damage to label or metadata is told as a warning: other partitions may hold
// what is wanted.
func TestDamagedMetadata(t *testing.T) {
	le := binary.LittleEndian
	for name, c := range map[string]struct {
		damage func(p physical)
		sum    bool
		want   string
	}{
		"label checksum":      {func(p physical) { p.b[600] ^= 1 }, false, "LVM2 label: checksum"},
		"label sector":        {func(p physical) { p.b[520] = 2 }, true, "sector 2"},
		"label header":        {func(p physical) { le.PutUint32(p.b[532:], 1<<31) }, true, "header at 2147483648"},
		"area off the volume": {func(p physical) { le.PutUint64(p.b[512+104:], 1<<40) }, true, "metadata of 8192 bytes at 0x10000000000"},
		"area too large":      {func(p physical) { le.PutUint64(p.b[512+112:], 1<<63) }, true, "metadata of 9223372036854775808 bytes"},
		"endless lists": {func(p physical) {
			for i := 512 + 72; i < 1024; i++ {
				p.b[i] = 1
			}
		}, true, "no end"},
		"header checksum":  {func(p physical) { p.b[areaOff+300] ^= 1 }, false, "metadata header: checksum"},
		"header magic":     {func(p physical) { p.b[areaOff+4] = 'x' }, true, "metadata header: magic"},
		"header version":   {func(p physical) { p.b[areaOff+20] = 2 }, true, "metadata version 2"},
		"header place":     {func(p physical) { p.b[areaOff+24] = 2 }, true, "the label says"},
		"text in header":   {func(p physical) { le.PutUint64(p.b[areaOff+40:], 500) }, true, "at 0x1f4"},
		"text off area":    {func(p physical) { le.PutUint64(p.b[areaOff+40:], 8192) }, true, "at 0x2000"},
		"text too large":   {func(p physical) { le.PutUint64(p.b[areaOff+48:], 1<<63) }, true, "metadata of 9223372036854775808 bytes"},
		"text larger than": {func(p physical) { le.PutUint64(p.b[areaOff+48:], 7681) }, true, "metadata of 7681 bytes"},
		"text checksum":    {func(p physical) { p.b[areaOff+600] ^= 1 }, false, "LVM2 metadata: checksum"},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPhysical(idA, 8192, vg, 512)
			c.damage(p)
			if c.sum {
				p.sum()
			}
			found, warnings, err := readOne(p)
			if err != nil || len(found) > 0 || len(warnings) != 1 || !strings.HasPrefix(warnings[0], "partition 3: ") || !strings.Contains(warnings[0], c.want) {
				t.Errorf("%+v, %q, %v, want %q", found, warnings, err, c.want)
			}
		})
	}
}

// What the text says is checked before it is used.
func TestHostileText(t *testing.T) {
	for name, c := range map[string]struct {
		old, fresh string
		want       string // of a warning, or of the logical volume
	}{
		"no group":             {vg, "a = 1\n", "0 volume groups"},
		"two groups":           {"# Generated", "other { }\n#", "2 volume groups"},
		"group name":           {"vg {", "../vg {", `name "../vg"`},
		"no seqno":             {"seqno = 7", "", "seqno is 0"},
		"seqno of no number":   {"seqno = 7", `seqno = "7"`, "seqno"},
		"unclosed":             {"}\n# Generated", "# Generated", "want"},
		"closed twice":         {"}\n# Generated", "}}\n# Generated", "want"},
		"unclosed string":      {`Group"`, `Group\"`, "want the end of a string"},
		"twice":                {"max_lv = 0", "max_lv = 0 max_lv = 1", "want a new name"},
		"no value":             {"max_lv = 0", "max_lv =", "want"},
		"large number":         {"max_lv = 0", "max_lv = 99999999999999999999999x", "want a number"},
		"list in a list":       {"flags = []", "flags = [[]]", "want a value"},
		"list without comma":   {"flags = []", "flags = [1 2]", `want ","`},
		"deep":                 {"max_lv = 0", strings.Repeat("a { ", 100_000/4), "nesting"},
		"extent size 0":        {"extent_size = 8", "extent_size = 0", "extent_size is 0"},
		"extent size":          {"extent_size = 8", "extent_size = 9223372036854775807", "extent_size is 9223372036854775807"},
		"extent size negative": {"extent_size = 8", "extent_size = -8", "extent_size is -8"},
		"segments 0":           {"segment_count = 1", "segment_count = 0", "segment_count is 0"},
		"segments":             {"segment_count = 1", "segment_count = 2", "segment 2 of 2 is missing"},
		"segment start":        {"start_extent = 0", "start_extent = 1", "start_extent is 1, want 0 to 0"},
		"extents 0":            {"extent_count = 10", "extent_count = 0", "extent_count is 0"},
		"extents":              {"extent_count = 10", "extent_count = 4294967295", "extents 5 to 4294967300 of a physical volume of 200"},
		"type":                 {`type = "striped"`, `type = "thin"`, `segments of type "thin"`},
		"stripes 0":            {"stripe_count = 1", "stripe_count = 0", "stripe_count is 0"},
		"stripes":              {"stripe_count = 1", "stripe_count = 3", "10 extents in 3 stripes"},
		"two stripes in one":   {"stripe_count = 1", "stripe_count = 2", "of which 1 places"},
		"no stripe size":       {`stripe_count = 1 stripes = ["pv0", 5]`, `stripe_count = 2 stripes = ["pv0", 5, "pv0", 50]`, "stripe_size is 0"},
		"odd stripe size":      {`stripe_count = 1 stripes = ["pv0", 5]`, `stripe_size = 7 stripe_count = 2 stripes = ["pv0", 5, "pv0", 50]`, "in chunks of 3584"},
		"unknown volume":       {`["pv0", 5]`, `["pv9", 5]`, `"pv9", which is no physical volume`},
		"first extent":         {`["pv0", 5]`, `["pv0", -1]`, "extents -1 to 9"},
		"last extent":          {`["pv0", 5]`, `["pv0", 191]`, "extents 191 to 201"},
		"far extent":           {`["pv0", 5]`, `["pv0", 9223372036854775807]`, "extents 9223372036854775807"},
		"beyond the volume":    {"pe_count = 200", "pe_count = 4294967295", ""},
		"pe_start":             {"pe_start = 256", "pe_start = 9007199254740991", "extents up to byte"},
		"pe_start far":         {"pe_start = 256", "pe_start = 18014398509481983", "extent 15 of 8 sectors"},
		"cut off":              {"extent_size = 8", "extent_size = 128", "is the image cut off?"},
		"volume elsewhere":     {"aaaaaa-bbbb", "zzzzzz-bbbb", "is not in the image"},
	} {
		t.Run(name, func(t *testing.T) {
			text := strings.Replace(vg, c.old, c.fresh, 1)
			if text == vg {
				t.Fatal("nothing replaced")
			}
			found, warnings, err := readOne(newPhysical(idA, 500_000, text, 512))
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(warnings, "; ")
			if len(found) > 0 {
				if _, err := found[0].Device.ReadAt(make([]byte, 1), 0); err != nil {
					if !isFormat(err) {
						t.Errorf("of no class: %v", err)
					}
					got += err.Error()
				}
			}
			if !strings.Contains(got, c.want) || (got == "") != (c.want == "") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestNotPhysical(t *testing.T) {
	for _, n := range []int{0, 1, 512, 1024, 1 << 20} {
		found, warnings, err := Read([]volume.Volume{{Device: bytes.NewReader(make([]byte, n))}})
		if err != nil || len(found) > 0 || len(warnings) > 0 {
			t.Errorf("%d zeros: %v, %v, %v", n, found, warnings, err)
		}
	}
	bad := errors.New("bad sector")
	if _, _, err := Read([]volume.Volume{{Device: failing{bad}}}); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
}

type failing struct{ err error }

func (f failing) Size() int64                       { return 1 << 20 }
func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

func FuzzText(f *testing.F) {
	f.Add(vg)
	f.Add("a=[1,\"x\"]#c\nb{c=-1.5}")
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := parse(text); err != nil && !errors.Is(err, ondisk.ErrCorrupt) {
			t.Fatal(err)
		}
	})
}

func FuzzGroup(f *testing.F) {
	f.Add(vg)
	f.Add(strings.Replace(vg, `stripe_count = 1 stripes = ["pv0", 5]`, `stripe_size = 8 stripe_count = 2 stripes = ["pv0", 5, "pv0", 50]`, 1))
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 100_000 {
			return
		}
		found, _, err := readOne(newPhysical(idA, 200_000, text, 512))
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range found {
			p := make([]byte, 1000)
			if _, err := v.Device.ReadAt(p, max(v.Device.Size()-500, 0)); err != nil && err != io.EOF && !isFormat(err) {
				t.Fatal(err)
			}
		}
	})
}
