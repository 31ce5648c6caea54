package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys"
)

// FromDir describes the tree below dir as the kernel shows it, mounts below it
// included. Only root sees all of it. Paths may be longer than PATH_MAX.
func FromDir(dir string) ([]Entry, error) {
	fd, err := unix.Open(dir, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	var w walker
	top, err := w.entry(fd, ".", ".")
	if err != nil {
		return nil, err
	}
	w.entries = append(w.entries, top)
	if err := w.dir(fd, ""); err != nil {
		return nil, err
	}
	Finish(w.entries)
	return w.entries, nil
}

type walker struct{ entries []Entry }

// dir walks the directory that fd is open on, and closes fd.
func (w *walker) dir(fd int, prefix string) error {
	f := os.NewFile(uintptr(fd), prefix)
	defer f.Close()
	names, err := f.Readdirnames(-1)
	if err != nil {
		return err
	}
	for _, name := range names {
		path := prefix + name
		e, err := w.entry(fd, name, path)
		if err != nil {
			return err
		}
		w.entries = append(w.entries, e)
		if e.Mode.Is(fsys.ModeDir) {
			sub, err := unix.Openat(fd, name, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
			if err != nil {
				return fmt.Errorf("%q: %w", path, err)
			}
			if err := w.dir(sub, path+"/"); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walker) entry(dirfd int, name, path string) (Entry, error) {
	var st unix.Stat_t
	if err := unix.Fstatat(dirfd, name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return Entry{}, fmt.Errorf("%q: %w", path, err)
	}
	sec, nsec := st.Mtim.Unix()
	e := Entry{
		Path: Raw(path), Mode: Mode(st.Mode), UID: st.Uid, GID: st.Gid,
		Sec: sec, Nsec: uint32(nsec),
		Inode: st.Ino, Device: st.Dev, Nlink: uint32(st.Nlink), Blocks: st.Blocks * 512,
	}
	var err error
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFCHR, unix.S_IFBLK:
		e.Rdev = fmt.Sprintf("%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	case unix.S_IFLNK:
		buf := make([]byte, unix.PathMax)
		n, err := unix.Readlinkat(dirfd, name, buf)
		if err != nil {
			return Entry{}, fmt.Errorf("%q: readlink: %w", path, err)
		}
		e.Target = Raw(buf[:n])
	case unix.S_IFREG:
		e.Size = st.Size
		if e.Digest, err = digestAt(dirfd, name, st.Size); err != nil {
			return Entry{}, fmt.Errorf("%q: %w", path, err)
		}
	}
	// There is no listxattrat(2) everywhere; /proc gives each name a short path.
	if e.Xattrs, err = xattrs(fmt.Sprintf("/proc/self/fd/%d/%s", dirfd, name)); err != nil {
		return Entry{}, fmt.Errorf("%q: %w", path, err)
	}
	return e, nil
}

func digestAt(dirfd int, name string, size int64) (string, error) {
	fd, err := unix.Openat(dirfd, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	f := os.NewFile(uintptr(fd), name)
	defer f.Close()
	var runs []fsys.Run
	for off := int64(0); off < size; {
		start, err := unix.Seek(fd, off, unix.SEEK_DATA)
		if errors.Is(err, unix.ENXIO) {
			break
		} else if err != nil {
			return "", fmt.Errorf("seek data: %w", err)
		}
		end, err := unix.Seek(fd, start, unix.SEEK_HOLE)
		if err != nil {
			return "", fmt.Errorf("seek hole: %w", err)
		}
		runs = append(runs, fsys.Run{Off: start, Len: min(end, size) - start})
		off = end
	}
	return Digest(f, size, runs)
}

func xattrs(path string) ([]Attr, error) {
	list, err := grow(func(buf []byte) (int, error) { return unix.Llistxattr(path, buf) })
	if err != nil {
		return nil, fmt.Errorf("list attributes: %w", err)
	}
	var attrs []Attr
	for name := range bytes.SplitSeq(list, []byte{0}) {
		if len(name) == 0 {
			continue
		}
		value, err := grow(func(buf []byte) (int, error) { return unix.Lgetxattr(path, string(name), buf) })
		if err != nil {
			return nil, fmt.Errorf("attribute %q: %w", name, err)
		}
		attrs = append(attrs, Attr{Raw(name), value})
	}
	slices.SortFunc(attrs, func(a, b Attr) int { return bytes.Compare([]byte(a.Name), []byte(b.Name)) })
	return attrs, nil
}

// grow calls get with a buffer that is large enough for all kernels.
func grow(get func([]byte) (int, error)) ([]byte, error) {
	n, err := get(nil)
	if err != nil || n == 0 {
		return []byte{}, err
	}
	buf := make([]byte, n)
	n, err = get(buf)
	if err != nil {
		return nil, err
	}
	return buf[:n], nil
}
