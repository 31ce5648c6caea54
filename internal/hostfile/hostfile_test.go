package hostfile

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

func noise(n int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	return b
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func open(t *testing.T, path string) *File {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func TestReadAt(t *testing.T) {
	content := noise(100_000)
	f := open(t, write(t, filepath.Join(t.TempDir(), "disk"), content))
	if f.Size() != 100_000 {
		t.Fatalf("size %d", f.Size())
	}
	fork := blockdev.Fork(f)
	for _, dev := range []blockdev.Device{f, fork} {
		p := make([]byte, 1000)
		if n, err := dev.ReadAt(p, 99_000); n != 1000 || err != nil || !bytes.Equal(p, content[99_000:]) {
			t.Errorf("last bytes: %d, %v", n, err)
		}
		if n, err := dev.ReadAt(p, 99_500); n != 500 || err != io.EOF || !bytes.Equal(p[:n], content[99_500:]) {
			t.Errorf("over the end: %d, %v", n, err)
		}
		if n, err := dev.ReadAt(p, 1<<40); n != 0 || err != io.EOF {
			t.Errorf("behind the end: %d, %v", n, err)
		}
		if _, err := dev.ReadAt(p, -1); err == nil {
			t.Error("a negative offset was read")
		}
	}
	if err := blockdev.Release(f, fork); err != nil {
		t.Error(err)
	}
	if _, err := f.ReadAt(make([]byte, 1), 0); err != nil {
		t.Errorf("after the view was closed: %v", err)
	}
}

// A file that becomes shorter while it is read is neither zeros nor its end.
func TestShrunk(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "disk"), noise(10_000))
	f := open(t, path)
	if err := f.Changed(); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, 4000); err != nil {
		t.Fatal(err)
	}
	n, err := f.ReadAt(make([]byte, 1000), 3500)
	if n != 500 || err == nil || errors.Is(err, io.EOF) || errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), "became shorter") {
		t.Errorf("%d, %v", n, err)
	}
	if err := f.Changed(); err == nil || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("Changed: %v", err)
	}
}

func TestChanged(t *testing.T) {
	path := write(t, filepath.Join(t.TempDir(), "disk"), noise(10_000))
	f := open(t, path)
	if err := os.Chtimes(path, time.Time{}, time.Unix(1, 0)); err != nil {
		t.Fatal(err)
	}
	if err := f.Changed(); err == nil {
		t.Error("a new modification time was not noticed")
	}
}

func TestOpenRefuses(t *testing.T) {
	if _, err := Open(t.TempDir()); err == nil || !strings.Contains(err.Error(), "directory") {
		t.Errorf("directory: %v", err)
	}
	if _, err := Open(filepath.Join(t.TempDir(), "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := Open(os.DevNull); err == nil {
		t.Error("the null device was opened")
	}
}

func TestBeside(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "secret"), []byte("secret"))
	image := open(t, write(t, filepath.Join(dir, "vm", "disk.qcow2"), []byte("image")))
	write(t, filepath.Join(dir, "vm", "base.raw"), []byte("base"))
	write(t, filepath.Join(dir, "vm", "sub", "mid.qcow2"), []byte("mid"))
	write(t, filepath.Join(dir, "vm", "sub", "low.raw"), []byte("low"))
	if err := os.Mkdir(filepath.Join(dir, "vm", "folder"), 0o700); err != nil {
		t.Fatal(err)
	}

	content := func(f *File) string {
		b := make([]byte, f.Size())
		if _, err := f.ReadAt(b, 0); err != nil {
			t.Error(err)
		}
		return string(b)
	}
	base, err := image.Beside("base.raw")
	if err != nil || content(base) != "base" || base.Name() != "base.raw" {
		t.Fatal(err)
	}
	defer base.Close()
	mid, err := image.Beside("./sub/mid.qcow2")
	if err != nil || content(mid) != "mid" {
		t.Fatal(err)
	}
	defer mid.Close()
	low, err := mid.Beside("low.raw") // beside mid, not beside image
	if err != nil || content(low) != "low" {
		t.Fatal(err)
	}
	defer low.Close()
	again, err := image.Beside("disk.qcow2")
	if err != nil || !again.Same(image) || again.Same(base) {
		t.Errorf("the image itself: %v", err)
	}
	defer again.Close()

	for _, name := range []string{
		"", ".", "..", "../secret", "sub/../base.raw", "sub/..", "/etc/passwd", filepath.Join(dir, "secret"),
		`\\server\share\x`, `..\secret`, `sub\mid.qcow2`, "C:secret", "c:/secret", "base.raw:stream",
		"json:{\"driver\":\"nbd\"}", "nbd:localhost:10809", "nbd://h", "http://h/x", "file:base.raw", "fat:.",
		"base.raw\x00", strings.Repeat("x", 1024), "folder", "folder/", "none", "/dev/zero", "base.raw/x",
	} {
		f, err := image.Beside(name)
		if err == nil {
			t.Errorf("%q was opened", name)
			f.Close()
		} else if strings.ContainsAny(err.Error(), "\x00\n") || strings.Contains(err.Error(), dir) && !strings.HasPrefix(name, dir) {
			t.Errorf("%q: error %q", name, err)
		}
	}

	if runtime.GOOS == "windows" {
		return // symlinks need a privilege there
	}
	for link, target := range map[string]string{
		"absolute": filepath.Join(dir, "secret"), "relative": "../secret", "root": "/", "null": "/dev/null", "loop": "loop",
	} {
		if err := os.Symlink(target, filepath.Join(dir, "vm", link)); err != nil {
			t.Fatal(err)
		}
		name := link
		if link == "root" {
			name += "/etc/passwd"
		}
		if f, err := image.Beside(name); err == nil {
			t.Errorf("link %q -> %q was followed", link, target)
			f.Close()
		} else if errors.Is(err, ondisk.ErrUnsupported) != (link != "loop") {
			t.Errorf("link %q -> %q: %v", link, target, err)
		}
	}
	if err := os.Symlink("base.raw", filepath.Join(dir, "vm", "inside")); err != nil {
		t.Fatal(err)
	}
	inside, err := image.Beside("inside")
	if err != nil || !inside.Same(base) {
		t.Fatalf("a link inside the folder: %v", err)
	}
	inside.Close()
}

// A file of no folder, such as a temporary one, refers to nothing.
func TestBesideNowhere(t *testing.T) {
	temp, err := NewTemp(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	f, err := temp.File("-")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Beside("x"); !errors.Is(err, ondisk.ErrUnsupported) {
		t.Errorf("%v", err)
	}
}

func TestTemp(t *testing.T) {
	dir := t.TempDir()
	temp, err := NewTemp(dir)
	if err != nil {
		t.Fatal(err)
	}
	content := make([]byte, 3<<20+777)
	copy(content[10:], noise(100_000))
	copy(content[1<<20+4095:], noise(5000))
	copy(content[2<<20:], noise(1))
	for pos, n := 0, 1; pos < len(content); pos, n = pos+n, n*3+1 {
		part := content[pos:min(len(content), pos+n)]
		if m, err := temp.Write(part); err != nil || m != len(part) {
			t.Fatal(m, err)
		}
	}
	if temp.Size() != int64(len(content)) {
		t.Errorf("size %d", temp.Size())
	}
	f, err := temp.File("-")
	if err != nil {
		t.Fatal(err)
	}
	fork := blockdev.Fork(f)
	for _, dev := range []blockdev.Device{f, fork} {
		got := make([]byte, f.Size())
		if _, err := dev.ReadAt(got, 0); err != nil || !bytes.Equal(got, content) {
			t.Fatalf("other bytes, %v", err)
		}
	}
	if err := f.Changed(); err != nil {
		t.Error(err)
	}
	holes := int64(0)
	for off := int64(0); off < f.Size(); {
		e, err := f.NextExtent(off)
		if err != nil || e.Off != off || e.Len <= 0 || e.Len > f.Size()-off {
			t.Fatalf("extent at %d: %+v, %v", off, e, err)
		}
		if e.Zero {
			holes += e.Len
			if !onlyZeros(content[off:][:e.Len]) {
				t.Errorf("extent %+v is not zero", e)
			}
		}
		off += e.Len
	}
	t.Logf("%d of %d bytes are holes", holes, f.Size())
	if runtime.GOOS == "linux" && holes < 2<<20 {
		t.Errorf("%d bytes of holes", holes)
	}
	if err := errors.Join(blockdev.Release(f, fork), f.Close()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func onlyZeros(b []byte) bool { return bytes.Count(b, []byte{0}) == len(b) }

// Thrown away, a temporary file leaves nothing either; on unix it has no name
// from the start.
func TestTempClose(t *testing.T) {
	dir := t.TempDir()
	temp, err := NewTemp(dir)
	if err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 && runtime.GOOS != "windows" {
		t.Errorf("has a name: %v, %v", left, err)
	}
	if _, err := temp.Write(noise(5000)); err != nil {
		t.Error(err)
	}
	if err := temp.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if _, err := NewTemp(filepath.Join(dir, "none")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("in a folder that is missing: %v", err)
	}
}
