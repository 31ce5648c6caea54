//go:build oracle && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/manifest"
)

// partition is a part of a disk by its place and size in MiB.
type partition struct {
	start, size int
	at          string // mount point, "" for the root
}

// diskView is what the kernel shows of partitions mounted over each other.
func diskView(t *testing.T, disk, options string, parts ...partition) []manifest.Entry {
	t.Helper()
	top := t.TempDir()
	var mounted []string
	defer func() {
		for _, m := range slices.Backward(mounted) {
			if err := unmount(m); err != nil {
				t.Error(err)
			}
		}
	}()
	for _, p := range parts {
		dir := filepath.Join(top, p.at)
		if err := mount(disk, dir, fmt.Sprintf("%s,offset=%d,sizelimit=%d", options, p.start<<20, p.size<<20)); err != nil {
			t.Fatal(err)
		}
		mounted = append(mounted, dir)
	}
	view, err := manifest.FromDir(top)
	if err != nil {
		t.Fatal(err)
	}
	return view
}

// TestDebian converts a Debian disk in every container to every format.
func TestDebian(t *testing.T) {
	dir := build(t, "mkdebian.sh", "debian")
	view := diskView(t, filepath.Join(dir, "debian.raw"), "ro", partition{start: 128, size: 4096 - 129})
	out := folder(t, "ext4")
	tar := filepath.Join(out, "debian.tar")
	converts(t, "--profile", "none", filepath.Join(dir, "debian.raw"), tar)
	sum := digest(t, tar)
	t.Logf("%d entries", len(view))

	t.Run("bsdtar", func(t *testing.T) {
		tree := folder(t, "ext4")
		f, err := os.Open(tar)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := bsdtar(t, f, tree); err != nil {
			t.Fatal(err)
		}
		check(t, tree, want(view), manifest.Options{})
	})
	t.Run("GNU tar", func(t *testing.T) {
		tree := folder(t, "ext4")
		// Its default is to take a directory for finished when another begins.
		cmd := exec.CommandContext(t.Context(), "tar", "-C", tree, "--delay-directory-restore", "--xattrs", "--xattrs-include=*", "--acls", "--numeric-owner", "-xpf", tar)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("tar: %v\n%.2000s", err, out)
		}
		check(t, tree, want(view), manifest.Options{})
	})
	t.Run("Python", func(t *testing.T) { checkPython(t, tar, want(view)) })

	// The tar depends on what the disk holds alone.
	for _, image := range []string{"debian.qcow2", "debian.zlib.qcow2", "debian.zstd.qcow2"} {
		t.Run(image, func(t *testing.T) {
			again := filepath.Join(t.TempDir(), "out.tar")
			converts(t, "--profile", "none", "--jobs", "8", filepath.Join(dir, image), again)
			if got := digest(t, again); got != sum {
				t.Errorf("the tar is another one than that of the raw disk: %s, want %s", got, sum)
			}
		})
	}
	// Compressed output unpacks to the same tar, and does not depend on --jobs.
	for _, test := range []struct{ image, suffix, unpack string }{
		{"debian.zlib.qcow2", ".tar.gz", "gzip"},
		{"debian.zstd.qcow2", ".tar.zst", "zstd"},
	} {
		t.Run(test.image+" to "+test.suffix, func(t *testing.T) {
			var sums []string
			for _, jobs := range []string{"1", "8"} {
				packed := filepath.Join(t.TempDir(), "out"+test.suffix)
				converts(t, "--profile", "none", "--jobs", jobs, filepath.Join(dir, test.image), packed)
				sums = append(sums, digest(t, packed))
				if jobs == "1" {
					if got := unpacked(t, test.unpack, packed); got != sum {
						t.Errorf("unpacks to %s, want %s", got, sum)
					}
				}
				if err := os.Remove(packed); err != nil {
					t.Fatal(err)
				}
			}
			if sums[0] != sums[1] {
				t.Errorf("--jobs 1 gives %s, --jobs 8 %s", sums[0], sums[1])
			}
		})
	}
}

// TestPeakMemory holds a conversion to its limit, whatever the workers.
func TestPeakMemory(t *testing.T) {
	dir := build(t, "mkdebian.sh", "debian")
	for _, jobs := range []string{"1", "8"} {
		out := filepath.Join(t.TempDir(), "out.tar.gz")
		// A process starts with the peak of the one that started it, so this
		// takes one that is smaller than a Go test.
		const script = `import resource, subprocess, sys
subprocess.run(sys.argv[1:], check=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)`
		cmd := exec.CommandContext(t.Context(), "python3", "-c", script, wslimg, "convert", "--profile", "none", "-q", "--jobs", jobs, filepath.Join(dir, "debian.zlib.qcow2"), out)
		stdout, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		kib, err := strconv.Atoi(strings.TrimSpace(string(stdout)))
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("--jobs %s: %d MiB", jobs, kib>>10)
		if kib > 200<<10 {
			t.Errorf("--jobs %s: %d MiB at the peak, want at most 200", jobs, kib>>10)
		}
	}
}

// TestRHEL converts a disk whose /boot is a partition of its own.
func TestRHEL(t *testing.T) {
	dir := build(t, "mkdebian.sh", "debian")
	view := diskView(t, filepath.Join(dir, "rhel.raw"), "ro,nouuid", partition{start: 701, size: 3700}, partition{start: 201, size: 500, at: "boot"})
	r := exec.CommandContext(t.Context(), wslimg, "convert", "--profile", "none", "--progress", "none", "--format", "tar", filepath.Join(dir, "rhel.zlib.qcow2"), "-")
	var stderr bytes.Buffer
	r.Stderr = &stderr
	pipe, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	tree := folder(t, "ext4")
	extractErr := bsdtar(t, pipe, tree)
	if err := r.Wait(); err != nil {
		t.Fatalf("convert: %v\n%s", err, &stderr)
	}
	if extractErr != nil {
		t.Fatal(extractErr)
	}
	labels := 0
	for _, e := range view {
		for _, a := range e.Xattrs {
			if a.Name == "security.selinux" {
				labels++
			}
		}
	}
	if labels < 20000 {
		t.Errorf("only %d SELinux labels in the image", labels)
	}
	t.Logf("%d entries, %d labels", len(view), labels)
	check(t, tree, want(view), manifest.Options{})
}

func digest(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	return sum(t, f)
}

func sum(t *testing.T, r io.Reader) string {
	t.Helper()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// unpacked is the digest of what an independent tool unpacks.
func unpacked(t *testing.T, tool, file string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := exec.CommandContext(ctx, tool, "-dc", file)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	got := sum(t, pipe)
	if err := cmd.Wait(); err != nil || stderr.Len() > 0 {
		t.Fatalf("%s: %v: %s", tool, err, &stderr)
	}
	return got
}
