package ext4

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// The check values of the CRC catalogue, over "123456789".
func TestChecksums(t *testing.T) {
	check := []byte("123456789")
	if got := ^crc32c(^uint32(0), check); got != 0xe3069283 {
		t.Errorf("CRC-32C %#x", got)
	}
	if got := crc32be(^uint32(0), check); got != 0x0376e6e7 {
		t.Errorf("CRC-32 from the top %#x", got)
	}
	if got := crc16(^uint16(0), check); got != 0x4b37 {
		t.Errorf("CRC-16 %#x", got)
	}
	if got, want := crc32cZeros(crc32cWord(7, 0x01020304), 3), crc32c(7, []byte{4, 3, 2, 1, 0, 0, 0}); got != want {
		t.Errorf("CRC-32C in pieces %#x, want %#x", got, want)
	}
}

// patchSuper changes bytes of an image's superblock and lets the checksum fit.
func patchSuper(image []byte, off int, b ...byte) []byte {
	image = bytes.Clone(image)
	sb := image[superOffset : superOffset+superSize]
	copy(sb[off:], b)
	le.PutUint32(sb[0x3fc:], crc32c(^uint32(0), sb[:0x3fc]))
	return image
}

func TestSuperblockRefused(t *testing.T) {
	image := golden(t, "ext4")
	all := []byte{0xff, 0xff, 0xff, 0xff}
	for _, c := range []struct {
		name  string
		off   int
		bytes []byte
		class error
		want  string
	}{
		{"magic", 0x38, []byte{0}, ondisk.ErrNotFormat, "magic 0xef00"},
		{"block size", 0x18, []byte{7}, ondisk.ErrCorrupt, "block size"},
		{"blocks", 0x4, all, ondisk.ErrCorrupt, "the volume has"},
		{"blocks 64", 0x150, []byte{1}, ondisk.ErrCorrupt, "the volume has"},
		{"no blocks", 0x4, []byte{0, 0, 0, 0}, ondisk.ErrCorrupt, "first data block"},
		{"first block", 0x14, []byte{0}, ondisk.ErrCorrupt, "first data block"},
		{"blocks a group", 0x20, []byte{0, 0, 0, 0}, ondisk.ErrCorrupt, "blocks a group"},
		{"more blocks a group", 0x20, all, ondisk.ErrCorrupt, "blocks a group"},
		{"inodes a group", 0x28, []byte{0, 0, 0, 0}, ondisk.ErrCorrupt, "inodes a group"},
		{"inodes", 0x0, all, ondisk.ErrCorrupt, "inodes, want"},
		{"inode size 0", 0x58, []byte{0, 0}, ondisk.ErrCorrupt, "inode size 0"},
		{"inode size 384", 0x58, []byte{0x80, 1}, ondisk.ErrCorrupt, "inode size 384"},
		{"inode size 2048", 0x58, []byte{0, 8}, ondisk.ErrCorrupt, "inode size 2048"},
		{"first inode", 0x54, []byte{2}, ondisk.ErrCorrupt, "first inode 2"},
		{"descriptor size", 0xfe, []byte{0, 0}, ondisk.ErrCorrupt, "descriptors of 0 bytes"},
		{"revision", 0x4c, []byte{2}, ondisk.ErrUnsupported, "revision level 2"},
		{"checksum type", 0x175, []byte{2}, ondisk.ErrUnsupported, "checksum type 2"},
		{"compression", 0x60, []byte{0xc3}, ondisk.ErrUnsupported, "features: compression"},
		{"dirdata and more", 0x61, []byte{0x12, 0, 0x80}, ondisk.ErrUnsupported, "dirdata, FEATURE_I31"},
		{"journal device", 0x60, []byte{0xca}, ondisk.ErrUnsupported, "journal_dev"},
		{"dirty without journal", 0x5c, []byte{0x38}, ondisk.ErrCorrupt, "needs_recovery without has_journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			bad := patchSuper(image, c.off, c.bytes...)
			if strings.HasPrefix(c.name, "dirty") {
				bad = patchSuper(bad, 0x60, 0xc6)
			}
			_, err := Open(fsystest.NewPatched(bad), Options{})
			if !errors.Is(err, c.class) || !strings.Contains(fmt.Sprint(err), c.want) {
				t.Errorf("error %v, want %q of class %q", err, c.want, c.class)
			}
		})
	}
	bad := bytes.Clone(image)
	bad[superOffset+0x78] ^= 1 // the label, under the old checksum
	if _, err := Open(fsystest.NewPatched(bad), Options{}); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "at byte 0x400") {
		t.Errorf("error %v, want a checksum's", err)
	}
	if _, err := Open(fsystest.NewPatched(image[:1500]), Options{}); !errors.Is(err, ondisk.ErrNotFormat) {
		t.Errorf("error %v, want none of the format", err)
	}
	external := patchSuper(patchSuper(image, 0x60, 0xc6), 0xe0, 0, 0, 0, 0, 1, 7)
	if _, err := Open(fsystest.NewPatched(external), Options{}); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "another device (7:1)") {
		t.Errorf("error %v, want the other device", err)
	}
}

// ext2Root is an image without checksums, and the place of its root's inode.
func ext2Root(t *testing.T) (image []byte, off int64) {
	t.Helper()
	image = golden(t, "ext2")
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if off, err = fs.inodeOff(rootIno); err != nil {
		t.Fatal(err)
	}
	return image, off
}

func TestRootRefused(t *testing.T) {
	image, off := ext2Root(t)
	if _, err := Open(fsystest.NewPatched(image).Set(off+1, 0x81), Options{}); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "/: inode 2: mode 0100755 is no directory") {
		t.Errorf("root is a file: %v", err)
	}
	if _, err := Open(fsystest.NewPatched(image).Set(off+0x1a, 0, 0), Options{}); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "inode 2: is deleted") {
		t.Errorf("root is deleted: %v", err)
	}
}

func TestInfo(t *testing.T) {
	image := patchSuper(golden(t, "ext4"), 0x78, []byte("root\x00fs")...)
	image = patchSuper(image, 0x68, 0xde, 0xad, 0xbe, 0xef, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11)
	image = patchSuper(image, 0x3a, 3)                                     // errors
	image = patchSuper(image, 0x67, 0x80)                                  // an unknown feature that readers may ignore
	fs, err := Open(fsystest.NewPatched(image), Options{unverified: true}) // the seed has changed
	if err != nil {
		t.Fatal(err)
	}
	info := fs.Info()
	if info.Type != "ext4" || info.Label != "root" || info.UUID != "deadbeef-0001-0203-0405-060708090a0b" || info.Block != 1024 || info.Size != 5<<20 || info.Dirty {
		t.Errorf("%+v", info)
	}
	if info.FileBytes != info.Size {
		t.Errorf("files of up to %d bytes", info.FileBytes)
	}
	fs.sb.roCompat |= roCompatSharedBlocks
	if n := fs.Info().FileBytes; n != 0 {
		t.Errorf("files that may share blocks are bounded to %d bytes", n)
	}
	if len(info.Warnings) != 2 || !strings.Contains(info.Warnings[0], "errors") || !strings.Contains(info.Warnings[1], "FEATURE_R31") {
		t.Errorf("warnings %q", info.Warnings)
	}
	const features = "has_journal ext_attr resize_inode dir_index filetype extent 64bit flex_bg sparse_super large_file huge_file dir_nlink extra_isize metadata_csum FEATURE_R31"
	if got := strings.Join(info.Features, " "); got != features {
		t.Errorf("features %s", got)
	}
}

func TestGroupHasSuper(t *testing.T) {
	with := func(sb superblock) string {
		var groups []string
		for g := range uint64(130) {
			if sb.groupHasSuper(g) {
				groups = append(groups, fmt.Sprint(g))
			}
		}
		return strings.Join(groups, " ")
	}
	if got := with(superblock{roCompat: roCompatSparseSuper}); got != "0 1 3 5 7 9 25 27 49 81 125" {
		t.Errorf("sparse_super: %s", got)
	}
	if got := with(superblock{compat: compatSparseSuper2, backupBGs: [2]uint32{1, 77}}); got != "0 1 77" {
		t.Errorf("sparse_super2: %s", got)
	}
	if got := with(superblock{}); !strings.HasPrefix(got, "0 1 2 3 4 5 6") {
		t.Errorf("neither: %s", got)
	}
}

// inodeFields decodes an inode of 256 bytes with some fields set.
func inodeFields(t *testing.T, set func(b []byte)) inode {
	t.Helper()
	fs := &FS{sb: superblock{inodeSize: 256, incompat: incompat64Bit, roCompat: roCompatHugeFile}}
	b := make([]byte, 256)
	le.PutUint16(b, fsys.ModeRegular|0o644)
	le.PutUint16(b[0x80:], 32)
	set(b)
	n, err := fs.decodeInode(12, b, 0x1000)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestTimes(t *testing.T) {
	for _, c := range []struct {
		low, extra uint32
		want       fsys.Time
	}{
		{0, 0, fsys.Time{}},
		{1<<31 - 1, 999999999 << 2, fsys.Time{Sec: 1<<31 - 1, Nsec: 999999999}},
		{1 << 31, 0, fsys.Time{Sec: -1 << 31}},                     // 1901
		{1<<32 - 1, 5 << 2, fsys.Time{Sec: -1, Nsec: 5}},           // a second before 1970
		{1 << 31, 1, fsys.Time{Sec: 1 << 31}},                      // 2038
		{0, 1, fsys.Time{Sec: 1 << 32}},                            // 2106
		{1<<31 - 1, 3, fsys.Time{Sec: 1<<31 - 1 + 3<<32}},          // 2446
		{1<<32 - 1, 2 | 1<<2, fsys.Time{Sec: -1 + 2<<32, Nsec: 1}}, // 2242
	} {
		n := inodeFields(t, func(b []byte) {
			le.PutUint32(b[0x10:], c.low)
			le.PutUint32(b[0x88:], c.extra)
		})
		if n.mtime != c.want {
			t.Errorf("%#x %#x: %v, want %v", c.low, c.extra, n.mtime, c.want)
		}
	}
	// Without room for it there is no extra time, whatever stands in its place;
	// an i_extra_isize of 0 counts as that of all nominal fields.
	for extra, nsec := range map[uint16]uint32{4: 0, 8: 0, 12: 7, 0: 7} {
		n := inodeFields(t, func(b []byte) {
			le.PutUint16(b[0x80:], extra)
			le.PutUint32(b[0x88:], 7<<2)
		})
		if n.mtime.Nsec != nsec {
			t.Errorf("i_extra_isize %d: %d nanoseconds, want %d", extra, n.mtime.Nsec, nsec)
		}
	}
}

func TestInodeFields(t *testing.T) {
	n := inodeFields(t, func(b []byte) {
		le.PutUint16(b[0x2:], 1)
		le.PutUint16(b[0x78:], 0x20)
		le.PutUint16(b[0x18:], 0xfffe)
		le.PutUint16(b[0x7a:], 0xffff)
		le.PutUint32(b[0x4:], 5)
		le.PutUint32(b[0x6c:], 1)
		le.PutUint32(b[0x68:], 9)
		le.PutUint16(b[0x76:], 1)
		le.PutUint16(b[0x74:], 2)
	})
	if n.uid != 1|0x20<<16 || n.gid != 1<<32-2 || n.size != 5|1<<32 || n.xattrBlock != 9|1<<32 || n.sectors != 2<<32 {
		t.Errorf("%+v", n)
	}
	// The size of all but files has 32 bits.
	n = inodeFields(t, func(b []byte) {
		le.PutUint16(b, fsys.ModeDir)
		le.PutUint32(b[0x6c:], 1)
	})
	if n.size != 0 {
		t.Errorf("size of a directory %d", n.size)
	}
}

func TestRdev(t *testing.T) {
	for _, c := range []struct {
		old, new uint32
		want     fsys.Rdev
	}{
		{0x0103, 0, fsys.Rdev{Major: 1, Minor: 3}},
		{0xffff, 7, fsys.Rdev{Major: 255, Minor: 255}},
		{0, 0x00100008, fsys.Rdev{Major: 0, Minor: 264}},
		{0, 0xfffff0ff | 0xf00, fsys.Rdev{Major: 0xfff, Minor: 0xfffff}},
		{0, 0, fsys.Rdev{}},
	} {
		n := inode{block: le.AppendUint32(le.AppendUint32(nil, c.old), c.new)}
		if got := n.rdev(); got != c.want {
			t.Errorf("%#x %#x: %v, want %v", c.old, c.new, got, c.want)
		}
	}
}

func TestConvertACL(t *testing.T) {
	for _, c := range []struct{ name, disk, want, err string }{
		{"three entries", "01000000 0100 0600 0400 0400 2000 0400",
			"02000000 0100 0600 ffffffff 0400 0400 ffffffff 2000 0400 ffffffff", ""},
		{"named", "01000000 0100 0700 0200 0500 e8030000 0400 0500 0800 0400 70110100 1000 0700 2000 0000",
			"02000000 0100 0700 ffffffff 0200 0500 e8030000 0400 0500 ffffffff 0800 0400 70110100 1000 0700 ffffffff 2000 0000 ffffffff", ""},
		{"none", "01000000", "", ""},
		{"nothing", "", "", "list of 0 bytes"},
		{"version", "02000000 0100 0600", "", "version 2"},
		{"cut", "01000000 0100 06", "", "3 bytes left"},
		{"cut id", "01000000 0200 0600 0100", "", "6 bytes left"},
		{"tag", "01000000 4000 0600", "", "unknown tag 0x40"},
	} {
		disk, err := hex.DecodeString(strings.ReplaceAll(c.disk, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		got, err := convertACL(disk)
		if hex.EncodeToString(got) != strings.ReplaceAll(c.want, " ", "") || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %x, %v", c.name, got, err)
		}
	}
}

func TestRecLen(t *testing.T) {
	for _, c := range []struct {
		stored uint16
		space  int
		want   int
	}{{12, 1024, 12}, {0xffff, 1 << 16, 1 << 16}, {0, 1 << 16, 1 << 16}, {0, 4096, 0}, {0xfffc, 1 << 16, 0xfffc}} {
		e := le.AppendUint16(make([]byte, 4), c.stored)
		if got := recLen(e, c.space); got != c.want {
			t.Errorf("%#x in %d: %d, want %d", c.stored, c.space, got, c.want)
		}
	}
}

// dirent is one entry of a directory block.
func dirent(ino uint32, recLen int, name string) []byte {
	b := le.AppendUint32(nil, ino)
	b = le.AppendUint16(b, uint16(recLen))
	b = append(b, byte(len(name)), 1)
	b = append(b, name...)
	return append(b, make([]byte, max(0, recLen-len(b)))...)
}

func TestDirBlock(t *testing.T) {
	fs := &FS{sb: superblock{inodes: 100, incompat: incompatFiletype, blockSize: 1024}}
	dots := append(dirent(12, 12, "."), dirent(2, 12, "..")...)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for _, c := range []struct {
		name  string
		b     []byte
		first bool
		want  string // names, or the error
	}{
		{"plain", join(dirent(20, 12, "abcd"), dirent(21, 1012, "x")), false, "abcd x"},
		{"unused", join(dirent(0, 12, "old"), dirent(21, 1012, "x")), false, "x"},
		{"empty", dirent(0, 1024, ""), false, ""},
		{"dots", join(dots, dirent(21, 1000, "x")), true, "x"},
		{"no dots", join(dirent(20, 12, "abcd"), dirent(21, 1012, "x")), true, `entry 0 is "abcd", want "."`},
		{"other's dot", join(dirent(13, 12, "."), dirent(2, 1012, "..")), true, `"." is inode 13`},
		{"no dotdot", dirent(12, 1024, "."), true, `lacks ".."`},
		{"dot again", join(dots, dirent(12, 1000, ".")), true, `directory entry "."`},
		{"slash", dirent(21, 1024, "a/b"), false, `directory entry "a/b"`},
		{"NUL", dirent(21, 1024, "a\x00b"), false, `directory entry "a\x00b"`},
		{"no name", dirent(21, 1024, ""), false, `directory entry ""`},
		{"inode", dirent(101, 1024, "x"), false, "inode 101, filesystem has 100"},
		{"zero length", make([]byte, 1024), false, "entry of 0 bytes"},
		{"short", join(dirent(20, 8, ""), dirent(21, 1016, "x")), false, "entry of 8 bytes"},
		{"odd", join(dirent(20, 13, "x"), dirent(21, 1011, "x")), false, "entry of 13 bytes"},
		{"name too long", join(dirent(20, 12, "abcde")[:12], dirent(21, 1012, "x")), false, "entry of 12 bytes for a name of 5"},
		{"too long", dirent(20, 1028, "x")[:1024], false, "entry of 1028 bytes, 1024 are left"},
		{"rest too small", dirent(20, 1016, "x"), false, "entry of 1016 bytes, 1024 are left"},
	} {
		d := dirBlock{fs: fs, n: &inode{ino: 12}, b: append(c.b, make([]byte, 1024-len(c.b))...), off: 0x4000, first: c.first}
		var names []string
		_, err := d.read(func(e fsys.Dirent) bool { names = append(names, e.Name); return true })
		got := strings.Join(names, " ")
		if err != nil {
			got = err.Error()
		}
		if err == nil && got != c.want || err != nil && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
		if err != nil && !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%s: class of %v", c.name, err)
		}
	}
}

// TestNoOwner shows an owner that is none as the kernel does.
func TestNoOwner(t *testing.T) {
	image, off := ext2Root(t)
	fs, err := Open(fsystest.NewPatched(image).Set(off+0x2, 0xff, 0xff).Set(off+0x78, 0xff, 0xff), Options{})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := fs.Inode(rootIno); err != nil || n.UID != 65534 || n.GID != 0 {
		t.Errorf("%+v, %v", n, err)
	}
}

// TestXattrOrder puts the first attribute of a block behind the others, where
// the kernel does not find those.
func TestXattrOrder(t *testing.T) {
	image := golden(t, "ext2") // no checksums
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for ino := fsys.Ino(fs.sb.firstIno); ino < fsys.Ino(fs.sb.inodes); ino++ {
		n, err := fs.namedInode(ino, make([]byte, fs.sb.inodeSize))
		if err != nil || n.xattrBlock == 0 {
			continue
		}
		entries, err := fs.blockEntries(&n, make([]byte, fs.sb.blockSize))
		if err != nil {
			t.Fatal(err)
		}
		if len(entries) < 2 {
			continue
		}
		tried++
		bad, err := Open(fsystest.NewPatched(image).Set(entries[0].off+1, 0xff), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := bad.Inode(ino); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "is out of order") {
			t.Errorf("inode %d: %v", ino, err)
		}
	}
	if tried == 0 {
		t.Error("no block with two attributes")
	}
}
