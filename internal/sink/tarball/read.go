package tarball

import (
	"errors"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/tree"
)

// reader is a worker's own way to the bytes.
type reader struct {
	views map[blockdev.Forker]blockdev.Device // of each device seen
}

func (r *reader) close() {
	for dev, view := range r.views {
		_ = blockdev.Release(dev.(blockdev.Device), view) // read-only: nothing to lose
	}
}

// view returns the worker's own view of dev.
func (r *reader) view(dev blockdev.Device) blockdev.Device {
	f, ok := dev.(blockdev.Forker)
	if !ok {
		return dev
	}
	v := r.views[f]
	if v == nil {
		if r.views == nil {
			r.views = map[blockdev.Forker]blockdev.Device{}
		}
		v = blockdev.Fork(dev)
		r.views[f] = v
	}
	return v
}

// fill sets dst to the task's plain bytes.
func (r *reader) fill(dst []byte, t *task) error {
	lit := t.lit
	for i := range t.pieces {
		p := &t.pieces[i]
		part := dst[:p.n]
		dst = dst[p.n:]
		var err error
		switch {
		case p.lit:
			copy(part, lit)
			lit = lit[p.n:]
		case p.dev != nil:
			err = readFull(r.view(p.dev), part, p.phys)
		case p.file != nil:
			err = readOpened(p.file, part, p.off)
		default:
			clear(part)
		}
		if err != nil {
			return fileError(p.path, err)
		}
	}
	return nil
}

func readOpened(c *tree.Content, dst []byte, off int64) (err error) {
	f, err := c.Open()
	if err != nil {
		return err
	}
	if c, ok := f.(io.Closer); ok {
		defer func() { err = errors.Join(err, c.Close()) }()
	}
	return readFull(f, dst, off)
}

// readFull takes a short read for the error that it is.
func readFull(r io.ReaderAt, dst []byte, off int64) error {
	n, err := r.ReadAt(dst, off)
	if n == len(dst) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
