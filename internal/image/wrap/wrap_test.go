package wrap

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/wslimg/wslimg/internal/ondisk"
)

func packed(f *testing.F, b []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	f.Helper()
	var buf bytes.Buffer
	w, err := open(&buf)
	if err != nil {
		f.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		f.Fatal(err)
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	return buf.Bytes()
}

// Whatever is unwrapped, it is the image's fault if it fails, and no more than
// the limit comes out.
func FuzzUnwrap(f *testing.F) {
	disk := make([]byte, 1024)
	copy(disk[510:], "\x55\xaa")
	tarred := packed(f, disk, func(w io.Writer) (io.WriteCloser, error) {
		tw := tar.NewWriter(w)
		return tw, tw.WriteHeader(&tar.Header{Name: "disk.raw", Size: int64(len(disk)), Mode: 0o600})
	})
	gz := func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }
	f.Add(disk)
	f.Add(tarred)
	f.Add(packed(f, tarred, gz))
	f.Add(packed(f, disk, gz))
	f.Add(packed(f, disk, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) }))
	f.Add(packed(f, disk, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) }))
	bz, err := os.ReadFile("../all/testdata/disk.raw.bz2")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(bz[:1000])
	f.Fuzz(func(t *testing.T, b []byte) {
		const limit = 1 << 20
		var out bytes.Buffer
		layers, err := Unwrap(&out, bytes.NewReader(b), limit)
		if out.Len() > limit {
			t.Fatalf("%d bytes", out.Len())
		}
		if len(layers) == 0 && err == nil && !bytes.Equal(out.Bytes(), b) {
			t.Fatal("what is not wrapped was changed")
		}
		for _, class := range []error{nil, ondisk.ErrCorrupt, ondisk.ErrUnsupported, ondisk.ErrNotFormat} {
			if errors.Is(err, class) {
				return
			}
		}
		t.Fatalf("error of no class: %v", err)
	})
}

func tarOf(t *testing.T, names ...string) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	disk := make([]byte, 1024)
	copy(disk[510:], "\x55\xaa")
	for _, name := range names {
		h := &tar.Header{Name: name, Mode: 0o755, Typeflag: tar.TypeDir}
		if name[len(name)-1] != '/' {
			h.Typeflag, h.Size = tar.TypeReg, int64(len(disk))
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(disk); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func gzipped(t *testing.T, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func TestIsRootfs(t *testing.T) {
	root := tarOf(t, "./", "./etc/", "./usr/")
	for name, c := range map[string]struct {
		file []byte
		want bool
	}{
		"tar": {root, true}, "gzip": {gzipped(t, root), true}, "gzip twice": {gzipped(t, gzipped(t, root)), true},
		"disk in a tar": {tarOf(t, "disk.raw"), false}, "disk first": {tarOf(t, "disk.raw", "etc/", "usr/"), false},
		"other folders": {tarOf(t, "a/", "b/"), false}, "below a folder": {tarOf(t, "r/", "r/etc/", "r/usr/"), false},
		"nothing": {nil, false}, "gzip cut off": {gzipped(t, root)[:20], false}, "raw": {make([]byte, 5000), false},
	} {
		if got, err := IsRootfs(bytes.NewReader(c.file)); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	bad := errors.New("bad sector")
	if _, err := IsRootfs(iotest.ErrReader(bad)); !errors.Is(err, bad) {
		t.Errorf("%v", err)
	}
}

func TestPlain(t *testing.T) {
	root := tarOf(t, "etc/")
	plain, isTar, closer, err := Plain(bytes.NewReader(gzipped(t, root)))
	if err != nil || !isTar {
		t.Fatal(isTar, err)
	}
	defer closer()
	if got, err := io.ReadAll(plain); err != nil || !bytes.Equal(got, root) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if _, _, _, err := Plain(bytes.NewReader([]byte("\x1f\x8bxx"))); !errors.Is(err, ondisk.ErrCorrupt) {
		t.Errorf("%v", err)
	}
}
