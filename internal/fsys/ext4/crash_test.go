//go:build oracle && linux

package ext4

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// crashes are ways to have a journal.
var crashes = []struct{ name, mkfs, mount string }{
	{"ext3", "-t ext3 -b 1024 -J size=1", "data=ordered"},
	{"ext3-journal", "-t ext3 -b 1024 -J size=2", "data=journal"},
	{"ordered", "-t ext4 -b 1024 -J size=1", "data=ordered"},
	{"ordered-4k", "-t ext4 -b 4096", "data=ordered"},
	{"journal", "-t ext4 -b 1024 -J size=2", "data=journal"},
	{"journal-4k-no-csum", "-t ext4 -b 4096 -O ^metadata_csum,^64bit", "data=journal"},
	{"writeback", "-t ext4 -b 2048 -J size=2", "data=writeback"},
	{"checksum-v1", "-t ext4 -b 1024 -J size=1 -O ^metadata_csum", "journal_checksum"},
	{"checksum-v1-async", "-t ext4 -b 1024 -J size=1 -O ^metadata_csum,^64bit", "journal_async_commit,data=writeback"},
	{"async", "-t ext4 -b 1024 -J size=1", "journal_async_commit,data=writeback"},
	{"no-64bit", "-t ext4 -b 1024 -J size=1 -O ^64bit", "data=ordered"},
	{"inline", "-t ext4 -b 1024 -J size=1 -O inline_data,ea_inode -I 512", "data=ordered"},
	{"orphan-file", "-t ext4 -b 1024 -J size=1 -O orphan_file", "data=ordered"},
	{"bigalloc", "-t ext4 -b 1024 -C 4096 -J size=1 -O bigalloc", "data=ordered"},
}

// TestKernelCrash copies a mounted, busy filesystem at many points and compares
// what the reader makes of each copy with what the kernel does.
func TestKernelCrash(t *testing.T) {
	for i, c := range crashes {
		t.Run(c.name, func(t *testing.T) {
			image := makeImage(t, 64<<20, append([]string{"-E", "lazy_itable_init=0"}, strings.Fields(c.mkfs)...)...)
			dir, unmount := mount(t, image, "rw,"+c.mount)
			b := newBusy(t, dir, uint64(i))
			for point := range 6 {
				b.work(150)
				switch point % 3 {
				case 0:
					unix.Sync()
				case 1:
					b.fsync()
				}
				copied := fmt.Sprintf("%s.%d", image, point)
				if err := fsystest.CopyStill(t.Context(), image, copied); err != nil {
					t.Fatal(err)
				}
				sameAsKernel(t, copied, "rw,noatime")
				os.Remove(copied)
			}
			// At last the power fails.
			b.work(100)
			run(t, "xfs_io", "-x", "-c", "shutdown"+[]string{"", " -f"}[i%2], dir)
			b.close()
			unmount()
			sameAsKernel(t, image, "rw,noatime")
		})
	}
}

// busy changes a tree at random; some files stay open after they were removed.
type busy struct {
	t    *testing.T
	dir  string
	rnd  *rand.Rand
	n    int
	open []*os.File
}

func newBusy(t *testing.T, dir string, seed uint64) *busy {
	b := &busy{t: t, dir: dir, rnd: rand.New(rand.NewPCG(seed, 7))}
	t.Cleanup(b.close)
	return b
}

func (b *busy) close() {
	for _, f := range b.open {
		f.Close()
	}
	b.open = nil
}

// any returns a path that exists.
func (b *busy) any() string {
	path := b.dir
	for {
		entries, err := os.ReadDir(path)
		if err != nil || len(entries) == 0 {
			return path
		}
		path = filepath.Join(path, entries[b.rnd.IntN(len(entries))].Name())
		if b.rnd.IntN(4) == 0 {
			return path
		}
	}
}

func (b *busy) newName() string {
	b.n++
	dir := b.any()
	if st, err := os.Lstat(dir); err != nil || !st.IsDir() {
		dir = filepath.Dir(dir)
	}
	return filepath.Join(dir, fmt.Sprintf("n%d-%s", b.n, strings.Repeat("x", b.rnd.IntN(60))))
}

func (b *busy) fsync() {
	if f, err := os.OpenFile(b.newName(), os.O_CREATE|os.O_RDWR, 0o600); err == nil {
		f.Sync()
		f.Close()
	}
}

func (b *busy) work(n int) {
	for range n {
		if err := b.one(); err != nil && !errors.Is(err, os.ErrNotExist) && !errors.Is(err, os.ErrExist) {
			if _, ok := errors.AsType[unix.Errno](err); !ok {
				b.t.Fatal(err)
			}
		}
	}
}

func (b *busy) one() error {
	switch b.rnd.IntN(14) {
	case 0:
		return os.Mkdir(b.newName(), 0o755)
	case 1, 2, 3, 4:
		// Some blocks begin with the journal's own magic.
		data := pattern(b.rnd.IntN(20000), byte(b.n))
		for i := 0; i+4 <= len(data); i += 1024 {
			if b.rnd.IntN(2) == 0 {
				be.PutUint32(data[i:], jbdMagic)
			}
		}
		return os.WriteFile(b.newName(), data, 0o644)
	case 5:
		f, err := os.OpenFile(b.any(), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		b.open = append(b.open, f)
		_, err = f.WriteAt(pattern(b.rnd.IntN(9000), 5), b.rnd.Int64N(100000))
		return err
	case 6:
		return os.Truncate(b.any(), b.rnd.Int64N(60000))
	case 7:
		return os.Rename(b.any(), b.newName())
	case 8, 9:
		return os.Remove(b.any())
	case 10:
		return os.Link(b.any(), b.newName())
	case 11:
		return os.Symlink(strings.Repeat("y", 1+b.rnd.IntN(200)), b.newName())
	case 12:
		return unix.Lsetxattr(b.any(), fmt.Sprintf("user.a%d", b.rnd.IntN(4)), pattern(b.rnd.IntN(400), 1), 0)
	case 13:
		if len(b.open) > 20 {
			b.close()
		}
		f, err := os.OpenFile(b.any(), os.O_RDWR, 0)
		if err != nil {
			return err
		}
		b.open = append(b.open, f)
		if b.rnd.IntN(2) == 0 {
			f.Sync()
		}
		return unix.Fallocate(int(f.Fd()), uint32(b.rnd.IntN(2)), b.rnd.Int64N(50000), 1+b.rnd.Int64N(90000))
	}
	return nil
}
