package xfs

import (
	"bytes"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// All targets hold the same: no panic, and errors of the ondisk classes alone.

func checkError(t *testing.T, err error) {
	t.Helper()
	for _, class := range []error{nil, ondisk.ErrCorrupt, ondisk.ErrUnsupported, ondisk.ErrNotFormat} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Fatalf("error of no class: %v", err)
}

// openGolden opens a golden image without regard to checksums.
func openGolden(t testing.TB, name string) (*fsystest.Patched, *FS) {
	t.Helper()
	dev := fsystest.NewPatched(fsystest.Unzstd(t, "testdata/"+name+".img.zst"))
	fs, err := Open(dev, Options{unverified: true})
	if err != nil {
		t.Fatal(err)
	}
	return dev, fs
}

// readAll reads all that an inode has.
func readAll(t *testing.T, fs *FS, ino fsys.Ino) {
	_, err := fs.Inode(ino)
	checkError(t, err)
	_, err = fs.Layout(ino)
	checkError(t, err)
	n := 0
	for _, err := range fs.ReadDir(ino) {
		checkError(t, err)
		if n++; n > 100000 {
			t.Fatal("directory without an end")
		}
	}
}

func FuzzSuperblock(f *testing.F) {
	for _, image := range golden(f) {
		f.Add(image[:512])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		b = append(b, make([]byte, 512)...)
		sb, err := decodeSuperblock(b[:512], true)
		checkError(t, err)
		if err != nil {
			return
		}
		for _, n := range []uint64{0, 1, sb.rootIno, sb.agBlocks, sb.dataBlocks, 1<<32 + 5, 1<<63 - 1, 1<<64 - 1} {
			if sb.checkInode(n) == nil && sb.inodeOffset(n) >= int64(sb.dataBlocks<<sb.blockLog) {
				t.Errorf("inode %d lies at %#x, behind the end", n, sb.inodeOffset(n))
			}
			if off, err := sb.realtimeOffset(n, 3); err == nil && off < 0 {
				t.Errorf("realtime block %d lies at %d", n, off)
			}
		}
	})
}

func FuzzInode(f *testing.F) {
	type one struct {
		dev *fsystest.Patched
		fs  *FS
	}
	var all []one
	for _, name := range []string{"v4-512", "v5-new"} {
		dev, fs := openGolden(f, name)
		all = append(all, one{dev, fs})
		for ino := fs.sb.rootIno; ino < fs.sb.rootIno+64; ino++ {
			b := make([]byte, fs.sb.inodeSize)
			if _, err := dev.ReadAt(b, fs.sb.inodeOffset(ino)); err != nil {
				f.Fatal(err)
			}
			f.Add(name == "v5-new", b)
		}
	}
	f.Fuzz(func(t *testing.T, v5 bool, b []byte) {
		o := all[0]
		if v5 {
			o = all[1]
		}
		root := o.fs.sb.rootIno
		b = append(b, make([]byte, o.fs.sb.inodeSize)...)[:o.fs.sb.inodeSize]
		dev := &patchedInode{o.fs.dev.(*fsystest.Patched), b, o.fs.sb.inodeOffset(root)}
		fs := &FS{raw: dev, dev: dev, sb: o.fs.sb, unverified: true}
		fs.inodes.New, fs.buffers.New = o.fs.inodes.New, o.fs.buffers.New
		if v5 {
			binary.BigEndian.PutUint64(b[152:], root)
			copy(b[160:], fs.sb.metaUUID[:])
		}
		readAll(t, fs, fsys.Ino(root))
	})
}

// patchedInode is an image with other bytes in one place.
type patchedInode struct {
	*fsystest.Patched
	b   []byte
	off int64
}

func (p *patchedInode) ReadAt(b []byte, off int64) (int, error) {
	n, err := p.Patched.ReadAt(b, off)
	for i := range p.b {
		if at := p.off + int64(i) - off; at >= 0 && at < int64(n) {
			b[at] = p.b[i]
		}
	}
	return n, err
}

func FuzzDirBlock(f *testing.F) {
	dev, fs := openGolden(f, "v5-old")
	var places []int64
	for off := int64(0); off < dev.Size(); off += fs.sb.blockSize {
		var b [4]byte
		if _, err := dev.ReadAt(b[:], off); err == nil && (be.Uint32(b[:]) == dirDataMagicV5 || be.Uint32(b[:]) == dirBlockMagicV5) {
			places = append(places, off)
		}
	}
	for _, off := range places[:min(4, len(places))] {
		b := make([]byte, 65536)
		if _, err := dev.ReadAt(b, off); err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < dirHeaderV5+dirTail {
			return
		}
		b = b[:min(len(b), 65536)&^7]
		d := &dinode{ino: 128, size: int64(len(b))}
		w := dirWalk{fs: fs, dir: d, yield: func(e fsys.Dirent, err error) bool {
			if e.Name == "" || e.Name == "." || e.Name == ".." {
				t.Errorf("yields %q", e.Name)
			}
			return true
		}}
		checkError(t, w.dataBlock(b, 4096, 0))
	})
}

func FuzzAttrLeaf(f *testing.F) {
	dev, fs := openGolden(f, "v5-new")
	seeds := 0
	for off := int64(0); off < dev.Size() && seeds < 6; off += fs.sb.blockSize {
		b := make([]byte, fs.sb.blockSize)
		if _, err := dev.ReadAt(b, off); err == nil && be.Uint16(b[8:]) == attrLeafMagicV5 {
			f.Add(b)
			seeds++
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) < attrLeafHeaderV5 {
			return
		}
		l := attrList{fs: fs, d: &dinode{ino: 1}}
		checkError(t, l.leaf([]extent{{off: 0, start: 100, n: 1000}}, b[:min(len(b), 65536)], 0, hashRange{high: 1<<32 - 1}))
	})
}

func FuzzACL(f *testing.F) {
	f.Add([]byte{0, 0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0, 6, 0, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := decodeACL(b, 0)
		checkError(t, err)
		if err == nil && len(out)%8 != 4 {
			t.Errorf("ACL of %d bytes", len(out))
		}
	})
}

// FuzzLogHead looks for head and tail of a small log.
func FuzzLogHead(f *testing.F) {
	for _, name := range []string{"dirty-v5", "dirty-v4", "v5-new"} {
		dev, fs := openGolden(f, name)
		b := make([]byte, 64<<10)
		if _, err := dev.ReadAt(b, fs.sb.blockOffset(fs.sb.logStart)); err != nil {
			f.Fatal(err)
		}
		f.Add(name != "dirty-v4", b)
	}
	f.Fuzz(func(t *testing.T, v2 bool, b []byte) {
		b = b[:min(len(b), 1<<20)&^(basicBlock-1)]
		if len(b) == 0 {
			return
		}
		j := &journal{dev: bytes.NewReader(b), blocks: int64(len(b) >> basicBlockLog), v2: v2, unverified: true, unit: recordSpan}
		copy(j.uuid[:], b[304:320])
		s, err := j.find()
		checkError(t, err)
		if err == nil && !s.clean && (s.head < 0 || s.head >= j.blocks || s.tail < 0 || s.tail >= j.blocks) {
			t.Errorf("span %+v of %d blocks", s, j.blocks)
		}
	})
}

// FuzzReplay replays the operations of one record, twice as recovery does, and
// then reads the root directory.
func FuzzReplay(f *testing.F) {
	for i, name := range []string{"dirty-v4", "dirty-v5"} {
		dev := fsystest.NewPatched(fsystest.Unzstd(f, "testdata/"+name+".img.zst"))
		sb, err := readSuperblock(dev, true)
		if err != nil {
			f.Fatal(err)
		}
		j := newJournal(dev, sb, true)
		s, err := j.find()
		if err != nil {
			f.Fatal(err)
		}
		var bad int64
		err = j.records(s.tail, s.head, &bad, func(r record, data []byte) error {
			r.unpack(data)
			f.Add(i == 1, data)
			return nil
		})
		if err != nil {
			f.Fatal(err)
		}
	}
	dev4, fs4 := openGolden(f, "v4-512")
	dev5, fs5 := openGolden(f, "v5-new")
	f.Fuzz(func(t *testing.T, v5 bool, data []byte) {
		dev, base := dev4, fs4
		if v5 {
			dev, base = dev5, fs5
		}
		over := &overlay{Device: dev, pages: map[int64]*page{}}
		sb := *base.sb
		fs := &FS{raw: dev, dev: over, over: over, sb: &sb, unverified: true, reowned: map[uint64]bool{}}
		fs.inodes.New, fs.buffers.New = base.inodes.New, base.buffers.New
		j := newJournal(dev, fs.sb, true)
		header := make([]byte, basicBlock)
		be.PutUint32(header[300:], formatLinux)
		copy(header[304:], j.uuid[:])
		r := newReplayer(fs)
		for _, commit := range []func(*transaction) error{r.noteCancelled, r.apply} {
			ts := transactions{j: j, open: map[uint32]*transaction{}, commit: commit}
			if err := ts.record(record{header: header, ops: 1 << 30, lsn: 1<<40 + 5}, bytes.Clone(data)); err != nil {
				checkError(t, err)
				return
			}
		}
		if err := r.finish(); err != nil {
			checkError(t, err)
			return
		}
		readAll(t, fs, fsys.Ino(fs.sb.rootIno))
	})
}

// FuzzImage changes bytes of the metadata of whole images: each eight bytes of
// the input are a block of it, a place there, and four bytes to put.
func FuzzImage(f *testing.F) {
	images := golden(f)
	names := []string{"v4-512", "v5-new", "v5-old", "dirty-v4", "dirty-v5"}
	places := map[string][]int64{}
	for _, name := range names {
		rec := &recorder{Patched: fsystest.NewPatched(images[name]), blocks: map[int64]bool{}}
		fs, err := Open(rec, Options{unverified: true})
		if err != nil {
			f.Fatal(err)
		}
		walk(fs, 1000)
		for off := int64(0); off < rec.Size(); off += basicBlock {
			if rec.blocks[off] {
				places[name] = append(places[name], off)
			}
		}
	}
	for i := range names {
		f.Add(uint8(i), []byte{0, 0, 0, 100, 0, 0, 0, 0, 1, 0, 0, 5, 0xff, 0xff, 0xff, 0xff})
	}
	f.Fuzz(func(t *testing.T, which uint8, edits []byte) {
		name := names[int(which)%len(names)]
		dev := fsystest.NewPatched(images[name])
		for ; len(edits) >= 8; edits = edits[8:] {
			blocks := places[name]
			off := blocks[int(be.Uint16(edits))%len(blocks)]
			dev.Set(off+int64(be.Uint16(edits[2:])%basicBlock), edits[4:8]...)
		}
		fs, err := Open(dev, Options{unverified: true})
		checkError(t, err)
		if err == nil {
			walk(fs, 300)
		}
	})
}

// walk reads up to n inodes by name.
func walk(fs *FS, n int) {
	seen := map[fsys.Ino]bool{}
	for queue := []fsys.Ino{fs.Root()}; len(queue) > 0 && n > 0; n-- {
		ino := queue[0]
		queue = queue[1:]
		fs.Inode(ino)
		fs.Layout(ino)
		for e, err := range fs.ReadDir(ino) {
			if err == nil && !seen[e.Ino] && len(queue) < n {
				seen[e.Ino] = true
				queue = append(queue, e.Ino)
			}
		}
	}
}

// recorder notes which blocks are read.
type recorder struct {
	*fsystest.Patched
	blocks map[int64]bool
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) {
	for at := off &^ (basicBlock - 1); at < off+int64(len(p)); at += basicBlock {
		r.blocks[at] = true
	}
	return r.Patched.ReadAt(p, off)
}
