package manifest

import (
	"bytes"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
)

func sample() []Entry {
	return []Entry{
		{Path: ".", Mode: 0o040755, Sec: -1, Nsec: 999_999_999},
		{Path: "a\n\xff\"\\", Mode: 0o100644, UID: 1<<32 - 2, Size: 3, Digest: "00", Link: "a\n\xff\"\\", Xattrs: []Attr{{"user.\xfe", []byte{0, 1}}, {"user.empty", []byte{}}}},
		{Path: "b", Mode: 0o100644, UID: 1<<32 - 2, Size: 3, Digest: "00", Link: "a\n\xff\"\\"},
		{Path: "c", Mode: 0o020600, Rdev: "4095:1048575"},
		{Path: "l", Mode: 0o120777, Target: "\xe9 → x"},
	}
}

func TestWriteRead(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, sample()); err != nil {
		t.Fatal(err)
	}
	got, err := Read(&b)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, sample()) {
		t.Errorf("got %+v\nwant %+v", got, sample())
	}
}

func TestCompare(t *testing.T) {
	if d := Compare(sample(), sample(), Options{}); len(d) != 0 {
		t.Errorf("equal manifests differ: %q", d)
	}
	tests := []struct {
		name   string
		change func([]Entry) []Entry
		want   string
	}{
		{"missing", func(e []Entry) []Entry { return e[:4] }, `"l": missing (mode 120777)`},
		{"extra", func(e []Entry) []Entry { return append(e, Entry{Path: "x", Mode: 0o100600}) }, `"x": not in the original (mode 100600)`},
		{"twice", func(e []Entry) []Entry { return append(e, e[3]) }, `"c": there twice`},
		{"mode", func(e []Entry) []Entry { e[2].Mode = 0o104644; return e }, `"b": mode 104644, want 100644`},
		{"owner", func(e []Entry) []Entry { e[2].UID = 1; return e }, `"b": owner 1:0, want 4294967294:0`},
		{"size", func(e []Entry) []Entry { e[2].Size = 4; return e }, `"b": size 4, want 3`},
		{"time", func(e []Entry) []Entry { e[0].Nsec = 0; return e }, `".": mtime -1 s + 0 ns, want -1 s + 999999999 ns`},
		{"device", func(e []Entry) []Entry { e[3].Rdev = "0:0"; return e }, `"c": device 0:0, want 4095:1048575`},
		{"link", func(e []Entry) []Entry { e[2].Link = ""; return e }, `"b": hard link of "", want "a\n\xff\"\\"`},
		{"target", func(e []Entry) []Entry { e[4].Target = "y"; return e }, `"l": symlink to "y", want "\xe9 → x"`},
		{"content", func(e []Entry) []Entry { e[2].Digest = "01"; return e }, `"b": content 01, want 00`},
		{"attribute lost", func(e []Entry) []Entry { e[1].Xattrs = e[1].Xattrs[:1]; return e }, `"a\n\xff\"\\": attribute "user.empty" missing`},
		{"attribute changed", func(e []Entry) []Entry { e[1].Xattrs[1].Value = []byte("1"); return e }, `"a\n\xff\"\\": attribute "user.empty" is "1" (1 bytes), want "" (0 bytes)`},
		{"attribute new", func(e []Entry) []Entry { e[2].Xattrs = []Attr{{"user.n", nil}}; return e }, `"b": attribute "user.n" not in the original`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			if d := Compare(sample(), test.change(sample()), Options{}); !slices.Equal(d, []string{test.want}) {
				t.Errorf("got %q, want %q", d, test.want)
			}
		})
	}
}

func TestFinish(t *testing.T) {
	e := []Entry{
		{Path: "z", Inode: 7, Device: 1, Nlink: 2, Mode: 0o100644},
		{Path: "d", Inode: 7, Device: 1, Nlink: 2, Mode: 0o040755},
		{Path: "b", Inode: 7, Device: 1, Nlink: 2, Mode: 0o100644},
		{Path: "c", Inode: 7, Device: 2, Nlink: 2, Mode: 0o100644},
	}
	Finish(e)
	var got []string
	for _, e := range e {
		got = append(got, string(e.Path+"="+e.Link))
	}
	if want := "b=b c= d= z=b"; strings.Join(got, " ") != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A digest must not depend on where a filesystem keeps holes.
func TestDigestIgnoresHoles(t *testing.T) {
	for _, size := range []int{0, 1, page, 3*page + 5} {
		data := make([]byte, size)
		if size > page {
			data[page+1] = 1
			data[size-1] = 2
		}
		whole := []fsys.Run{{Len: int64(size)}}
		var parts []fsys.Run
		for off := 0; off < size; off += 1000 {
			run := fsys.Run{Off: int64(off), Len: int64(min(1000, size-off))}
			if len(bytes.Trim(data[off:off+int(run.Len)], "\x00")) == 0 {
				run.Phys = fsys.Hole
			}
			parts = append(parts, run)
		}
		a, err := Digest(bytes.NewReader(data), int64(size), whole)
		if err != nil {
			t.Fatal(err)
		}
		b, err := Digest(bytes.NewReader(data), int64(size), parts)
		if err != nil {
			t.Fatal(err)
		}
		if a != b {
			t.Errorf("size %d: %s as one run, %s with holes", size, a, b)
		}
	}
}

func TestDigestOfLargeFiles(t *testing.T) {
	const size = plainLimit + 3*page + 5
	data := make([]byte, size)
	copy(data[5*page-3:], "across pages")
	data[size-1] = 1
	whole, err := Digest(bytes.NewReader(data), size, []fsys.Run{{Len: size}})
	if err != nil {
		t.Fatal(err)
	}
	parts, err := Digest(bytes.NewReader(data), size, []fsys.Run{
		{Len: 5*page - 10, Phys: fsys.Hole}, {Off: 5*page - 10, Len: 8},
		{Off: 5*page - 2, Len: 20}, {Off: 5*page + 18, Len: size - 5*page - 19, Phys: fsys.Hole}, {Off: size - 1, Len: 1},
	})
	if err != nil {
		t.Fatal(err)
	}
	if whole != parts {
		t.Errorf("%s as one run, %s with holes", whole, parts)
	}
	data[6*page] = 1
	if other, _ := Digest(bytes.NewReader(data), size, []fsys.Run{{Len: size}}); other == whole || !strings.HasPrefix(other, "sparse:") {
		t.Errorf("changed content has the digest %s", other)
	}
}
