package hostfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxName is the longest name of a backing file that a qcow2 header can hold.
const maxName = 1023

// Beside opens the regular file that f, an image, refers to by name. The name
// is relative to f's place and the file must lie in the folder of the image
// that the user named, or below it, also after every symlink is followed.
func (f *File) Beside(name string) (*File, error) {
	if f.folder == "" {
		return nil, ondisk.Unsupportedf("refers to the file %q, but has no folder of its own", name)
	}
	if err := checkName(name); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.folder)
	if err != nil {
		return nil, err
	}
	defer root.Close() //nolint:errcheck // read only
	within := path.Join(path.Dir(f.within), name)
	info, err := root.Stat(within)
	if err != nil {
		return nil, outside(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, ondisk.Unsupportedf("refers to %q, which is not a regular file", name)
	}
	h, err := root.OpenFile(within, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, outside(name, err)
	}
	g, err := newFile(h, name)
	if err == nil && !g.info.Mode().IsRegular() {
		err = ondisk.Unsupportedf("refers to %q, which is not a regular file", name)
	}
	if err != nil {
		return nil, errors.Join(err, h.Close())
	}
	g.folder, g.within = f.folder, within
	return g, nil
}

// outside names the file as the image does. What is no error of the system is
// os.Root's own, for a symlink that leads out of the folder.
func outside(name string, err error) error {
	if pathErr, ok := errors.AsType[*fs.PathError](err); ok {
		err = pathErr.Err
	}
	if _, ok := errors.AsType[syscall.Errno](err); !ok {
		return ondisk.Unsupportedf("refers to %q, a symlink that leads out of the image's folder", name)
	}
	return fmt.Errorf("refers to %q: %w", name, err)
}

// checkName accepts plain relative names only, alike on every platform: no
// protocol ("json:", "nbd:", drive letters, NTFS streams), nothing absolute,
// no "..", no backslash, which Windows takes for a separator.
func checkName(name string) error {
	refuse := func(why string) error {
		return ondisk.Unsupportedf("refers to the file %q: %s", name, why)
	}
	switch {
	case name == "" || len(name) > maxName:
		return refuse(fmt.Sprintf("length %d, want 1 to %d", len(name), maxName))
	case strings.ContainsRune(name, 0):
		return refuse("holds a NUL")
	case strings.ContainsRune(name, ':'):
		return refuse("names a protocol or drive, want a file beside the image")
	case strings.ContainsRune(name, '\\'):
		return refuse("holds a backslash")
	case strings.HasPrefix(name, "/"):
		return ondisk.WithHint(refuse("is absolute, want a file beside the image"),
			"put both in one folder and name it so: qemu-img rebase -u -f qcow2 -F FORMAT -b NAME IMAGE")
	}
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return refuse("leaves the folder of the image")
		}
	}
	return nil
}
