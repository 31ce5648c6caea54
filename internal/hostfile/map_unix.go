//go:build unix

package hostfile

import (
	"errors"
	"runtime"
	"syscall"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// nonblock keeps an open from waiting should the path have become a fifo.
const (
	nonblock     = syscall.O_NONBLOCK
	blockDevices = true
)

// seekWhence gives the lseek(2) values for SEEK_DATA and SEEK_HOLE, which differ.
func seekWhence() (data, hole int, ok bool) {
	switch runtime.GOOS {
	case "linux", "freebsd", "illumos", "solaris":
		return 3, 4, true
	case "darwin":
		return 4, 3, true
	}
	return 0, 0, false
}

// NextExtent tells holes from data as the host's filesystem knows them. Where
// it does not, all is data. It moves the handle's offset, which nothing uses.
func (f *File) NextExtent(off int64) (blockdev.Extent, error) {
	rest := blockdev.Extent{Off: off, Len: f.size - off}
	seekData, seekHole, ok := seekWhence()
	if !ok || !f.info.Mode().IsRegular() {
		return rest, nil
	}
	data, err := f.f.Seek(off, seekData)
	switch {
	case errors.Is(err, syscall.ENXIO): // no data from here on
		rest.Zero = true
		return rest, nil
	case err != nil:
		return rest, nil //nolint:nilerr // taken as data: reading it tells what is wrong, if anything is
	case data > off:
		return blockdev.Extent{Off: off, Len: min(data, f.size) - off, Zero: true}, nil
	}
	hole, err := f.f.Seek(off, seekHole)
	if err != nil || hole <= off {
		return rest, nil //nolint:nilerr // taken as data, too
	}
	return blockdev.Extent{Off: off, Len: min(hole, f.size) - off}, nil
}

// Fork returns f's bytes for one goroutine: f's own handle serves, since
// pread(2) takes no lock.
func (f *File) Fork() blockdev.Device { return view{f} }

// view hides Close, which would close the handle of all.
type view struct{ f *File }

func (v view) Size() int64                                   { return v.f.size }
func (v view) ReadAt(p []byte, off int64) (int, error)       { return v.f.ReadAt(p, off) }
func (v view) NextExtent(off int64) (blockdev.Extent, error) { return v.f.NextExtent(off) }
