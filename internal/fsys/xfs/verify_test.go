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

// verifyCase is a golden image with bytes changed and what reading it says.
type verifyCase struct {
	name  string
	edits []edit
	want  string
}

type edit struct {
	off int64
	b   []byte
}

// verify opens the image with each case's bytes and expects what read says.
func verify(t *testing.T, image []byte, cases []verifyCase, read func(fs *FS) error) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dev := fsystest.NewPatched(image)
			for _, e := range c.edits {
				dev.Set(e.off, e.b...)
			}
			fs, err := Open(dev, Options{unverified: true})
			if err == nil {
				err = read(fs)
			}
			if !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}

// findInode returns an inode in use that fits.
func findInode(t *testing.T, fs *FS, fits func(d *dinode) bool) *dinode {
	t.Helper()
	seen := map[uint64]bool{fs.sb.rootIno: true}
	for queue := []uint64{fs.sb.rootIno}; len(queue) > 0; queue = queue[1:] {
		d, err := fs.load(queue[0])
		if err != nil {
			t.Fatal(err)
		}
		if fits(d) {
			return d
		}
		for e, err := range fs.ReadDir(fsys.Ino(d.ino)) {
			if err == nil && !seen[uint64(e.Ino)] {
				seen[uint64(e.Ino)] = true
				queue = append(queue, uint64(e.Ino))
			}
		}
	}
	t.Fatal("no such inode")
	return nil
}

func beBytes(n uint64, width int) []byte {
	b := be.AppendUint64(nil, n)
	return b[8-width:]
}

// TestInodeFlags changes what the kernel's verifier of inodes looks at.
func TestInodeFlags(t *testing.T) {
	images := golden(t)
	for _, name := range []string{"v5-old", "v5-new"} {
		image := images[name]
		fs, err := Open(fsystest.NewPatched(image), Options{})
		if err != nil {
			t.Fatal(err)
		}
		run := func(kind string, d *dinode, cases ...verifyCase) {
			for i := range cases {
				for k := range cases[i].edits {
					cases[i].edits[k].off += d.off
				}
				cases[i].name = name + " " + kind + " " + cases[i].name
			}
			verify(t, image, cases, func(fs *FS) error { return inodeError(fs, fsys.Ino(d.ino)) })
		}
		dir := findInode(t, fs, func(d *dinode) bool { return d.data.format == formatLocal })
		file := findInode(t, fs, func(d *dinode) bool {
			return d.mode&fsys.ModeType == fsys.ModeRegular && d.data.extents > 0 && d.data.format == formatExtents
		})
		tree := findInode(t, fs, func(d *dinode) bool { return d.data.format == formatBtree })
		device := findInode(t, fs, func(d *dinode) bool { return d.mode&fsys.ModeType == fsys.ModeChar })
		half := fs.sb.agBlocks/2 + 1
		run("directory", dir,
			verifyCase{"hint of a file", []edit{{90, beBytes(flagExtsize, 2)}, {75, []byte{1}}}, "flags 0x800 for mode 0"},
			verifyCase{"no hint", []edit{{90, beBytes(flagExtsizeInherit, 2)}}, "extent size hint 0, at byte"},
			verifyCase{"large hint", []edit{{90, beBytes(flagExtsizeInherit, 2)}, {72, beBytes(half, 4)}}, "extent size hint "},
		)
		run("file", file,
			verifyCase{"hint of a directory", []edit{{90, beBytes(flagExtsizeInherit, 2)}, {75, []byte{1}}}, "flags 0x1000 for mode 0"},
			verifyCase{"copy-on-write hint", []edit{{131, []byte{1}}}, "extent size hint 1 without a flag"},
			verifyCase{"next", []edit{{96, []byte{0xff, 0, 0, 0}}}, "next unlinked inode 0xff000000 is outside"},
			verifyCase{"next a header", []edit{{96, make([]byte, 4)}}, "next unlinked inode 0x0 is outside"},
		)
		run("device", device, verifyCase{"attribute fork", []edit{{82, []byte{2, formatExtents}}}, "data fork format 0 for mode 020"})
		if fs.sb.feat.incompat&incompatNrext64 != 0 {
			run("file", file, verifyCase{"padding", []edit{{81, []byte{1}}}, "padding 0x1, want 0"})
			run("directory", dir, verifyCase{"inline with extents", []edit{{71, []byte{1}}, {31, []byte{1}}}, "1 extents in a data fork of"})
			run("tree", tree, verifyCase{"with few extents", []edit{{24, beBytes(1, 8)}}, "1 extents in a data fork of"})
		} else {
			run("file", file, verifyCase{"padding", []edit{{24, []byte{1}}}, "padding 0x100000000000000, want 0"})
			run("directory", dir, verifyCase{"inline with extents", []edit{{71, []byte{1}}, {79, []byte{1}}}, "1 extents in a data fork of"})
			run("tree", tree, verifyCase{"with few extents", []edit{{76, beBytes(1, 4)}}, "1 extents in a data fork of"})
		}
		flags2 := func(d *dinode) uint64 { return be.Uint64(d.raw[120:]) }
		if fs.sb.feat.roCompat&roCompatReflink != 0 {
			run("directory", dir, verifyCase{"shared", []edit{{120, beBytes(flags2(dir)|flag2Reflink, 8)}}, " for mode 0"})
			run("device", device, verifyCase{"copy-on-write hint", []edit{{120, beBytes(flags2(device)|flag2Cowextsize, 8)}, {131, []byte{1}}}, " for mode 0"})
			run("file", file,
				verifyCase{"no copy-on-write hint", []edit{{120, beBytes(flags2(file)|flag2Cowextsize, 8)}}, "extent size hint 0, at byte"},
				verifyCase{"large copy-on-write hint", []edit{{120, beBytes(flags2(file)|flag2Cowextsize, 8)}, {128, beBytes(half, 4)}}, "extent size hint "})
		} else {
			run("file", file, verifyCase{"shared", []edit{{120, beBytes(flags2(file)|flag2Reflink, 8)}}, "need features that the filesystem has not"})
		}
	}
}

// TestSiblings makes the links between blocks of an extent tree go astray.
func TestSiblings(t *testing.T) {
	image := golden(t)["v5-new"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	var leaves []uint64
	d := findInode(t, fs, func(d *dinode) bool {
		n := int(be.Uint16(d.data.b[2:]))
		if d.data.format != formatBtree || be.Uint16(d.data.b) != 1 || n < 3 {
			return false
		}
		for p := d.data.b[rootHeader+(len(d.data.b)-rootHeader)/16*8:]; len(leaves) < n; p = p[8:] {
			leaves = append(leaves, be.Uint64(p))
		}
		return true
	})
	right := func(i int) int64 { return fs.sb.blockOffset(leaves[i]) + btreeRight }
	left := func(i int) int64 { return fs.sb.blockOffset(leaves[i]) + btreeLeft }
	last := len(leaves) - 1
	verify(t, image, []verifyCase{
		{"itself", []edit{{right(0), beBytes(leaves[0], 8)}}, ": sibling "},
		{"outside", []edit{{right(0), beBytes(1<<62, 8)}}, ": sibling 0x4000000000000000"},
		{"a header", []edit{{right(0), beBytes(0, 8)}}, ": sibling 0x0"},
		{"left itself", []edit{{left(1), beBytes(leaves[1], 8)}}, ": sibling "},
		{"left outside", []edit{{left(last), beBytes(1<<62, 8)}}, ": sibling "},
		{"one left out", []edit{{right(0), beBytes(leaves[2], 8)}}, "extent tree leaf: right sibling "},
		{"an early end", []edit{{right(0), beBytes(noSibling, 8)}}, "extent tree leaf: right sibling 0xffffffffffffffff, want "},
		{"no end", []edit{{right(last), beBytes(leaves[0], 8)}}, "last extent tree leaf: right sibling "},
	}, func(fs *FS) error { return layoutError(fs, fsys.Ino(d.ino)) })
}

// TestMetadataNamed lets names lead to the filesystem's own inodes.
func TestMetadataNamed(t *testing.T) {
	image := golden(t)["v5-old"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	sub := findInode(t, fs, func(d *dinode) bool { return d.data.format == formatLocal && d.ino != fs.sb.rootIno })
	var parent uint64
	for e, err := range fs.ReadDir(fs.Root()) {
		if err == nil {
			parent = uint64(e.Ino)
		}
	}
	for _, at := range []int64{64, 72} { // sb_rbmino, sb_rsumino
		verify(t, image, []verifyCase{{"entry", []edit{{at, beBytes(parent, 8)}}, "is metadata of the filesystem"}},
			func(fs *FS) error { return dirError(fs, fs.Root()) })
		up := be.Uint32(sub.data.b[2:])
		verify(t, image, []verifyCase{{"parent", []edit{{at, beBytes(uint64(up), 8)}}, "short-form directory: parent inode number "}},
			func(fs *FS) error { return dirError(fs, fsys.Ino(sub.ino)) })
	}
	sb := bytes.Clone(image[:512])
	be.PutUint16(sb[100:], be.Uint16(sb[100:])|versionQuota)
	for i, at := range []int{160, 168, 232} { // sb_uquotino, sb_gquotino, sb_pquotino
		be.PutUint64(sb[at:], uint64(1000+i))
	}
	quota, err := decodeSuperblock(sb, true)
	if err != nil {
		t.Fatal(err)
	}
	for ino, want := range map[uint64]bool{1000: true, 1001: true, 1002: true, 1003: false, fs.sb.rootIno: false} {
		if got := quota.internal(ino); got != want {
			t.Errorf("inode %d is metadata: %t", ino, got)
		}
	}
}

// TestForkBlocks changes blocks of attributes, symlinks and directories.
func TestForkBlocks(t *testing.T) {
	image := golden(t)["v5-old"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	core := int64(inodeCoreV3)
	attrs := findInode(t, fs, func(d *dinode) bool { return d.attr.b != nil && d.attr.format == formatExtents && d.attr.extents > 0 })
	first := attrs.off + core + int64(attrs.raw[82])<<3
	verify(t, image, []verifyCase{{"unwritten", []edit{{first, []byte{image[first] | 0x80}}}, "extent of attributes is unwritten"}},
		func(fs *FS) error { return inodeError(fs, fsys.Ino(attrs.ino)) })

	link := findInode(t, fs, func(d *dinode) bool {
		return d.mode&fsys.ModeType == fsys.ModeSymlink && d.data.format == formatExtents
	})
	list, err := fs.extents(link, &link.data)
	if err != nil {
		t.Fatal(err)
	}
	off := fs.sb.blockOffset(list[0].start)
	verify(t, image, []verifyCase{{"short part", []edit{{off + 11, []byte{image[off+11] - 1}}}, "symlink block: bytes 0+"}},
		func(fs *FS) error { return inodeError(fs, fsys.Ino(link.ino)) })

	var remote int64
	leaf, ino := findOwned(t, image, fs, "\x3b\xee", 8, daSelf, func(d *dinode) *fork { return &d.attr }, func(b []byte) bool {
		for i := range int64(be.Uint16(b[56:])) {
			if e := b[attrLeafHeaderV5+8*i:]; e[6]&attrLocal == 0 {
				remote = int64(be.Uint16(e[4:]))
				return true
			}
		}
		return false
	})
	verify(t, image, []verifyCase{{"value", []edit{{leaf + remote, make([]byte, 4)}}, "at block 0"}},
		func(fs *FS) error { return inodeError(fs, ino) })

	block, ino := findOwned(t, image, fs, "XDB3", 0, dirSelf, func(d *dinode) *fork { return &d.data }, func(b []byte) bool {
		return be.Uint16(b[dirHeaderV5+32:]) != dirFreeTag
	})
	entry := block + dirHeaderV5 + 32 // behind "." and ".."
	n := entrySize(int(image[entry+8]), 1)
	verify(t, image, []verifyCase{{"lost entry", []edit{{entry, append([]byte{0xff, 0xff}, beBytes(uint64(n), 2)...)}}, "directory block: the index has "}},
		func(fs *FS) error { return dirError(fs, ino) })
}

// replayerOf returns one that replays over a golden image, with some bytes
// behind the filesystem's end.
func replayerOf(t *testing.T, image []byte) *replayer {
	t.Helper()
	dev := fsystest.NewPatched(append(bytes.Clone(image), make([]byte, 1<<20)...))
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	fs.over = &overlay{Device: dev, pages: map[int64]*page{}}
	fs.dev, fs.reowned = fs.over, map[uint64]bool{}
	r := newReplayer(fs)
	r.lsn = 1 << 50
	return r
}

// inodeLogItem logs d as it is.
func inodeLogItem(sb *superblock, d *dinode) *item {
	f := make([]byte, 56)
	le.PutUint16(f, itemInode)
	le.PutUint64(f[16:], d.ino)
	le.PutUint64(f[40:], uint64(d.off)>>basicBlockLog)
	le.PutUint32(f[48:], 1)
	le.PutUint32(f[52:], uint32(d.off%basicBlock))
	core := make([]byte, inodeCoreV3)
	at := 0
	for _, n := range coreFields {
		for i := range n {
			core[at+i] = d.raw[at+n-1-i]
		}
		at += n
	}
	flags2 := le.Uint64(core[120:])
	if !sb.v5 || flags2&flag2Bigtime == 0 {
		for _, at := range []int{32, 36, 40, 44, 48, 52, 144, 148} {
			le.PutUint32(core[at:], be.Uint32(d.raw[at:]))
		}
	}
	if !sb.v5 {
		le.PutUint16(core[30:], be.Uint16(d.raw[30:])) // di_flushiter
		return &item{regions: [][]byte{f, core[:inodeCore-4]}}
	}
	copy(core[160:], d.raw[160:176])
	return &item{regions: [][]byte{f, core}}
}

// TestBadLoggedInode replays inodes that no kernel logs.
func TestBadLoggedInode(t *testing.T) {
	for _, name := range []string{"v4-512", "v5-old", "v5-new"} {
		image := golden(t)[name]
		d := findInode(t, replayerOf(t, image).fs, func(d *dinode) bool {
			return d.mode&fsys.ModeType == fsys.ModeRegular && d.data.format == formatExtents && d.data.extents > 0
		})
		for _, c := range []struct {
			name   string
			change func(core []byte) []byte
			want   string // "" if it is all right
		}{
			{"sound", func(b []byte) []byte { return b }, ""},
			{"format", func(b []byte) []byte { b[5] = formatLocal; return b }, "data fork format 1 for mode 0100"},
			{"blocks", func(b []byte) []byte { clear(b[64:72]); return b }, " extents in 0 blocks"},
			{"fork offset", func(b []byte) []byte { b[82] = 0xff; return b }, "attribute fork at 2040 of "},
			{"attribute format", func(b []byte) []byte { b[82], b[83] = 0, formatBtree; return b }, "attribute fork format 3, no attribute fork"},
			{"mode", func(b []byte) []byte { b[2], b[3] = 0, 0xf0; return b }, "mode 0170000"},
			{"hint", func(b []byte) []byte { b[72] = 1; return b }, "extent size hint 1 without a flag"},
			{"short", func(b []byte) []byte { return b[:len(b)-4] }, " bytes, want "},
			{"long", func(b []byte) []byte { return append(b, 0, 0, 0, 0) }, " bytes, want "},
			{"magic", func(b []byte) []byte { b[0] = 0; return b }, " bytes, want "},
			{"version", func(b []byte) []byte { b[4] = 9; return b }, "version 9"},
			{"number", func(b []byte) []byte { b[152] ^= 1; return b }, "says it is inode "},
			{"filesystem", func(b []byte) []byte { b[160] ^= 1; return b }, "of filesystem "},
			{"metadata of another form", func(b []byte) []byte { b[5], b[128] = 6, 1; b[120] |= flag2Metadata; return b }, ""},
			{"padding", func(b []byte) []byte { b[29], b[80] = 1, 1; return b }, ""},
		} {
			t.Run(name+" "+c.name, func(t *testing.T) {
				r := replayerOf(t, image)
				if !r.fs.sb.v5 && (c.name == "number" || c.name == "filesystem" || c.name == "padding" || strings.HasPrefix(c.name, "metadata")) {
					return // version 5 alone has it
				}
				it := inodeLogItem(r.fs.sb, d)
				it.regions[1] = c.change(it.regions[1])
				want := c.want
				if c.name == "padding" {
					want = "padding "
				}
				err := r.inode(it)
				if want == "" && err != nil || want != "" && (!errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), want)) {
					t.Fatalf("got %v, want %q", err, want)
				}
				if err == nil && !strings.HasPrefix(c.name, "metadata") {
					if after, err := r.fs.load(d.ino); err != nil || after.size != d.size || after.mt != d.mt {
						t.Errorf("replayed: %v", err)
					}
				}
			})
		}
	}
}

// TestBadLoggedPlaces replays items for what does not exist.
func TestBadLoggedPlaces(t *testing.T) {
	r := replayerOf(t, golden(t)["v5-new"])
	sb := r.fs.sb
	buf := func(sector uint64) error {
		b := buffer{id: bufferID{int64(sector), 8}, bitmap: []byte{1, 0, 0, 0}, regions: [][]byte{make([]byte, bufferChunk)}}
		return r.buffer(b)
	}
	end := sb.dataBlocks << (sb.blockLog - basicBlockLog)
	if err := buf(end - 8); err != nil {
		t.Error(err)
	}
	if err := buf(end); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "behind the filesystem's end") {
		t.Error(err)
	}
	chunk := func(blocks uint64) error {
		f := make([]byte, 28)
		le.PutUint16(f, itemICreate)
		be.PutUint32(f[8:], uint32(sb.agBlocks-2*sb.chunkBlocks()))
		be.PutUint32(f[12:], uint32(blocks<<sb.inopbLog))
		be.PutUint32(f[16:], uint32(sb.inodeSize))
		be.PutUint32(f[20:], uint32(blocks))
		return r.createInodes(&item{regions: [][]byte{f}})
	}
	for _, ok := range []uint64{sb.chunkBlocks(), sb.sparseAlign} {
		if err := chunk(ok); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []uint64{0, 1, sb.chunkBlocks() * 2} {
		if err := chunk(bad); bad != sb.sparseAlign && !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%d blocks: %v", bad, err)
		}
	}
}
