//go:build oracle && linux

package e2e

import (
	"encoding/binary"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/manifest"
)

// kernelView is what the kernel shows of the filesystem in an image file. A
// dirty one is copied, because mounting replays its log.
func kernelView(t *testing.T, image string, dirty bool) []manifest.Entry {
	t.Helper()
	options := "ro"
	if dirty {
		copied := filepath.Join(t.TempDir(), "copy")
		if out, err := exec.CommandContext(t.Context(), "cp", "--sparse=always", image, copied).CombinedOutput(); err != nil {
			t.Fatalf("cp: %v: %s", err, out)
		}
		image, options = copied, ""
	}
	mnt := t.TempDir()
	if err := mount(image, mnt, options); err != nil {
		t.Fatal(err)
	}
	entries, err := manifest.FromDir(mnt)
	if err := unmount(mnt); err != nil {
		t.Fatal(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// want is what has to come out of an archive of the kernel's view: no sockets,
// no attributes that extraction does not restore.
func want(view []manifest.Entry) []manifest.Entry {
	var out []manifest.Entry
	for _, e := range view {
		if e.Mode.Is(fsys.ModeSocket) {
			continue
		}
		var kept []manifest.Attr
		for _, a := range e.Xattrs {
			if madeByKernel(string(a.Name)) {
				continue
			}
			if strings.HasPrefix(string(a.Name), "system.posix_acl_") {
				a.Value = aclWithoutLargeIDs(a.Value)
			}
			kept = append(kept, a)
		}
		e.Xattrs = kept
		out = append(out, e)
	}
	return out
}

// madeByKernel tells which attributes say nothing of an inode: XFS shows ACLs a
// second time, in its own form.
func madeByKernel(attr string) bool { return strings.HasPrefix(attr, "trusted.SGI_ACL_") }

// aclWithoutLargeIDs drops the entries that libarchive cannot restore, of ids
// that do not fit a signed 32-bit number.
func aclWithoutLargeIDs(acl []byte) []byte {
	out := append([]byte{}, acl[:4]...)
	for at := 4; at+8 <= len(acl); at += 8 {
		named := acl[at] == 2 || acl[at] == 8
		if id := binary.LittleEndian.Uint32(acl[at+4:]); !named || id <= 1<<31-1 {
			out = append(out, acl[at:at+8]...)
		}
	}
	return out
}

// check compares an extracted tree with what was to come out.
func check(t *testing.T, dir string, want []manifest.Entry, opt manifest.Options) {
	t.Helper()
	got, err := manifest.FromDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	opt.SkipXattr = madeByKernel
	// fsck's directory may be left out where it holds nothing.
	if !slices.ContainsFunc(want, func(e manifest.Entry) bool { return strings.HasPrefix(string(e.Path), "lost+found/") }) {
		skip := opt.SkipEntry
		opt.SkipEntry = func(e *manifest.Entry) bool { return e.Path == "lost+found" || skip != nil && skip(e) }
	}
	diffs := manifest.Compare(want, got, opt)
	// Holes must not have been filled with zeros that take room, beyond what
	// larger blocks than the image's need.
	size := make(map[manifest.Raw]int64)
	for _, e := range got {
		size[e.Path] = e.Blocks
	}
	for _, e := range want {
		if slack := int64(1 << 20); e.Blocks > 0 && size[e.Path] > 4*e.Blocks+slack {
			diffs = append(diffs, fmt.Sprintf("%q: takes %d bytes on disk, %d in the image", string(e.Path), size[e.Path], e.Blocks))
		}
	}
	report(t, diffs)
}

func report(t *testing.T, diffs []string) {
	t.Helper()
	const most = 20
	n := len(diffs)
	if n > most {
		diffs = append(diffs[:most], "…")
	}
	if n > 0 {
		t.Errorf("%d differences:\n%s", n, strings.Join(diffs, "\n"))
	}
}

// bsdtar extracts as WSL does: in an empty environment, and a warning is a failure.
func bsdtar(t *testing.T, archive io.Reader, dir string) error {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bsdtar", "-C", dir, "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
	cmd.Env = []string{}
	cmd.Stdin = archive
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		return fmt.Errorf("bsdtar: %w\n%.2000s", err, out)
	}
	return nil
}
