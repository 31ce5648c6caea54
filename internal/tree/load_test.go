package tree

import (
	"errors"
	"fmt"
	"io"
	"iter"
	"runtime"
	"slices"
	"strings"
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

// Many files deep down have paths of far more bytes than their names; neither
// loading nor walking may hold them all.
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
		l := loader{fs: fs, seen: map[fsys.Ino]*Node{}, budget: 2 << 20}
		if _, err := l.load(t.Context()); !errors.Is(err, ondisk.ErrUnsupported) {
			t.Errorf("%s: %v, want ErrUnsupported", what, err)
		}
		l = loader{fs: fs, seen: map[fsys.Ino]*Node{}, budget: 20 << 20}
		if _, err := l.load(t.Context()); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}

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
