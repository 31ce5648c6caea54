package ext4

import (
	"errors"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// TestNameHash has values of the command dx_hash of debugfs.
func TestNameHash(t *testing.T) {
	const short, long = "file", "größe-und-ein-Name-von-mehr-als-32-Bytes"
	seed := [4]uint32{0x33221100, 0x77665544, 0xbbaa9988, 0xffeeddcc}
	for _, c := range []struct {
		version     byte
		seed        [4]uint32
		short, long uint32
	}{
		{hashLegacy, [4]uint32{}, 0x10c30fca, 0x8025dd8a},
		{hashLegacy, seed, 0x10c30fca, 0x8025dd8a},
		{hashHalfMD4, [4]uint32{}, 0x19ccbc2, 0xe96b8faa},
		{hashHalfMD4, seed, 0x4e6fbf3c, 0x46f32cc6},
		{hashTEA, [4]uint32{}, 0x53fcf74e, 0x7af8896e},
		{hashTEA, seed, 0x34635fe, 0x579169bc},
	} {
		h := nameHasher{c.version, c.seed}
		if s, l := h.hash([]byte(short), true), h.hash([]byte(long), true); s != c.short || l != c.long {
			t.Errorf("version %d, seed %x: %#x and %#x, want %#x and %#x", c.version, c.seed, s, l, c.short, c.long)
		}
		if h.hash([]byte(short), false) != c.short || h.hash([]byte(long), false) == c.long {
			t.Errorf("version %d, seed %x: unsigned characters do not count", c.version, c.seed)
		}
	}
}

// TestWrongIndex makes names and the index that finds them differ.
func TestWrongIndex(t *testing.T) {
	image := golden(t, "ext4")
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	ino, root := indexedDir(t, fs)
	entry := func(i int64) int64 { return root + dxRootEntries + i*dxEntry }
	block := func(i int64) uint32 { return le.Uint32(image[entry(i)+4:]) }
	leaf := int64(0)
	for e, err := range fs.ReadDir(ino) {
		if err != nil {
			t.Fatal(err)
		}
		leaf = e.Off // of any entry: the last
	}
	for _, c := range []struct {
		off  int64
		b    []byte
		want string // "" passes, as the index is passed over
	}{
		{leaf + direntHeader, []byte{'\x01'}, "the hash index does not lead to directory entry"},
		{entry(1), []byte{0xff, 0xff}, "the hash index does not lead to"},                           // another hash
		{entry(1) + 4, []byte{byte(block(0)), byte(block(0) >> 8)}, "hash index has block 1 twice"}, // another block
		{root + dxRootEntries + 2, []byte{1, 0}, "the hash index does not lead to"},                 // fewer entries
		{root + 0x1c, []byte{hashTEA}, "the hash index does not lead to"},                           // another hash function
		{root + 0x1c, []byte{99}, ""},                // an unknown one
		{root + 0x18, []byte{1}, ""},                 // no root
		{entry(1) + 4, []byte{0xff, 0xff, 0xff}, ""}, // outside
		{superOffset + 0x5c, []byte{byte(fs.sb.compat &^ compatDirIndex), byte(fs.sb.compat >> 8)}, ""},        // no feature
		{superOffset + 0xec, []byte{image[superOffset+0xec] ^ 1}, "the hash index does not lead to directory"}, // another seed
	} {
		bad, err := Open(fsystest.NewPatched(image).Set(c.off, c.b...), Options{unverified: true})
		if err != nil {
			t.Fatal(err)
		}
		err = nil
		for _, e := range bad.ReadDir(ino) {
			err = e
		}
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%x at %#x: %v", c.b, c.off, err)
		case c.want != "" && (!errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%x at %#x: %v, want %s", c.b, c.off, err, c.want)
		}
	}
}

// indexedDir finds a directory with an index of one level, and its root's place.
func indexedDir(t *testing.T, fs *FS) (fsys.Ino, int64) {
	t.Helper()
	for ino := fsys.Ino(fs.sb.firstIno); ino < fsys.Ino(fs.sb.inodes); ino++ {
		n, err := fs.namedInode(ino, make([]byte, fs.sb.inodeSize))
		if err != nil || !n.isType(fsys.ModeDir) || !n.has(flagIndex) {
			continue
		}
		runs, err := fs.runs(&n)
		if err != nil {
			t.Fatal(err)
		}
		x, err := fs.readIndex(&n, runs)
		if err != nil || x == nil {
			t.Fatalf("index %v, %v", x, err)
		}
		if int64(len(x.leaves)) == n.size/fs.sb.blockSize-1 && len(x.leaves) > 2 {
			return ino, runs[0].Phys
		}
	}
	t.Fatal("no index")
	return 0, 0
}
