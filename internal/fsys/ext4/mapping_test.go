package ext4

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// extentNode is a node of an extent tree of 60 bytes; entries have 12 bytes each.
func extentNode(depth, entries, room int, words ...uint32) []byte {
	b := le.AppendUint16(nil, extentMagic)
	b = le.AppendUint16(b, uint16(entries))
	b = le.AppendUint16(b, uint16(room))
	b = le.AppendUint16(b, uint16(depth))
	b = append(b, 0, 0, 0, 0)
	for _, w := range words {
		b = le.AppendUint32(b, w)
	}
	return append(b, make([]byte, 60-len(b))...)
}

func TestExtents(t *testing.T) {
	fs := &FS{sb: superblock{blockSize: 1024, blocks: 1000, firstDataBlock: 1}}
	for _, c := range []struct {
		name string
		root []byte
		want string // runs, or the error
	}{
		{"none", extentNode(0, 0, 4), "[{0 10240 -1}]"},
		{"one", extentNode(0, 1, 4, 0, 10, 50), "[{0 10240 51200}]"},
		{"hole before", extentNode(0, 1, 4, 2, 8, 50), "[{0 2048 -1} {2048 8192 51200}]"},
		{"hole behind", extentNode(0, 1, 4, 0, 1, 50), "[{0 1024 51200} {1024 9216 -1}]"},
		{"unwritten", extentNode(0, 2, 4, 0, maxExtentLen+3, 50, 3, 7, 53), "[{0 3072 -1} {3072 7168 54272}]"},
		{"longest", extentNode(0, 1, 4, 0, maxExtentLen, 50), "extent at blocks 50+32768"},
		{"behind the end", extentNode(0, 2, 4, 0, 10, 50, 10, 5, 90), "[{0 10240 51200}]"},
		{"adjacent", extentNode(0, 2, 4, 0, 4, 50, 4, 6, 54), "[{0 10240 51200}]"},
		{"magic", make([]byte, 60), "extent magic 0x0, want 0xf30a"},
		{"more than there is", extentNode(0, 2, 4, 0, 900, 50, 900, 900, 50), "more blocks than the filesystem has"},
		{"length 0", extentNode(0, 1, 4, 0, 0, 50), "extent of 0 blocks"},
		{"overlap", extentNode(0, 2, 4, 0, 5, 50, 4, 5, 90), "extent of block 4 after block 4"},
		{"order", extentNode(0, 2, 4, 5, 1, 50, 2, 1, 90), "extent of block 2 after block 5"},
		{"block 0", extentNode(0, 1, 4, 0, 1, 0), "extent at blocks 0+1"},
		{"superblock", extentNode(0, 1, 4, 0, 1, 1), "extent at blocks 1+1"},
		{"end", extentNode(0, 1, 4, 0, 2, 999), "extent at blocks 999+2"},
		{"high", extentNode(0, 1, 4, 0, 1|1<<16, 50), "extent at blocks 4294967346+1"},
		{"wraps", extentNode(0, 1, 4, 0xffffffff, 2, 50), "extent of 2 blocks at block 4294967295"},
		{"room", extentNode(0, 1, 5, 0, 1, 50), "room for 5 extents, want 1 to 4"},
		{"no room", extentNode(0, 0, 0), "room for 0 extents"},
		{"too many", extentNode(0, 5, 4), "5 extents, room for 4"},
		{"too deep", extentNode(6, 1, 4, 0, 50, 0), "extent tree depth 6, at most 5"},
		{"empty index", extentNode(1, 0, 4), "empty extent index"},
		{"index outside", extentNode(1, 1, 4, 0, 1000, 0), "extent node at block 1000"},
		{"index to zeros", extentNode(1, 1, 4, 0, 50, 0), "extent magic 0x0, want 0xf30a, at byte 0xc800"},
		{"index loop", extentNode(1, 1, 4, 0, 60, 0), "extent depth 1, want 0, at byte 0xf000"},
		{"child begins elsewhere", extentNode(1, 1, 4, 0, 70, 0), "extent node begins with block 1, want 0, at byte 0x1180c"},
	} {
		volume := make([]byte, 1000*1024)
		copy(volume[60*1024:], extentNode(1, 1, 4, 0, 60, 0)) // points to itself
		copy(volume[70*1024:], extentNode(0, 1, 4, 1, 1, 80))
		fs.dev = bytes.NewReader(volume)
		fs.blockBufs.New = newBuffer(1024)
		runs, err := fs.runs(&inode{ino: 12, size: 10240, flags: flagExtents, block: c.root})
		got := fmt.Sprint(runs)
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func TestBlockMap(t *testing.T) {
	const bs = 1024
	volume := make([]byte, 1000*bs)
	put := func(block, index int, value uint32) { le.PutUint32(volume[block*bs+4*index:], value) }
	fs := &FS{sb: superblock{blockSize: bs, blocks: 1000, firstDataBlock: 1}, dev: bytes.NewReader(volume)}
	fs.blockBufs.New = newBuffer(bs)
	put(40, 0, 100) // indirect
	put(41, 0, 42)  // double: to an indirect block, and to it again
	put(41, 1, 42)
	put(43, 255, 42) // double: the last pointer alone
	put(44, 0, 2000) // indirect: outside
	for _, c := range []struct {
		name     string
		size     int64
		pointers map[int]uint32
		want     string
	}{
		{"empty", 0, nil, "[]"},
		{"direct", 3 * bs, map[int]uint32{0: 50, 1: 51, 2: 60}, "[{0 2048 51200} {2048 1024 61440}]"},
		{"hole", 3*bs - 1, map[int]uint32{1: 51}, "[{0 1024 -1} {1024 1024 52224} {2048 1023 -1}]"},
		{"indirect", 14 * bs, map[int]uint32{12: 40}, "[{0 12288 -1} {12288 1024 102400} {13312 1024 -1}]"},
		{"double at its end", (12 + 256 + 65536) * bs, map[int]uint32{13: 43}, "[{0 67383296 -1}]"},
		{"huge hole", (12 + 256 + 65536 + 1<<24) * bs, nil, "[{0 17247252480 -1}]"},
		{"too large", (12+256+65536+1<<24)*bs + 1, nil, "more than the block map can hold"},
		{"twice", (12 + 256 + 600) * bs, map[int]uint32{13: 41}, "indirect block 42 is used twice, at byte 0xa404"},
		{"outside", bs, map[int]uint32{0: 1000}, "block 1000 of 1000 is no data block"},
		{"superblock", bs, map[int]uint32{0: 1}, "block 1 of 1000 is no data block"},
		{"outside, behind the end", bs, map[int]uint32{0: 50, 5: 1000}, "block 1000 of 1000 is no data block, at byte 0x3c"},
		{"outside below, behind the end", 13 * bs, map[int]uint32{12: 44}, "block 2000 of 1000 is no data block, at byte 0xb000"},
		{"outside, in no use", 12 * bs, map[int]uint32{13: 1000}, "[{0 12288 -1}]"},
		{"outside below", 14 * bs, map[int]uint32{12: 44}, "block 2000 of 1000 is no data block, at byte 0xb000"},
	} {
		block := make([]byte, 60)
		for i, p := range c.pointers {
			le.PutUint32(block[4*i:], p)
		}
		runs, err := fs.runs(&inode{ino: 12, size: c.size, block: block})
		got := fmt.Sprint(runs)
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}
