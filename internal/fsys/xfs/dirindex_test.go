package xfs

import (
	"bytes"
	"errors"
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

// TestWrongIndex makes names and what finds them differ.
func TestWrongIndex(t *testing.T) {
	image := golden(t)["v5-old"]
	sound, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	// find returns a block that begins so, fits, and is where its owner's fork begins.
	find := func(magic string, at, ownerAt int, attr bool, fits func(b []byte) bool) (int64, fsys.Ino) {
		for off := int64(0); off < int64(len(image)); off += sound.sb.blockSize {
			b := image[off:min(off+sound.sb.dirBlocks*sound.sb.blockSize, int64(len(image)))]
			if !bytes.HasPrefix(b[at:], []byte(magic)) || !fits(b) {
				continue
			}
			ino := be.Uint64(b[ownerAt:])
			d, err := sound.load(ino)
			if err != nil {
				continue
			}
			fork := &d.data
			if attr {
				fork = &d.attr
			}
			if list, err := sound.extents(d, fork); err == nil && len(list) > 0 && sound.sb.blockOffset(list[0].start) == off {
				return off, fsys.Ino(ino)
			}
		}
		t.Fatalf("no block %q", magic)
		return 0, 0
	}
	dir, dirIno := find("XDB3", 0, dirSelf.owner, false, func(b []byte) bool {
		n := int(be.Uint32(b[len(b)-dirTail:]))
		return n > 5 && n < len(b)/8
	})
	dirEnd := dir + sound.sb.dirBlocks*sound.sb.blockSize
	index := dirEnd - dirTail - 8*int64(be.Uint32(image[dirEnd-dirTail:]))
	attr, attrIno := find("\x3b\xee", 8, daSelf.owner, true, func(b []byte) bool {
		return be.Uint16(b[56:]) > 3 && b[attrLeafHeaderV5+6]&attrLocal != 0
	})
	attrName := attr + int64(be.Uint16(image[attr+attrLeafHeaderV5+4:])) + 3
	for _, c := range []struct {
		off  int64
		b    byte
		ino  fsys.Ino
		read func(*FS, fsys.Ino) error
		want string
	}{
		{dir + dirHeaderV5 + 32 + 9, 'Z', dirIno, dirError, `the index does not lead to entry "Z`},
		{index, 0xff, dirIno, dirError, "index entry 1 is out of order"},
		{dirEnd - 1, 1, dirIno, dirError, "removed index entries"},
		{attrName, 'Z', attrIno, inodeError, `attribute leaf: hash of "Z`},
		{attr + attrLeafHeaderV5, 0xff, attrIno, inodeError, "attribute leaf: "},
	} {
		fs, err := Open(fsystest.NewPatched(image).Set(c.off, c.b), Options{unverified: true})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.read(fs, c.ino); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
