package wrap

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/image/sniff"
	"github.com/wslimg/wslimg/internal/ondisk"
)

const tarBlock = 512

// isTar tells whether head is a tar header: the checksum holds, whatever the
// dialect.
func isTar(head []byte) bool {
	if len(head) < tarBlock || head[0] == 0 {
		return false
	}
	const sumOff, sumEnd = 148, 156
	want, err := strconv.ParseUint(string(bytes.Trim(head[sumOff:sumEnd], " \x00")), 8, 32)
	if err != nil {
		return false
	}
	var sum uint64
	for i, b := range head[:tarBlock] {
		if i >= sumOff && i < sumEnd {
			b = ' '
		}
		sum += uint64(b)
	}
	return sum == want
}

// untar copies the one disk image in the archive to w. It reads the archive to
// its end: there must not be a second one.
func untar(w io.Writer, r io.Reader) error {
	tr := tar.NewReader(r)
	found := ""
	var root rootfs
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return corruptTar(err)
		}
		if root.saw(h.Name) {
			return ondisk.WithHint(ondisk.Unsupportedf("holds a root filesystem already, not a disk image"), "wslimg check takes it as it is and, from a file, wslimg import")
		}
		if h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse {
			continue
		}
		in := bufio.NewReaderSize(tr, peekLen)
		head, err := in.Peek(peekLen)
		if err != nil && !errors.Is(err, io.EOF) {
			return corruptTar(err)
		}
		if !sniff.DiskStart(head) {
			continue
		}
		if found != "" {
			return ondisk.WithHint(ondisk.Unsupportedf("the archive holds several disk images, %q and %q", found, h.Name), "unpack it and give one of them")
		}
		found = h.Name
		if _, err := io.CopyBuffer(w, struct{ io.Reader }{in}, make([]byte, 256<<10)); err != nil {
			return fmt.Errorf("%q: %w", h.Name, corruptTar(err))
		}
	}
	if found == "" {
		return ondisk.NotFormatf("the archive holds no disk image")
	}
	_, err := io.Copy(io.Discard, r) // for the checksum at the end of what wraps it
	return err
}

func corruptTar(err error) error {
	if errors.Is(err, tar.ErrHeader) || errors.Is(err, io.ErrUnexpectedEOF) {
		return corrupt(err)
	}
	return err
}

// rootfs recognises the archive of a root filesystem by its top-level names.
type rootfs struct{ etc, bin bool }

func (r *rootfs) saw(name string) bool {
	top, _, _ := strings.Cut(strings.TrimPrefix(path.Clean("/"+name), "/"), "/")
	switch top {
	case "etc":
		r.etc = true
	case "bin", "usr":
		r.bin = true
	}
	return r.etc && r.bin
}
