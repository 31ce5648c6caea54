// Package hostfile opens image files of the host for reading and makes
// temporary ones. It opens nothing that its caller did not name, but for
// backing files, which it confines to the folder of the image that names them.
package hostfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// File is an open image file: a blockdev.Device, Mapper and Forker.
type File struct {
	f     *os.File
	name  string // as the user or the image gave it
	size  int64
	mtime time.Time
	info  fs.FileInfo

	folder string // where backing files may lie, "" for nowhere
	within string // this file's own place there, with slashes
}

// Open opens the regular file or block device at path. Anything that has no
// fixed size is refused.
func Open(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if err := usable(path, info); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil, err
	}
	file, err := newFile(f, path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	file.folder, file.within = filepath.Dir(path), filepath.Base(path)
	return file, nil
}

// usable tells why info's file cannot be an image. It is asked before the file
// is opened, since opening a fifo waits for its writer, and again after.
func usable(path string, info fs.FileInfo) error {
	mode := info.Mode()
	switch {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("is a directory, not a disk image")}
	case mode&(fs.ModeNamedPipe|fs.ModeSocket) != 0:
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("is a pipe; give \"-\" and let it be standard input")}
	case mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0 && blockDevices:
		return nil
	default:
		return &fs.PathError{Op: "open", Path: path, Err: errors.New("is neither a regular file nor a block device")}
	}
}

func newFile(f *os.File, name string) (*File, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if err := usable(name, info); err != nil {
		return nil, err
	}
	size := info.Size()
	if !info.Mode().IsRegular() {
		if size, err = f.Seek(0, io.SeekEnd); err != nil {
			return nil, err
		}
		if size == 0 {
			return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("size of the device is unknown; copy it to a file")}
		}
	}
	return &File{f: f, name: name, size: size, mtime: info.ModTime(), info: info}, nil
}

// Name is the path as the user or, for a backing file, the image gave it.
func (f *File) Name() string { return f.name }

// Size is the file's size in bytes when it was opened.
func (f *File) Size() int64 { return f.size }

// Same tells whether both are one file of the host, by whatever names.
func (f *File) Same(g *File) bool { return os.SameFile(f.info, g.info) }

// Close closes the file.
func (f *File) Close() error { return f.f.Close() }

// ReadAt reads as io.ReaderAt within the size that the file had when it was
// opened. A file that has become shorter is an error of its own, not io.EOF.
func (f *File) ReadAt(p []byte, off int64) (int, error) { return f.readAt(f.f, p, off) }

func (f *File) readAt(handle *os.File, p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("%q: read at negative offset %d", f.name, off)
	}
	if off >= f.size {
		return 0, io.EOF
	}
	short := int64(len(p)) > f.size-off
	if short {
		p = p[:f.size-off]
	}
	n, err := handle.ReadAt(p, off)
	switch {
	case n < len(p) && errors.Is(err, io.EOF):
		err = fmt.Errorf("%q became shorter while it was read: no data at byte %#x of %d", f.name, off+int64(n), f.size)
	case n == len(p) && short:
		err = io.EOF
	case n == len(p):
		err = nil
	}
	return n, err
}

// Changed is an error if the file's size or modification time is not what it
// was at Open: what was read may then be a mixture.
func (f *File) Changed() error {
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return nil
	}
	if info.Size() != f.size || !info.ModTime().Equal(f.mtime) {
		return fmt.Errorf("%q changed while it was read (is a virtual machine using it?): size %d, was %d; modified %s, was %s", f.name,
			info.Size(), f.size, info.ModTime().Format(time.RFC3339Nano), f.mtime.Format(time.RFC3339Nano))
	}
	return nil
}
