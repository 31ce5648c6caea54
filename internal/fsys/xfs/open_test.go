package xfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// withSuperblock returns an image whose superblock was changed and has a right
// checksum.
func withSuperblock(t *testing.T, image []byte, change func(sb []byte)) *fsystest.Patched {
	t.Helper()
	sb := bytes.Clone(image[:512])
	change(sb)
	binary.LittleEndian.PutUint32(sb[sbCRC:], checksum(sb, sbCRC))
	return fsystest.NewPatched(image).Set(0, sb...)
}

func TestOpenRefuses(t *testing.T) {
	image := fsystest.Unzstd(t, "testdata/v5-new.img.zst")
	for _, c := range []struct {
		name   string
		change func(sb []byte)
		class  error
		want   string
	}{
		{"other format", func(sb []byte) { sb[0] = 'Y' }, ondisk.ErrNotFormat, "superblock magic 0x59465342, want 0x58465342"},
		{"unknown feature", func(sb []byte) { sb[216] = 0x80 }, ondisk.ErrUnsupported, "xfs incompatible features 0x80000000"},
		{"needsrepair", func(sb []byte) { sb[219] |= incompatNeedsRepair }, ondisk.ErrUnsupported, "needsrepair"},
		{"version", func(sb []byte) { sb[101] = sb[101]&0xf0 | 6 }, ondisk.ErrUnsupported, "xfs version 6"},
		{"old directories", func(sb []byte) { sb[100] &^= versionDirV2 >> 8 }, ondisk.ErrUnsupported, "version 1 directories"},
		{"external log", func(sb []byte) { clear(sb[48:56]) }, ondisk.ErrUnsupported, "log on another device"},
		{"unfinished", func(sb []byte) { sb[126] = 1 }, ondisk.ErrCorrupt, "mkfs has not finished, at byte 0x7e"},
		{"block size", func(sb []byte) { sb[6] = 8 }, ondisk.ErrCorrupt, "block size 2048, log2 10, at byte 0x4"},
		{"inode size", func(sb []byte) { sb[122] = 12 }, ondisk.ErrCorrupt, "inode size 512, log2 12, at byte 0x68"},
		{"groups", func(sb []byte) { sb[91] = 9 }, ondisk.ErrCorrupt, "9 allocation groups of"},
		{"larger than the volume", func(sb []byte) { sb[91] = 255; be.PutUint64(sb[8:], 255*uint64(be.Uint32(sb[84:]))) }, ondisk.ErrCorrupt, "the volume only"},
		{"root", func(sb []byte) { sb[56] = 1 }, ondisk.ErrCorrupt, "root inode"},
		{"log", func(sb []byte) { sb[48] = 1 }, ondisk.ErrCorrupt, "superblock: log of"},
		{"log size", func(sb []byte) { sb[96] = 1 }, ondisk.ErrCorrupt, "superblock: log of"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Open(withSuperblock(t, image, c.change), Options{})
			if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %v: %s", err, c.class, c.want)
			}
		})
	}
	t.Run("checksum", func(t *testing.T) {
		_, err := Open(fsystest.NewPatched(image).Set(127, 50), Options{})
		if !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "superblock: checksum") {
			t.Error(err)
		}
	})
	t.Run("cut off", func(t *testing.T) {
		_, err := Open(fsystest.NewPatched(image[:len(image)-1]), Options{})
		if !errors.Is(err, ondisk.ErrCorrupt) {
			t.Error(err)
		}
	})
	t.Run("nothing", func(t *testing.T) {
		_, err := Open(fsystest.NewPatched(nil), Options{})
		if !errors.Is(err, ondisk.ErrNotFormat) {
			t.Error(err)
		}
	})
}

// TestDamageNamed damages one block of each kind and expects to be told which
// it is and where.
func TestDamageNamed(t *testing.T) {
	image := fsystest.Unzstd(t, "testdata/v5-new.img.zst")
	_, fs := openGolden(t, "v5-new")
	ino := func(path string) uint64 {
		at := fs.Root()
	next:
		for name := range strings.SplitSeq(path, "/") {
			for e, err := range fs.ReadDir(at) {
				if err != nil {
					t.Fatal(err)
				}
				if e.Name == name {
					at = e.Ino
					continue next
				}
			}
			t.Fatalf("no %s", path)
		}
		return uint64(at)
	}
	block := func(path string, attr bool) int64 {
		d, err := fs.load(ino(path))
		if err != nil {
			t.Fatal(err)
		}
		f := &d.data
		if attr {
			f = &d.attr
		}
		if f.format == formatBtree {
			most := (len(f.b) - rootHeader) / 16
			return fs.sb.blockOffset(be.Uint64(f.b[rootHeader+most*8:]))
		}
		list, err := fs.extents(d, f)
		if err != nil {
			t.Fatal(err)
		}
		return fs.sb.blockOffset(list[0].start)
	}
	for _, c := range []struct {
		what, path string
		off        int64
		read       func(fs *FS, ino fsys.Ino) error
	}{
		{"", "files", fs.sb.inodeOffset(ino("files")), inodeError},
		{"directory block", "dirs/200", block("dirs/200", false), dirError},
		{"extent tree block", "sparse/punched-1500", block("sparse/punched-1500", false), layoutError},
		{"symlink block", "links/sym-900", block("links/sym-900", false), inodeError},
		{"attribute block", "attrs/many-400", block("attrs/many-400", true), inodeError},
	} {
		t.Run(c.what, func(t *testing.T) {
			n := fsys.Ino(ino(c.path))
			for _, at := range []int64{2, 20, 40, 60, 70, 500} {
				bad, err := Open(fsystest.NewPatched(image).Set(c.off+at, image[c.off+at]^0x10), Options{})
				if err != nil {
					t.Fatal(err)
				}
				err = c.read(bad, n)
				var where *ondisk.FormatError
				if !errors.Is(err, ondisk.ErrCorrupt) || !errors.As(err, &where) || !strings.Contains(err.Error(), c.what) {
					t.Fatalf("byte %d changed: %v", at, err)
				}
				if where.Off < c.off || where.Off >= c.off+4096 {
					t.Errorf("byte %d changed: %v, want a place from %#x", at, err, c.off)
				}
			}
		})
	}
}

func inodeError(fs *FS, ino fsys.Ino) error {
	_, err := fs.Inode(ino)
	return err
}

func layoutError(fs *FS, ino fsys.Ino) error {
	_, err := fs.Layout(ino)
	return err
}

func dirError(fs *FS, ino fsys.Ino) error {
	for _, err := range fs.ReadDir(ino) {
		if err != nil {
			return err
		}
	}
	return nil
}

func TestFileBytes(t *testing.T) {
	image := fsystest.Unzstd(t, "testdata/v5-new.img.zst")
	for _, reflink := range []byte{0, roCompatReflink} {
		fs, err := Open(withSuperblock(t, image, func(sb []byte) { sb[215] = sb[215]&^roCompatReflink | reflink }), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if n := fs.Info().FileBytes; (n == 0) != (reflink != 0) || n != 0 && n < fs.Info().Size {
			t.Errorf("reflink %#x: files of up to %d bytes", reflink, n)
		}
	}
}

func TestIgnoreLog(t *testing.T) {
	image := fsystest.Unzstd(t, "testdata/dirty-v5.img.zst")
	open := func(dev *fsystest.Patched, opts Options) (fsys.Info, error) {
		fs, err := Open(dev, opts)
		if err != nil {
			return fsys.Info{}, err
		}
		return fs.Info(), nil
	}
	info, err := open(fsystest.NewPatched(image), Options{})
	if err != nil || !info.Dirty || len(info.Warnings) != 0 {
		t.Errorf("replayed: %+v, %v", info, err)
	}
	info, err = open(fsystest.NewPatched(image), Options{IgnoreLog: true})
	if err != nil || info.Dirty || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "not replayed") {
		t.Errorf("ignored: %+v, %v", info, err)
	}

	dev := fsystest.NewPatched(image)
	sb, err := readSuperblock(dev, false)
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(dev, sb, false)
	for block := range j.blocks {
		var b [4]byte
		if _, err := dev.ReadAt(b[:], j.place(block)); err != nil {
			t.Fatal(err)
		}
		if be.Uint32(b[:]) == recordMagic {
			dev.Set(j.place(block), 0) // changes the magic
		}
	}
	if _, err = open(dev, Options{}); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "log") {
		t.Errorf("damaged: %v", err)
	}
	info, err = open(dev, Options{IgnoreLog: true})
	if err != nil || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "damaged") {
		t.Errorf("damaged and ignored: %+v, %v", info, err)
	}
	clean := fsystest.Unzstd(t, "testdata/v5-new.img.zst")
	info, err = open(withSuperblock(t, clean, func(sb []byte) { clear(sb[48:56]) }), Options{IgnoreLog: true})
	if err != nil || len(info.Warnings) != 1 || !strings.Contains(info.Warnings[0], "another device") {
		t.Errorf("elsewhere and ignored: %+v, %v", info, err)
	}
	// A log that may hold what is not understood is refused only when dirty.
	_, err = Open(withSuperblock(t, image, func(sb []byte) { sb[220] = 0x80 }), Options{})
	if !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "log features 0x80000000") {
		t.Errorf("unknown log feature: %v", err)
	}
	if _, err = Open(withSuperblock(t, clean, func(sb []byte) { sb[220] = 0x80 }), Options{}); err != nil {
		t.Errorf("unknown log feature, clean: %v", err)
	}
}

// TestCleanLogIsCheap: a log of 2 GiB must not be read to see that it is clean.
func TestCleanLogIsCheap(t *testing.T) {
	for _, name := range []string{"v5-new", "v5-old", "v4-512"} {
		rec := &recorder{Patched: fsystest.NewPatched(fsystest.Unzstd(t, "testdata/"+name+".img.zst")), blocks: map[int64]bool{}}
		if _, err := Open(rec, Options{}); err != nil {
			t.Fatal(err)
		}
		// Eight records of 256 KiB can be under way, and one more is looked at.
		if n := len(rec.blocks) * basicBlock; n > 9*maxRecord+(64<<10) {
			t.Errorf("%s: %d bytes read", name, n)
		}
	}
}

// TestOverlay replays into the middle of pages and reads across them.
func TestOverlay(t *testing.T) {
	plain := bytes.Repeat([]byte("volume. "), 3<<10)
	o := &overlay{Device: fsystest.NewPatched(plain), pages: map[int64]*page{}}
	want := bytes.Clone(plain)
	for _, w := range []struct {
		off int64
		s   string
	}{{0, "begin"}, {4090, "across a page"}, {8192 + 513, "sector"}, {int64(len(plain)) - 3, "end"}} {
		if err := o.write([]byte(w.s), w.off); err != nil {
			t.Fatal(err)
		}
		copy(want[w.off:], w.s)
	}
	got := make([]byte, len(plain))
	if _, err := o.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("reads something else, %v", err)
	}
	for _, c := range []struct {
		off, n int64
		want   bool
	}{{0, 1, true}, {511, 1, true}, {512, 3000, false}, {512, 4096, true}, {4096, 512, true}, {8192, 512, false}, {8192 + 512, 512, true}, {8192 + 1024, 1024, false}} {
		if got := o.replayed(c.off, c.n); got != c.want {
			t.Errorf("bytes %d+%d replayed: %t", c.off, c.n, got)
		}
	}
	for _, off := range []int64{-1, int64(len(plain)) - 2, 1 << 62} {
		if err := o.write([]byte("xxx"), off); !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("write at %d: %v", off, err)
		}
	}
}

// TestLostLog opens filesystems whose metadata is younger than their log, as
// when its newest records are gone.
func TestLostLog(t *testing.T) {
	image := golden(t)["v5-old"]
	fs, err := Open(fsystest.NewPatched(image), Options{})
	if err != nil {
		t.Fatal(err)
	}
	const want = "the log ends at 1:0"
	emptied := bytes.Clone(image)
	clear(emptied[fs.sb.blockOffset(fs.sb.logStart):][:fs.sb.logBlocks<<fs.sb.blockLog])
	if _, err := Open(fsystest.NewPatched(emptied), Options{}); !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), want) {
		t.Errorf("log emptied: %v", err)
	}
	if _, err := Open(fsystest.NewPatched(emptied), Options{IgnoreLog: true}); err != nil {
		t.Errorf("log emptied and ignored: %v", err)
	}
	be.PutUint64(emptied[sbLSN:], 0)
	fs, err = Open(fsystest.NewPatched(emptied), Options{unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	_, err = fsystest.Manifest(fsystest.NewPatched(emptied), fs)
	if !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), want) {
		t.Errorf("log emptied, superblock old: %v", err)
	}
}
