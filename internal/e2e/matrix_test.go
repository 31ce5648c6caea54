//go:build oracle && linux

package e2e

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/manifest"
	"github.com/wslimg/wslimg/internal/sink/tarball"
)

// TestMatrix converts every image of the matrix, extracts the archive as WSL
// does, and compares the tree with the kernel's.
func TestMatrix(t *testing.T) {
	dir := build(t, "mkimages.sh", "matrix")
	for _, family := range []string{"ext4", "xfs"} {
		images, err := filepath.Glob(filepath.Join(dir, family, "*.img"))
		if err != nil || len(images) == 0 {
			t.Fatalf("no images of %s: %v", family, err)
		}
		for _, image := range images {
			name := strings.TrimSuffix(filepath.Base(image), ".img")
			t.Run(family+"/"+name, func(t *testing.T) {
				base := strings.TrimSuffix(image, ".img")
				if code, err := os.ReadFile(base + ".exit"); err == nil {
					refused(t, image, strings.TrimSpace(string(code)))
					return
				}
				tree := folder(t, family)
				losses := throughBsdtar(t, image, tree)
				for kind := range losses {
					if !slices.Contains(expectedLosses, kind) {
						t.Errorf("lost: %d × %s", losses[kind], kind)
					}
				}
				view, opt := expected(t, base)
				check(t, tree, want(view), opt)
				t.Logf("%d entries", len(view))
			})
		}
	}
}

// expectedLosses are what the matrix holds and no extraction restores.
var expectedLosses = []string{"socket", "lost+found", "ACL entry of an id above 2147483647"}

// silent is a reporter.
type silent struct{}

func (silent) Phase(string, int64) {}
func (silent) Add(int64)           {}

// throughBsdtar converts the filesystem that is the whole image and extracts it
// below dir, and returns how much of what kind was lost. Unlike the command it
// keeps attributes that WSL's disks have no room for: they tell about the reader.
func throughBsdtar(t *testing.T, image, dir string) map[string]int {
	t.Helper()
	r, w := io.Pipe()
	var res *convert.Result
	done := make(chan error, 1)
	go func() {
		var err error
		res, err = convert.Run(t.Context(), image, convert.Options{
			Open:    convert.OpenOptions{Volume: "0"},
			Archive: tarball.Options{BigXattrs: true},
		}, w, silent{})
		w.CloseWithError(err)
		done <- err
	}()
	extractErr := bsdtar(t, r, dir)
	r.CloseWithError(io.ErrClosedPipe)
	if err := <-done; err != nil && !errors.Is(err, io.ErrClosedPipe) {
		t.Fatal(err)
	}
	if extractErr != nil {
		t.Fatal(extractErr)
	}
	losses := make(map[string]int)
	for _, l := range res.Losses {
		losses[l.Kind] = l.Count
	}
	return losses
}

// expected is the kernel's view of BASE.img, taken when it was made if this
// kernel cannot mount it.
func expected(t *testing.T, base string) ([]manifest.Entry, manifest.Options) {
	t.Helper()
	f, err := os.Open(base + ".manifest")
	if err != nil {
		return kernelView(t, base+".img", strings.Contains(filepath.Base(base), "dirty")), manifest.Options{}
	}
	defer f.Close()
	view, err := manifest.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	var opt manifest.Options
	if strings.HasPrefix(filepath.Base(base), "block") {
		// mke2fs gives the top directory a time and mode of its own.
		opt.SkipEntry = func(e *manifest.Entry) bool { return e.Path == "." }
	}
	return view, opt
}

// refused holds a conversion to an exit code, one error line and no output.
func refused(t *testing.T, image, code string) {
	t.Helper()
	dir := t.TempDir()
	r := run(t, "convert", "--profile", "none", "--volume", "0", image, filepath.Join(dir, "out.tar"))
	if strconv.Itoa(r.code) != code {
		t.Errorf("exit code %d, want %s\n%s", r.code, code, r.stderr)
	}
	oneError(t, r, dir)
}

// oneError checks that a failed run said why in one line and left nothing in dir.
func oneError(t *testing.T, r result, dir string) {
	t.Helper()
	errors, hints := 0, 0
	for line := range strings.Lines(r.stderr) {
		switch {
		case strings.HasPrefix(line, "wslimg: error: "):
			errors++
		case strings.HasPrefix(line, "wslimg: hint: "):
			hints++
		}
	}
	if errors != 1 || hints > 1 || strings.Contains(r.stderr, "goroutine ") {
		t.Errorf("want one error line and at most one hint:\n%s", r.stderr)
	}
	if r.stdout != "" {
		t.Errorf("standard output: %q", r.stdout)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range left {
		t.Errorf("left behind: %s", e.Name())
	}
}
