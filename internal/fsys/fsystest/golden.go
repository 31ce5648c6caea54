package fsystest

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// Image is a committed filesystem image with what the kernel showed of it.
type Image struct {
	Name     string
	Dev      blockdev.Device
	Manifest string
}

// Images returns the images of testdata/images that hold one filesystem and
// whose names begin with prefix: "ext" for ext2, ext3 and ext4. None is a failure.
func Images(t testing.TB, prefix string) []Image {
	t.Helper()
	dir := Testdata(t)
	files, err := filepath.Glob(filepath.Join(dir, "images", prefix+"*.img.zst"))
	if err != nil {
		t.Fatal(err)
	}
	var images []Image
	for _, file := range files {
		name := strings.TrimSuffix(filepath.Base(file), ".img.zst")
		golden := filepath.Join(dir, "golden", name+".txt.zst")
		if _, err := os.Stat(golden); err != nil {
			continue // a whole disk: its golden manifest is of another kind
		}
		images = append(images, Image{name, bytes.NewReader(Unzstd(t, file)), string(Unzstd(t, golden))})
	}
	if len(images) == 0 {
		t.Fatalf("no image %s* in %s", prefix, dir)
	}
	return images
}

// Testdata finds the module's testdata folder.
func Testdata(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "testdata")
		}
		up := filepath.Dir(dir)
		if up == dir {
			t.Fatal("no go.mod above the test")
		}
		dir = up
	}
}

// Unzstd returns the content of a file compressed by zstd.
func Unzstd(t testing.TB, file string) []byte {
	t.Helper()
	packed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer dec.Close()
	plain, err := dec.DecodeAll(packed, nil)
	if err != nil {
		t.Fatalf("%s: %v", file, err)
	}
	return plain
}
