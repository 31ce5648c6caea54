//go:build oracle && linux

package xfs

import (
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// special are states that ordinary use seldom leads to. Each is compared
// after a clean unmount and after a crash.
var special = []struct {
	name string
	mkfs []string
	make func(t *testing.T, image, dir string)

	// unrecovered: mounting such a log was seen to fail on Linux 6.18, or to
	// leave what cannot be read. In its source, xlog_recover_inode_commit_pass2
	// hands a swapped inode to xfs_recover_inode_owner_change before
	// xfs_dinode_calc_crc, and xlog_recover_validate_buf_type looks at one part
	// of a buffer at a time, for the magic of the whole.
	unrecovered bool
}{
	{"scattered directory blocks", []string{"-b", "size=1024", "-n", "size=16384", "-l", "size=8m"}, scatteredDirs, true},
	{"swapped extent trees", []string{"-m", "reflink=0,rmapbt=0", "-l", "size=8m"}, swapExtents, true},
	{"grown", []string{"-d", "size=64m", "-l", "size=8m"}, grow, false},
	{"inodes freed and used anew", []string{"-l", "size=8m"}, reuse, false},
}

func TestSpecial(t *testing.T) {
	for _, c := range special {
		for _, how := range []string{"unmount", "shutdown -f", "shutdown"} {
			t.Run(c.name+"/"+how, func(t *testing.T) {
				image := makeImage(t, 256<<20, c.mkfs...)
				dir, umount := mount(t, image)
				c.make(t, image, dir)
				if how == "unmount" {
					umount()
					how = "is down"
				}
				if c.unrecovered && how != "is down" {
					crashed(t, image, dir, umount)
					return
				}
				crash(t, image, dir, umount, how)
			})
		}
	}
}

// crashed compares a filesystem, stopped with its log complete, with what the
// kernel showed before.
func crashed(t *testing.T, image, dir string, umount func()) {
	t.Helper()
	run(t, "sync", "-f", dir)
	want, err := fsystest.Kernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	run(t, "xfs_io", "-x", "-c", "shutdown -f", dir)
	umount()
	dev := openImage(t, image)
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := fsystest.Manifest(dev, fs)
	if err != nil {
		t.Error(err)
	}
	fsystest.Compare(t, got, want)
	if !fs.info.Dirty {
		t.Error("nothing was replayed")
	}
}

// scatteredDirs makes directory blocks of which every part lies elsewhere.
func scatteredDirs(t *testing.T, _, dir string) {
	f, err := os.Create(dir + "/full")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	size := int64(0)
	for step := int64(1 << 20); step >= 1<<10; step /= 4 {
		for unix.Fallocate(int(f.Fd()), 0, size, step) == nil {
			size += step
		}
	}
	for at := int64(0); at < size/2; at += 8 << 10 {
		if err := unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, at, 3<<10); err != nil {
			t.Fatal(err)
		}
	}
	// The kernel kept some space back; that goes first.
	more, err := os.Create(dir + "/more")
	if err != nil {
		t.Fatal(err)
	}
	defer more.Close()
	if err := os.WriteFile(dir+"/one", nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for at := int64(0); at < size/8; at += 1 << 20 {
		if err := unix.Fallocate(int(more.Fd()), 0, at, 1<<20); err != nil {
			t.Fatal(err)
		}
	}
	for d := range 3 {
		sub := fmt.Sprintf("%s/dir-%d", dir, d)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 1500 {
			if err := os.Link(dir+"/one", fmt.Sprintf("%s/%s-%d", sub, strings.Repeat("s", 40), i)); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// swapExtents makes pairs of fragmented files and swaps their extent trees, as
// defragmenting does.
func swapExtents(t *testing.T, _, dir string) {
	data := make([]byte, 4096)
	for i := range 8 {
		name := fmt.Sprintf("%s/fragmented-%d", dir, i)
		f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		for _, odd := range []int64{0, 1} {
			for n := range int64(300) {
				data[0], data[1] = byte(n), byte(i)
				if _, err := f.WriteAt(data, (2*n+odd)*4096); err != nil {
					t.Fatal(err)
				}
			}
			f.Sync()
		}
		f.Close()
		if i%2 == 1 {
			run(t, "xfs_io", "-c", fmt.Sprintf("swapext %s/fragmented-%d", dir, i-1), name)
		}
	}
}

// grow makes the filesystem larger and uses the new groups.
func grow(t *testing.T, _, dir string) {
	run(t, "xfs_growfs", dir)
	for d := range 20 {
		sub := fmt.Sprintf("%s/dir-%d", dir, d)
		if err := os.Mkdir(sub, 0o755); err != nil {
			t.Fatal(err)
		}
		for i := range 30 {
			if err := os.WriteFile(fmt.Sprintf("%s/%d", sub, i), make([]byte, i*1000), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// reuse fills, empties and fills directories of several shapes, with syncs
// between, so that blocks and inode chunks change what they are.
func reuse(t *testing.T, _, dir string) {
	rng := rand.New(rand.NewSource(9))
	for round := range 8 {
		for d := range 10 {
			sub := fmt.Sprintf("%s/dir-%d", dir, d)
			if rng.Intn(2) == 0 {
				os.RemoveAll(sub)
			}
			os.Mkdir(sub, 0o755)
			for i := range rng.Intn(400) {
				name := fmt.Sprintf("%s/%d-%d", sub, round, i)
				if i%3 == 0 {
					os.Symlink(strings.Repeat("l", 400+rng.Intn(500)), name)
				} else {
					os.WriteFile(name, make([]byte, rng.Intn(9000)), 0o600)
				}
				if i%7 == 0 {
					unix.Lsetxattr(name, "security.selinux", make([]byte, 300+rng.Intn(3000)), 0)
				}
			}
		}
		if round%3 == 1 {
			if out, err := exec.Command("sync", "-f", dir).CombinedOutput(); err != nil {
				t.Fatalf("%v %s", err, out)
			}
		}
	}
}
