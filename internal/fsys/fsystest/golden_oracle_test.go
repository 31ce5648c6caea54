//go:build oracle && linux

package fsystest

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestGoldenIsKernel holds the committed manifests against the kernel's mount
// of the images. XFS V4, which this kernel does not mount, is left to
// mktestdata.sh.
func TestGoldenIsKernel(t *testing.T) {
	for _, im := range Images(t, "") {
		if im.Name == "xfs-v4" {
			continue
		}
		t.Run(im.Name, func(t *testing.T) {
			dir := t.TempDir()
			mnt := filepath.Join(dir, "mnt")
			file := filepath.Join(dir, "image")
			if err := os.Mkdir(mnt, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, Unzstd(t, filepath.Join(Testdata(t), "images", im.Name+".img.zst")), 0o600); err != nil {
				t.Fatal(err)
			}
			// Not read-only: a journal has to be replayed.
			mount := exec.CommandContext(t.Context(), "mount", "-o", "loop", file, mnt)
			if out, err := mount.CombinedOutput(); err != nil {
				t.Fatalf("mount: %v\n%s", err, bytes.TrimSpace(out))
			}
			lines, err := Kernel(mnt)
			if out, err := exec.CommandContext(t.Context(), "umount", mnt).CombinedOutput(); err != nil {
				t.Fatalf("umount: %v\n%s", err, bytes.TrimSpace(out))
			}
			if err != nil {
				t.Fatal(err)
			}
			Compare(t, lines, Parse(strings.TrimSpace(im.Manifest)))
		})
	}
}
