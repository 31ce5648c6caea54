//go:build oracle && linux

package fsystest

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Kernel returns the manifest of what Linux shows below dir, a mount point.
func Kernel(dir string) ([]string, error) {
	var lines []string
	digests := map[uint64]string{}
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		n, err := kernelInode(path)
		if err != nil {
			return &os.PathError{Op: "manifest", Path: path, Err: err}
		}
		digest := ""
		if n.IsRegular() {
			if digest = digests[uint64(n.Ino)]; digest == "" {
				if digest, err = kernelDigest(path, n.Size); err != nil {
					return err
				}
				digests[uint64(n.Ino)] = digest
			}
		}
		lines = append(lines, PathLine("/"+strings.TrimPrefix(strings.TrimPrefix(path, dir), "/"), n, digest))
		return nil
	})
	slices.Sort(lines)
	return lines, err
}

func kernelInode(path string) (*fsys.Inode, error) {
	var st unix.Stat_t
	if err := unix.Lstat(path, &st); err != nil {
		return nil, err
	}
	n := &fsys.Inode{
		Ino: fsys.Ino(st.Ino), Mode: st.Mode, UID: st.Uid, GID: st.Gid,
		Nlink: uint32(st.Nlink), Size: st.Size,
		Mtime: fsys.Time{Sec: st.Mtim.Sec, Nsec: uint32(st.Mtim.Nsec)},
		Rdev:  fsys.Rdev{Major: unix.Major(st.Rdev), Minor: unix.Minor(st.Rdev)},
	}
	if n.Mode&fsys.ModeType == fsys.ModeSymlink {
		target, err := os.Readlink(path)
		if err != nil {
			return nil, err
		}
		n.Target = target
	}
	list := make([]byte, 1<<16)
	size, err := unix.Llistxattr(path, list)
	if err != nil {
		return nil, err
	}
	for name := range bytes.SplitSeq(list[:size], []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value := make([]byte, fsys.MaxXattr)
		size, err := unix.Lgetxattr(path, string(name), value)
		if errors.Is(err, unix.ENODATA) {
			continue // an ACL without entries is listed and not there
		}
		if err != nil {
			return nil, err
		}
		n.Xattrs = append(n.Xattrs, fsys.Xattr{Name: string(name), Value: value[:size]})
	}
	slices.SortFunc(n.Xattrs, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return n, nil
}

// kernelDigest does not read holes, so that a file of a terabyte costs nothing.
func kernelDigest(path string, size int64) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	var bad error
	sum, err := Digest(f, size, func(off int64) (start, end int64) {
		start, err := unix.Seek(int(f.Fd()), off, unix.SEEK_DATA)
		if err == nil {
			end, err = unix.Seek(int(f.Fd()), start, unix.SEEK_HOLE)
		}
		switch {
		case errors.Is(err, unix.ENXIO): // no data from here on
			return size, size
		case err != nil: // a file that cannot be read is not one of zeros
			bad = err
			return size, size
		}
		return start, end
	})
	return sum, errors.Join(bad, err)
}
