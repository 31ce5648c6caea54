//go:build oracle && linux

package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/manifest"
)

// TestStop interrupts conversions in the middle.
func TestStop(t *testing.T) {
	dir := build(t, "mkdebian.sh", "debian")
	// Under nohup hangups are ignored, here and by what is started here, unless
	// somebody listens.
	hangups := make(chan os.Signal, 1)
	signal.Notify(hangups, syscall.SIGHUP)
	defer signal.Stop(hangups)
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP} {
		for _, out := range []string{"out.tar", "out.tar.gz"} {
			t.Run(sig.String()+" "+out, func(t *testing.T) {
				place := t.TempDir()
				cmd := exec.CommandContext(t.Context(), wslimg, "convert", "--profile", "none", "--progress", "none", filepath.Join(dir, "debian.zlib.qcow2"), filepath.Join(place, out))
				var stdout, stderr bytes.Buffer
				cmd.Stdout, cmd.Stderr = &stdout, &stderr
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				waitForBytes(t, place)
				if err := cmd.Process.Signal(sig); err != nil {
					t.Fatal(err)
				}
				start := time.Now()
				err := cmd.Wait()
				if code := cmd.ProcessState.ExitCode(); code != 130 {
					t.Errorf("%v, want exit code 130\n%s", err, &stderr)
				}
				if took := time.Since(start); took > 10*time.Second {
					t.Errorf("took %v to stop", took)
				}
				left, err := os.ReadDir(place)
				if err != nil {
					t.Fatal(err)
				}
				for _, e := range left {
					t.Errorf("left behind: %s", e.Name())
				}
				if stdout.Len() > 0 || strings.Contains(stderr.String(), "goroutine ") {
					t.Errorf("output: %q %q", &stdout, &stderr)
				}
			})
		}
	}
}

// waitForBytes waits until a file in dir has some megabytes.
func waitForBytes(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		entries, err := os.ReadDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if info, err := e.Info(); err == nil && info.Size() > 4<<20 {
				return
			}
		}
	}
	t.Fatal("nothing was written in a minute")
}

// TestFullDisk has no room for the output.
func TestFullDisk(t *testing.T) {
	matrix := build(t, "mkimages.sh", "matrix")
	place := t.TempDir()
	command(t, "mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", place)
	defer func() {
		if err := unmount(place); err != nil {
			t.Error(err)
		}
	}()
	r := run(t, "convert", "--profile", "none", "--progress", "none", "--volume", "0", filepath.Join(matrix, "ext4/1k.img"), filepath.Join(place, "out.tar"))
	if r.code != 14 {
		t.Errorf("exit code %d, want 14\n%s", r.code, r.stderr)
	}
	oneError(t, r, place)
}

// TestWSLDisk extracts to a filesystem formatted as WSL formats its own, with
// what does not fit there left out by the command, and counted.
func TestWSLDisk(t *testing.T) {
	matrix := build(t, "mkimages.sh", "matrix")
	file := filepath.Join(t.TempDir(), "disk")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, 2<<30); err != nil {
		t.Fatal(err)
	}
	command(t, "mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "256", file)
	mnt := t.TempDir()
	if err := mount(file, mnt, ""); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := unmount(mnt); err != nil {
			t.Error(err)
		}
	}()
	for _, image := range []string{"xfs/default", "ext4/eainode", "ext4/i4096"} {
		t.Run(image, func(t *testing.T) {
			dir := filepath.Join(mnt, strings.ReplaceAll(image, "/", "-"))
			if err := os.Mkdir(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			tar := filepath.Join(folder(t, "xfs"), "out.tar")
			r := converts(t, "--profile", "none", "--json", "--progress", "none", "--volume", "0", filepath.Join(matrix, image+".img"), tar)
			var res struct {
				Losses []struct {
					Kind  string
					Count int
				}
			}
			if err := json.Unmarshal([]byte(r.stdout), &res); err != nil {
				t.Fatal(err)
			}
			lost := 0
			for _, l := range res.Losses {
				if l.Kind == "xattr too large for ext4" {
					lost = l.Count
				}
			}
			if r.code != 3 {
				t.Errorf("exit code %d with losses, want 3", r.code)
			}
			f, err := os.Open(tar)
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := bsdtar(t, f, dir); err != nil {
				t.Fatal(err)
			}
			got, err := manifest.FromDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			// Hard links show what was lost once for every name.
			original := want(kernelView(t, filepath.Join(matrix, image+".img"), false))
			if missing := count(original) - count(got); missing != lost {
				t.Errorf("%d attributes are missing, %d were reported", missing, lost)
			}
			t.Logf("%d attributes left out", lost)
		})
	}
}

// count is the number of attributes in a manifest less those that the kernel makes.
func count(entries []manifest.Entry) int {
	n := 0
	for _, e := range entries {
		if e.Link != "" && e.Link != e.Path || e.Mode.Is(fsys.ModeSocket) {
			continue
		}
		for _, a := range e.Xattrs {
			if !madeByKernel(string(a.Name)) {
				n++
			}
		}
	}
	return n
}
