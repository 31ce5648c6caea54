package tree

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	missing = 1 << 40
	broken  = 1 << 41
)

// fakeFS is directories of names; an inode that has none is an
// empty file, but for missing, and for broken, which has no layout.
type fakeFS map[fsys.Ino][]fsys.Dirent

func (fs fakeFS) Info() fsys.Info                    { return fsys.Info{} }
func (fs fakeFS) Root() fsys.Ino                     { return 1 }
func (fs fakeFS) Open(fsys.Ino) (io.ReaderAt, error) { return nil, errors.New("no content") }
func (fs fakeFS) Layout(i fsys.Ino) ([]fsys.Run, error) {
	if i == broken {
		return nil, ondisk.Corruptf(0x2000, "no extents")
	}
	return nil, nil
}
func (fs fakeFS) Inode(i fsys.Ino) (*fsys.Inode, error) {
	if i == missing {
		return nil, ondisk.Corruptf(0x1000, "no such inode")
	}
	n := &fsys.Inode{Ino: i, Mode: fsys.ModeRegular | 0o644, Nlink: 1, Mtime: fsys.Time{Sec: int64(i)}}
	if _, ok := fs[i]; ok {
		n.Mode = fsys.ModeDir | 0o755
	}
	return n, nil
}

func (fs fakeFS) ReadDir(i fsys.Ino) iter.Seq2[fsys.Dirent, error] {
	return func(yield func(fsys.Dirent, error) bool) {
		for _, e := range fs[i] {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// chain is directories in each other, the last one with some files.
func chain(depth, name, files int) fakeFS {
	fs := fakeFS{}
	for i := 1; i <= depth; i++ {
		fs[fsys.Ino(i)] = []fsys.Dirent{{Name: strings.Repeat("d", name), Ino: fsys.Ino(i + 1)}}
	}
	last := fsys.Ino(depth + 1)
	fs[last] = nil
	for i := range files {
		fs[last] = append(fs[last], fsys.Dirent{Name: fmt.Sprint(i), Ino: last + 1 + fsys.Ino(i)})
	}
	return fs
}

func TestLoad(t *testing.T) {
	fs := fakeFS{
		1: {{Name: "z", Ino: 9}, {Name: "a", Ino: 3}, {Name: "link", Ino: 5}},
		3: {{Name: "f", Ino: 5}, {Name: "e", Ino: 4}},
		4: nil,
	}
	tr, err := Load(t.Context(), fs, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"/", "/a", "/a/e", "/a/f", "/link -> /a/f", "/z"}
	if got := list(tr.Items(Path)); !slices.Equal(got, want) {
		t.Errorf("loaded %q, want %q", got, want)
	}
	if tr.Now != (fsys.Time{Sec: 9}) || tr.Root.Child("link").Links != 2 || tr.Root.Child("a").Links != 1 {
		t.Errorf("newest time %v, %d links", tr.Now, tr.Root.Child("link").Links)
	}
}

func TestLoadErrors(t *testing.T) {
	for want, fs := range map[string]fakeFS{
		"/d/missing: inode 1099511627776: no such inode, at byte 0x1000": {1: {{Name: "d", Ino: 2}}, 2: {{Name: "missing", Ino: missing}}},
		"/broken: inode 2199023255552: no extents, at byte 0x2000":       {1: {{Name: "broken", Ino: broken}}},
		"/d/up: inode 1: directory has a second name, at byte 0x4010":    {1: {{Name: "d", Ino: 2}}, 2: {{Name: "up", Ino: 1, Off: 0x4010}}},
		"/d: inode 2: name \"twin\" stands twice, at byte 0x4020":        {1: {{Name: "d", Ino: 2}}, 2: {{Name: "twin", Ino: 3, Off: 0x4020}, {Name: "twin", Ino: 4}}},
		"/: inode 1: mode 0100644 is no directory":                       {},
	} {
		if _, err := Load(t.Context(), fs, nil, 0); !errors.Is(err, ondisk.ErrCorrupt) || err.Error() != want {
			t.Errorf("error is %v, want %s", err, want)
		}
	}
	_, err := Load(t.Context(), chain(70, 255, 0), nil, 0)
	if !errors.Is(err, ondisk.ErrUnsupported) {
		t.Errorf("paths of %d bytes: error is %v, want unsupported", 70*256, err)
	}
}

// shared is a filesystem where one block of content serves all inodes: many
// files of many runs and large attributes out of nothing.
type shared struct{ fakeFS }

func (fs shared) Inode(i fsys.Ino) (*fsys.Inode, error) {
	n, err := fs.fakeFS.Inode(i)
	if n.IsRegular() {
		n.Size = 1 << 40
		n.Xattrs = []fsys.Xattr{{Name: "user.x", Value: make([]byte, 1000)}}
	}
	return n, err
}

func (fs shared) Layout(fsys.Ino) ([]fsys.Run, error) { return make([]fsys.Run, 1000), nil }

func TestLoadIsBounded(t *testing.T) {
	for what, fs := range map[string]fsys.FS{
		"names":               chain(1, 1, 20_000),
		"runs and attributes": shared{chain(1, 1, 200)},
	} {
		l := newLoader(fs, 2)
		l.memory.left.Store(2 << 20)
		if _, err := l.load(t.Context()); !errors.Is(err, ondisk.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", what, err)
		}
		l = newLoader(fs, 2)
		l.memory.left.Store(20 << 20)
		if _, err := l.load(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// Many files deep down have paths of far more bytes than their names; neither
// loading nor walking may hold them all.
func TestDeepTreesTakeLittleMemory(t *testing.T) {
	const files = 50_000
	fs := chain(60, 255, files)
	var before, loaded, walked runtime.MemStats
	runtime.ReadMemStats(&before)
	tr, err := Load(t.Context(), fs, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&loaded)
	if used := loaded.TotalAlloc - before.TotalAlloc; used > files*2000 {
		t.Errorf("loading %d files took %d bytes", files, used)
	}
	most := uint64(0)
	n := 0
	err = tr.Walk(func(string, *Node) error {
		if n++; n%1000 == 0 {
			runtime.ReadMemStats(&walked)
			most = max(most, walked.HeapAlloc)
		}
		return nil
	})
	if err != nil || n != files+61 {
		t.Errorf("walked over %d entries, %v", n, err)
	}
	if most > loaded.HeapAlloc+100<<20 {
		t.Errorf("walking over %d files took %d bytes", files, most-loaded.HeapAlloc)
	}
}

// Whatever the number of workers: the same tree, or the same error, which is
// the first one on the way of a single worker.
func TestLoadIsTheSameForAnyWorkers(t *testing.T) {
	wide := func() fakeFS { // 60 directories of 50 files, some of which have two names
		fs := fakeFS{1: nil}
		for d := range fsys.Ino(60) {
			dir := 100 - d
			fs[1] = append(fs[1], fsys.Dirent{Name: fmt.Sprint("d", d), Ino: dir})
			for f := range fsys.Ino(50) {
				fs[dir] = append(fs[dir], fsys.Dirent{Name: fmt.Sprint(f), Ino: 1000 + (d*50+f)%2900, Off: int64(f)})
			}
		}
		return fs
	}
	with := func(dir fsys.Ino, at int, e fsys.Dirent) fakeFS {
		fs := wide()
		fs[dir][at] = e
		return fs
	}
	both := with(90, 3, fsys.Dirent{Name: "broken", Ino: broken})
	both[60][49] = fsys.Dirent{Name: "missing", Ino: missing}
	twins := with(95, 7, fsys.Dirent{Name: "8", Ino: 5000})
	twins[50][0].Name = "1"
	for name, c := range map[string]struct {
		fs     fakeFS
		memory int64
		want   string
	}{
		"tree":        {fs: wide()},
		"two broken":  {both, maxMemory, "/d40/missing: inode 1099511627776: no such inode, at byte 0x1000"},
		"two twins":   {twins, maxMemory, "/d50: inode 50: name \"1\" stands twice, at byte 0x0"},
		"second name": {with(80, 20, fsys.Dirent{Name: "d", Ino: 41}), maxMemory, "/d20/d: inode 41: directory has a second name, at byte 0x0"},
		"names":       {wide(), 200 << 10, "/d32: inode 68: names, extents"},
		"inodes":      {wide(), 800 << 10, "/d25/7: inode 2257: names, extents"},
	} {
		var first string
		for _, workers := range []int{1, 2, 8} {
			l := newLoader(c.fs, workers)
			l.memory.left.Store(cmp.Or(c.memory, maxMemory))
			tr, err := l.load(t.Context())
			got := fmt.Sprint(err)
			if err == nil {
				got = fmt.Sprint(list(tr.Items(Path)), tr.Now, tr.Root.Child("d0").Links)
			} else if !strings.HasPrefix(got, c.want) || c.want == "" {
				t.Errorf("%s, %d workers: %v, want %q", name, workers, err, c.want)
			}
			if first == "" {
				first = got
			} else if got != first {
				t.Errorf("%s: %d workers give\n%.300s\none gives\n%.300s", name, workers, got, first)
			}
		}
	}
}

func TestLoadStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	fs := stopping{chain(3, 1, 10_000), cancel, new(atomic.Int64)}
	l := newLoader(fs, 4)
	if _, err := l.load(ctx); !errors.Is(err, context.Canceled) || fs.inodes.Load() > 2000 {
		t.Errorf("%v after %d inodes", err, fs.inodes.Load())
	}
}

// stopping is fakeFS whose 500th inode ends the context.
type stopping struct {
	fakeFS
	cancel func()
	inodes *atomic.Int64
}

func (fs stopping) Inode(i fsys.Ino) (*fsys.Inode, error) {
	if fs.inodes.Add(1) == 500 {
		fs.cancel()
	}
	return fs.fakeFS.Inode(i)
}

// bomb is fakeFS of files that share 1000 bytes of a volume of 2500.
type bomb struct {
	fakeFS
	info fsys.Info
	phys int64
}

func (fs bomb) Info() fsys.Info { return fs.info }
func (fs bomb) Inode(i fsys.Ino) (*fsys.Inode, error) {
	n, err := fs.fakeFS.Inode(i)
	if err == nil && n.IsRegular() {
		n.Size = 1000
	}
	return n, err
}
func (fs bomb) Layout(fsys.Ino) ([]fsys.Run, error) {
	return []fsys.Run{{Len: 1000, Phys: fs.phys}}, nil
}

func TestSharedBlocks(t *testing.T) {
	files := func(n int) fakeFS { return chain(1, 1, n) }
	bound, free := fsys.Info{Size: 2500, FileBytes: 2500}, fsys.Info{Size: 2500}
	for _, c := range []struct {
		fs bomb
		ok bool
	}{
		{bomb{files(2), bound, 0}, true},
		{bomb{files(3), bound, 0}, false},
		{bomb{files(3), bound, fsys.Encoded}, false},
		{bomb{files(3), bound, fsys.Hole}, true},
		{bomb{files(3), free, 0}, true},
	} {
		_, err := Load(t.Context(), c.fs, nil, 0)
		if c.ok && err != nil || !c.ok && (!errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "files of more bytes than the filesystem has, with one of 1000")) {
			t.Errorf("%+v: %v", c.fs, err)
		}
	}
}

// large is fakeFS with directories of 600 bytes on a volume of 1500.
type large struct{ fakeFS }

func (fs large) Info() fsys.Info { return fsys.Info{Size: 1500} }
func (fs large) Inode(i fsys.Ino) (*fsys.Inode, error) {
	n, err := fs.fakeFS.Inode(i)
	if err == nil && n.IsDir() {
		n.Size = 600
	}
	return n, err
}

// Directories that share their blocks could have a small image read for days.
func TestSharedDirectories(t *testing.T) {
	if _, err := Load(t.Context(), large{chain(1, 1, 3)}, nil, 0); err != nil {
		t.Error(err)
	}
	_, err := Load(t.Context(), large{chain(2, 1, 3)}, nil, 0)
	if !errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "directories of more bytes than the filesystem has, with one of 600") {
		t.Errorf("error is %v", err)
	}
}
