//go:build oracle && linux

package ext4

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// run executes a command; a missing one is a failure, as the oracle demands.
func run(t testing.TB, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// makeImage makes a filesystem with mke2fs.
func makeImage(t testing.TB, size int64, mkfs ...string) string {
	t.Helper()
	image := filepath.Join(t.TempDir(), "image")
	f, err := os.Create(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Truncate(size); err != nil {
		t.Fatal(err)
	}
	run(t, "mke2fs", append(append([]string{"-q", "-F"}, mkfs...), image)...)
	return image
}

// mount mounts an image until the test ends or the returned function is called.
func mount(t testing.TB, image, options string) (dir string, unmount func()) {
	t.Helper()
	dir = t.TempDir()
	run(t, "mount", "-t", "ext4", "-o", "loop,"+options, image, dir)
	mounted := true
	unmount = func() {
		if mounted {
			mounted = false
			run(t, "umount", dir)
		}
	}
	t.Cleanup(unmount)
	return dir, unmount
}

// openImage reads a whole image into memory.
func openImage(t testing.TB, image string) *fsystest.Patched {
	t.Helper()
	b, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	return fsystest.NewPatched(b)
}

// sameAsKernel compares the reader with a mount of a copy of the image.
func sameAsKernel(t *testing.T, image, options string) {
	t.Helper()
	copied := image + ".mounted"
	run(t, "cp", "--sparse=always", image, copied)
	// A loop device of a read-only mount would not let the journal be replayed.
	dir, unmount := mount(t, copied, options)
	want, err := fsystest.Kernel(dir)
	if err != nil {
		t.Fatal(err)
	}
	unmount()
	os.Remove(copied)
	f, err := os.Open(image)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dev := fileDevice{f}
	fs, err := Open(dev, Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := fsystest.Manifest(dev, fs)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%s %s: %d entries, dirty %t", fs.Info().Type, strings.Join(fs.Info().Features, ","), len(got), fs.Info().Dirty)
	fsystest.Compare(t, got, want)
}

// fileDevice is an image file as a device.
type fileDevice struct{ *os.File }

func (f fileDevice) Size() int64 {
	st, err := f.Stat()
	if err != nil {
		return 0
	}
	return st.Size()
}

// filler writes a tree that visits the corners of the format.
type filler struct {
	t   testing.TB
	dir string

	dirEntries []int // a directory for each number of entries
	fragments  int   // of one file
}

func (f *filler) path(name string) string { return f.dir + "/" + name }

func (f *filler) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *filler) write(name string, data []byte) {
	f.must(os.WriteFile(f.path(name), data, 0o644))
}

// maybe passes over what a filesystem has no room or no feature for.
func (f *filler) maybe(err error) {
	f.t.Helper()
	if slices.Contains([]error{unix.ENOSPC, unix.EOPNOTSUPP, unix.E2BIG, unix.EFBIG}, err) {
		return
	}
	f.must(err)
}

func pattern(n int, seed byte) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7+i>>8) ^ seed
	}
	return b
}

func fill(t testing.TB, dir string) {
	f := &filler{t: t, dir: dir, dirEntries: []int{0, 1, 3, 40, 3000}, fragments: 700}
	f.all()
}

// fillSmall is fill for an image of 2 MiB that is to be committed.
func fillSmall(t testing.TB, dir string) {
	f := &filler{t: t, dir: dir, dirEntries: []int{0, 1, 3, 160}, fragments: 90}
	f.all()
}

func (f *filler) all() {
	f.files()
	f.directories()
	f.links()
	f.special()
	f.times()
	f.attributes()
}

func (f *filler) files() {
	f.must(os.Mkdir(f.path("files"), 0o755))
	for i, n := range []int{0, 1, 59, 60, 61, 100, 127, 128, 156, 160, 161, 200, 1023, 1024, 1025, 4095, 4096, 4097, 12 * 1024, 12*1024 + 1, 65536, 300000} {
		f.write(fmt.Sprintf("files/%d", n), pattern(n, byte(i)))
	}
	// Sparse: data after a hole, a hole after data, a huge hole.
	for name, size := range map[string]int64{"sparse-small": 1 << 20, "sparse-big": 5 << 30, "sparse-end": 3<<20 + 5} {
		file, err := os.Create(f.path("files/" + name))
		f.must(err)
		f.maybe(unwrap(file.Truncate(size)))
		_, err = file.WriteAt([]byte("middle"), size/2)
		f.maybe(unwrap(err))
		if name == "sparse-end" {
			_, err = file.WriteAt([]byte("end"), size-3)
			f.must(err)
		}
		f.must(file.Close())
	}
	// Unwritten, partly written, and preallocated behind the end.
	file, err := os.Create(f.path("files/unwritten"))
	f.must(err)
	f.maybe(unix.Fallocate(int(file.Fd()), 0, 0, 1<<20))
	_, err = file.WriteAt(pattern(5000, 1), 300000)
	f.must(err)
	f.maybe(unix.Fallocate(int(file.Fd()), unix.FALLOC_FL_KEEP_SIZE, 0, 2<<20))
	f.must(file.Close())
	// Fragments: many extents, a deep tree or indirect blocks.
	file, err = os.Create(f.path("files/fragments"))
	f.must(err)
	for i := range f.fragments {
		_, err = file.WriteAt(pattern(4096, byte(i)), int64(i)*3*4096)
		f.must(err)
	}
	f.must(file.Close())
}

func unwrap(err error) error {
	if p, ok := err.(*os.PathError); ok {
		return p.Err
	}
	return err
}

func (f *filler) directories() {
	for _, n := range f.dirEntries {
		name := fmt.Sprintf("dir-%d", n)
		f.must(os.Mkdir(f.path(name), 0o750))
		for i := range n {
			f.must(os.Symlink("t", f.path(fmt.Sprintf("%s/entry-with-a-longer-name-%05d", name, i))))
		}
		for i := 0; i < n; i += 5 {
			f.must(os.Remove(f.path(fmt.Sprintf("%s/entry-with-a-longer-name-%05d", name, i))))
		}
	}
	f.must(os.Mkdir(f.path("names"), 0o777))
	for _, name := range []string{strings.Repeat("x", 255), strings.Repeat("é", 127), "new\nline", "\x1b[31m", "\xff\xfe", " ", "-", "...", ".x", "back\\slash", "ünï"} {
		f.write("names/"+name, []byte(name))
	}
	deep := "deep"
	for range 20 {
		f.must(os.Mkdir(f.path(deep), 0o700))
		deep += "/d"
	}
}

func (f *filler) links() {
	f.must(os.Mkdir(f.path("links"), 0o755))
	for _, n := range []int{1, 58, 59, 60, 61, 100, 155, 160, 255, 1000, 1023, 1024, 2047, 4094, 4095} {
		// A target must fit one block.
		f.maybeName(os.Symlink(strings.Repeat("/t", n/2)+strings.Repeat("s", n%2), f.path(fmt.Sprintf("links/s%d", n))))
	}
	f.must(os.Link(f.path("files/61"), f.path("links/hard")))
	f.must(os.Link(f.path("files/61"), f.path("links/harder")))
	f.must(os.Link(f.path("links/s60"), f.path("links/hard-symlink")))
}

func (f *filler) maybeName(err error) {
	f.t.Helper()
	if l, ok := err.(*os.LinkError); ok && l.Err == unix.ENAMETOOLONG {
		return
	}
	f.must(err)
}

func (f *filler) special() {
	f.must(os.Mkdir(f.path("special"), 0o1777))
	for name, dev := range map[string]uint64{
		"null": unix.Mkdev(1, 3), "zero": 0, "old": unix.Mkdev(255, 255), "minor": unix.Mkdev(8, 256),
		"major": unix.Mkdev(256, 1), "most": unix.Mkdev(4095, 1<<20-1),
	} {
		f.must(unix.Mknod(f.path("special/c-"+name), unix.S_IFCHR|0o620, int(dev)))
		f.must(unix.Mknod(f.path("special/b-"+name), unix.S_IFBLK|0o660, int(dev)))
	}
	f.must(unix.Mknod(f.path("special/fifo"), unix.S_IFIFO|0o600, 0))
	f.must(unix.Mknod(f.path("special/sock"), unix.S_IFSOCK|0o755, 0))
	f.must(os.Link(f.path("special/fifo"), f.path("special/fifo-2")))
	for i, ids := range [][2]int{{0, 1}, {65535, 65536}, {1 << 21, 1<<21 + 1}, {1<<31 + 5, 1<<32 - 2}} {
		name := fmt.Sprintf("special/ids%d", i)
		f.write(name, nil)
		f.must(os.Lchown(f.path(name), ids[0], ids[1]))
		f.must(unix.Chmod(f.path(name), 0o7000|uint32(i)))
	}
}

func (f *filler) times() {
	f.must(os.Mkdir(f.path("times"), 0o755))
	for i, ts := range []unix.Timespec{
		{}, {Sec: 1, Nsec: 1}, {Sec: -1, Nsec: 999999999}, {Sec: -1 << 31}, {Sec: 1<<31 - 1, Nsec: 5},
		{Sec: 1 << 31, Nsec: 7}, {Sec: 1<<32 - 1}, {Sec: 1 << 32, Nsec: 999999999}, {Sec: 15032385535, Nsec: 1}, {Sec: 1700000000, Nsec: 123456789},
	} {
		name := fmt.Sprintf("times/%d", i)
		f.write(name, nil)
		f.must(unix.UtimesNanoAt(unix.AT_FDCWD, f.path(name), []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
	}
}

func (f *filler) attributes() {
	f.must(os.Mkdir(f.path("xattr"), 0o755))
	set := func(name, attr string, value []byte) {
		f.t.Helper()
		err := unix.Lsetxattr(f.path(name), attr, value, 0)
		f.maybe(err)
	}
	f.write("xattr/file", []byte("x"))
	set("xattr/file", "user.empty", nil)
	set("xattr/file", "user.small", []byte("value"))
	set("xattr/file", "user.binary", []byte{0, 1, 0xff, '\n', 0})
	set("xattr/file", "trusted.t", []byte("trusted"))
	set("xattr/file", "security.selinux", []byte("system_u:object_r:bin_t:s0\x00"))
	set("xattr/file", "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	set("xattr/file", "user."+strings.Repeat("n", 250), []byte("long name"))
	for i := range 12 {
		name := fmt.Sprintf("xattr/many%d", i)
		f.write(name, nil)
		for j := range i * 2 {
			set(name, fmt.Sprintf("user.attr%d", j), pattern(20*j, byte(j)))
		}
	}
	f.write("xattr/large", nil)
	for _, n := range []int{900, 3000, 5000, 65536} {
		set("xattr/large", fmt.Sprintf("user.large%d", n), pattern(n, 9))
	}
	set("xattr", "user.dir", []byte("d"))
	f.must(os.Symlink(strings.Repeat("l", 30), f.path("xattr/link")))
	set("xattr/link", "trusted.link", pattern(300, 3))
	f.must(os.Symlink(strings.Repeat("l", 200), f.path("xattr/longlink")))
	set("xattr/longlink", "trusted.link", pattern(30, 3))
	f.must(unix.Mknod(f.path("xattr/fifo"), unix.S_IFIFO|0o600, 0))
	set("xattr/fifo", "trusted.fifo", nil)
	// ACLs in the kernel's form.
	acl := func(entries ...[3]uint32) []byte {
		b := le.AppendUint32(nil, 2)
		for _, e := range entries {
			b = le.AppendUint32(le.AppendUint16(le.AppendUint16(b, uint16(e[0])), uint16(e[1])), e[2])
		}
		return b
	}
	const no = 0xffffffff
	long := acl([3]uint32{1, 7, no}, [3]uint32{2, 5, 0}, [3]uint32{2, 6, 1000}, [3]uint32{2, 0, 1<<32 - 2}, [3]uint32{4, 5, no},
		[3]uint32{8, 4, 50}, [3]uint32{8, 7, 70000}, [3]uint32{0x10, 7, no}, [3]uint32{0x20, 1, no})
	set("xattr/file", "system.posix_acl_access", long)
	set("xattr", "system.posix_acl_default", acl([3]uint32{1, 7, no}, [3]uint32{4, 5, no}, [3]uint32{0x20, 0, no}))
	f.write("xattr/inherits", bytes.Repeat([]byte("i"), 70))
}
