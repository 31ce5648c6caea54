//go:build oracle && linux

package xfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// makeImage makes a filesystem of size bytes; small ones, which mkfs.xfs only
// allows to its own tests, have a log that goes around soon.
func makeImage(t *testing.T, size int64, args ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"TEST_DIR", "TEST_DEV", "QA_CHECK_FS"} {
		t.Setenv(name, "1")
	}
	run(t, "mkfs.xfs", append(append([]string{"-q"}, args...), image)...)
	return image
}

// busy changes a tree in all the ways that reach the log.
type busy struct {
	t    failer
	root string
	rng  *rand.Rand

	plain bool // with content that compresses
}

func (b *busy) name() string {
	return fmt.Sprintf("%s/d%d/%s-%d", b.root, b.rng.Intn(12), strings.Repeat("f", 1+b.rng.Intn(60)), b.rng.Intn(60))
}

// run does steps things.
func (b *busy) run(steps int) {
	for d := range 12 {
		os.Mkdir(fmt.Sprintf("%s/d%d", b.root, d), 0o755)
	}
	for range steps {
		b.step()
	}
}

// step does one thing. That names are taken or missing is all right.
func (b *busy) step() {
	name := b.name()
	var err error
	switch b.rng.Intn(20) {
	case 0, 1, 2, 3, 4:
		data := make([]byte, b.rng.Intn(20000))
		if b.plain {
			data = bytes.Repeat([]byte{byte(len(data))}, len(data)/4)
		} else {
			b.rng.Read(data)
		}
		err = os.WriteFile(name, data, 0o644)
	case 5:
		err = os.Rename(name, b.name())
	case 6, 7:
		err = os.Remove(name)
	case 8:
		err = os.Mkdir(name, 0o755)
	case 9:
		err = os.Symlink(strings.Repeat("s", 1+b.rng.Intn(1000)), name)
	case 10:
		err = os.Link(name, b.name())
	case 11:
		err = unix.Mknod(name, unix.S_IFCHR|0o600, int(unix.Mkdev(uint32(b.rng.Intn(200)), uint32(b.rng.Intn(3000)))))
	case 12, 13:
		err = unix.Lsetxattr(name, fmt.Sprintf("user.x%d", b.rng.Intn(50)), make([]byte, b.rng.Intn(3000)), 0)
	case 14:
		err = unix.Lremovexattr(name, fmt.Sprintf("user.x%d", b.rng.Intn(50)))
	case 15:
		err = unix.Lchown(name, b.rng.Intn(100000), b.rng.Intn(100000))
	case 16:
		err = os.Truncate(name, int64(b.rng.Intn(50000)))
	case 17:
		if f, e := os.OpenFile(name, os.O_RDWR, 0); e == nil {
			for range 10 {
				f.WriteAt(make([]byte, 5000), int64(b.rng.Intn(1<<24)))
			}
			unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(b.rng.Intn(1<<20)), 8192)
			unix.Fallocate(int(f.Fd()), 0, int64(b.rng.Intn(1<<20)), 50000)
			if b.rng.Intn(2) == 0 {
				err = f.Sync()
			}
			f.Close()
		}
	case 18:
		in, e1 := os.Open(name)
		out, e2 := os.Create(b.name())
		if e1 == nil && e2 == nil {
			unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
			out.WriteAt(make([]byte, 6000), 5000)
			out.Sync()
		}
		in.Close()
		out.Close()
	case 19:
		if b.rng.Intn(10) == 0 {
			unix.Sync()
		}
	}
	for _, ok := range []error{os.ErrExist, os.ErrNotExist, unix.ENOTEMPTY, unix.EISDIR, unix.ENOTDIR, unix.ENODATA, unix.EPERM, unix.EINVAL, unix.ENOSPC, unix.ENXIO, unix.EBUSY, unix.ENODEV, unix.ENAMETOOLONG, unix.ELOOP} {
		if errors.Is(err, ok) {
			err = nil
		}
	}
	if err != nil && !errors.Is(err, unix.EIO) {
		b.t.Fatal(err)
	}
}

// TestLogRecovery crashes busy filesystems and compares what the reader makes
// of the copy with what the kernel makes of another.
func TestLogRecovery(t *testing.T) {
	small := []string{"-d", "agcount=4", "-l", "size=6m"}
	for i, c := range []struct {
		name  string
		mkfs  []string
		mount []string
		steps int
		how   string
	}{
		{"shutdown", nil, nil, 3000, "shutdown"},
		{"flush", nil, nil, 3000, "shutdown -f"},
		{"copy", nil, nil, 5000, "copy"},
		{"wrap", small, nil, 8000, "shutdown -f"},
		{"wrap-noflush", small, nil, 12000, "shutdown"},
		{"wrap-copy", small, nil, 10000, "copy"},
		{"wrap-256k", small, []string{"logbsize=256k"}, 10000, "shutdown -f"},
		{"wrap-64k", small, []string{"logbsize=64k"}, 9000, "shutdown"},
		{"stripe", append(small[:2:2], "-l", "size=8m,su=64k"), nil, 10000, "shutdown -f"},
		{"stripe-256k", append(small[:2:2], "-l", "size=20m,su=256k"), nil, 10000, "shutdown"},
		{"sector-4k", append(small[:2:2], "-s", "size=4096", "-l", "size=6m"), nil, 10000, "shutdown -f"},
		{"block-1k", append(small[:2:2], "-b", "size=1024", "-l", "size=6m"), nil, 8000, "shutdown -f"},
		{"block-1k-dir-8k", append(small[:2:2], "-b", "size=1024", "-n", "size=8192", "-l", "size=6m"), nil, 12000, "copy"},
		{"rmapbt", append(small[:2:2], "-m", "rmapbt=1", "-l", "size=13m"), nil, 10000, "shutdown -f"},
		{"nrext64", append(small[:2:2], "-i", "nrext64=1", "-l", "size=17m"), nil, 10000, "shutdown"},
		{"no-bigtime", append(small[:2:2], "-m", "bigtime=0,reflink=0", "-l", "size=6m"), nil, 10000, "shutdown -f"},
		{"inode-2k", append(small[:2:2], "-i", "size=2048", "-l", "size=8m"), nil, 10000, "shutdown -f"},
		{"no-sparse", append(small[:2:2], "-i", "sparse=0", "-l", "size=6m"), nil, 10000, "copy"},
		{"first", nil, nil, 10, "shutdown -f"},
		{"nothing", nil, nil, 0, "shutdown"},
		{"one", nil, nil, 1, "shutdown -f"},
		{"early", small, nil, 300, "shutdown -f"},
		{"large-dirs", append(small[:2:2], "-n", "size=65536", "-l", "size=10m"), nil, 10000, "shutdown -f"},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := makeImage(t, 512<<20, c.mkfs...)
			dir, umount := mount(t, image, c.mount...)
			b := &busy{t, dir, rand.New(rand.NewSource(int64(i))), false}
			b.run(c.steps)
			crash(t, image, dir, umount, c.how)
		})
	}
}

// crash stops a mounted filesystem and compares copies of it.
func crash(t *testing.T, image, dir string, umount func(), how string) {
	t.Helper()
	ours, theirs := image+".ours", image+".theirs"
	if how == "copy" {
		run(t, "cp", "--sparse=always", image, ours)
	} else {
		run(t, "xfs_io", "-x", "-c", how, dir)
		umount()
		run(t, "cp", "--sparse=always", image, ours)
	}
	run(t, "cp", "--sparse=always", ours, theirs)
	dev := openImage(t, ours)
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	kernel, _ := mount(t, theirs, "nouuid")
	n := compare(t, dev, fs, kernel)
	pages := 0
	if fs.over != nil {
		pages = len(fs.over.pages)
	}
	t.Logf("%d entries, dirty %t, %d pages replayed, %d maps and %d attributes promised", n, fs.info.Dirty, pages, len(fs.intents.maps), len(fs.intents.attrs))
}
