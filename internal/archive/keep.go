package archive

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/wslimg/wslimg/internal/tree"
)

// Bounds of the contents that are kept in memory, in bytes.
const (
	maxFile     = 1 << 20  // of a file in one of the folders below
	maxFiles    = 64 << 20 // of all of them
	maxSmall    = 4 << 10  // of a file elsewhere
	maxSmalls   = 32 << 20
	headLen     = 64 // of a program: its ELF header
	maxHeadings = 16 << 20
)

// folders hold the configuration that rules read.
var folders = []string{"/etc/", "/usr/etc/", "/usr/lib/wsl/", "/usr/libexec/wsl/", "/usr/share/wsl/", "/var/lib/cloud/"}

// ErrNotKept: the content was passed over when the archive was read.
var ErrNotKept = errors.New("content was not kept in memory")

// keep decides what contents stay, within its budgets.
type keep struct{ files, smalls, heads int64 }

func newKeep() *keep { return &keep{maxFiles, maxSmalls, maxHeadings} }

// content reads what is kept of size bytes from r; the tar reader passes over
// the rest.
func (k *keep) content(path string, mode uint32, size int64, r io.Reader) (*tree.Content, error) {
	n := int64(0)
	switch {
	case size <= maxFile && inFolder(path) && take(&k.files, size),
		size <= maxSmall && take(&k.smalls, size):
		n = size
	case mode&0o111 != 0 && take(&k.heads, headLen):
		n = min(size, headLen)
	}
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		return nil, err
	}
	if n == size {
		return tree.Bytes(b), nil
	}
	return tree.Stream(size, func() (io.ReaderAt, error) { return head(b), nil }), nil
}

func take(budget *int64, n int64) bool {
	if n > *budget {
		return false
	}
	*budget -= n
	return true
}

func inFolder(path string) bool {
	if path == "/usr/lib/os-release" {
		return true
	}
	for _, f := range folders {
		if strings.HasPrefix(path, f) {
			return true
		}
	}
	return false
}

// head is the beginning of a content that was not kept whole.
type head []byte

func (h head) ReadAt(p []byte, off int64) (int, error) {
	n := 0
	if off >= 0 && off < int64(len(h)) {
		n = copy(p, h[off:])
	}
	if n < len(p) {
		return n, fmt.Errorf("byte %d: %w", off+int64(n), ErrNotKept)
	}
	return n, nil
}
