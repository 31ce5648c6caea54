package hostfile

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// Windows wants aligned reads of disks and another way to learn their size, so
// only files are opened there.
const (
	nonblock     = 0
	blockDevices = false
)

var reOpenFile = windows.NewLazySystemDLL("kernel32.dll").NewProc("ReOpenFile")

// allocatedRange is FILE_ALLOCATED_RANGE_BUFFER.
type allocatedRange struct{ off, len int64 }

// NextExtent tells holes from data by FSCTL_QUERY_ALLOCATED_RANGES. Where the
// filesystem cannot tell, all is data.
func (f *File) NextExtent(off int64) (blockdev.Extent, error) {
	rest := blockdev.Extent{Off: off, Len: f.size - off}
	ask := allocatedRange{off, f.size - off}
	var got allocatedRange
	var n uint32
	err := windows.DeviceIoControl(windows.Handle(f.f.Fd()), windows.FSCTL_QUERY_ALLOCATED_RANGES,
		(*byte)(unsafe.Pointer(&ask)), uint32(unsafe.Sizeof(ask)),
		(*byte)(unsafe.Pointer(&got)), uint32(unsafe.Sizeof(got)), &n, nil)
	switch {
	case err != nil && !errors.Is(err, windows.ERROR_MORE_DATA):
		return rest, nil
	case n == 0: // nothing allocated from here on
		rest.Zero = true
		return rest, nil
	case got.off > off:
		return blockdev.Extent{Off: off, Len: min(got.off, f.size) - off, Zero: true}, nil
	}
	end := min(got.off+got.len, f.size)
	if end <= off {
		return rest, nil
	}
	return blockdev.Extent{Off: off, Len: end - off}, nil
}

// Fork returns f's bytes by a handle of its own: reads through one synchronous
// handle wait for each other. Without a second handle the first one serves.
func (f *File) Fork() blockdev.Device {
	h, _, _ := reOpenFile.Call(f.f.Fd(), windows.GENERIC_READ,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, 0)
	if windows.Handle(h) == windows.InvalidHandle {
		return view{f, f.f, false}
	}
	return view{f, os.NewFile(h, f.name), true}
}

type view struct {
	f      *File
	handle *os.File
	own    bool
}

func (v view) Size() int64                                   { return v.f.size }
func (v view) ReadAt(p []byte, off int64) (int, error)       { return v.f.readAt(v.handle, p, off) }
func (v view) NextExtent(off int64) (blockdev.Extent, error) { return v.f.NextExtent(off) }

// Close closes the view's own handle.
func (v view) Close() error {
	if !v.own {
		return nil
	}
	return v.handle.Close()
}

func tempDir() string { return os.TempDir() }

// createTemp makes a sparse file that the system deletes with its last handle.
func createTemp(dir string) (*os.File, error) {
	name := filepath.Join(dir, "wslimg-"+strconv.Itoa(os.Getpid())+"-"+strconv.FormatInt(time.Now().UnixNano(), 36)+".tmp")
	path, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(path, windows.GENERIC_READ|windows.GENERIC_WRITE|windows.DELETE,
		windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE, nil, windows.CREATE_NEW,
		windows.FILE_ATTRIBUTE_TEMPORARY|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	if err != nil {
		return nil, &os.PathError{Op: "create", Path: name, Err: err}
	}
	var n uint32
	// Without sparse files (FAT) the zeros take space, no more.
	_ = windows.DeviceIoControl(h, windows.FSCTL_SET_SPARSE, nil, 0, nil, 0, &n, nil)
	return os.NewFile(uintptr(h), name), nil
}
