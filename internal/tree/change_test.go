package tree

import (
	"errors"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
)

// build makes a tree from lines "path", "path/", "path -> target" or
// "path = other path" (a hard link).
func build(t *testing.T, lines ...string) *Tree {
	t.Helper()
	tr := New()
	for _, l := range lines {
		var err error
		if path, target, ok := strings.Cut(l, " -> "); ok {
			err = tr.Symlink(path, target)
		} else if path, other, ok := strings.Cut(l, " = "); ok {
			n, err := tr.Lstat(other)
			if err != nil {
				t.Fatal(err)
			}
			dir, base, err := tr.Parent(path)
			if err != nil {
				t.Fatal(err)
			}
			dir.Set(base, n)
		} else if path, ok := strings.CutSuffix(l, "/"); ok {
			_, err = tr.MkdirAll(path, 0o755)
		} else {
			err = tr.WriteFile(l, []byte(l), 0o644)
		}
		if err != nil {
			t.Fatalf("%s: %v", l, err)
		}
	}
	return tr
}

// checkLinks fails when Links of a node is not the number of its names.
func checkLinks(t *testing.T, tr *Tree) {
	t.Helper()
	names := map[*Node]uint32{}
	_ = tr.Walk(func(_ string, n *Node) error { names[n]++; return nil })
	_ = tr.Walk(func(path string, n *Node) error {
		if n.Links != names[n] {
			t.Errorf("%s: Links is %d, has %d names", path, n.Links, names[n])
		}
		return nil
	})
}

func TestResolveStaysInside(t *testing.T) {
	tr := build(t, "/real/sub/", "/real/sub/f", "/etc -> ../../../../real/sub", "/abs -> /real/../../real/sub",
		"/real/up -> ..", "/loop -> loop2", "/loop2 -> /loop", "/gone -> nowhere", "/real/sub/self -> .", "/deep -> real/up/real/up/abs/self/f")
	for path, want := range map[string]string{
		"/etc/f": "/real/sub/f", "/abs/f": "/real/sub/f", "/real/up/real/sub/f": "/real/sub/f",
		"/../../etc/../sub/f": "/real/sub/f", "/deep": "/real/sub/f", "/etc/self/self/./f": "/real/sub/f", "/..": "/",
	} {
		if got, err := tr.Canonical(path); got != want || err != nil {
			t.Errorf("%s: got %q (%v), want %q", path, got, err, want)
		}
	}
	for path, want := range map[string]error{
		"/loop": ErrLoop, "/loop/x": ErrLoop, "/gone": ErrNotExist, "/real/sub/f/x": ErrNotDir, "/real/sub/f/..": ErrNotDir,
	} {
		if _, err := tr.Lookup(path); !errors.Is(err, want) {
			t.Errorf("%s: got %v, want %v", path, err, want)
		}
	}
	if n, err := tr.Lstat("/loop"); err != nil || !n.IsSymlink() {
		t.Error("the last link was followed:", err)
	}
}

func TestWriteThroughHostileEtc(t *testing.T) {
	tr := build(t, "/real/", "/etc -> ../../..", "/passwd")
	if err := tr.WriteFile("/etc/passwd", []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if b, err := tr.ReadFile("/passwd", 10); string(b) != "x" || err != nil {
		t.Errorf("got %q, %v", b, err)
	}
	checkLinks(t, tr)
}

func TestUpdate(t *testing.T) {
	tr := build(t, "/etc/", "/usr/", "/usr/conf", "/etc/conf -> ../usr/conf", "/etc/gone -> /run/x", "/etc/loop -> loop", "/other = /usr/conf")
	update := func(path, data string, want bool) {
		t.Helper()
		changed, err := tr.Update(path, []byte(data), 0o644)
		if err != nil || changed != want {
			t.Errorf("%s: changed %v, %v", path, changed, err)
		}
		if b, err := tr.ReadFile(path, 100); string(b) != data || err != nil {
			t.Errorf("%s: holds %q, %v", path, b, err)
		}
		checkLinks(t, tr)
	}
	update("/etc/conf", "new", true)
	update("/etc/conf", "new", false)
	update("/etc/gone", "", true)
	update("/etc/gone", "", false)
	update("/etc/loop", "x", true)
	if n, _ := tr.Lstat("/etc/conf"); !n.IsSymlink() {
		t.Error("the link is gone")
	}
	if b, _ := tr.ReadFile("/other", 100); string(b) != "/usr/conf" {
		t.Errorf("the other name of the file changed too: %q", b)
	}
	if _, err := tr.Update("/etc", nil, 0o644); err == nil {
		t.Error("a directory became a file")
	}
}

func TestOwnUnsharesHardLinks(t *testing.T) {
	tr := build(t, "/a", "/b = /a", "/c = /a", "/l -> b")
	n, err := tr.Own("/l")
	if err != nil {
		t.Fatal(err)
	}
	n.Mode = fsys.ModeRegular | 0o600
	checkLinks(t, tr)
	for path, want := range map[string]uint32{"/a": 0o644, "/b": 0o600, "/c": 0o644} {
		if n, _ := tr.Lstat(path); n.Mode&fsys.ModePerm != want {
			t.Errorf("%s: mode %#o, want %#o", path, n.Mode&fsys.ModePerm, want)
		}
	}
	if b, err := tr.ReadFile("/b", 10); string(b) != "/a" || err != nil {
		t.Errorf("content %q, %v", b, err)
	}
}

func TestRemoveKeepsLinks(t *testing.T) {
	tr := build(t, "/d/e/", "/d/e/f", "/g = /d/e/f", "/d/e/h = /g", "/l -> d")
	if ok, err := tr.Remove("/l/e"); !ok || err != nil {
		t.Fatal(ok, err)
	}
	checkLinks(t, tr)
	if n, _ := tr.Lstat("/g"); n == nil || n.Links != 1 {
		t.Errorf("%+v", n)
	}
	for _, path := range []string{"/l/e", "/no/such"} {
		if ok, err := tr.Remove(path); ok || err != nil {
			t.Errorf("%s: %v %v", path, ok, err)
		}
	}
	if ok, _ := tr.Remove("/l"); !ok {
		t.Error("the link stayed")
	}
	if _, err := tr.Lstat("/d"); err != nil {
		t.Error("the link was followed:", err)
	}
}

func TestPut(t *testing.T) {
	tr := build(t, "/etc/", "/etc/full/", "/etc/full/x", "/etc/l -> full/x")
	tr.Now = fsys.Time{Sec: 7}
	label := fsys.Xattr{Name: selinux, Value: []byte("etc_t")}
	n, _ := tr.Lstat("/etc")
	n.Xattrs = []fsys.Xattr{label}
	if err := tr.Put("/etc/full", &Node{Mode: fsys.ModeRegular}); err == nil {
		t.Error("a full directory was replaced")
	}
	if err := tr.WriteFile("/etc/l", []byte("n"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, _ = tr.Lstat("/etc/l")
	if v, _ := n.Xattr(selinux); !n.IsRegular() || string(v) != "etc_t" || n.Mtime.Sec != 7 {
		t.Errorf("%+v", n)
	}
	for _, path := range []string{"/", "", "/etc/..", "/etc/.", "/etc/full/x/y"} {
		if err := tr.Put(path, &Node{Mode: fsys.ModeRegular}); err == nil {
			t.Errorf("%q was put", path)
		}
	}
	checkLinks(t, tr)
}

func TestMkdirAll(t *testing.T) {
	tr := build(t, "/run/", "/var/", "/var/run -> /run", "/home -> data/nowhere/../home", "/turn -> turn", "/f")
	for path, made := range map[string]string{
		"/var/run/a/b": "/run/a/b",
		"/home/me":     "/data/home/me", // the link, which led nowhere, stays
		"/":            "/",
	} {
		if _, err := tr.MkdirAll(path, 0o755); err != nil {
			t.Fatal(err)
		}
		if n, err := tr.Lstat(made); err != nil || !n.IsDir() {
			t.Error(made, n, err)
		}
	}
	if n, err := tr.Lstat("/home"); err != nil || !n.IsSymlink() {
		t.Error(n, err)
	}
	if _, err := tr.MkdirAll("/turn/x", 0o755); !errors.Is(err, ErrLoop) {
		t.Error(err)
	}
	if _, err := tr.MkdirAll("/f/x", 0o755); !errors.Is(err, ErrNotDir) {
		t.Error(err)
	}
	checkLinks(t, tr)
}
