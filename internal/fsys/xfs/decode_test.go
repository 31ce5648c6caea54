package xfs

import (
	"encoding/hex"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// geometry is a superblock with groups of 1000 blocks, no power of two.
func geometry() *superblock {
	return &superblock{
		v5: true, blockLog: 12, sectLog: 9, inodeLog: 9, inopbLog: 3, agBlockLog: 10,
		blockSize: 4096, sectSize: 512, inodeSize: 512, dirBlocks: 1,
		dataBlocks: 2500, agBlocks: 1000, agCount: 3,
		feat: features{version: 5, incompat: incompatFileType},
	}
}

func TestGeometry(t *testing.T) {
	sb := geometry()
	for _, c := range []struct {
		ino  uint64
		want int64 // or -1
	}{
		{8, 4096}, {9, 4096 + 512}, {1<<13 | 15, 1001*4096 + 7*512}, {2<<13 | 499<<3, 2499 * 4096},
		{0, -1}, // the group's headers
		{7, -1}, {1000 << 3, -1}, {2<<13 | 500<<3, -1}, {3 << 13, -1}, {1 << 63, -1}, {1<<64 - 1, -1},
	} {
		got := int64(-1)
		if sb.checkInode(c.ino) == nil {
			got = sb.inodeOffset(c.ino)
		}
		if got != c.want {
			t.Errorf("inode %#x lies at %d, want %d", c.ino, got, c.want)
		}
	}
	for _, c := range []struct {
		fsb, n uint64
		ok     bool
	}{
		{1, 999, true}, {1, 1000, false}, {1<<10 | 999, 1, true}, {1<<10 | 1000, 1, false},
		{2<<10 | 499, 1, true}, {2<<10 | 499, 2, false}, {1, 0, false}, {1, 1<<64 - 1, false},
	} {
		if err := sb.checkBlocks(c.fsb, c.n); (err == nil) != c.ok {
			t.Errorf("blocks %#x+%d: %v", c.fsb, c.n, err)
		}
	}
}

func TestRealtimeOffset(t *testing.T) {
	for _, c := range []struct {
		rt     realtime
		rtb, n uint64
		want   int64
		err    string
	}{
		{realtime{blocks: 100}, 5, 1, 0, "not in the image"},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000}, 5, 10, 3005 << 12, ""},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000}, 1<<10 | 5, 10, 4005 << 12, ""},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000, gaps: true}, 1<<10 | 5, 10, 4029 << 12, ""},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000}, 1<<10 | 999, 2, 0, "cross a group"},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000}, 1<<10 | 1000, 1, 0, "cross a group"},
		{realtime{start: 3000, blocks: 2500, groupLog: 10, groupBlocks: 1000}, 2<<10 | 500, 1, 0, "past the"},
		{realtime{start: 3000, blocks: 3000, groupLog: 10, groupBlocks: 1000}, 1 << 63, 1, 0, "cross a group"},
	} {
		sb := geometry()
		sb.rt = c.rt
		got, err := sb.realtimeOffset(c.rtb, c.n)
		if c.err == "" && (err != nil || got != c.want) || c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%+v block %#x+%d: %d, %v; want %d, %q", c.rt, c.rtb, c.n, got, err, c.want, c.err)
		}
	}
}

func TestDecodeExtent(t *testing.T) {
	for _, c := range []struct {
		hex  string
		want extent
	}{
		{"0000000000000000 0000000001800001", extent{0, 12, 1, false}},
		{"0000000000000200 00000000020000ff", extent{1, 16, 255, false}},
		{"8000000000000000 00000000018003e8", extent{0, 12, 1000, true}},
		{"7fffffffffffffff ffffffffffffffff", extent{1<<54 - 1, 1<<52 - 1, 1<<21 - 1, false}},
		{"00000000000001ff ffffffffffe00001", extent{0, 1<<52 - 1, 1, false}},
	} {
		if got := decodeExtent(unhex(t, c.hex)); got != c.want {
			t.Errorf("%s is %+v, want %+v", c.hex, got, c.want)
		}
	}
}

func TestDecodeTime(t *testing.T) {
	for _, c := range []struct {
		hex     string
		bigtime bool
		want    fsys.Time
	}{
		{"ffffffff 00000005", false, fsys.Time{Sec: -1, Nsec: 5}},
		{"7fffffff 3b9ac9ff", false, fsys.Time{Sec: 1<<31 - 1, Nsec: 999999999}},
		{"0000000000000000", true, fsys.Time{Sec: -1 << 31}},
		{"1dcd6500 00000000", true, fsys.Time{Sec: 0, Nsec: 0}}, // 2^31 s in ns
		{"ffffffffffffffff", true, fsys.Time{Sec: 16299260425, Nsec: 709551615}},
	} {
		var d dinode
		if err := d.decodeTime(unhex(t, c.hex), c.bigtime); err != nil || d.mt != c.want {
			t.Errorf("%s is %+v, %v; want %+v", c.hex, d.mt, err, c.want)
		}
	}
	if err := new(dinode).decodeTime(unhex(t, "00000000 3b9aca00"), false); err == nil {
		t.Error("a billion nanoseconds pass")
	}
}

func TestRdev(t *testing.T) {
	d := dinode{mode: fsys.ModeBlock | 0o600, data: fork{b: unhex(t, "040d1170")}}
	if got, want := d.rdev(), (fsys.Rdev{Major: 259, Minor: 70000}); got != want {
		t.Errorf("%+v, want %+v", got, want)
	}
}

func TestShortFormDirectory(t *testing.T) {
	for _, c := range []struct {
		name  string
		hex   string
		typed bool
		want  string
	}{
		{"empty", "00 00 00000080", true, "[]"},
		{"two", "02 00 00000080  01 0060 61 01 00000083  03 0078 626364 02 00000084", true, "[a 131 100000 bcd 132 40000]"},
		{"no type", "01 00 00000080  01 0060 61 00000083", false, "[a 131 0]"},
		{"8 bytes", "01 01 0000000000000080  01 0060 61 07 0000000000000085", true, "[a 133 120000] short-form directory: 0 large inode numbers, it says 1"},
		{"place", "02 00 00000080  01 0060 61 01 00000083  01 006f 62 01 00000084", true, `[a 131 100000] short-form directory: entry "b" at 0x6f, want 0x70 or more`},
		{"first place", "01 00 00000080  01 0058 61 01 00000083", true, `[] short-form directory: entry "a" at 0x58, want 0x60 or more`},
		{"whiteout", "01 00 00000080  01 0060 61 08 00000083", true, "[a 131 20000]"},
		{"too many", "02 00 00000080  01 0060 61 01 00000083", true, "[a 131 100000] short-form directory: 2 entries do not fit"},
		{"left over", "00 00 00000080 00", true, "[] short-form directory: 1 bytes behind its 0 entries"},
		{"slash", "01 00 00000080  01 0060 2f 01 00000083", true, `[] entry name "/"`},
		{"dots", "01 00 00000080  02 0060 2e2e 01 00000083", true, `[] entry name ".."`},
		{"no name", "01 00 00000080  00 0060 01 00000083", true, `[] entry name ""`},
		{"type", "01 00 00000080  01 0060 61 09 00000083", true, `[] entry "a": file type 9`},
		{"inode", "01 00 00000080  01 0060 61 01 ffffffff", true, `[] entry "a": inode number 4294967295 is outside the allocation groups`},
		{"parent", "00 00 00000000", true, "[] short-form directory: parent inode number 0"},
		{"short", "01 00 0000", true, "[] short-form directory of 4 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			sb := geometry()
			if !c.typed {
				sb.feat.incompat = 0
			}
			var list []string
			w := dirWalk{fs: &FS{sb: sb}, dir: &dinode{ino: 128, off: -1}, yield: func(e fsys.Dirent, _ error) bool {
				list = append(list, fmt.Sprintf("%s %d %o", e.Name, e.Ino, e.Type))
				return true
			}}
			var got string
			if err := w.shortForm(unhex(t, c.hex)); err != nil {
				got = fmt.Sprint(list, " ", err)
			} else {
				got = fmt.Sprint(list)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestShortFormAttributes(t *testing.T) {
	for _, c := range []struct{ hex, want string }{
		{"0004 00 00", "[]"},
		{"000f 01 00  04 04 00 6e616d65 76616c75", "[user.name=valu]"},
		{"000b 01 00  04 00 04 6e616d65", "[security.name=]"},
		{"000c 01 00  01 04 02 6e 76616c75", "[trusted.n=valu]"},
		{"000c 01 00  01 04 08 6e 76616c75", "[]"}, // a parent pointer
		{"000c 02 00  01 04 02 6e 76616c75", "short-form attributes: 2 entries do not fit"},
		{"000c 00 00  01 04 02 6e 76616c75", "short-form attributes: 8 bytes behind the 0 entries"},
		{"00ff 00 00", "short-form attributes: 255 bytes in a fork of 4"},
		{"000c 01 00  01 04 06 6e 76616c75", `attribute "n": flags 0x6, name of 1 bytes`},
		{"0007 01 00  00 00 00", `short-form attributes: name of 0 bytes, flags 0x0`},
		{"000c 01 00  01 04 80 6e 76616c75", "short-form attributes: name of 1 bytes, flags 0x80"},
		{"000c 01 00  01 04 01 6e 76616c75", "short-form attributes: name of 1 bytes, flags 0x1"},
	} {
		l := attrList{fs: &FS{sb: geometry()}, d: &dinode{off: -1}}
		b := unhex(t, c.hex)
		var list []string
		err := l.shortForm(b)
		for _, x := range l.list {
			list = append(list, x.Name+"="+string(x.Value))
		}
		got := fmt.Sprint(list)
		if err != nil {
			got = err.Error()
		}
		if got != c.want {
			t.Errorf("%s\ngot  %s\nwant %s", c.hex, got, c.want)
		}
	}
}

func TestDecodeACL(t *testing.T) {
	got, err := decodeACL(unhex(t, `00000004
		00000001 ffffffff 0006 0000  00000002 000003e8 0004 0000
		00000004 00000000 0005 0000  00000020 ffffffff 0000 0000`), 0)
	want := unhex(t, `02000000 01000600ffffffff 02000400e8030000 04000500ffffffff 20000000ffffffff`)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%x, %v\nwant %x", got, err, want)
	}
	for _, bad := range []string{"", "00000001", "00000001 00000003 00000000 0006 0000", "00000001 00000001 00000000 0008 0000", "ffffffff"} {
		if _, err := decodeACL(unhex(t, bad), 0); err == nil {
			t.Errorf("%s passes", bad)
		}
	}
}

func TestRuns(t *testing.T) {
	const b = 4096
	for _, c := range []struct {
		name string
		size int64
		list []extent
		want []fsys.Run
	}{
		{"empty", 0, []extent{{0, 10, 5, false}}, nil},
		{"all hole", 5000, nil, []fsys.Run{{Off: 0, Len: 5000, Phys: fsys.Hole}}},
		{"whole", 2 * b, []extent{{0, 10, 2, false}}, []fsys.Run{{Off: 0, Len: 2 * b, Phys: 10 * b}}},
		{"tail cut", 2*b - 1, []extent{{0, 10, 9, false}}, []fsys.Run{{Off: 0, Len: 2*b - 1, Phys: 10 * b}}},
		{"beyond the end", b, []extent{{0, 10, 1, false}, {1, 20, 5, true}}, []fsys.Run{{Off: 0, Len: b, Phys: 10 * b}}},
		{"joined", 3 * b, []extent{{0, 10, 1, false}, {1, 11, 2, false}}, []fsys.Run{{Off: 0, Len: 3 * b, Phys: 10 * b}}},
		{"unwritten joins holes", 5 * b, []extent{{1, 10, 1, true}, {2, 20, 1, false}}, []fsys.Run{
			{Off: 0, Len: 2 * b, Phys: fsys.Hole}, {Off: 2 * b, Len: b, Phys: 20 * b}, {Off: 3 * b, Len: 2 * b, Phys: fsys.Hole}}},
		{"unwritten cuts", 3 * b, []extent{{0, 10, 1, false}, {1, 11, 1, true}, {2, 12, 1, false}}, []fsys.Run{
			{Off: 0, Len: b, Phys: 10 * b}, {Off: b, Len: b, Phys: fsys.Hole}, {Off: 2 * b, Len: b, Phys: 12 * b}}},
		{"next group", 2 * b, []extent{{0, 999, 1, false}, {1, 1<<10 | 1, 1, false}}, []fsys.Run{
			{Off: 0, Len: b, Phys: 999 * b}, {Off: b, Len: b, Phys: 1001 * b}}},
		{"largest", 1<<63 - 1, []extent{{1<<51 - 1, 10, 5, false}}, []fsys.Run{
			{Off: 0, Len: 1<<63 - b, Phys: fsys.Hole}, {Off: 1<<63 - b, Len: b - 1, Phys: 10 * b}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			fs := &FS{sb: geometry()}
			got, err := fs.runs(&dinode{size: c.size}, c.list)
			if err != nil || len(got) != len(c.want) || len(got) > 0 && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %+v, %v\nwant %+v", got, err, c.want)
			}
		})
	}
}

// TestNoOwner shows an owner that is none as the kernel does.
func TestNoOwner(t *testing.T) {
	image := golden(t)["v4-512"] // no checksums
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	off := fs.sb.inodeOffset(fs.sb.rootIno)
	if fs, err = Open(fsystest.NewPatched(image).Set(off+12, 0xff, 0xff, 0xff, 0xff), Options{}); err != nil {
		t.Fatal(err)
	}
	if n, err := fs.Inode(fs.Root()); err != nil || n.GID != 65534 || n.UID != 0 {
		t.Errorf("%+v, %v", n, err)
	}
}

// TestInodeRefused changes the inode of the root directory.
func TestInodeRefused(t *testing.T) {
	image := golden(t)["v5-old"]
	sound, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	off := sound.sb.inodeOffset(sound.sb.rootIno)
	for _, c := range []struct {
		at   int64
		b    []byte
		want string
	}{
		{71, []byte{1}, "0 and 0 extents in 1 blocks"}, // the root is inline
		{75, []byte{1}, "extent size hint 1 without a flag"},
		{127, []byte{flag2Nrext64}, "need features that the filesystem has not"},
		{64, []byte{0xff}, " blocks"},
	} {
		_, err := Open(fsystest.NewPatched(image).Set(off+c.at, c.b...), Options{unverified: true})
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "at byte ") {
			t.Errorf("%x at %d: %v, want %s", c.b, c.at, err, c.want)
		}
	}
}
