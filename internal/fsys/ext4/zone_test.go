package ext4

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

func TestZone(t *testing.T) {
	spans := grow(grow(grow(grow(nil, 50, 2), 52, 3), 10, 4), 60, 1)
	z := merge(append(spans, span{12, 16}, span{13, 14}))
	if got, want := fmt.Sprint(z), "[{10 16} {50 55} {60 61}]"; got != want {
		t.Fatalf("zone %s, want %s", got, want)
	}
	for _, c := range []struct {
		block, count uint64
		want         bool
	}{{0, 10, false}, {0, 11, true}, {15, 1, true}, {16, 34, false}, {16, 35, true}, {20, 1 << 40, true}, {61, 1 << 40, false}, {54, 1, true}} {
		if got := z.overlaps(c.block, c.count); got != c.want {
			t.Errorf("blocks %d+%d: %t", c.block, c.count, got)
		}
	}
}

// TestOverMetadata lets a file own blocks that hold the filesystem itself.
func TestOverMetadata(t *testing.T) {
	for _, name := range []string{"ext2", "ext3", "ext4", "bigalloc"} {
		image := golden(t, name)
		fs, err := Open(fsystest.NewPatched(image), Options{})
		if err != nil {
			t.Fatal(err)
		}
		ino, pointer := firstFile(t, fs)
		for _, s := range fs.zone {
			for _, block := range []uint64{s.first, s.end - 1} {
				if block == 0 {
					continue // is a hole where there are no extents
				}
				bad := fsystest.NewPatched(image).Set(pointer, byte(block), byte(block>>8), byte(block>>16), byte(block>>24))
				fs, err := Open(bad, Options{unverified: true})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := fs.Layout(ino); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "data block") {
					t.Errorf("%s: block %d: %v", name, block, err)
				}
			}
		}
		if len(fs.zone) == 0 {
			t.Errorf("%s: nothing is protected", name)
		}
	}
}

// firstFile finds a file with a block, and the byte that names the block.
func firstFile(t *testing.T, fs *FS) (ino fsys.Ino, pointer int64) {
	t.Helper()
	for ino := fsys.Ino(fs.sb.firstIno); ino < fsys.Ino(fs.sb.inodes); ino++ {
		n, err := fs.namedInode(ino, make([]byte, fs.sb.inodeSize))
		if err != nil || !n.isType(fsys.ModeRegular) || n.has(flagInline) {
			continue
		}
		if runs, err := fs.runs(&n); err != nil || len(runs) == 0 || runs[0].Phys < 0 {
			continue
		}
		switch {
		case !n.has(flagExtents):
			return ino, n.off + 0x28
		case le.Uint16(n.block[6:]) == 0: // the tree is one leaf
			return ino, n.off + 0x28 + extentSize + 8
		}
	}
	t.Fatal("no file")
	return 0, 0
}
