package fsystest

import (
	"bytes"
	"io"
	"iter"
	"maps"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// toy is a filesystem in memory: the device's first byte is the magic, files
// lie on the device.
type toy struct {
	dev    blockdev.Device
	inodes map[fsys.Ino]*fsys.Inode
	dirs   map[fsys.Ino][]fsys.Dirent
	runs   map[fsys.Ino][]fsys.Run
}

func newToy(dev blockdev.Device) *toy {
	return &toy{
		dev: dev,
		inodes: map[fsys.Ino]*fsys.Inode{
			2: {Ino: 2, Mode: fsys.ModeDir | 0o755, Nlink: 2},
			3: {Ino: 3, Mode: fsys.ModeRegular | 0o644, Nlink: 2, Size: 6000, Mtime: fsys.Time{Sec: -1, Nsec: 5},
				Xattrs: []fsys.Xattr{{Name: "user.a", Value: []byte{}}, {Name: "user.b", Value: []byte("\xff")}}},
			4: {Ino: 4, Mode: fsys.ModeSymlink | 0o777, Nlink: 1, Size: 1, Target: "f"},
		},
		dirs: map[fsys.Ino][]fsys.Dirent{2: {{Name: "f", Ino: 3, Type: fsys.ModeRegular}, {Name: "g\n", Ino: 3}, {Name: "l", Ino: 4}}},
		runs: map[fsys.Ino][]fsys.Run{3: {{Off: 0, Len: 5000, Phys: fsys.Hole}, {Off: 5000, Len: 1000, Phys: 100}}},
	}
}

func (f *toy) Info() fsys.Info { return fsys.Info{Type: "toy"} }
func (f *toy) Root() fsys.Ino  { return 2 }

func (f *toy) Inode(ino fsys.Ino) (*fsys.Inode, error) {
	if n := f.inodes[ino]; n != nil {
		return n, nil
	}
	return nil, ondisk.Corruptf(ondisk.NoOffset, "no inode %d", ino)
}

func (f *toy) ReadDir(ino fsys.Ino) iter.Seq2[fsys.Dirent, error] {
	return func(yield func(fsys.Dirent, error) bool) {
		if f.dirs[ino] == nil {
			yield(fsys.Dirent{}, ondisk.Corruptf(ondisk.NoOffset, "inode %d is no directory", ino))
		}
		for _, d := range f.dirs[ino] {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func (f *toy) Layout(ino fsys.Ino) ([]fsys.Run, error) {
	if f.runs[ino] == nil {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "inode %d is no file", ino)
	}
	return f.runs[ino], nil
}

func (f *toy) Open(ino fsys.Ino) (io.ReaderAt, error) {
	if _, err := f.Layout(ino); err != nil {
		return nil, err
	}
	n := f.inodes[ino]
	return io.NewSectionReader(&file{dev: f.dev, runs: f.runs[ino], size: n.Size}, 0, n.Size), nil
}

var toyImage = bytes.Repeat([]byte("0123456789abcdef"), 100)

const toyManifest = `
# the toy
"/" ino=2 mode=040755 uid=0 gid=0 nlink=2 size=0 mtime=0.000000000
"/f" ino=3 mode=100644 uid=0 gid=0 nlink=2 size=6000 mtime=-1.000000005 data=50d1641433c9e1829e8dfb5f8309b000 "user.a"="" "user.b"="\xff"
"/g\n" ino=3 mode=100644 uid=0 gid=0 nlink=2 size=6000 mtime=-1.000000005 data=50d1641433c9e1829e8dfb5f8309b000 "user.a"="" "user.b"="\xff"
"/l" ino=4 mode=120777 uid=0 gid=0 nlink=1 size=1 mtime=0.000000000 target="f"
`

func TestRun(t *testing.T) {
	dev := NewPatched(toyImage)
	Run(t, dev, newToy(dev), toyManifest)
}

// Each breach of the contract must be found.
func TestManifestFindsBreaches(t *testing.T) {
	for _, c := range []struct {
		want   string
		breach func(*toy)
	}{
		{"runs end at", func(f *toy) { f.runs[3] = f.runs[3][:1] }},
		{"at file offset", func(f *toy) { f.runs[3][1].Off++ }},
		{"contract: run", func(f *toy) { f.runs[3][1].Phys = -3 }},
		{"on a device of", func(f *toy) { f.runs[3][1].Phys = 1000 }},
		{"xattr", func(f *toy) { f.inodes[3].Xattrs[0].Name = "user.c" }},
		{"xattr", func(f *toy) { f.inodes[3].Xattrs[0].Value = nil }},
		{"names seen", func(f *toy) { f.inodes[3].Nlink = 3 }},
		{"is there twice", func(f *toy) { f.dirs[2][1].Name = "f" }},
		{"yields the name", func(f *toy) { f.dirs[2][1].Name = ".." }},
		{"yields the name", func(f *toy) { f.dirs[2][1].Name = "a/b" }},
		{"is also", func(f *toy) { f.dirs[2][1].Ino = 2 }},
		{"dirent type", func(f *toy) { f.dirs[2][1].Type = fsys.ModeDir }},
		{"target", func(f *toy) { f.inodes[4].Target = "" }},
		{"nanoseconds", func(f *toy) { f.inodes[4].Mtime.Nsec = 1e9 }},
		{"no inode", func(f *toy) { delete(f.inodes, 4) }},
	} {
		dev := NewPatched(toyImage)
		f := newToy(dev)
		c.breach(f)
		if _, err := Manifest(dev, f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("error %v, want %q", err, c.want)
		}
	}
}

func TestDiff(t *testing.T) {
	d := Diff([]string{"a", "b", "d"}, []string{"b", "c", "d", "e"})
	if got := strings.Join(d, ","); got != "+ a,- c,- e" {
		t.Error(got)
	}
}

// The digest depends on where data lies and not on how zeros are stored.
func TestDigestIgnoresHoles(t *testing.T) {
	data := make([]byte, 3*digestBlock+10)
	data[2*digestBlock] = 1
	data[len(data)-1] = 2
	size := int64(len(data))
	sum := func(next func(int64) (int64, int64)) string {
		s, err := Digest(bytes.NewReader(data), size, next)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	whole := sum(func(off int64) (int64, int64) { return off, size })
	sparse := sum(func(off int64) (int64, int64) {
		if off < 2*digestBlock+1 {
			return max(off, 2*digestBlock), 2*digestBlock + 1
		}
		return max(off, size-1), size
	})
	if whole != sparse {
		t.Error("a hole changes the digest")
	}
	data[2*digestBlock], data[digestBlock] = 0, 1
	if moved := sum(func(off int64) (int64, int64) { return off, size }); moved == whole {
		t.Error("moved data keeps the digest")
	}
}

// A reader that trusts its image is found out; one that checks it passes.
func TestMutate(t *testing.T) {
	open := func(dev blockdev.Device) (fsys.FS, error) {
		var magic [4]byte
		if err := ondisk.ReadFull(dev, magic[:], 0, "magic"); err != nil {
			return nil, err
		}
		if string(magic[:]) != "0123" {
			return nil, ondisk.NotFormatf("magic %q", magic)
		}
		f := newToy(dev)
		f.dirs = maps.Clone(f.dirs)
		return f, nil
	}
	Mutate(t, Damage{Image: toyImage, Open: open, Random: 50, Fields: 50, Checked: true})
}
