//go:build oracle && linux

package ext4

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// lossy removes from manifests what mke2fs -d does not carry over: inode
// numbers, nanoseconds, the sizes of directories, and the root itself.
func lossy(lines []string) []string {
	inode := regexp.MustCompile(` ino=\d+`)
	nanos := regexp.MustCompile(`( mtime=-?\d+)\.\d+`)
	dirSize := regexp.MustCompile(`( mode=04\d+ .* nlink=)\d+ size=\d+`)
	var out []string
	for _, line := range lines {
		if strings.HasPrefix(line, `"/" `) || strings.HasPrefix(line, `"/lost+found" `) {
			continue
		}
		line = inode.ReplaceAllString(line, "")
		line = nanos.ReplaceAllString(line, "$1")
		out = append(out, dirSize.ReplaceAllString(line, "$1"))
	}
	slices.Sort(out)
	return out
}

// TestKernelLargeBlocks reads blocks larger than a page, which no kernel here
// mounts: mke2fs copies a tree into them, and that tree is what must be read.
func TestKernelLargeBlocks(t *testing.T) {
	source := makeImage(t, 96<<20, "-t", "ext4", "-b", "4096", "-O", "^has_journal,ea_inode")
	dir, _ := mount(t, source, "rw")
	f := &filler{t: t, dir: dir, dirEntries: []int{0, 1, 3, 3000}, fragments: 300}
	f.files()
	f.directories()
	f.links()
	f.special()
	// mke2fs copies a hard link to a symlink as a second symlink.
	f.must(os.Remove(dir + "/links/hard-symlink"))
	f.must(os.RemoveAll(dir + "/lost+found"))
	want, err := fsystest.Kernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, options := range []string{
		"-t ext2 -b 8192", "-t ext3 -b 16384", "-t ext4 -b 8192", "-t ext4 -b 16384 -O inline_data", "-t ext4 -b 32768",
		"-t ext4 -b 65536", "-t ext2 -b 65536", "-t ext4 -b 65536 -O ^has_journal,inline_data -I 4096", "-t ext4 -b 65536 -I 16384",
	} {
		t.Run(options, func(t *testing.T) {
			image := makeImage(t, 400<<20, append([]string{"-d", dir, "-N", "4000"}, strings.Fields(options)...)...)
			file, err := os.Open(image)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			fs, err := Open(fileDevice{file}, Options{})
			if err != nil {
				t.Fatal(err)
			}
			got, err := fsystest.Manifest(fileDevice{file}, fs)
			if err != nil {
				t.Fatal(err)
			}
			want := lossy(want)
			got = lossy(got)
			if strings.Contains(options, "inline_data") {
				// With it mke2fs cuts off holes at the end.
				holes := func(line string) bool { return strings.Contains(line, "sparse") || strings.Contains(line, "unwritten") }
				want, got = slices.DeleteFunc(want, holes), slices.DeleteFunc(got, holes)
			}
			fsystest.Compare(t, got, want)
		})
	}
}

// TestKernelEncrypted reads beside an encrypted directory what is not
// encrypted, and names the directory.
func TestKernelEncrypted(t *testing.T) {
	image := makeImage(t, 8<<20, "-t", "ext4", "-O", "encrypt")
	dir, unmount := mount(t, image, "rw")
	f := &filler{t: t, dir: dir}
	f.must(os.Mkdir(dir+"/plain", 0o755))
	f.write("plain/file", []byte("not secret"))
	unmount()
	dir, unmount = mount(t, image, "rw,test_dummy_encryption")
	f.must(os.Mkdir(dir+"/secret", 0o755))
	f = &filler{t: t, dir: dir}
	f.write("secret/file", []byte("secret"))
	f.must(os.Symlink("target", dir+"/secret/link"))
	unmount()
	dev := openImage(t, image)
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err = fsystest.Manifest(dev, fs); !errors.Is(err, ondisk.ErrEncrypted) || !strings.Contains(err.Error(), `"/secret": encrypted directory`) {
		t.Fatalf("error %v, want that /secret is encrypted", err)
	}
	if *update {
		storeImage(t, "encrypted", image)
	}
}

// TestKernelFastCommit refuses what was synced by fast commits alone, and reads
// the filesystem once a transaction has followed.
func TestKernelFastCommit(t *testing.T) {
	image := makeImage(t, 12<<20, "-t", "ext4", "-b", "1024", "-O", "fast_commit", "-J", "size=2", "-N", "64")
	dir, unmount := mount(t, image, "rw")
	f := &filler{t: t, dir: dir}
	f.write("first", []byte("in a transaction"))
	unix.Sync() // fast commits only follow a whole one
	f.sync("second")
	copied := image + ".copy"
	run(t, "cp", "--sparse=always", image, copied)
	if _, err := Open(openImage(t, copied), Options{}); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "fast_commit") {
		t.Errorf("error %v, want that fast commits are refused", err)
	}
	if *update {
		storeImage(t, "fastcommit", copied)
	}
	f.write("third", nil)
	f.must(os.Mkdir(dir+"/dir", 0o755))
	unix.Sync()
	run(t, "xfs_io", "-x", "-c", "shutdown -f", dir)
	unmount()
	sameAsKernel(t, image, "rw,noatime")
}

// sync writes a file and syncs it alone.
func (f *filler) sync(name string) {
	file, err := os.Create(f.path(name))
	f.must(err)
	_, err = file.WriteString("in a fast commit")
	f.must(err)
	f.must(file.Sync())
	f.must(file.Close())
}
