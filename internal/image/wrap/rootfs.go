package wrap

import (
	"archive/tar"
	"bufio"
	"errors"
	"io"

	"github.com/wslimg/wslimg/internal/image/sniff"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// IsRootfs tells whether r is the archive of a root filesystem, in whatever
// compression, and not a disk image, wrapped or not. It reads no further than
// it must. What is damaged before that is no such archive.
func IsRootfs(r io.Reader) (bool, error) {
	in, err := peel(r)
	defer in.close()
	switch {
	case errors.Is(err, ondisk.ErrCorrupt) || errors.Is(err, ondisk.ErrUnsupported):
		return false, nil // opening it as an image tells what is wrong
	case err != nil || !in.isTar:
		return false, err
	}
	return holdsRootfs(in)
}

func holdsRootfs(r io.Reader) (bool, error) {
	var root rootfs
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err != nil {
			return false, nil //nolint:nilerr // as above
		}
		if root.saw(h.Name) {
			return true, nil
		}
		if h.Typeflag == tar.TypeReg || h.Typeflag == tar.TypeGNUSparse {
			head, err := bufio.NewReaderSize(tr, peekLen).Peek(peekLen)
			if (err == nil || errors.Is(err, io.EOF)) && sniff.DiskStart(head) {
				return false, nil
			}
		}
	}
}
