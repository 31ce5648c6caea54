package xfs

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// golden returns the images of testdata by name. Kernels made, filled and (of
// those named dirty) crashed them; beside each is the kernel's own view.
func golden(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob("testdata/*.img.zst")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden images", err)
	}
	images := map[string][]byte{}
	for _, file := range files {
		images[strings.TrimSuffix(filepath.Base(file), ".img.zst")] = fsystest.Unzstd(t, file)
	}
	return images
}

// TestGolden compares the committed images with what the kernel showed of them.
func TestGolden(t *testing.T) {
	for name, image := range golden(t) {
		t.Run(name, func(t *testing.T) {
			dev := fsystest.NewPatched(image)
			fs, err := Open(dev, Options{})
			if err != nil {
				t.Fatal(err)
			}
			if got, want := fs.Info().Dirty, strings.HasPrefix(name, "dirty"); got != want {
				t.Errorf("dirty %t, want %t", got, want)
			}
			fsystest.Run(t, dev, fs, string(fsystest.Unzstd(t, "testdata/"+name+".txt.zst")))
		})
	}
}

// TestMutated reads damaged copies of the golden images, once with checksums
// that tell the damage, once without.
func TestMutated(t *testing.T) {
	const random, fields = 30, 60
	seed := uint64(1)
	for name, image := range golden(t) {
		t.Run(name, func(t *testing.T) {
			v5 := strings.Contains(name, "v5")
			fsystest.Mutate(t, fsystest.Damage{
				Image: image, Open: openVerified, Random: random, Fields: fields, Seed: seed,
				Checked: v5 && !strings.HasPrefix(name, "dirty"),
			})
			fsystest.Mutate(t, fsystest.Damage{
				Image: image, Open: openUnverified, Random: random, Fields: fields, Seed: seed + 100,
			})
		})
	}
}

func openVerified(dev blockdev.Device) (fsys.FS, error) { return Open(dev, Options{}) }

func openUnverified(dev blockdev.Device) (fsys.FS, error) {
	return Open(dev, Options{unverified: true})
}
