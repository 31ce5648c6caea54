//go:build oracle && linux

package xfs

import (
	"bytes"
	"fmt"
	"math/rand"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// filler makes a diverse tree on a mounted filesystem.
type filler struct {
	t     failer
	root  string
	block int
	rng   *rand.Rand
	plain bool // small, and with content that compresses
}

// scale makes a count smaller where the tree is to be small.
func (f *filler) scale(n, plain int) int {
	if f.plain {
		return min(n, plain)
	}
	return n
}

func (f *filler) must(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

func (f *filler) path(name string) string { return f.root + "/" + name }

func (f *filler) dir(name string) string {
	f.must(os.MkdirAll(f.path(name), 0o755))
	return f.path(name)
}

func (f *filler) file(name string, data []byte) string {
	p := f.path(name)
	f.must(os.MkdirAll(filepath.Dir(p), 0o755))
	f.must(os.WriteFile(p, data, 0o644))
	return p
}

func (f *filler) bytes(n int) []byte {
	b := make([]byte, n)
	if f.plain {
		for i := range b {
			b[i] = byte(n) + byte(i>>9)
		}
	} else {
		f.rng.Read(b)
	}
	return b
}

// fill makes everything; entries is the size of the largest directory.
func (f *filler) fill(entries int) {
	f.files()
	f.fragmented()
	f.links()
	f.nodes()
	f.dirs(entries)
	f.attrs()
	f.inodeEdges()
}

func (f *filler) files() {
	for _, n := range []int{0, 1, 100, f.block - 1, f.block, f.block + 1, 3*f.block + 7, f.scale(1<<20, 100000)} {
		f.file(fmt.Sprintf("files/size-%d", n), f.bytes(n))
	}
	for mode := range 0o10000 {
		if mode%257 == 0 && !f.plain || mode == 0o7777 || mode == 0o4755 || mode == 0o1777 {
			p := f.file(fmt.Sprintf("modes/%04o", mode), nil)
			f.must(unix.Chmod(p, uint32(mode)))
		}
	}
	for _, id := range []int{0, 1000, 65534, 1 << 21, 1<<32 - 2} {
		f.must(unix.Lchown(f.file(fmt.Sprintf("ids/%d", id), nil), id, id/2))
	}
	for _, sec := range []int64{-1, -2147483648, 0, 2147483647, 1 << 31, 1 << 33} {
		p := f.file(fmt.Sprintf("times/%d", sec), nil)
		ts := unix.Timespec{Sec: sec, Nsec: 123456789}
		f.must(unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW))
	}
}

func (f *filler) open(name string) *os.File {
	p := f.path(name)
	f.must(os.MkdirAll(filepath.Dir(p), 0o755))
	h, err := os.Create(p)
	f.must(err)
	return h
}

func (f *filler) fragmented() {
	h := f.open("sparse/holes")
	for _, at := range []int64{0, 1 << 20, 1<<20 + int64(f.block)*3, 1 << 40} {
		_, err := h.WriteAt(f.bytes(f.block/2), at)
		f.must(err)
	}
	f.must(h.Truncate(1<<40 + 1<<30))
	f.must(h.Close())

	h = f.open("sparse/unwritten")
	f.must(unix.Fallocate(int(h.Fd()), 0, 0, 1<<20))
	_, err := h.WriteAt(f.bytes(f.block), int64(f.block)*5)
	f.must(err)
	f.must(unix.Fallocate(int(h.Fd()), unix.FALLOC_FL_KEEP_SIZE, 1<<20, 1<<20))
	f.must(h.Close())

	h = f.open("sparse/only-hole")
	f.must(h.Truncate(12345))
	f.must(h.Close())

	// Every other block is punched out, which leaves as many extents as
	// blocks; enough of them for three levels with 1 KiB blocks.
	for _, blocks := range []int{30, 300, f.scale(12000, 1500)} {
		h = f.open(fmt.Sprintf("sparse/punched-%d", blocks))
		for i := 0; i < blocks; i += 100 {
			_, err := h.Write(f.bytes(100 * f.block))
			f.must(err)
		}
		f.must(h.Sync())
		for i := 1; i < blocks; i += 2 {
			f.must(unix.Fallocate(int(h.Fd()), unix.FALLOC_FL_PUNCH_HOLE|unix.FALLOC_FL_KEEP_SIZE, int64(i*f.block), int64(f.block)))
		}
		f.must(h.Close())
	}

	src := f.file("reflink/source", f.bytes(64*f.block))
	in, err := os.Open(src)
	f.must(err)
	out := f.open("reflink/copy")
	if err := unix.IoctlFileClone(int(out.Fd()), int(in.Fd())); err == nil {
		for i := 0; i < 64; i += 3 {
			_, err := out.WriteAt(f.bytes(100), int64(i*f.block+17))
			f.must(err)
		}
	}
	f.must(out.Close())
	f.must(in.Close())
}

func (f *filler) links() {
	f.dir("links")
	for _, n := range []int{1, 10, 59, 60, 100, 250, 311, 312, 335, 336, 337, 500, 900, 967, 968, 969, 1000, 1023} {
		if n >= 1024 {
			continue
		}
		f.must(os.Symlink(strings.Repeat("t", n), f.path(fmt.Sprintf("links/sym-%d", n))))
		name := f.path(fmt.Sprintf("links/attr-%d", n))
		f.must(os.Symlink(strings.Repeat("a", n), name))
		f.must(unix.Lsetxattr(name, "security.selinux", bytes.Repeat([]byte("u"), 40), 0))
	}
	f.must(os.Symlink("../files/\xff\xfe\n\x1b", f.path("links/odd")))
	p := f.file("links/hard-0", []byte("hard"))
	for i := 1; i < 20; i++ {
		f.must(os.Link(p, f.path(fmt.Sprintf("links/hard-%d", i))))
	}
	f.must(unix.Linkat(unix.AT_FDCWD, f.path("links/sym-10"), unix.AT_FDCWD, f.path("links/sym-10-again"), 0))
}

func (f *filler) nodes() {
	f.dir("nodes")
	for name, dev := range map[string]uint64{
		"null": unix.Mkdev(1, 3), "big": unix.Mkdev(511, 1<<18-1), "sd": unix.Mkdev(259, 70000),
	} {
		f.must(unix.Mknod(f.path("nodes/c-"+name), unix.S_IFCHR|0o600, int(dev)))
		f.must(unix.Mknod(f.path("nodes/b-"+name), unix.S_IFBLK|0o660, int(dev)))
	}
	f.must(unix.Mknod(f.path("nodes/whiteout"), unix.S_IFCHR, 0))
	f.must(unix.Mkfifo(f.path("nodes/fifo"), 0o640))
	f.must(os.Link(f.path("nodes/fifo"), f.path("nodes/fifo-again")))
	f.must(unix.Mknod(f.path("nodes/socket"), unix.S_IFSOCK|0o755, 0))
	f.must(unix.Lsetxattr(f.path("nodes/fifo"), "security.selinux", []byte("fifo_t"), 0))
}

func (f *filler) dirs(entries int) {
	for _, n := range []int{0, 1, 5, 20, 60, 200, f.scale(1500, 600), entries} {
		dir := f.dir(fmt.Sprintf("dirs/%d", n))
		for i := range n {
			f.must(os.WriteFile(fmt.Sprintf("%s/entry-%06d%s", dir, i, strings.Repeat("x", i%30)), nil, 0o644))
		}
		// Freed entries, and with enough of them freed directory blocks.
		for i := range n {
			if n > 10 && (i%3 == 0 || i > n/2 && i < n*3/4) {
				f.must(os.Remove(fmt.Sprintf("%s/entry-%06d%s", dir, i, strings.Repeat("x", i%30))))
			}
		}
	}
	for _, name := range []string{strings.Repeat("n", 255), "\xff\xfe\x80", "new\nline", "esc\x1b[31m", "ünïcödé", " ", "-rf", "..."} {
		f.file("names/"+name, []byte(name))
	}
	deep := "deep"
	for i := range 60 {
		deep += fmt.Sprintf("/level-%02d", i)
	}
	f.file(deep+"/bottom", []byte("x"))
}

func (f *filler) attrs() {
	set := func(p, name string, value []byte) {
		f.t.Helper()
		if err := unix.Lsetxattr(p, name, value, 0); err != nil {
			f.t.Fatalf("%s: %s (%d bytes): %v", p, name, len(value), err)
		}
	}
	p := f.file("attrs/inline", nil)
	set(p, "user.empty", nil)
	set(p, "user.binary", []byte{0, 1, 255, 0})
	set(p, "trusted.t", []byte("trusted"))
	set(p, "security.selinux", []byte("system_u:object_r:etc_t:s0\x00"))
	set(p, "security.capability", []byte{1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, n := range []int{200, 255, 256, 300, 900, 1000, 2000, 3000, 4040, 4041, 8000, 65535, 65536} {
		set(f.file(fmt.Sprintf("attrs/value-%d", n), nil), "user.v", f.bytes(n))
	}
	for _, n := range []int{3, 10, 40, 200, f.scale(3000, 400)} {
		p := f.file(fmt.Sprintf("attrs/many-%d", n), f.bytes(10))
		for i := range n {
			set(p, fmt.Sprintf("user.attribute-number-%d", i), f.bytes(i%70))
		}
		for i := 0; i < n; i += 5 {
			f.must(unix.Lremovexattr(p, fmt.Sprintf("user.attribute-number-%d", i)))
		}
	}
	p = f.file("attrs/many-large", nil)
	for i := range f.scale(40, 12) {
		set(p, fmt.Sprintf("user.%s-%d", strings.Repeat("n", 200), i), f.bytes(i*1000))
	}
	set(f.dir("attrs/dir"), "user.d", []byte("directory"))

	acl := []byte{2, 0, 0, 0,
		1, 0, 7, 0, 255, 255, 255, 255,
		2, 0, 6, 0, 0xe8, 3, 0, 0,
		4, 0, 5, 0, 255, 255, 255, 255,
		8, 0, 4, 0, 0xe9, 3, 0, 0,
		16, 0, 7, 0, 255, 255, 255, 255,
		32, 0, 5, 0, 255, 255, 255, 255}
	set(f.file("attrs/acl", nil), "system.posix_acl_access", acl)
	dir := f.dir("attrs/acl-dir")
	set(dir, "system.posix_acl_access", acl)
	set(dir, "system.posix_acl_default", acl)
	f.file("attrs/acl-dir/inherits", nil)
}

// inodeEdges makes data forks that grow beside attributes, and the other way
// round.
func (f *filler) inodeEdges() {
	for i := range 40 {
		dir := f.dir(fmt.Sprintf("edges/dir-%d", i))
		for j := range i {
			f.must(os.WriteFile(fmt.Sprintf("%s/%d-%s", dir, j, strings.Repeat("y", i)), nil, 0o600))
			if j == i/2 {
				f.must(unix.Lsetxattr(dir, "user.mid", f.bytes(i), 0))
			}
		}
	}
	old := time.Unix(1, 5)
	f.must(os.Chtimes(f.path("edges"), old, old))
}

func newRand() *rand.Rand { return rand.New(rand.NewSource(1)) }
