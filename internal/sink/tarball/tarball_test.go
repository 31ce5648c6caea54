package tarball

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/sink"
	"github.com/wslimg/wslimg/internal/tree"
)

// memDevice is a Device in memory.
type memDevice []byte

func (d memDevice) Size() int64 { return int64(len(d)) }

func (d memDevice) ReadAt(p []byte, off int64) (int, error) {
	return bytes.NewReader(d).ReadAt(p, off)
}

func newTree() *tree.Tree {
	return &tree.Tree{Root: &tree.Node{Mode: fsys.ModeDir | 0o755, Links: 1, Mtime: fsys.Time{Sec: 1e9}}}
}

func put(t testing.TB, tr *tree.Tree, path string, n *tree.Node) *tree.Node {
	t.Helper()
	dir, base, err := tr.Parent(path)
	if err != nil {
		t.Fatal(err)
	}
	dir.Set(base, n)
	return n
}

func write(t testing.TB, tr *tree.Tree, o Options) ([]byte, sink.Stats) {
	t.Helper()
	var out bytes.Buffer
	s, err := New(&out, o)
	if err != nil {
		t.Fatal(err)
	}
	stats, err := s.Write(t.Context(), tr, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes(), stats
}

// plainOf decodes an archive with readers that are not ours.
func plainOf(t testing.TB, f Format, b []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(b)
	var err error
	switch f {
	case Gzip:
		var z *gzip.Reader
		if z, err = gzip.NewReader(r); err == nil {
			z.Multistream(false) // one member
			r = z
		}
	case Zstd:
		r, err = zstd.NewReader(r)
	case Xz:
		r, err = xz.NewReader(r)
	}
	if err != nil {
		t.Fatal(err)
	}
	plain, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return plain
}

// randomTree makes a tree of every kind of entry over a device of random
// bytes. It is a function of r alone.
func randomTree(t testing.TB, r *rand.Rand, entries int) *tree.Tree {
	dev := make(memDevice, 0, 2<<20)
	for len(dev) < cap(dev)-64 {
		dev = fmt.Appendf(dev, "%x the quick brown fox ", r.Uint64())
	}
	tr := newTree()
	dirs := []string{""}
	var linkable []*tree.Node
	for i := range entries {
		name := fmt.Sprintf("%d", i) + randomName(r)
		path := dirs[r.IntN(len(dirs))] + "/" + name
		n := &tree.Node{
			Mode:  r.Uint32() & fsys.ModePerm,
			UID:   r.Uint32() >> (r.Uint32() & 31),
			GID:   r.Uint32() >> (r.Uint32() & 31),
			Mtime: fsys.Time{Sec: r.Int64N(1<<34) - 1<<31, Nsec: r.Uint32N(1e9)},
		}
		if r.IntN(3) == 0 {
			n.Mtime.Nsec = 0
		}
		switch r.IntN(10) {
		case 0, 1:
			n.Mode |= fsys.ModeDir
			dirs = append(dirs, path)
		case 2:
			n.Mode |= fsys.ModeSymlink
			n.Target = randomName(r) + strings.Repeat("/t", r.IntN(200)) + "x"
		case 3:
			n.Mode |= []uint32{fsys.ModeChar, fsys.ModeBlock, fsys.ModeFifo, fsys.ModeSocket}[r.IntN(4)]
			if n.Mode&fsys.ModeType == fsys.ModeChar || n.Mode&fsys.ModeType == fsys.ModeBlock {
				n.Rdev = fsys.Rdev{Major: r.Uint32N(4096), Minor: r.Uint32N(1 << 20)}
			}
			linkable = append(linkable, n)
		case 4:
			if len(linkable) > 0 {
				n = linkable[r.IntN(len(linkable))]
				break
			}
			fallthrough
		default:
			n.Mode |= fsys.ModeRegular
			n.Content = randomContent(r, dev)
			linkable = append(linkable, n)
		}
		if n.Links == 0 {
			n.Xattrs = randomXattrs(r)
		}
		put(t, tr, path, n)
	}
	return tr
}

func randomName(r *rand.Rand) string {
	switch r.IntN(6) {
	case 0:
		return strings.Repeat("n", r.IntN(250))
	case 1:
		return "grüß\xff\n=" + strings.Repeat("é", r.IntN(60))
	}
	return "plain"
}

func randomXattrs(r *rand.Rand) []fsys.Xattr {
	var xs []fsys.Xattr
	for i := range r.IntN(3) {
		v := make([]byte, r.IntN(300)>>(4*r.IntN(3)))
		for j := range v {
			v[j] = byte(r.Uint32())
		}
		xs = append(xs, fsys.Xattr{Name: fmt.Sprintf("security.%d%%é", i), Value: v})
	}
	return xs
}

func randomContent(r *rand.Rand, dev memDevice) *tree.Content {
	c := &tree.Content{Dev: dev}
	switch r.IntN(8) {
	case 0:
		return nil
	case 1:
		return tree.Bytes(dev[:r.IntN(70_000)+1])
	}
	for range 1 + r.IntN(4) {
		run := fsys.Run{Off: c.Size, Len: 1 + r.Int64N(1<<(4+r.IntN(16))), Phys: fsys.Hole}
		if r.IntN(3) > 0 {
			run.Len = min(run.Len, dev.Size())
			run.Phys = r.Int64N(dev.Size() - run.Len + 1)
		}
		c.Runs = append(c.Runs, run)
		c.Size += run.Len
	}
	return c
}

// checkTar compares an archive with the tree it was made from.
func checkTar(t testing.TB, tr *tree.Tree, order tree.Order, plain []byte) {
	t.Helper()
	a := tar.NewReader(bytes.NewReader(plain))
	items := tr.Items(order)
	for _, it := range append(items[1:], items[0]) { // the root is last
		if it.Node.Mode&fsys.ModeType == fsys.ModeSocket {
			continue
		}
		h, err := a.Next()
		if err != nil {
			t.Fatalf("%q: %v", it.Path(), err)
		}
		checkHeader(t, it, h)
		got, err := io.ReadAll(a)
		if err != nil {
			t.Fatalf("%q: %v", it.Path(), err)
		}
		var want []byte
		if it.Target == nil && it.Node.Content != nil {
			want = make([]byte, it.Node.Size())
			f, err := it.Node.Content.Open()
			if err != nil {
				t.Fatal(err)
			}
			if n, err := f.ReadAt(want, 0); n < len(want) {
				t.Fatal(err)
			}
		}
		if !bytes.Equal(got, want) {
			t.Fatalf("%q: content of %d bytes differs from the tree's %d", it.Path(), len(got), len(want))
		}
	}
	if h, err := a.Next(); err != io.EOF {
		t.Fatalf("after the last entry: %v, %v", h, err)
	}
	if tail := plain[len(plain)-2*block:]; !bytes.Equal(tail, make([]byte, 2*block)) {
		t.Fatal("the archive does not end in two zero blocks")
	}
}

var goTypes = map[uint32]byte{
	fsys.ModeRegular: tar.TypeReg, fsys.ModeDir: tar.TypeDir, fsys.ModeSymlink: tar.TypeSymlink,
	fsys.ModeChar: tar.TypeChar, fsys.ModeBlock: tar.TypeBlock, fsys.ModeFifo: tar.TypeFifo,
}

func checkHeader(t testing.TB, it *tree.Item, h *tar.Header) {
	t.Helper()
	n := it.Node
	want := tar.Header{
		Typeflag: goTypes[n.Mode&fsys.ModeType],
		Name:     "." + it.Path(), Linkname: n.Target,
		Mode: int64(n.Mode & fsys.ModePerm), Uid: int(n.UID), Gid: int(n.GID),
		Size: n.Size(), ModTime: time.Unix(n.Mtime.Sec, int64(n.Mtime.Nsec)),
		Devmajor: int64(n.Rdev.Major), Devminor: int64(n.Rdev.Minor),
	}
	if n.Mtime.Sec < 0 { // see decimal
		want.ModTime = time.Unix(n.Mtime.Sec, -int64(n.Mtime.Nsec))
	}
	if n.IsDir() && it.Path() != "/" {
		want.Name += "/"
	}
	xattrs := map[string]string{}
	for _, x := range n.Xattrs {
		xattrs["SCHILY.xattr."+x.Name] = string(x.Value)
	}
	if it.Target != nil {
		want.Typeflag, want.Linkname, want.Size, want.Devmajor, want.Devminor = tar.TypeLink, "."+it.Target.Path(), 0, 0, 0
		clear(xattrs)
	}
	got := tar.Header{
		Typeflag: h.Typeflag, Name: h.Name, Linkname: h.Linkname, Mode: h.Mode, Uid: h.Uid, Gid: h.Gid,
		Size: h.Size, ModTime: h.ModTime, Devmajor: h.Devmajor, Devminor: h.Devminor,
	}
	if !got.ModTime.Equal(want.ModTime) {
		t.Fatalf("%q: mtime %v, want %v", it.Path(), got.ModTime, want.ModTime)
	}
	got.ModTime, want.ModTime = time.Time{}, time.Time{}
	if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
		t.Fatalf("%q:\n got %+v\nwant %+v", it.Path(), got, want)
	}
	maps.DeleteFunc(h.PAXRecords, func(k, _ string) bool { return !strings.HasPrefix(k, "SCHILY.xattr.") })
	if len(h.PAXRecords)+len(xattrs) > 0 && !maps.Equal(h.PAXRecords, xattrs) {
		t.Fatalf("%q: xattrs %q, want %q", it.Path(), h.PAXRecords, xattrs)
	}
}

func TestRoundTrip(t *testing.T) {
	for seed := range uint64(8) {
		tr := randomTree(t, rand.New(rand.NewPCG(seed, 1)), 60)
		for _, o := range []Options{{}, {Order: tree.Path}, {Format: Gzip, Jobs: 3}, {Format: Zstd}} {
			out, stats := write(t, tr, o)
			plain := plainOf(t, o.Format, out)
			checkTar(t, tr, o.Order, plain)
			if stats.Plain != int64(len(plain)) {
				t.Errorf("%+v: stats tell of %d plain bytes, there are %d", o, stats.Plain, len(plain))
			}
		}
	}
}

func TestXz(t *testing.T) {
	tr := randomTree(t, rand.New(rand.NewPCG(1, 2)), 20)
	out, _ := write(t, tr, Options{Format: Xz})
	checkTar(t, tr, tree.Disk, plainOf(t, Xz, out))
}

func FuzzRoundTrip(f *testing.F) {
	f.Add(uint64(1), uint64(2), uint16(50), false)
	f.Fuzz(func(t *testing.T, s1, s2 uint64, entries uint16, byPath bool) {
		tr := randomTree(t, rand.New(rand.NewPCG(s1, s2)), int(entries)%40)
		o := Options{Format: Gzip}
		if byPath {
			o.Order = tree.Path
		}
		out, _ := write(t, tr, o)
		checkTar(t, tr, o.Order, plainOf(t, Gzip, out))
	})
}

func TestSameBytesForAllJobs(t *testing.T) {
	tr := randomTree(t, rand.New(rand.NewPCG(7, 7)), 300)
	for _, f := range []Format{Tar, Gzip, Zstd} {
		want, _ := write(t, tr, Options{Format: f, Jobs: 1})
		for _, jobs := range []int{1, 2, 8} {
			if got, _ := write(t, tr, Options{Format: f, Jobs: jobs}); !bytes.Equal(got, want) {
				t.Errorf("format %d: --jobs %d gives other bytes than --jobs 1", f, jobs)
			}
		}
	}
}

// badDevice fails where its reads touch byte bad, or ends early there.
type badDevice struct {
	memDevice
	bad   int64
	short bool
}

func (d badDevice) ReadAt(p []byte, off int64) (int, error) {
	if off <= d.bad && d.bad < off+int64(len(p)) {
		if d.short {
			return int(d.bad - off), io.EOF
		}
		return 0, errors.New("medium error")
	}
	return d.memDevice.ReadAt(p, off)
}

func TestReadErrors(t *testing.T) {
	for _, short := range []bool{false, true} {
		dev := badDevice{memDevice: make(memDevice, 8<<20), bad: 5 << 20, short: short}
		tr := newTree()
		put(t, tr, "/good", &tree.Node{Mode: fsys.ModeRegular, Content: &tree.Content{
			Size: 4 << 20, Dev: dev, Runs: []fsys.Run{{Off: 0, Len: 4 << 20, Phys: 0}}}})
		put(t, tr, "/b\nd", &tree.Node{Mode: fsys.ModeRegular, Content: &tree.Content{
			Size: 4 << 20, Dev: dev, Runs: []fsys.Run{{Off: 0, Len: 4 << 20, Phys: 4 << 20}}}})
		s, _ := New(io.Discard, Options{Format: Gzip, Jobs: 3})
		_, err := s.Write(t.Context(), tr, nil)
		if err == nil || !strings.HasPrefix(err.Error(), `"/b\nd": `) {
			t.Errorf("short %v: error is %v, want one about the file", short, err)
		}
		if short && !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("error is %v, want unexpected EOF", err)
		}
	}
}

type failingWriter struct{ after int }

func (w *failingWriter) Write(p []byte) (int, error) {
	if w.after -= len(p); w.after < 0 {
		return 0, io.ErrNoProgress
	}
	return len(p), nil
}

func TestWriteErrorAndCancel(t *testing.T) {
	tr := newTree()
	put(t, tr, "/big", &tree.Node{Mode: fsys.ModeRegular, Content: &tree.Content{
		Size: 64 << 20, Dev: make(memDevice, 64<<20), Runs: []fsys.Run{{Off: 0, Len: 64 << 20, Phys: 0}}}})
	s, _ := New(&failingWriter{after: 5 << 20}, Options{Jobs: 2})
	if _, err := s.Write(t.Context(), tr, nil); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("error is %v, want the writer's", err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("stop it")
	done := int64(0)
	s, _ = New(io.Discard, Options{Jobs: 2})
	_, err := s.Write(ctx, tr, func(n int64) {
		if done += n; done > 4<<20 {
			cancel(cause)
		}
	})
	if !errors.Is(err, cause) {
		t.Errorf("error is %v, want the cause of the cancellation", err)
	}
	if done > 32<<20 {
		t.Errorf("went on for %d bytes after the cancellation", done)
	}
}

func TestLosses(t *testing.T) {
	tr := newTree()
	put(t, tr, "/s1", &tree.Node{Mode: fsys.ModeSocket})
	put(t, tr, "/s2", &tree.Node{Mode: fsys.ModeSocket})
	put(t, tr, "/f", &tree.Node{Mode: fsys.ModeRegular, Xattrs: []fsys.Xattr{{Name: "btrfs.x"}, {Name: "user.y"}}})
	put(t, tr, "/l", &tree.Node{Mode: fsys.ModeSymlink, Target: "f", Xattrs: []fsys.Xattr{{Name: "user.y"}}})
	_, stats := write(t, tr, Options{})
	want := []sink.Loss{
		{Kind: "btrfs xattr", Count: 1, First: "/f"},
		{Kind: "socket", Count: 2, First: "/s1", Info: true},
		{Kind: "user xattr", Count: 1, First: "/l"},
	}
	if !slices.Equal(stats.Losses, want) {
		t.Errorf("losses\n got %+v\nwant %+v", stats.Losses, want)
	}
	if got, want := fmt.Sprint(stats.Entries), "map[dir:1 file:1 symlink:1]"; got != want {
		t.Errorf("entries %s, want %s", got, want)
	}
}
