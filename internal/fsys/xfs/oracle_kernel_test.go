//go:build oracle && linux

package xfs

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// run runs a command and returns its output; a failure fails the test.
func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// mount mounts an image and returns the mount point; it is unmounted at the
// end of the test, or by the function returned.
func mount(t *testing.T, image string, opts ...string) (dir string, umount func()) {
	t.Helper()
	dir = t.TempDir()
	run(t, "mount", "-t", "xfs", "-o", strings.Join(append([]string{"loop"}, opts...), ","), image, dir)
	done := false
	umount = func() {
		if !done {
			done = true
			run(t, "umount", dir)
		}
	}
	t.Cleanup(func() {
		if t.Failed() && !done {
			done = true // a file may still be open
			run(t, "umount", "-l", dir)
		}
		umount()
	})
	return dir, umount
}

// device is an open image file.
type device struct {
	*os.File
	size int64
}

func (d device) Size() int64 { return d.size }

func openImage(t *testing.T, path string) device {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	return device{f, st.Size()}
}

// compare holds fs, which lies on dev, against the kernel's view in dir.
func compare(t *testing.T, dev blockdev.Device, fs *FS, dir string) int {
	t.Helper()
	want, err := fsystest.Kernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	got, err := fsystest.Manifest(dev, fs)
	if err != nil {
		t.Error(err)
	}
	fsystest.Compare(t, got, want)
	return len(want)
}

// TestKernelAgrees makes filesystems with one set of options of mkfs.xfs after
// the other and compares them, entry by entry, with the kernel's own view.
func TestKernelAgrees(t *testing.T) {
	for i, c := range []struct {
		name string
		mkfs []string
	}{
		{"default", nil}, // the largest directories are made with the first two
		{"block-1k", []string{"-b", "size=1024"}},
		{"block-2k-inode-1k", []string{"-b", "size=2048", "-i", "size=1024"}},
		{"inode-2k-dir-64k", []string{"-i", "size=2048", "-n", "size=65536"}},
		{"block-1k-dir-16k", []string{"-b", "size=1024", "-n", "size=16384"}},
		{"old-features", []string{"-m", "bigtime=0,inobtcount=0,finobt=0,reflink=0", "-i", "sparse=0"}},
		{"rmapbt-nrext64", []string{"-m", "rmapbt=1", "-i", "nrext64=1"}},
		{"sector-4k", []string{"-s", "size=4096"}},
		{"block-64k", []string{"-b", "size=65536"}},
		{"block-32k-sector-32k", []string{"-b", "size=32768", "-s", "size=32768"}},
		{"block-8k-dir-16k", []string{"-b", "size=8192", "-n", "size=16384"}},
		{"many-groups", []string{"-d", "agcount=23", "-l", "size=64m"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			entries := 3000
			if i < 2 {
				entries = 30000
			}
			compareFilled(t, makeImage(t, 4<<30, append([]string{"-L", "label"}, c.mkfs...)...), entries)
		})
	}
}

// compareFilled fills the filesystem in image and compares.
func compareFilled(t *testing.T, image string, entries int) {
	dir, umount := mount(t, image)
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		t.Fatal(err)
	}
	f := &filler{t: t, root: dir, block: int(st.Bsize), rng: newRand()}
	f.fill(entries)
	umount()
	dev := openImage(t, image)
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	dir, _ = mount(t, image, "ro")
	n := compare(t, dev, fs, dir)
	t.Logf("%d entries, %s", n, fs.sb.feat.names())
}
