package ext4

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// golden reads an image of testdata. The images and the manifests beside them,
// which are the kernel's view, are made by TestUpdateGolden.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", name+".img.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func goldenNames(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.img.gz")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden images", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".img.gz"))
	}
	return names
}

// TestGolden compares the committed images with what the kernel showed of them.
func TestGolden(t *testing.T) {
	for _, name := range goldenNames(t) {
		t.Run(name, func(t *testing.T) {
			dev := fsystest.NewPatched(golden(t, name))
			fs, err := Open(dev, Options{})
			if err != nil {
				t.Fatal(err)
			}
			want, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
			if err != nil {
				t.Fatal(err)
			}
			fsystest.Run(t, dev, fs, string(want))
		})
	}
}

func openVerified(dev blockdev.Device) (fsys.FS, error) { return Open(dev, Options{}) }

func openUnverified(dev blockdev.Device) (fsys.FS, error) {
	return Open(dev, Options{unverified: true})
}

// TestMutated reads damaged copies of the golden images, once with checksums
// that tell the damage, once without.
func TestMutated(t *testing.T) {
	const random, fields = 60, 120
	for i, name := range goldenNames(t) {
		image := golden(t, name)
		t.Run(name, func(t *testing.T) {
			fs, err := Open(fsystest.NewPatched(image), Options{})
			if err != nil {
				t.Fatal(err)
			}
			fsystest.Mutate(t, fsystest.Damage{
				Image: image, Open: openVerified, Random: random, Fields: fields, Seed: uint64(i),
				Checked: fs.sb.checksummed(),
			})
			fsystest.Mutate(t, fsystest.Damage{Image: image, Open: openUnverified, Random: random, Fields: fields, Seed: uint64(i) + 100})
		})
	}
}

// compress is how golden images are stored.
func compress(t testing.TB, b []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	z, err := gzip.NewWriterLevel(&buf, gzip.BestCompression)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}
