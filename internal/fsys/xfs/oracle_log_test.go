//go:build oracle && linux

package xfs

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
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

// TestPromises stops filesystems in which several threads write to shared
// extents and force the log, so that it ends between a promise and its
// fulfilment.
func TestPromises(t *testing.T) {
	for i := range 6 {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			image := makeImage(t, 512<<20, "-d", "agcount=4", "-m", "rmapbt=1", "-l", "size=32m")
			dir, umount := mount(t, image)
			data := make([]byte, 4<<20)
			newRand().Read(data)
			var wg sync.WaitGroup
			stop := make(chan struct{})
			for w := range 4 {
				src := fmt.Sprintf("%s/src-%d", dir, w)
				if err := os.WriteFile(src, data, 0o644); err != nil {
					t.Fatal(err)
				}
				wg.Go(func() {
					rng := rand.New(rand.NewSource(int64(i*10 + w)))
					for n := 0; ; n++ {
						select {
						case <-stop:
							return
						default:
							shareAndWrite(src, fmt.Sprintf("%s/copy-%d-%d", dir, w, n%10), rng)
						}
					}
				})
			}
			time.Sleep(time.Duration(700+i*137) * time.Millisecond)
			run(t, "xfs_io", "-x", "-c", "shutdown", dir)
			close(stop)
			wg.Wait()
			crash(t, image, dir, umount, "is down")
		})
	}
}

// TestCutLog ends a log behind each of its records in turn. As long as nothing
// has been written back, that is what a crash at that moment leaves: half of a
// transaction here, a promise without its fulfilment there.
func TestCutLog(t *testing.T) {
	image := makeImage(t, 512<<20, "-d", "agcount=4", "-m", "rmapbt=1", "-l", "size=32m")
	dir, umount := mount(t, image)
	data := make([]byte, 1<<20)
	newRand().Read(data)
	b := &busy{t, dir, newRand(), true}
	b.run(100)
	run(t, "sync", "-f", dir)
	umount()
	dir, umount = mount(t, image)
	var wg sync.WaitGroup
	for w := range 3 {
		src := fmt.Sprintf("%s/src-%d", dir, w)
		if err := os.WriteFile(src, data, 0o644); err != nil {
			t.Fatal(err)
		}
		wg.Go(func() {
			rng := rand.New(rand.NewSource(int64(w)))
			for n := range 12 {
				shareAndWrite(src, fmt.Sprintf("%s/copy-%d-%d", dir, w, n%4), rng)
			}
		})
	}
	for range 15 {
		b.run(5)
		run(t, "sync", "-f", dir)
	}
	wg.Wait()
	run(t, "xfs_io", "-x", "-c", "shutdown -f", dir)
	umount()

	dev := openImage(t, image)
	sb, err := readSuperblock(dev, false)
	if err != nil {
		t.Fatal(err)
	}
	j := newJournal(dev, sb, false)
	s, err := j.find()
	if err != nil {
		t.Fatal(err)
	}
	var records []int64
	var bad int64
	if err := j.records(s.tail, s.head, &bad, func(r record, _ []byte) error {
		records = append(records, r.block)
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if s.head < s.tail || s.tail > records[0] {
		t.Fatalf("the log went around: tail %#x, head %#x", s.tail, s.head)
	}
	t.Logf("%d records", len(records))
	for i := len(records) - 1; i > 0; i -= max(1, len(records)/30) {
		cut := image + ".cut"
		run(t, "cp", image, cut)
		f, err := os.OpenFile(cut, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(make([]byte, (s.head-records[i])<<basicBlockLog), j.place(records[i])); err != nil {
			t.Fatal(err)
		}
		f.Close()
		t.Run(fmt.Sprint(i), func(t *testing.T) { crash(t, cut, "", func() {}, "is down") })
	}
}

// shareAndWrite makes a file that shares another's extents and writes into it.
// Errors are those of a filesystem that went down.
func shareAndWrite(src, dst string, rng *rand.Rand) {
	in, err := os.Open(src)
	if err != nil {
		return
	}
	defer in.Close()
	out, err := os.OpenFile(dst, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return
	}
	defer out.Close()
	unix.IoctlFileClone(int(out.Fd()), int(in.Fd()))
	b := make([]byte, 10000)
	for range 20 {
		rng.Read(b)
		out.WriteAt(b, rng.Int63n(4<<20))
		if rng.Intn(3) == 0 {
			unix.Fdatasync(int(out.Fd()))
		}
	}
}

// crash stops a mounted filesystem and compares copies of it.
func crash(t *testing.T, image, dir string, umount func(), how string) {
	t.Helper()
	ours, theirs := image+".ours", image+".theirs"
	if how == "copy" {
		if err := fsystest.CopyStill(t.Context(), image, ours); err != nil {
			t.Fatal(err)
		}
	} else {
		if how != "is down" {
			run(t, "xfs_io", "-x", "-c", how, dir)
		}
		umount()
		run(t, "cp", image, ours)
	}
	run(t, "cp", ours, theirs)
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
	j := newJournal(dev, fs.sb, false)
	s, err := j.find()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d entries, log %#x to %#x of %#x, %d pages replayed, %d maps and %d attributes promised, %d trees with new owners",
		n, s.tail, s.head, j.blocks, pages, len(fs.intents.maps), len(fs.intents.attrs), len(fs.reowned))
}

// TestTornLog damages the log of a crashed filesystem near its ends and in the
// middle, as torn and reordered writes do, and expects of the reader what the
// kernel does: the same tree, or a refusal.
func TestTornLog(t *testing.T) {
	for _, c := range []struct {
		name        string
		mkfs, mount []string
		steps, seed int
	}{
		{"wrapped", []string{"-l", "size=6m"}, nil, 8000, 0},
		{"first turn", []string{"-l", "size=10m"}, nil, 2500, 1000},
		{"large records", []string{"-l", "size=9m"}, []string{"logbsize=256k"}, 6000, 2000},
	} {
		t.Run(c.name, func(t *testing.T) {
			image := makeImage(t, 300<<20, append(c.mkfs, "-d", "agcount=4")...)
			dir, umount := mount(t, image, c.mount...)
			b := &busy{t, dir, rand.New(rand.NewSource(42)), true}
			b.run(c.steps)
			run(t, "xfs_io", "-x", "-c", "shutdown -f", dir)
			umount()
			dev := openImage(t, image)
			sb, err := readSuperblock(dev, false)
			if err != nil {
				t.Fatal(err)
			}
			j := newJournal(dev, sb, false)
			s, err := j.find()
			if err != nil {
				t.Fatal(err)
			}
			var records []int64
			var bad int64
			if err := j.records(s.tail, s.head, &bad, func(r record, _ []byte) error {
				records = append(records, r.block)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			t.Logf("tail %#x, head %#x of %#x blocks, %d records", s.tail, s.head, j.blocks, len(records))
			same, refused := 0, 0
			for i := range 20 {
				ok := tear(t, image, j, s, records, rand.New(rand.NewSource(int64(i+c.seed))))
				if ok {
					same++
				} else {
					refused++
				}
			}
			t.Logf("%d times the same tree, %d times refused", same, refused)
		})
	}
}

// tear compares one damaged copy; it returns whether it could be read.
func tear(t *testing.T, image string, j *journal, s span, records []int64, rng *rand.Rand) bool {
	t.Helper()
	ours, theirs := image+".ours", image+".theirs"
	run(t, "cp", image, ours)
	f, err := os.OpenFile(ours, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	garbage := func(block int64, n int) {
		b := make([]byte, n)
		rng.Read(b)
		if _, err := f.WriteAt(b, j.place((block%j.blocks+j.blocks)%j.blocks)); err != nil {
			t.Fatal(err)
		}
	}
	move := func(from, to int64, n int) {
		b := make([]byte, n<<basicBlockLog)
		if err := j.read(b, (from%j.blocks+j.blocks)%j.blocks); err != nil {
			t.Fatal(err)
		}
		for i := range n {
			block := ((to+int64(i))%j.blocks + j.blocks) % j.blocks
			if _, err := f.WriteAt(b[i<<basicBlockLog:][:basicBlock], j.place(block)); err != nil {
				t.Fatal(err)
			}
		}
	}
	what := rng.Intn(9)
	switch what {
	case 0: // the newest block or two did not make it
		garbage(s.head-1-int64(rng.Intn(2)), basicBlock)
	case 1: // one of the newest blocks is what was there a turn before
		move(s.head+int64(rng.Intn(64)), s.head-1-int64(rng.Intn(200)), 1)
	case 2: // a newer record's data was flipped
		garbage(records[len(records)-1-rng.Intn(min(12, len(records)))]+int64(rng.Intn(4)), 1+rng.Intn(700))
	case 3: // somewhere in the middle
		garbage(records[rng.Intn(len(records))]+int64(rng.Intn(30)), 1+rng.Intn(16))
	case 4: // the oldest record was being overwritten
		garbage(s.tail, 512*(1+rng.Intn(20)))
	case 5: // a later record came before the head was written
		move(records[len(records)-1], s.head+int64(8*rng.Intn(20)), 1+rng.Intn(9))
	case 6: // several blocks of the newest records are stale
		for range 5 {
			move(s.head+int64(rng.Intn(512)), s.head-1-int64(rng.Intn(512)), 1)
		}
	case 7: // a header's word
		garbage(records[len(records)-1-rng.Intn(min(3, len(records)))], 4*(1+rng.Intn(11)))
	case 8: // the newest record, wholly
		garbage(records[len(records)-1], int(s.head-records[len(records)-1]+1000)%1000*basicBlock/2+basicBlock)
	}
	f.Close()
	run(t, "cp", ours, theirs)
	dev := openImage(t, ours)
	fs, err := Open(dev, Options{})
	dir := t.TempDir()
	out, kernelErr := exec.Command("mount", "-t", "xfs", "-o", "loop", theirs, dir).CombinedOutput()
	if kernelErr == nil {
		defer run(t, "umount", dir)
	}
	switch {
	case err == nil && kernelErr == nil:
		compare(t, dev, fs, dir)
		return true
	case err != nil && kernelErr != nil:
		return false
	}
	t.Errorf("damage %d: reader says %v, kernel says %s", what, err, out)
	return false
}
