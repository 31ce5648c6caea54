package xfs

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// hashNodeBlock is a node with pairs of hash and child.
func hashNodeBlock(level int, pairs ...uint32) []byte {
	b := make([]byte, 512)
	be.PutUint16(b[8:], nodeMagic)
	be.PutUint16(b[12:], uint16(len(pairs)/2))
	be.PutUint16(b[14:], uint16(level))
	for i, p := range pairs {
		be.PutUint32(b[nodeHeader+4*i:], p)
	}
	return b
}

func TestHashTree(t *testing.T) {
	leaf := make([]byte, 512)
	for _, c := range []struct {
		name   string
		blocks map[uint32][]byte // by place; the root is 100
		want   string
	}{
		{"leaf alone", map[uint32][]byte{100: leaf}, "[{100 0 4294967295}]"},
		{"node", map[uint32][]byte{100: hashNodeBlock(1, 5, 1, 5, 2, 9, 3), 1: leaf, 2: leaf, 3: leaf},
			"[{1 0 5} {2 5 5} {3 5 4294967295}]"},
		{"two levels", map[uint32][]byte{100: hashNodeBlock(2, 5, 1, 9, 2), 1: hashNodeBlock(1, 3, 3, 7, 4), 2: hashNodeBlock(1, 9, 5), 3: leaf, 4: leaf, 5: leaf},
			"[{3 0 3} {4 3 5} {5 5 4294967295}]"},
		{"out of order", map[uint32][]byte{100: hashNodeBlock(1, 5, 1, 4, 2)}, "tree: hash 0x4 leads to block 0x2, the one before is 0x5"},
		{"to the root", map[uint32][]byte{100: hashNodeBlock(1, 5, 100)}, "tree: hash 0x5 leads to block 0x64"},
		{"level 0", map[uint32][]byte{100: hashNodeBlock(0, 5, 1)}, "tree: node of level 0 with 1 children"},
		{"level 6", map[uint32][]byte{100: hashNodeBlock(6, 5, 1)}, "tree: node of level 6 with 1 children"},
		{"no child", map[uint32][]byte{100: hashNodeBlock(1)}, "tree: node of level 1 with 0 children"},
		{"no leaf", map[uint32][]byte{100: hashNodeBlock(1, 5, 1), 1: hashNodeBlock(1, 5, 2)}, "tree: node of level 1, want 0"},
		{"no node", map[uint32][]byte{100: hashNodeBlock(2, 5, 1), 1: leaf}, "tree: no node at level 1"},
		{"loop", map[uint32][]byte{100: hashNodeBlock(1, 5, 1, 5, 1, 5, 1, 5, 1), 1: leaf}, "tree: blocks form a loop"},
		{"elsewhere", map[uint32][]byte{100: hashNodeBlock(1, 5, 1)}, "no block 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree := hashTree{root: 100, most: uint64(len(c.blocks)), what: "tree"}
			tree.read = func(at uint32) ([]byte, int64, error) {
				if b, ok := c.blocks[at]; ok {
					return b, int64(at) << 9, nil
				}
				return nil, 0, ondisk.Corruptf(0, "no block %d", at)
			}
			var met []hashRange
			err := tree.leaves(func(_ []byte, _ int64, r hashRange) error {
				met = append(met, r)
				return nil
			})
			if err != nil && (!errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want)) || err == nil && fmt.Sprint(met) != c.want {
				t.Errorf("%v, %v, want %s", met, err, c.want)
			}
		})
	}
}

// TestWrongTree makes the nodes above leaves lead elsewhere, and the leaves'
// links.
func TestWrongTree(t *testing.T) {
	image := golden(t)["v4-512"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	// place returns the volume's byte of block at of a fork.
	place := func(d *dinode, f *fork, at uint64) int64 {
		list, err := fs.extents(d, f)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range list {
			if e.off <= at && at < e.end() {
				return fs.sb.blockOffset(e.start + at - e.off)
			}
		}
		return 0
	}
	root := func(d *dinode, f *fork, at uint64) bool {
		if f.b == nil || f.format != formatExtents && f.format != formatBtree || f.extents == 0 {
			return false
		}
		off := place(d, f, at)
		return off != 0 && be.Uint16(image[off+8:]) == nodeMagic && be.Uint16(image[off+14:]) == 1
	}

	d := findInode(t, fs, func(d *dinode) bool { return root(d, &d.attr, 0) })
	node := place(d, &d.attr, 0)
	first, second := uint64(be.Uint32(image[node+nodeHeader+4:])), be.Uint32(image[node+nodeHeader+12:])
	leaf := place(d, &d.attr, first)
	next := place(d, &d.attr, uint64(second))
	end := place(d, &d.attr, uint64(be.Uint32(image[node+nodeHeader+8*int64(be.Uint16(image[node+12:]))-4:])))
	verify(t, image, []verifyCase{
		{"lower", []edit{{node + nodeHeader, make([]byte, 4)}}, "attribute leaf: hash "},
		{"higher", []edit{{node + nodeHeader, image[node+nodeHeader+8 : node+nodeHeader+12]}}, "attribute leaf: hash "},
		{"child", []edit{{node + nodeHeader + 4, beBytes(uint64(second), 4)}}, "attribute leaf: "},
		{"next", []edit{{leaf, make([]byte, 4)}}, "attribute leaf: the next is 0x0, want "},
		{"no end", []edit{{end, beBytes(first, 4)}}, "last attribute leaf: the next is "},
		{"before", []edit{{next + 4, make([]byte, 4)}}, "attribute leaf: the one before is 0x0, want "},
	}, func(fs *FS) error { return inodeError(fs, fsys.Ino(d.ino)) })

	index := uint64(dirLeafOffset) >> fs.sb.blockLog
	d = findInode(t, fs, func(d *dinode) bool {
		return d.mode&fsys.ModeType == fsys.ModeDir && root(d, &d.data, index)
	})
	node = place(d, &d.data, index)
	verify(t, image, []verifyCase{
		{"directory lower", []edit{{node + nodeHeader, make([]byte, 4)}}, "directory index: hash "},
		{"directory child", []edit{{node + nodeHeader + 4, image[node+nodeHeader+12 : node+nodeHeader+16]}}, "directory index: hash "},
		{"directory root", []edit{{node + 8, []byte{0}}}, "directory index block magic "},
		{"directory hole", []edit{{node + nodeHeader + 4, beBytes(index+1<<20, 4)}}, " has no place"},
	}, func(fs *FS) error { return dirError(fs, fsys.Ino(d.ino)) })
}
