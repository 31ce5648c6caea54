package tarball

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/sink"
	"github.com/wslimg/wslimg/internal/tree"
)

func TestDecimal(t *testing.T) {
	for _, c := range []struct {
		t    fsys.Time
		want string
	}{
		{fsys.Time{Sec: 0}, "0"},
		{fsys.Time{Sec: 5, Nsec: 1}, "5.000000001"},
		{fsys.Time{Sec: 5, Nsec: 120_000_000}, "5.12"},
		{fsys.Time{Sec: -1}, "-1"},
		{fsys.Time{Sec: -2, Nsec: 250_000_000}, "-2.25"}, // 1.75 s before 1970
		{fsys.Time{Sec: -1 << 31, Nsec: 999_999_999}, "-2147483648.999999999"},
	} {
		if got := decimal(c.t); got != c.want {
			t.Errorf("decimal(%v) is %q, want %q", c.t, got, c.want)
		}
	}
}

func TestSplitName(t *testing.T) {
	n100, n155 := strings.Repeat("n", 100), strings.Repeat("p", 155)
	for _, c := range []struct {
		in, prefix, name string
		fits             bool
	}{
		{n100, "", n100, true},
		{"./" + n100, ".", n100, true},
		{n155 + "/" + n100, n155, n100, true},
		{n155 + "p/" + n100, "", (n155 + "p/")[:100], false},
		{n155 + "/" + n100 + "n", "", n155[:100], false},
		{n155 + "/" + n100[1:] + "/", n155, n100[1:] + "/", true},
		{n100 + "n/", "", n100, false}, // an empty name field is none
	} {
		prefix, name, fits := splitName(c.in)
		if prefix != c.prefix || name != c.name || fits != c.fits {
			t.Errorf("splitName(%d bytes) is %q, %q, %v; want %q, %q, %v", len(c.in), prefix, name, fits, c.prefix, c.name, c.fits)
		}
	}
}

func TestRecordLengthCountsItself(t *testing.T) {
	for n := range 1100 {
		r := string(record{"k", strings.Repeat("v", n)}.append(nil))
		var length int
		if _, err := fmt.Sscanf(r, "%d ", &length); err != nil || length != len(r) {
			t.Fatalf("record of %d bytes says it has %d (%v)", len(r), length, err)
		}
	}
}

func TestHdrcharsetComesFirst(t *testing.T) {
	pax := func(r ...record) string { return string(encodePax(r)) }
	if got, want := pax(record{"path", "é"}, record{"SCHILY.xattr.user.a", "b"}),
		"21 hdrcharset=BINARY\n25 SCHILY.xattr.user.a=b\n11 path=é\n"; got != want {
		t.Errorf("records %q, want %q", got, want)
	}
	if got := pax(record{"path", "e"}, record{"SCHILY.xattr.user.a", "é"}); strings.Contains(got, "hdrcharset") {
		t.Errorf("records %q tell a charset that they do not need", got)
	}
}

// aclValue encodes tag, permissions and id triples as the kernel does.
func aclValue(entries ...[3]uint32) []byte {
	v := binary.LittleEndian.AppendUint32(nil, aclVersion)
	for _, e := range entries {
		v = binary.LittleEndian.AppendUint16(v, uint16(e[0]))
		v = binary.LittleEndian.AppendUint16(v, uint16(e[1]))
		v = binary.LittleEndian.AppendUint32(v, e[2])
	}
	return v
}

const noID = 0xffffffff

func TestACLText(t *testing.T) {
	full := aclValue([3]uint32{1, 7, noID}, [3]uint32{2, 6, 1000}, [3]uint32{2, 6, 1 << 31}, [3]uint32{4, 5, noID},
		[3]uint32{8, 1, 4}, [3]uint32{16, 7, noID}, [3]uint32{32, 0, noID})
	text, dropped, err := aclText(full)
	if want := "user::rwx,user:1000:rw-:1000,group::r-x,group:4:--x:4,mask::rwx,other::---"; text != want || dropped != 1 || err != nil {
		t.Errorf("%q, %d dropped, %v; want %q, 1 dropped", text, dropped, err, want)
	}
	for what, v := range map[string][]byte{
		"empty":        {},
		"odd length":   full[:len(full)-1],
		"version":      append([]byte{1}, full[1:]...),
		"no other":     full[:len(full)-8],
		"no mask":      aclValue([3]uint32{1, 7, noID}, [3]uint32{2, 6, 1000}, [3]uint32{4, 5, noID}, [3]uint32{32, 0, noID}),
		"order":        aclValue([3]uint32{4, 7, noID}, [3]uint32{1, 7, noID}, [3]uint32{32, 0, noID}),
		"twice":        aclValue([3]uint32{1, 7, noID}, [3]uint32{1, 7, noID}, [3]uint32{4, 5, noID}, [3]uint32{32, 0, noID}),
		"permissions":  aclValue([3]uint32{1, 8, noID}, [3]uint32{4, 5, noID}, [3]uint32{32, 0, noID}),
		"unknown tags": aclValue([3]uint32{1, 7, noID}, [3]uint32{3, 7, noID}, [3]uint32{4, 5, noID}, [3]uint32{32, 0, noID}),
	} {
		if text, _, err := aclText(v); !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%s: %q, %v; want a corrupt ACL", what, text, err)
		}
	}
}

// TestXattrRules writes one file with attributes and reads its pax records.
func TestXattrRules(t *testing.T) {
	capV2 := string([]byte{1, 0, 0, 2, 19: 0})
	big := strings.Repeat("b", 4000)
	for _, c := range []struct {
		name   string
		mode   uint32
		in     []fsys.Xattr
		want   []record
		losses []string
	}{
		{"binary and empty", fsys.ModeRegular,
			[]fsys.Xattr{{Name: "security.selinux", Value: []byte("x\x00")}, {Name: "trusted.overlay.opaque", Value: []byte("y")}, {Name: "user.e"}, {Name: "user.v", Value: []byte("a\n=\x00\xff")}},
			[]record{{"SCHILY.xattr.security.selinux", "x\x00"}, {"SCHILY.xattr.trusted.overlay.opaque", "y"}, {"SCHILY.xattr.user.e", ""}, {"SCHILY.xattr.user.v", "a\n=\x00\xff"}}, nil},
		{"names", fsys.ModeDir,
			[]fsys.Xattr{{Name: "user.a=b \xff", Value: []byte("v")}, {Name: "user.a%3d", Value: []byte("v")}, {Name: "user.%25", Value: []byte("\xff\xfe\xfd")}},
			[]record{{"LIBARCHIVE.xattr.user.a%3Db%20%FF", "dg"}, {"SCHILY.xattr.user.a%3d", "v"}, {"LIBARCHIVE.xattr.user.%2525", "//79"}}, nil},
		{"capability", fsys.ModeRegular,
			[]fsys.Xattr{{Name: capability, Value: []byte(capV2)}}, []record{{"SCHILY.xattr.security.capability", capV2}}, nil},
		{"invalid capability", fsys.ModeRegular,
			[]fsys.Xattr{{Name: capability, Value: []byte(capV2[:12])}}, nil, []string{"invalid security.capability"}},
		{"user on a fifo", fsys.ModeFifo,
			[]fsys.Xattr{{Name: "security.x"}, {Name: "user.x"}}, []record{{"SCHILY.xattr.security.x", ""}}, []string{"user xattr"}},
		{"unknown namespaces", fsys.ModeRegular,
			[]fsys.Xattr{{Name: "system.nfs4_acl"}, {Name: "none"}, {Name: "user"}}, nil, []string{"system xattr", "none xattr", "user xattr"}},
		{"SGI ACLs are the kernel's ACLs again", fsys.ModeRegular, []fsys.Xattr{{Name: "trusted.SGI_ACL_FILE"}}, nil, nil},
		{"ACLs", fsys.ModeDir,
			[]fsys.Xattr{
				{Name: aclAccess, Value: aclValue([3]uint32{1, 7, noID}, [3]uint32{4, 5, noID}, [3]uint32{32, 0, noID})},
				{Name: aclDefault, Value: aclValue([3]uint32{1, 6, noID}, [3]uint32{4, 4, noID}, [3]uint32{32, 4, noID})}},
			[]record{{"SCHILY.acl.access", "user::rwx,group::r-x,other::---"}, {"SCHILY.acl.default", "user::rw-,group::r--,other::r--"}}, nil},
		{"default ACL on a file", fsys.ModeRegular, []fsys.Xattr{{Name: aclDefault}}, nil, []string{"system xattr"}},
		{"ACL on a symlink", fsys.ModeSymlink, []fsys.Xattr{{Name: aclAccess}}, nil, []string{"system xattr"}},
		{"one block", fsys.ModeRegular,
			[]fsys.Xattr{{Name: "security.selinux", Value: []byte("x")}, {Name: "user.big", Value: []byte(big)}},
			[]record{{"SCHILY.xattr.security.selinux", "x"}, {"SCHILY.xattr.user.big", big}}, nil},
		{"inode and block", fsys.ModeRegular,
			[]fsys.Xattr{{Name: "user.big", Value: []byte(big)}, {Name: "user.small", Value: []byte(big[:60])}},
			[]record{{"SCHILY.xattr.user.big", big}, {"SCHILY.xattr.user.small", big[:60]}}, nil},
		{"more than that", fsys.ModeRegular,
			[]fsys.Xattr{{Name: "security.selinux", Value: []byte(big[:100])}, {Name: "user.big", Value: []byte(big)}, {Name: "user.small", Value: []byte("s")}},
			[]record{{"SCHILY.xattr.security.selinux", big[:100]}, {"SCHILY.xattr.user.small", "s"}}, []string{"xattr too large for ext4"}},
	} {
		var losses []string
		got, err := xattrRecords(&tree.Node{Mode: c.mode, Xattrs: c.in}, false, func(kind string) { losses = append(losses, kind) })
		if err != nil || !slices.Equal(got, c.want) || !slices.Equal(losses, c.losses) {
			t.Errorf("%s:\n got %q, losses %q, %v\nwant %q, losses %q", c.name, got, losses, err, c.want, c.losses)
		}
	}
}

func TestSegments(t *testing.T) {
	const h, d = fsys.Hole, 0
	for _, c := range []struct {
		name   string
		runs   []fsys.Run
		want   []segment
		sparse bool
	}{
		{"no hole", []fsys.Run{{Off: 0, Len: 1 << 20, Phys: d}}, []segment{{0, 1 << 20}}, false},
		{"holes too few", []fsys.Run{{Off: 0, Len: 60 << 10, Phys: h}, {Off: 60 << 10, Len: 5, Phys: d}}, []segment{{0, 60<<10 + 5}}, false},
		{"only a hole", []fsys.Run{{Off: 0, Len: 1 << 40, Phys: h}}, nil, true},
		{"hole at the end, of odd size", []fsys.Run{{Off: 0, Len: 4096, Phys: d}, {Off: 4096, Len: 65537, Phys: h}}, []segment{{0, 4096}}, true},
		{"unaligned holes shrink to blocks",
			[]fsys.Run{{Off: 0, Len: 100, Phys: d}, {Off: 100, Len: 70000, Phys: h}, {Off: 70100, Len: 10, Phys: d}},
			[]segment{{0, 512}, {69632, 478}}, true},
		{"adjacent and small holes",
			[]fsys.Run{{Off: 0, Len: 65536, Phys: h}, {Off: 65536, Len: 8192, Phys: h}, {Off: 73728, Len: 512, Phys: d}, {Off: 74240, Len: 1024, Phys: h}, {Off: 75264, Len: 1, Phys: d}},
			[]segment{{73728, 1537}}, true},
	} {
		last := c.runs[len(c.runs)-1]
		segs, sparse := segments(&tree.Content{Size: last.Off + last.Len, Runs: c.runs})
		if sparse != c.sparse || !slices.Equal(segs, c.want) {
			t.Errorf("%s: %v, sparse %v; want %v, %v", c.name, segs, sparse, c.want, c.sparse)
		}
	}
}

func TestRefusedEntries(t *testing.T) {
	deep := func(n int) *tree.Tree { // a file whose member name has n bytes
		tr := newTree()
		path := ""
		for n -= len("./"); n > 100; n -= 51 {
			path += "/" + strings.Repeat("d", 50)
			put(t, tr, path, &tree.Node{Mode: fsys.ModeDir})
		}
		put(t, tr, path+"/"+strings.Repeat("f", n), &tree.Node{Mode: fsys.ModeRegular})
		return tr
	}
	try := func(tr *tree.Tree) error {
		s, _ := New(&strings.Builder{}, Options{})
		_, err := s.Write(t.Context(), tr, nil)
		return err
	}
	if err := try(deep(maxPath)); err != nil {
		t.Errorf("name of %d bytes: %v", maxPath, err)
	}
	if err := try(deep(maxPath + 1)); !errors.Is(err, ondisk.ErrUnsupported) {
		t.Errorf("name of %d bytes: %v, want it unsupported", maxPath+1, err)
	}
	for what, n := range map[string]*tree.Node{
		"type":        {Mode: 0o150000},
		"ACL":         {Mode: fsys.ModeRegular, Xattrs: []fsys.Xattr{{Name: aclAccess, Value: []byte{1}}}},
		"no place":    {Mode: fsys.ModeRegular, Content: &tree.Content{Size: 1}},
		"runs short":  {Mode: fsys.ModeRegular, Content: &tree.Content{Size: 9, Dev: memDevice("12345678"), Runs: []fsys.Run{{Len: 8}}}},
		"runs apart":  {Mode: fsys.ModeRegular, Content: &tree.Content{Size: 8, Dev: memDevice("12345678"), Runs: []fsys.Run{{Len: 4}, {Off: 5, Len: 3}}}},
		"past device": {Mode: fsys.ModeRegular, Content: &tree.Content{Size: 8, Dev: memDevice("12345678"), Runs: []fsys.Run{{Len: 8, Phys: 1}}}},
	} {
		tr := newTree()
		put(t, tr, "/x", n)
		if err := try(tr); err == nil || !strings.HasPrefix(err.Error(), "/x: ") {
			t.Errorf("%s: error is %v, want one about the file", what, err)
		}
	}
	var out strings.Builder
	s, _ := New(&out, Options{BigXattrs: true})
	tr := newTree()
	n := put(t, tr, "/x", &tree.Node{Mode: fsys.ModeRegular})
	for i := range 17 {
		n.Xattrs = append(n.Xattrs, fsys.Xattr{Name: fmt.Sprintf("user.%02d", i), Value: make([]byte, 65000)})
	}
	if stats, err := s.Write(t.Context(), tr, func(int64) {}); err == nil || !strings.HasPrefix(err.Error(), "/x: archive header") {
		t.Errorf("header above 1 MiB: %v, %v", stats, err)
	}
	n.Xattrs = n.Xattrs[:16]
	stats, err := s.Write(t.Context(), tr, nil)
	if err != nil || !slices.Equal(stats.Losses, []sink.Loss(nil)) {
		t.Errorf("header below 1 MiB: %v, %v", stats, err)
	}
}

func TestLargeNumbers(t *testing.T) {
	h := header{name: "./big", typ: typeFile, size: 9 << 30, dev: fsys.Rdev{Major: maxOctal7, Minor: maxOctal7 + 1}}
	b, err := h.append(nil)
	if err != nil {
		t.Fatal(err)
	}
	got, err := tar.NewReader(bytes.NewReader(b)).Next()
	if err != nil || got.Size != 9<<30 {
		t.Errorf("read %+v, %v; want a size of 9 GiB", got, err)
	}
	if want := "27 SCHILY.devminor=2097152\n"; !bytes.Contains(b, []byte(want)) {
		t.Errorf("no record %q", want)
	}
}
