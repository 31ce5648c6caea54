//go:build oracle && linux

package tarball

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kpgzip "github.com/klauspost/compress/gzip"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/manifest"
	"github.com/wslimg/wslimg/internal/tree"
)

// extractor is a program that reads archives; what it cannot restore at all is
// left out of the comparison.
type extractor struct {
	name string
	env  []string
	args []string
	opt  manifest.Options
}

// wsl is the extraction of WSL's import: an empty environment, so the C locale.
var wsl = extractor{name: "wsl", env: []string{}, args: strings.Fields("bsdtar -C DIR -x -p --xattrs --numeric-owner -f -")}

var extractors = []extractor{
	wsl,
	{name: "bsdtar in UTF-8", env: []string{"LC_ALL=C.UTF-8"}, args: wsl.args},
	{name: "GNU tar", env: []string{}, args: strings.Fields("tar -C DIR -x -p --xattrs --xattrs-include=* --acls --numeric-owner --delay-directory-restore -f -"),
		opt: manifest.Options{
			SkipEntry: func(e *manifest.Entry) bool { return strings.HasPrefix(string(e.Path), "only-wsl") },
		}},
	{name: "Python", env: os.Environ(), args: []string{"python3", "-c",
		"import sys, tarfile; tarfile.open(fileobj=sys.stdin.buffer, mode='r:').extractall(sys.argv[1], numeric_owner=True)", "DIR"},
		opt: manifest.Options{
			SkipEntry: func(e *manifest.Entry) bool {
				return strings.HasPrefix(string(e.Path), "only-wsl") || e.Mode.Is(fsys.ModeSymlink)
			},
			SkipXattr: func(string) bool { return true },
			SkipTimes: true, // floating point
		}},
}

// extract runs x over an archive into a new directory of an ext4 filesystem
// and returns what it made.
func (x extractor) extract(t *testing.T, mnt string, archive []byte) []manifest.Entry {
	t.Helper()
	dir, err := os.MkdirTemp(mnt, "")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(t.TempDir(), "archive")
	if err := os.WriteFile(file, archive, 0o600); err != nil {
		t.Fatal(err)
	}
	in, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	args := slices.Clone(x.args)
	args[slices.Index(args, "DIR")] = dir
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env, cmd.Stdin = x.env, in
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", x.name, err, out)
	}
	got, err := manifest.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// ext4 mounts a new ext4 filesystem as WSL makes them.
func ext4(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("owners, devices and loop mounts need root")
	}
	image, mnt := filepath.Join(t.TempDir(), "ext4"), t.TempDir()
	if err := os.WriteFile(image, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(image, 512<<20); err != nil {
		t.Fatal(err)
	}
	command(t, "mkfs.ext4", "-q", "-F", "-b", "4096", "-I", "256", image)
	command(t, "mount", "-o", "loop", image, mnt)
	t.Cleanup(func() { command(t, "umount", mnt) })
	return mnt
}

func command(t *testing.T, name string, args ...string) {
	t.Helper()
	if out, err := exec.Command(name, args...).CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", name, err, out)
	}
}

// manifestOf is what a complete extraction of tr shows.
func manifestOf(t *testing.T, tr *tree.Tree) []manifest.Entry {
	t.Helper()
	var all []manifest.Entry
	inodes := map[*tree.Node]uint64{}
	err := tr.Walk(func(path string, n *tree.Node) error {
		if inodes[n] == 0 {
			inodes[n] = uint64(len(inodes) + 1)
		}
		e := manifest.Entry{
			Path: manifest.Raw(strings.TrimPrefix(path, "/")), Mode: manifest.Mode(n.Mode), UID: n.UID, GID: n.GID,
			Size: n.Size(), Sec: n.Mtime.Sec, Nsec: n.Mtime.Nsec, Target: manifest.Raw(n.Target),
			Inode: inodes[n], Nlink: n.Links,
		}
		if path == "/" {
			e.Path = "."
		}
		if n.IsSymlink() {
			e.Mode |= 0o777
		}
		if typ := n.Mode & fsys.ModeType; typ == fsys.ModeChar || typ == fsys.ModeBlock {
			e.Rdev = fmt.Sprintf("%d:%d", n.Rdev.Major, n.Rdev.Minor)
		}
		for _, x := range n.Xattrs {
			e.Xattrs = append(e.Xattrs, manifest.Attr{Name: manifest.Raw(x.Name), Value: x.Value})
		}
		if n.IsRegular() {
			var err error
			if e.Digest, err = digest(n); err != nil {
				return err
			}
		}
		all = append(all, e)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	manifest.Finish(all)
	return all
}

func digest(n *tree.Node) (string, error) {
	if n.Content == nil {
		return manifest.Digest(bytes.NewReader(nil), 0, nil)
	}
	f, err := n.Content.Open()
	if err != nil {
		return "", err
	}
	runs := n.Content.Runs
	if runs == nil {
		runs = []fsys.Run{{Len: n.Size()}}
	}
	return manifest.Digest(f, n.Size(), runs)
}

func capabilityValue() []byte { return []byte{1, 0, 0, 2, 0, 0x20, 19: 0} }

// ruleTree holds an entry for every rule of the archive.
func ruleTree(t *testing.T) *tree.Tree {
	dev := make(memDevice, 4<<20)
	for i := range dev {
		dev[i] = byte(i * i >> 8)
	}
	tr := newTree()
	tr.Root.Mode, tr.Root.UID, tr.Root.Mtime = fsys.ModeDir|0o1711, 3, fsys.Time{Sec: 1, Nsec: 5}
	add := func(path string, n tree.Node) *tree.Node { return put(t, tr, path, &n) }
	file := func(path string, n tree.Node) *tree.Node {
		n.Mode |= fsys.ModeRegular
		return add(path, n)
	}
	const reg, dir, lnk = fsys.ModeRegular, fsys.ModeDir, fsys.ModeSymlink

	add("/d", tree.Node{Mode: dir | 0o2555, UID: 7, GID: 8, Mtime: fsys.Time{Sec: 123, Nsec: 999_999_999}})
	for i, mode := range []uint32{0, 0o7777, 0o4755, 0o2755, 0o1644, 0o4000, 0o644} {
		file(fmt.Sprintf("/d/mode%d", i), tree.Node{Mode: mode, UID: 12, GID: 34})
	}
	for i, s := range []fsys.Time{{Sec: 0}, {Nsec: 1}, {Sec: -1}, {Sec: -1 << 31}, {Sec: 1 << 31, Nsec: 1e8}, {Sec: 15032385534, Nsec: 999_999_999}} {
		file(fmt.Sprintf("/time%d", i), tree.Node{Mtime: s})
	}
	for i, s := range []fsys.Time{{Sec: -1, Nsec: 1}, {Sec: -2, Nsec: 250_000_000}, {Sec: -1<<31 + 1, Nsec: 999_999_999}} {
		file(fmt.Sprintf("/only-wsl-time%d", i), tree.Node{Mtime: s})
	}
	file("/ids1", tree.Node{UID: maxOctal7, GID: maxOctal7 + 1})
	file("/ids2", tree.Node{UID: 4294967294, GID: 4294967294})

	long, raw := strings.Repeat("n", 255), strings.Repeat("é", 120)+"\xff\xfe\n"
	for _, name := range []string{long, raw, "nl\n", "\xff", "grüß", " ", "-f", `back\slash`, "a=b", "@", "*"} {
		file("/"+name, tree.Node{Mtime: fsys.Time{Sec: 5, Nsec: 5}})
		add("/d/"+name, tree.Node{Mode: dir | 0o755})
		file("/d/"+name+"/"+name, tree.Node{Content: tree.Bytes([]byte(name))})
		add("/d/"+name+"/link", tree.Node{Mode: lnk, Target: name})
	}
	add("/link1", tree.Node{Mode: lnk, Target: "x", UID: 5, Mtime: fsys.Time{Sec: 9, Nsec: 9}})
	add("/link100", tree.Node{Mode: lnk, Target: strings.Repeat("\xff", 100)})
	add("/link101", tree.Node{Mode: lnk, Target: "/" + strings.Repeat("ü", 50)})
	add("/link4095", tree.Node{Mode: lnk, Target: strings.Repeat("../", 1365)})

	chr := add("/chr", tree.Node{Mode: fsys.ModeChar | 0o620, GID: 5, Rdev: fsys.Rdev{Major: 4095, Minor: 1<<20 - 1}})
	add("/whiteout", tree.Node{Mode: fsys.ModeChar})
	blk := add("/blk", tree.Node{Mode: fsys.ModeBlock | 0o660, Rdev: fsys.Rdev{Major: 259, Minor: 300}})
	fifo := add("/fifo", tree.Node{Mode: fsys.ModeFifo | 0o600, Mtime: fsys.Time{Sec: 77, Nsec: 7}})
	for name, n := range map[string]*tree.Node{"chr": chr, "blk": blk, "fifo": fifo, "only-wsl-sym": tr.Root.Child("link1")} {
		put(t, tr, "/d/hard-"+name, n)
	}
	put(t, tr, "/d/"+raw+"/hard", tr.Root.Child(raw))

	x := func(kv ...string) (xs []fsys.Xattr) {
		for i := 0; i < len(kv); i += 2 {
			xs = append(xs, fsys.Xattr{Name: kv[i], Value: []byte(kv[i+1])})
		}
		return xs
	}
	file("/xattrs", tree.Node{Xattrs: x("security.selinux", "system_u:object_r:x:s0\x00", "trusted.overlay.opaque", "y", "user.bin", "\x00\n=%\xff", "user.empty", "", "user.n\xffäme\n", "v")})
	file("/only-wsl-names", tree.Node{Xattrs: x("user.%25", "", "user.%3D", "v", "user.a=b", "v\x00")})
	file("/ping", tree.Node{Mode: 0o4755, UID: 1, Xattrs: x(capability, string(capabilityValue()))})
	add("/d/xattrs", tree.Node{Mode: dir | 0o555, Xattrs: x("security.selinux", "d", "user.d", "v")})
	for name, n := range map[string]tree.Node{"l": {Mode: lnk, Target: "x"}, "c": {Mode: fsys.ModeChar, Rdev: fsys.Rdev{Major: 1, Minor: 3}}, "f": {Mode: fsys.ModeFifo}} {
		n.Xattrs = x("security.selinux", "label")
		add("/label-"+name, n)
	}
	file("/full", tree.Node{Xattrs: x("user.block", strings.Repeat("b", blockRoom-16-8), "user.inode", strings.Repeat("i", inodeRoom-16-8))})
	acl := string(aclValue([3]uint32{1, 6, noID}, [3]uint32{2, 7, 1000}, [3]uint32{2, 4, maxACLID}, [3]uint32{4, 4, noID}, [3]uint32{8, 5, 4}, [3]uint32{16, 7, noID}, [3]uint32{32, 4, noID}))
	file("/acl", tree.Node{Mode: 0o4674, Xattrs: x(aclAccess, acl)})
	mask := string(aclValue([3]uint32{1, 6, noID}, [3]uint32{4, 6, noID}, [3]uint32{16, 0, noID}, [3]uint32{32, 0, noID}))
	add("/acl-dir", tree.Node{Mode: dir | 0o2600, Xattrs: x(aclAccess, mask, aclDefault, acl, "user.x", "y")})
	file("/acl-dir/no-acl", tree.Node{Mode: 0o640})

	for _, size := range []int64{1, 511, 512, 513, 4096, 1<<20 - 1, 1 << 20, 3 << 20} {
		file(fmt.Sprintf("/size%d", size), tree.Node{Content: &tree.Content{Size: size, Dev: dev, Runs: []fsys.Run{{Len: size, Phys: 1000}}}})
	}
	sparse := func(path string, runs ...fsys.Run) {
		last := runs[len(runs)-1]
		file(path, tree.Node{Content: &tree.Content{Size: last.Off + last.Len, Dev: dev, Runs: runs},
			Mtime: fsys.Time{Sec: 3, Nsec: 3}, Xattrs: x("user.s", "v")})
	}
	const h = fsys.Hole
	sparse("/sparse-hole", fsys.Run{Len: 1 << 40, Phys: h})
	sparse("/sparse-tail", fsys.Run{Len: 4096}, fsys.Run{Off: 4096, Len: 1 << 33, Phys: h})
	sparse("/sparse-head", fsys.Run{Len: 1 << 34, Phys: h}, fsys.Run{Off: 1 << 34, Len: 4097})
	sparse("/d/"+raw+"/"+raw, fsys.Run{Len: 100_000, Phys: h}, fsys.Run{Off: 100_000, Len: 100})
	sparse("/d/"+long+"/sparse-"+long[7:], fsys.Run{Len: 100}, fsys.Run{Off: 100, Len: 100_000, Phys: h}, fsys.Run{Off: 100_100, Len: 3})
	var many []fsys.Run
	for off := int64(0); off < 20_000*12288; off += 12288 {
		many = append(many, fsys.Run{Off: off, Len: 512, Phys: off % (1 << 20)}, fsys.Run{Off: off + 512, Len: 11776, Phys: h})
	}
	sparse("/sparse-many", many...)
	sparse("/unaligned", fsys.Run{Len: 70_001, Phys: h}, fsys.Run{Off: 70_001, Len: 1001, Phys: 1}, fsys.Run{Off: 71_002, Len: 70_000, Phys: h})
	return tr
}

// deepTree holds a file whose path is as long as can be, and its hard link.
func deepTree(t *testing.T) *tree.Tree {
	tr := newTree()
	deep := ""
	for range 15 {
		deep += "/" + strings.Repeat("n", 255)
		put(t, tr, deep, &tree.Node{Mode: fsys.ModeDir | 0o700})
	}
	deep += "/" + strings.Repeat("f", maxPath-len(deep)-len("./"))
	n := put(t, tr, deep, &tree.Node{Mode: fsys.ModeRegular, Content: tree.Bytes([]byte("deep"))})
	put(t, tr, "/hard", n)
	return tr
}

func TestExtraction(t *testing.T) {
	mnt := ext4(t)
	tr := ruleTree(t)
	want := manifestOf(t, tr)
	plain, stats := write(t, tr, Options{})
	if len(stats.Losses) > 0 {
		t.Errorf("losses %+v", stats.Losses)
	}
	for _, x := range extractors {
		t.Run(x.name, func(t *testing.T) {
			got := x.extract(t, mnt, plain)
			for _, d := range manifest.Compare(want, got, x.opt) {
				t.Error(d)
			}
		})
	}
	t.Run("deep", func(t *testing.T) {
		deep := deepTree(t)
		plain, _ := write(t, deep, Options{})
		for _, x := range extractors[:3] { // Python has no way to such names
			for _, d := range manifest.Compare(manifestOf(t, deep), x.extract(t, mnt, plain), x.opt) {
				t.Errorf("%s: %s", x.name, d)
			}
		}
	})
	t.Run("compressed", func(t *testing.T) {
		for name, f := range map[string]Format{"gzip": Gzip, "zstd": Zstd, "xz": Xz} {
			out, _ := write(t, tr, Options{Format: f, Compression: Fast, Order: tree.Path})
			for _, d := range manifest.Compare(want, wsl.extract(t, mnt, out), manifest.Options{}) {
				t.Errorf("%s: %s", name, d)
			}
		}
	})
}

// TestLossesAreNeeded shows that what is left out would fail or be lost: when
// this test fails, a rule has had its day.
func TestLossesAreNeeded(t *testing.T) {
	mnt := ext4(t)
	for name, pax := range map[string]record{
		"namespace":        {"SCHILY.xattr.system.nfs4_acl", "v"},
		"capability":       {"SCHILY.xattr.security.capability", "v"},
		"too large":        {"SCHILY.xattr.user.x", strings.Repeat("v", blockRoom)},
		"non-ASCII path":   {"path", "./é"},
		"ACL by user name": {"SCHILY.acl.access", "user::rw-,user:nobody-knows:rw-,group::r--,mask::rw-,other::r--"},
	} {
		h := header{name: "./f", typ: typeFile, pax: []record{pax}}
		b, err := h.append(nil)
		if err != nil {
			t.Fatal(err)
		}
		b = bytes.Replace(b, []byte("21 hdrcharset=BINARY\n"), []byte("21 comment=\xc3\xa9 is UTF8\n"), 1)
		dir, err := os.MkdirTemp(mnt, "")
		if err != nil {
			t.Fatal(err)
		}
		args := slices.Clone(wsl.args)
		args[slices.Index(args, "DIR")] = dir
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Env, cmd.Stdin = []string{}, bytes.NewReader(append(b, make([]byte, 2*block)...))
		var exit *exec.ExitError
		if out, err := cmd.CombinedOutput(); !errors.As(err, &exit) {
			t.Errorf("%s: extraction ends in %v, want it to fail: %s", name, err, out)
		}
	}
}

// TestGzipReaders has everything that reads gzip read an archive that is made
// of all that a gzip stream of ours can hold.
func TestGzipReaders(t *testing.T) {
	dir := t.TempDir()
	tr := readerTree(t)
	for _, c := range []Compression{Fast, Default, Small} {
		want, _ := write(t, tr, Options{})
		out, _ := write(t, tr, Options{Format: Gzip, Compression: c})
		file := filepath.Join(dir, "a.tar.gz")
		if err := os.WriteFile(file, out, 0o600); err != nil {
			t.Fatal(err)
		}
		for _, line := range []string{
			"gzip -dc FILE", "pigz -dc FILE", "libdeflate-gunzip -c FILE", "bsdcat FILE", "igzip -dc FILE",
			"python3 -c import(gzip,sys,shutil);shutil.copyfileobj(gzip.open(sys.argv[1]),sys.stdout.buffer) FILE",
		} {
			args := strings.Fields(line)
			for i, a := range args {
				args[i] = strings.NewReplacer("FILE", file, "import(gzip,sys,shutil)", "import gzip,sys,shutil").Replace(a)
			}
			var errs bytes.Buffer
			cmd := exec.Command(args[0], args[1:]...)
			cmd.Stderr = &errs
			got, err := cmd.Output()
			if err != nil || !bytes.Equal(got, want) || errs.Len() > 0 {
				t.Errorf("compression %d: %s: %d bytes, want %d and the same; %v %s", c, line, len(got), len(want), err, errs.String())
			}
		}
		if got := plainOf(t, Gzip, out); !bytes.Equal(got, want) {
			t.Errorf("compression %d: compress/gzip reads something else", c)
		}
		kp, err := kpgzip.NewReader(bytes.NewReader(out))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := io.ReadAll(kp); err != nil || !bytes.Equal(got, want) {
			t.Errorf("compression %d: klauspost/compress reads something else, %v", c, err)
		}
		for _, x := range extractors[:3] {
			command(t, x.args[0], "-tzf", file)
		}
	}
}

// readerTree has files of whole and torn clusters: compressible ones, ones that
// deflate stores, zeros.
func readerTree(t *testing.T) *tree.Tree {
	plain := textDevice(6 << 20)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(plain[1<<20 : 2<<20])
	clear(plain[3<<20 : 4<<20])
	return clusterTree(t, newClusterDevice(t, plain, 65536, blockdev.Deflate), 65536)
}
