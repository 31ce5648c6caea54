//go:build oracle && linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/manifest"
)

const (
	demo       = "../../testdata/images/demo.qcow2"
	demoOffset = 0x400000 // of its root partition
)

// TestImport compares what the stand-in for WSL extracted, by WSL's own line,
// with the kernel's view of the disk: equal without edits, and with them
// different only where an edit is reported.
func TestImport(t *testing.T) {
	view := want(demoView(t))
	t.Run("no edits", func(t *testing.T) {
		dir, _ := importDemo(t, "--profile", "none")
		check(t, dir, view, manifest.Options{})
	})
	t.Run("via file", func(t *testing.T) {
		dir, _ := importDemo(t, "--profile", "none", "--via-file")
		check(t, dir, view, manifest.Options{})
	})
	t.Run("edits", func(t *testing.T) {
		dir, changes := importDemo(t, "--user", "debian", "--set", "interop.appendWindowsPath=false")
		got, err := manifest.FromDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		diffs := manifest.Compare(view, got, manifest.Options{})
		if len(diffs) == 0 {
			t.Error("no edit had an effect")
		}
		var hidden []string
		for _, d := range diffs {
			quoted, err := strconv.QuotedPrefix(d)
			if err != nil {
				t.Fatal(err)
			}
			name, _ := strconv.Unquote(quoted) // as just found
			if !reported(changes, "/"+name) && name != "lost+found" {
				hidden = append(hidden, d)
			}
		}
		report(t, hidden)
	})
}

// reported tells whether an edit of the path, or of a folder it lies in, is told.
func reported(changes []edit.Change, name string) bool {
	for ; name != "/"; name = path.Dir(name) {
		for _, c := range changes {
			if c.Path == name {
				return true
			}
		}
	}
	return false
}

// demoView is the kernel's view of the demo image's root.
func demoView(t *testing.T) []manifest.Entry {
	t.Helper()
	raw := filepath.Join(t.TempDir(), "raw")
	if out, err := exec.Command("qemu-img", "convert", "-O", "raw", demo, raw).CombinedOutput(); err != nil {
		t.Fatalf("qemu-img: %v: %s", err, out)
	}
	mnt := t.TempDir()
	if err := mount(raw, mnt, "ro,noload,offset="+strconv.Itoa(demoOffset)); err != nil {
		t.Fatal(err)
	}
	entries, err := manifest.FromDir(mnt)
	if uerr := unmount(mnt); uerr != nil || err != nil {
		t.Fatal(err, uerr)
	}
	return entries
}

// importDemo imports the demo image into a WSL of its own and returns the tree
// that came out and the edits that were told.
func importDemo(t *testing.T, args ...string) (dir string, changes []edit.Change) {
	t.Helper()
	return importInto(t, folder(t, "ext4"), demo, args...)
}

// importInto imports an image as "demo" into a WSL whose drive C: is the
// folder c, with the profile of a user Jo Doe.
func importInto(t *testing.T, c, image string, args ...string) (dir string, changes []edit.Change) {
	t.Helper()
	bin := t.TempDir()
	for _, d := range []string{"state", "Users/Jo Doe/AppData/Local"} {
		if err := os.MkdirAll(filepath.Join(c, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if out, err := exec.Command("go", "build", "-o", filepath.Join(bin, "wsl.exe"), "../wsl/fakewsl/wsl").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v: %s", err, out)
	}
	for _, name := range []string{"cmd.exe", "wslpath"} {
		if err := os.Symlink("wsl.exe", filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	bsdtar, err := exec.LookPath("bsdtar")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(wslimg, append([]string{"import", image, "--json", "--name", "demo", "--location", `C:\demo`}, args...)...)
	cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"), "WSL_DISTRO_NAME=Test", "WSL_INTEROP=/run/WSL/1_interop",
		"FAKEWSL_STATE="+filepath.Join(c, "state"), "FAKEWSL_DRIVE="+c, "FAKEWSL_BSDTAR="+bsdtar,
		`FAKEWSL_USERPROFILE=C:\Users\Jo Doe`, `FAKEWSL_LOCALAPPDATA=C:\Users\Jo Doe\AppData\Local`)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, stderr.String())
	}
	var res struct{ Changes []edit.Change }
	if err := json.Unmarshal(out, &res); err != nil {
		t.Fatal(err)
	}
	return filepath.Join(c, "demo", "rootfs"), res.Changes
}
