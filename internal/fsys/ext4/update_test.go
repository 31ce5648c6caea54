//go:build oracle && linux

package ext4

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

var update = flag.Bool("update", false, "make the images of testdata anew")

// goldenImages are small filesystems that between them hold every structure.
var goldenImages = []struct {
	name, options string
	size          int64
}{
	{"ext2", "-t ext2 -b 1024 -I 128 -N 512", 3 << 20},
	{"ext3", "-t ext3 -b 1024 -I 256 -N 512 -J size=1", 4 << 20},
	{"ext4", "-t ext4 -b 1024 -N 512 -J size=1 -m 0", 5 << 20},
	{"ext4-4k", "-t ext4 -b 4096 -N 512 -O ^has_journal -m 0", 4 << 20},
	{"inline", "-t ext4 -b 1024 -I 512 -N 512 -O inline_data,ea_inode,metadata_csum_seed,orphan_file -J size=1", 5 << 20},
	{"bigalloc", "-t ext4 -b 1024 -C 4096 -N 512 -O bigalloc,meta_bg,^resize_inode,uninit_bg,^metadata_csum,^has_journal -m 0", 8 << 20},
}

// goldenCrashes are filesystems whose power failed.
var goldenCrashes = []struct{ name, mkfs, mount string }{
	{"dirty", "-t ext4 -b 1024 -N 256 -J size=1 -m 0", "data=ordered"},
	{"dirty-data", "-t ext4 -b 1024 -N 256 -J size=1 -m 0 -O ^metadata_csum,^64bit", "data=journal"},
	{"dirty-ext3", "-t ext3 -b 1024 -N 256 -J size=1 -m 0", "data=journal"},
	{"dirty-v1", "-t ext4 -b 1024 -N 256 -J size=1 -m 0 -O ^metadata_csum", "journal_checksum"},
}

// TestUpdateGolden writes testdata: go test -tags oracle -run UpdateGolden -update
func TestUpdateGolden(t *testing.T) {
	if !*update {
		t.Skip("no -update")
	}
	for _, g := range goldenImages {
		t.Run(g.name, func(t *testing.T) {
			image := makeImage(t, g.size, append([]string{"-E", "lazy_itable_init=0,nodiscard"}, strings.Fields(g.options)...)...)
			dir, unmount := mount(t, image, "rw")
			fillSmall(t, dir)
			unmount()
			writeGolden(t, g.name, image, "ro")
		})
	}
	for i, g := range goldenCrashes {
		t.Run(g.name, func(t *testing.T) {
			image := makeImage(t, 6<<20, append([]string{"-E", "lazy_itable_init=0,nodiscard"}, strings.Fields(g.mkfs)...)...)
			dir, unmount := mount(t, image, "rw,"+g.mount)
			b := newBusy(t, dir, uint64(100+i))
			for range 12 {
				b.work(20)
				b.fsync()
			}
			run(t, "xfs_io", "-x", "-c", "shutdown -f", dir)
			b.close()
			unmount()
			writeGolden(t, g.name, image, "rw,noatime")
		})
	}
}

// TestUpdateGolden64K writes the image of a block size that no kernel here
// mounts: it must hold the tree that it was made from.
func TestUpdateGolden64K(t *testing.T) {
	if !*update {
		t.Skip("no -update")
	}
	dir, _ := mount(t, makeImage(t, 16<<20, "-t", "ext4", "-b", "4096", "-O", "^has_journal"), "rw")
	f := &filler{t: t, dir: dir, dirEntries: []int{0, 3, 160}, fragments: 20}
	f.files()
	f.directories()
	f.links()
	f.special()
	f.must(os.Remove(dir + "/links/hard-symlink"))
	f.must(os.RemoveAll(dir + "/lost+found"))
	want, err := fsystest.Kernel(dir)
	f.must(err)
	image := makeImage(t, 32<<20, "-t", "ext4", "-b", "65536", "-N", "512", "-O", "^has_journal", "-d", dir)
	dev := openImage(t, image)
	fs, err := Open(dev, Options{})
	f.must(err)
	lines, err := fsystest.Manifest(dev, fs)
	f.must(err)
	fsystest.Compare(t, lossy(lines), lossy(want))
	storeImage(t, "block64k", image)
	storeManifest(t, "block64k", lines)
}

// writeGolden commits an image with the kernel's view of a copy.
func writeGolden(t *testing.T, name, image, options string) {
	t.Helper()
	copied := filepath.Join(t.TempDir(), "copy")
	run(t, "cp", image, copied)
	dir, unmount := mount(t, copied, options)
	lines, err := fsystest.Kernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	unmount()
	storeImage(t, name, image)
	storeManifest(t, name, lines)
}

func storeImage(t *testing.T, name, image string) {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	store(t, name+".img", b)
}

func storeManifest(t *testing.T, name string, lines []string) {
	t.Helper()
	store(t, name+".txt", []byte(strings.Join(lines, "\n")+"\n"))
}

// store commits b, compressed.
func store(t testing.TB, name string, b []byte) {
	t.Helper()
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("testdata", name+".zst"), enc.EncodeAll(b, nil), 0o644); err != nil {
		t.Fatal(err)
	}
}
