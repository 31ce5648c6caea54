package fakewsl

import (
	"archive/tar"
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

// extract unpacks an archive below dir and tells whether it holds /etc or
// /bin/sh.
func extract(in io.Reader, dir string) (valid bool, err error) {
	if program := os.Getenv("FAKEWSL_BSDTAR"); program != "" {
		return bsdtar(program, in, filepath.Join(dir, "rootfs"))
	}
	store, err := os.OpenFile(filepath.Join(dir, disk), os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return false, err
	}
	valid, err = walk(io.TeeReader(in, store))
	return valid, errors.Join(err, store.Close())
}

// bsdtar runs the line of ImportFromSocket (src/linux/init/main.cpp), in an
// empty environment.
func bsdtar(program string, in io.Reader, root string) (bool, error) {
	if err := os.Mkdir(root, 0o755); err != nil {
		return false, err
	}
	cmd := exec.Command(program, "-C", root, "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
	cmd.Env, cmd.Stdin, cmd.Stderr = []string{}, in, os.Stderr
	if err := cmd.Run(); err != nil {
		return false, err
	}
	for _, name := range []string{"etc", "bin/sh"} {
		if _, err := os.Lstat(filepath.Join(root, name)); err == nil {
			return true, nil
		}
	}
	return false, nil
}

// walk reads an archive to its end. As bsdtar, it takes an archive that ends
// between two entries, and reads nothing after the first block of zeros.
func walk(in io.Reader) (valid bool, err error) {
	buf := bufio.NewReaderSize(in, 64<<10)
	in = buf
	if magic, _ := buf.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		if in, err = gzip.NewReader(buf); err != nil {
			return false, err
		}
	}
	for r := tar.NewReader(in); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return valid, nil
		}
		if err != nil {
			return false, fmt.Errorf("damaged archive: %w", err)
		}
		name := path.Clean("/" + h.Name)
		valid = valid || name == "/etc" || name == "/bin/sh"
	}
}
