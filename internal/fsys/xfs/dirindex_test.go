package xfs

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// TestNameHash has values of xfs_db's command hash.
func TestNameHash(t *testing.T) {
	for name, want := range map[string]uint32{
		"": 0, ".": 0x2e, "..": 0x172e, "a": 0x61, "lost+found": 0x21aa60c, "SGI_ACL_FILE": 0x275b19c4,
	} {
		if got := nameHash([]byte(name)); got != want {
			t.Errorf("%q: %#x, want %#x", name, got, want)
		}
	}
}

// findOwned returns a block that begins so, at byte at, fits, and is where an
// extent begins of the fork of the inode that it names.
func findOwned(t *testing.T, image []byte, fs *FS, magic string, at int, self selfDescription, fork func(*dinode) *fork, fits func(b []byte) bool) (int64, fsys.Ino) {
	t.Helper()
	for off := int64(0); off < int64(len(image)); off += fs.sb.blockSize {
		b := image[off:min(off+fs.sb.dirBlocks*fs.sb.blockSize, int64(len(image)))]
		if !bytes.HasPrefix(b[at:], []byte(magic)) || !fits(b) {
			continue
		}
		d, err := fs.load(be.Uint64(b[self.owner:]))
		if err != nil {
			continue
		}
		list, _ := fs.extents(d, fork(d))
		if slices.ContainsFunc(list, func(e extent) bool { return fs.sb.blockOffset(e.start) == off }) {
			return off, fsys.Ino(d.ino)
		}
	}
	t.Fatalf("no block %q", magic)
	return 0, 0
}

// wrong is a changed byte and what reading an inode then says.
type wrong struct {
	off  int64
	b    byte
	want string
}

func (w wrong) check(t *testing.T, image []byte, ino fsys.Ino, read func(*FS, fsys.Ino) error) {
	t.Helper()
	fs, err := Open(fsystest.NewPatched(image).Set(w.off, w.b), Options{unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := read(fs, ino); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), w.want) {
		t.Errorf("%v, want %s", err, w.want)
	}
}

// TestWrongIndex makes names of directories and what finds them differ.
func TestWrongIndex(t *testing.T) {
	image := golden(t)["v5-new"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	fork := func(d *dinode) *fork { return &d.data }

	off, ino := findOwned(t, image, fs, "XDB3", 0, dirSelf, fork, func(b []byte) bool {
		n := int(be.Uint32(b[len(b)-dirTail:]))
		return n > 5 && n < len(b)/8
	})
	end := off + fs.sb.dirBlocks*fs.sb.blockSize
	index := end - dirTail - 8*int64(be.Uint32(image[end-dirTail:]))
	for _, w := range []wrong{
		{off + dirHeaderV5 + 32 + 9, 'Z', `the index does not lead to entry "Z`}, // behind "." and ".."
		{index, 0xff, "directory index: entry 1 is out of order"},
		{end - 1, 1, "directory index: 0 removed entries, want 1"},
		{end - dirTail - 1, 0, "directory index: 1 removed entries, want 0"},
	} {
		w.check(t, image, ino, dirError)
	}

	off, ino = findOwned(t, image, fs, "XDD3", 0, dirSelf, fork, func(b []byte) bool {
		return be.Uint16(b[dirHeaderV5:]) != dirFreeTag && b[dirHeaderV5+8] > 2
	})
	wrong{off + dirHeaderV5 + 9, 'Z', "directory index: "}.check(t, image, ino, dirError)

	off, ino = findOwned(t, image, fs, "\x3d\xf1", 8, daSelf, fork, func(b []byte) bool {
		return be.Uint32(b[dirLeafHeaderV5+4:]) != 0 && b[57] > 1
	})
	last := off + dirLeafHeaderV5 + 8*int64(be.Uint16(image[off+56:])-1)
	for _, w := range []wrong{
		{off + dirLeafHeaderV5, 0xff, "directory index: entry 1 is out of order"},
		{last, 0xff, "which has another or is met twice"},
		{last + 7, image[last+7] ^ 1, "which has another or is met twice"},
		{off + 57, image[off+57] - 1, "directory index: lacks 1 of "},
		{off + 59, 1, "directory index: 100 removed entries, want 1"},
		{off + 56, 0xff, "directory index block: "},
		{off + 8, 0, "directory index block magic"},
	} {
		w.check(t, image, ino, dirError)
	}
}

// TestWrongAttributeHash makes an attribute and what finds it differ.
func TestWrongAttributeHash(t *testing.T) {
	image := golden(t)["v5-old"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	off, ino := findOwned(t, image, fs, "\x3b\xee", 8, daSelf, func(d *dinode) *fork { return &d.attr }, func(b []byte) bool {
		return be.Uint16(b[56:]) > 3 && b[attrLeafHeaderV5+6]&attrLocal != 0
	})
	name := off + int64(be.Uint16(image[off+attrLeafHeaderV5+4:])) + 3
	for _, w := range []wrong{
		{name, 'Z', `attribute leaf: hash of "Z`},
		{off + attrLeafHeaderV5, 0xff, "attribute leaf: "},
		{off + attrLeafHeaderV5 + 8, 0, "attribute leaf: entry 1 is out of order"},
	} {
		w.check(t, image, ino, inodeError)
	}
}
