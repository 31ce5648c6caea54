package osinfo

import (
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// sample makes a tree of regular files and, where content starts with "-> ", links.
func sample(t *testing.T, files map[string]string, links map[string]string) *tree.Tree {
	t.Helper()
	tr := &tree.Tree{Root: &tree.Node{Mode: fsys.ModeDir | 0o755, Links: 1}}
	for _, dir := range []string{"/etc", "/usr/lib", "/usr/bin"} {
		if _, err := tr.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for path, content := range files {
		if err := tr.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, target := range links {
		if err := tr.Symlink(path, target); err != nil {
			t.Fatal(err)
		}
	}
	return tr
}

// header is the start of an ELF file for a machine.
func header(data, lo, hi byte) string {
	h := make([]byte, 64)
	copy(h, "\x7fELF")
	h[5], h[18], h[19] = data, lo, hi
	return string(h)
}

func TestDetect(t *testing.T) {
	tr := sample(t, map[string]string{
		"/usr/lib/os-release": "# comment\nPRETTY_NAME=\"Debian \\\"GNU\\\"\"\nID=debian\nVERSION_ID='13'\nID_LIKE=\n",
		"/usr/bin/dash":       header(1, 62, 0),
	}, map[string]string{"/etc/os-release": "../usr/lib/os-release", "/bin": "usr/bin", "/usr/bin/sh": "dash"})
	want := Info{ID: "debian", VersionID: "13", Name: `Debian "GNU"`, Arch: "amd64"}
	if got := Detect(tr); got != want {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestDetectNothing(t *testing.T) {
	tr := sample(t, map[string]string{"/usr/bin/sh": "#!/bin/other\n" + string(make([]byte, 64))},
		map[string]string{"/etc/os-release": "/etc/os-release", "/bin": "usr/bin"})
	if got := Detect(tr); got != (Info{}) {
		t.Errorf("got %+v, want nothing", got)
	}
}

func TestArchByByteOrder(t *testing.T) {
	for head, want := range map[string]string{
		header(1, 183, 0): "arm64",
		header(2, 0, 22):  "s390x",
		header(1, 0, 22):  "machine 5632", // the other byte order
		header(1, 2, 1):   "loongarch",
	} {
		tr := sample(t, map[string]string{"/usr/bin/sh": head}, nil)
		if got := Detect(tr).Arch; got != want {
			t.Errorf("machine % x: %q, want %q", head[18:20], got, want)
		}
	}
}
