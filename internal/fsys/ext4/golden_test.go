package ext4

import (
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// golden reads an image of testdata. The images and the manifests beside them,
// which are the kernel's view, are made by TestUpdateGolden.
func golden(t testing.TB, name string) []byte {
	t.Helper()
	return fsystest.Unzstd(t, filepath.Join("testdata", name+".img.zst"))
}

// goldenNames are the images that can be read to the end.
func goldenNames(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.txt.zst")
	if err != nil || len(files) == 0 {
		t.Fatal("no golden manifests", err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(filepath.Base(f), ".txt.zst"))
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
			fsystest.Run(t, dev, fs, string(fsystest.Unzstd(t, filepath.Join("testdata", name+".txt.zst"))))
		})
	}
	for _, im := range fsystest.Images(t, "ext") {
		t.Run(im.Name, func(t *testing.T) {
			fs, err := Open(im.Dev, Options{})
			if err != nil {
				t.Fatal(err)
			}
			fsystest.Run(t, im.Dev, fs, im.Manifest)
		})
	}
}

// TestEncrypted reads what is not encrypted and names what is.
func TestEncrypted(t *testing.T) {
	dev := fsystest.NewPatched(golden(t, "encrypted"))
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for d, err := range fs.ReadDir(rootIno) {
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, d.Name)
		for _, err := range fs.ReadDir(d.Ino) {
			if secret := errors.Is(err, ondisk.ErrEncrypted); secret != (d.Name == "secret") {
				t.Errorf("%s: error %v", d.Name, err)
			}
		}
	}
	if slices.Sort(names); strings.Join(names, " ") != "lost+found plain secret" {
		t.Errorf("names %q", names)
	}
	if _, err := fsystest.Manifest(dev, fs); !errors.Is(err, ondisk.ErrEncrypted) || !strings.Contains(err.Error(), `"/secret": encrypted directory`) {
		t.Errorf("error %v, want that /secret is encrypted", err)
	}
}

// TestFastCommit refuses fast commits, which hold what was synced last.
func TestFastCommit(t *testing.T) {
	_, err := Open(fsystest.NewPatched(golden(t, "fastcommit")), Options{})
	if !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "fast_commit") {
		t.Errorf("error %v, want that fast commits are refused", err)
	}
}

func openVerified(dev blockdev.Device) (fsys.FS, error) { return Open(dev, Options{}) }

func openUnverified(dev blockdev.Device) (fsys.FS, error) {
	return Open(dev, Options{unverified: true})
}

// journalRanges are the bytes of the journal: damage to its last transaction
// looks like a power failure.
func journalRanges(t *testing.T, fs *FS) (ranges []fsystest.Range) {
	t.Helper()
	if fs.sb.journalIno == 0 {
		return nil
	}
	open := &FS{sb: fs.sb, dev: fs.dev, groups: fs.groups} // without a zone
	open.blockBufs.New = fs.blockBufs.New
	_, runs, err := open.journalInode(make([]byte, fs.sb.inodeSize))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range runs {
		ranges = append(ranges, fsystest.Range{Off: r.Phys, Len: r.Len})
	}
	return ranges
}

// TestMutated reads damaged copies of the golden images, once with checksums
// that tell the damage, once without.
func TestMutated(t *testing.T) {
	const random, fields = 30, 60
	for i, name := range goldenNames(t) {
		image := golden(t, name)
		t.Run(name, func(t *testing.T) {
			fs, err := Open(fsystest.NewPatched(image), Options{})
			if err != nil {
				t.Fatal(err)
			}
			fsystest.Mutate(t, fsystest.Damage{
				Image: image, Open: openVerified, Random: random, Fields: fields, Seed: uint64(i),
				Checked: fs.sb.checksummed(), Ignore: journalRanges(t, fs),
			})
			fsystest.Mutate(t, fsystest.Damage{Image: image, Open: openUnverified, Random: random, Fields: fields, Seed: uint64(i) + 100})
		})
	}
}
