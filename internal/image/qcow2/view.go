package qcow2

import (
	"errors"
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/deflate"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// view reads the disk with scratch memory of its own. A shared one keeps what
// it decodes for all, others for themselves.
type view struct {
	*Image
	file, data, backing blockdev.Device
	shared              bool

	inflater deflate.Decoder
	stored   []byte // scratch: stored bytes of a cluster
	last     []byte // not shared: the cluster decoded last
	lastAt   int64  // place of its stored bytes, 0 for none
}

// Fork returns another view; this one is for one goroutine.
func (v *view) Fork() blockdev.Device { return v.Image.Fork() }

// Close gives back the views of the files below.
func (v *view) Close() error {
	errs := []error{blockdev.Release(v.Image.file, v.file)}
	if v.external() {
		errs = append(errs, blockdev.Release(v.Image.data, v.data))
	}
	if v.backing != nil {
		errs = append(errs, blockdev.Release(v.Image.backing, v.backing))
	}
	return errors.Join(errs...)
}

// ReadAt reads from the disk.
func (v *view) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if off >= v.size {
		return 0, io.EOF
	}
	if int64(len(p)) > v.size-off {
		p, err = p[:v.size-off], io.EOF
	}
	c := cursor{m: v.Image}
	for n < len(p) {
		piece, err := c.run(off+int64(n), int64(len(p)-n))
		if err != nil {
			return n, err
		}
		part := p[n:min(int64(len(p)), int64(n)+piece.n)]
		if err := v.read(part, piece); err != nil {
			return n, err
		}
		n += len(part)
	}
	return n, err
}

// read fills p from the start of the piece.
func (v *view) read(p []byte, from piece) error {
	switch from.kind {
	case data:
		return ondisk.ReadFull(v.data, p, from.host, "cluster")
	case compressed:
		return v.readCompressed(p, from)
	case unallocated:
		if v.backing != nil {
			return v.readBacking(p, from.off)
		}
	}
	clear(p)
	return nil
}

// readBacking reads from the backing file, which may be shorter than the disk.
func (v *view) readBacking(p []byte, off int64) error {
	have := min(max(v.backing.Size()-off, 0), int64(len(p)))
	clear(p[have:])
	n, err := v.backing.ReadAt(p[:have], off)
	if int64(n) == have {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return fmt.Errorf("backing file %q: %w", v.header.backing, err)
}

func (v *view) readCompressed(p []byte, from piece) error {
	size := v.clusterSize()
	in := from.off & (size - 1)
	if in == 0 && int64(len(p)) == size {
		return v.decodeTo(p, from)
	}
	if v.shared {
		plain, ok := v.decoded.Get(from.host)
		if !ok {
			plain = make([]byte, size)
			if err := v.decodeTo(plain, from); err != nil {
				return err
			}
			v.decoded.Add(from.host, plain, size)
		}
		copy(p, plain[in:])
		return nil
	}
	if v.lastAt != from.host {
		if v.last == nil {
			v.last = make([]byte, size)
		}
		v.lastAt = 0
		if err := v.decodeTo(v.last, from); err != nil {
			return err
		}
		v.lastAt = from.host
	}
	copy(p, v.last[in:])
	return nil
}
