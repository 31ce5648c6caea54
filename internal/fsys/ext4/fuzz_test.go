package ext4

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// classified fails on an error outside the ondisk classes.
func classified(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	for _, class := range []error{ondisk.ErrCorrupt, ondisk.ErrUnsupported, ondisk.ErrEncrypted, ondisk.ErrNotFormat} {
		if errors.Is(err, class) {
			return
		}
	}
	t.Error(err)
}

// fuzzFS is a filesystem of 200 blocks of 1 KiB, the fuzzed bytes at the front
// of its block 50, behind no checksum.
func fuzzFS(block []byte) (*FS, []byte) {
	volume := make([]byte, 200*1024)
	copy(volume[50*1024:51*1024], block)
	fs := &FS{
		sb: superblock{
			blockSize: 1024, clusterSize: 1024, blocks: 200, firstDataBlock: 1, inodes: 64, inodesPerGroup: 64,
			firstIno: 11, inodeSize: 256, incompat: incompatRead,
		},
		dev: bytes.NewReader(volume), groups: []uint64{20}, opts: Options{unverified: true},
	}
	fs.inodeBufs.New, fs.blockBufs.New = newBuffer(256), newBuffer(1024)
	fs.inodes.New = func() any { return &ownInode{buf: make([]byte, 256)} }
	return fs, volume
}

// goldenBlocks are blocks of a golden image that begin with the given bytes.
func goldenBlocks(f *testing.F, name string, size int, prefix ...byte) [][]byte {
	f.Helper()
	var blocks [][]byte
	for block := range slices.Chunk(golden(f, name), size) {
		if bytes.HasPrefix(block, prefix) && len(blocks) < 20 {
			blocks = append(blocks, block)
		}
	}
	if len(blocks) == 0 {
		f.Fatal("no seed")
	}
	return blocks
}

func FuzzSuperblock(f *testing.F) {
	for _, name := range goldenNames(f) {
		f.Add(golden(f, name)[superOffset : superOffset+superSize])
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != superSize {
			return
		}
		sb, err := decodeSuperblock(b, 1<<30, Options{unverified: true})
		classified(t, err)
		if err != nil {
			return
		}
		sb.featureNames()
		for _, n := range []uint64{0, 1, sb.groups / 2} {
			sb.descBlock(n)
		}
		if end := sb.blocks * uint64(sb.blockSize); end > 1<<30 || sb.groups == 0 {
			t.Errorf("%d blocks of %d bytes in %d groups", sb.blocks, sb.blockSize, sb.groups)
		}
	})
}

func FuzzGroupDescriptor(f *testing.F) {
	f.Add(golden(f, "ext4")[2048:2112], uint32(0))
	f.Fuzz(func(t *testing.T, b []byte, group uint32) {
		if len(b) != 64 || group >= 10 {
			return
		}
		fs, _ := fuzzFS(nil)
		fs.sb.descSize, fs.sb.blocksPerGroup = 64, 8192
		desc, err := fs.decodeGroup(group, b, 2048)
		classified(t, err)
		if table := desc.inodeTable; err == nil && (table < 1 || table+16 > 200) {
			t.Errorf("inode table at block %d", table)
		}
	})
}

// FuzzInode reads one inode through every method.
func FuzzInode(f *testing.F) {
	for _, name := range []string{"ext4", "inline", "ext2"} {
		for i, block := range goldenBlocks(f, name, 256) {
			if i%2 == 0 {
				f.Add(block)
			}
		}
	}
	for _, mode := range []uint16{fsys.ModeRegular, fsys.ModeDir, fsys.ModeSymlink, fsys.ModeChar} {
		b := make([]byte, 256)
		le.PutUint16(b, mode|0o644)
		le.PutUint32(b[4:], 1024)
		le.PutUint16(b[0x1a:], 1)
		le.PutUint16(b[0x80:], 32)
		le.PutUint32(b[0x28:], 50)
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) != 256 {
			return
		}
		fs, volume := fuzzFS(nil)
		const ino = 12
		copy(volume[20*1024+(ino-1)*256:], b)
		_, err := fs.Inode(ino)
		classified(t, err)
		_, err = fs.Layout(ino)
		classified(t, err)
		if r, err := fs.Open(ino); err != nil {
			classified(t, err)
		} else {
			var p [100]byte
			_, _ = r.ReadAt(p[:], 30)
		}
		for _, err := range fs.ReadDir(ino) {
			classified(t, err)
		}
	})
}

func FuzzExtentNode(f *testing.F) {
	for _, block := range goldenBlocks(f, "ext4", 1024, 0x0a, 0xf3) {
		f.Add(block, uint16(1), uint64(1<<20))
	}
	f.Fuzz(func(t *testing.T, b []byte, depth uint16, size uint64) {
		fs, _ := fuzzFS(b)
		n := &inode{ino: 12, size: int64(size >> 1), flags: flagExtents, block: extentNode(int(depth), 1, 4, 0, 50, 0)}
		runs, err := fs.runs(n)
		classified(t, err)
		checkRuns(t, runs, err, n.size)
	})
}

func FuzzIndirectBlock(f *testing.F) {
	for _, block := range goldenBlocks(f, "ext2", 1024) {
		f.Add(block, uint64(1<<20), uint8(12))
	}
	f.Fuzz(func(t *testing.T, b []byte, size uint64, index uint8) {
		fs, _ := fuzzFS(b)
		n := &inode{ino: 12, size: int64(size >> 1), block: make([]byte, 60)}
		le.PutUint32(n.block[int(index%15)*4:], 50)
		runs, err := fs.runs(n)
		classified(t, err)
		checkRuns(t, runs, err, n.size)
	})
}

// checkRuns holds runs to the contract on a volume of 200 blocks.
func checkRuns(t *testing.T, runs []fsys.Run, err error, size int64) {
	t.Helper()
	if err != nil {
		return
	}
	next := int64(0)
	for _, r := range runs {
		if r.Off != next || r.Len <= 0 || r.Phys < fsys.Hole || r.Phys >= 0 && r.Phys+r.Len > 200*1024 {
			t.Fatalf("run %+v at %d", r, next)
		}
		next += r.Len
	}
	if next != size {
		t.Errorf("runs end at %d, size is %d", next, size)
	}
}

func FuzzDirBlock(f *testing.F) {
	for _, name := range []string{"ext2", "ext4"} {
		for _, block := range goldenBlocks(f, name, 1024, 2, 0, 0, 0, 12) {
			f.Add(block, true)
		}
	}
	f.Add(dirent(0, 1024, ""), false)
	f.Fuzz(func(t *testing.T, b []byte, first bool) {
		if len(b) != 1024 {
			return
		}
		fs, _ := fuzzFS(nil)
		d := dirBlock{fs: fs, n: &inode{ino: 2, flags: flagIndex}, b: b, first: first}
		_, err := d.entries(func(e fsys.Dirent) bool {
			if e.Name == "" || e.Ino == 0 || len(e.Name) > fsys.MaxName {
				t.Errorf("entry %+v", e)
			}
			return true
		})
		classified(t, err)
		if len(b) > 0x24 {
			classified(t, d.verifyIndex(0x20))
		}
	})
}

func FuzzXattrBlock(f *testing.F) {
	for _, block := range goldenBlocks(f, "ext2", 1024, 0, 0, 2, 0xea) {
		f.Add(block)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		fs, _ := fuzzFS(b)
		list, err := fs.xattrs(&inode{ino: 12, xattrBlock: 50})
		classified(t, err)
		for _, x := range list {
			if x.Value == nil || len(x.Value) > fsys.MaxXattr {
				t.Errorf("%q has %d bytes", x.Name, len(x.Value))
			}
		}
	})
}

// FuzzJournal replays whatever the log's first blocks hold.
func FuzzJournal(f *testing.F) {
	for _, form := range logForms {
		w := newLog(form.compat, form.incompat)
		w.data([2]int{5, 1}, [2]int{6, 0xc0})
		w.revoke(5, 6)
		w.commit()
		w.data([2]int{5, 2})
		w.commit()
		f.Add(w.volume[(logPlace+1)*logBlock:], form.compat, form.incompat, true)
		f.Add(w.volume[(logPlace+1)*logBlock:(logPlace+4)*logBlock], form.compat, form.incompat, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, compat, incompat uint32, unverified bool) {
		w := newLog(compat, incompat)
		w.unverified = unverified
		copy(w.volume[(logPlace+1)*logBlock:], b)
		log, err := w.scan()
		classified(t, err)
		if err != nil {
			return
		}
		o, err := w.recover(log, logPlace)
		classified(t, err)
		if err != nil {
			return
		}
		for i, r := range o.blocks {
			if r.block >= logPlace || i > 0 && r.block <= o.blocks[i-1].block {
				t.Errorf("block %d after others", r.block)
			}
		}
	})
}

// FuzzImage changes a golden image at some places and walks all of it.
func FuzzImage(f *testing.F) {
	images := map[string][]byte{}
	for _, name := range goldenNames(f) {
		images[name] = golden(f, name)
		f.Add(name, uint32(1024), uint32(0), []byte{0})
		f.Add(name, uint32(2048), uint32(0x4000), []byte{1, 2, 3, 4})
	}
	f.Fuzz(func(t *testing.T, name string, off1, off2 uint32, patch []byte) {
		if images[name] == nil {
			return
		}
		p := fsystest.NewPatched(images[name])
		half := len(patch) / 2
		p.Set(int64(off1), patch[:half]...)
		p.Set(int64(off2), patch[half:]...)
		fsystest.Survey(t, p, openUnverified)
	})
}
