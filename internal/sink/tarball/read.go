package tarball

import (
	"errors"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/tree"
)

// reader is a worker's own way to the bytes.
type reader struct {
	shared bool                                // read the devices themselves, not views of them
	views  map[blockdev.Forker]blockdev.Device // of each device seen
}

func (r *reader) close() {
	for dev, view := range r.views {
		_ = blockdev.Release(dev.(blockdev.Device), view) // read-only: nothing to lose
	}
}

// view returns the worker's own view of dev.
func (r *reader) view(dev blockdev.Device) blockdev.Device {
	f, ok := dev.(blockdev.Forker)
	if !ok || r.shared {
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

// span is what a task holds of a compressed cluster.
type span struct {
	c    blockdev.Cluster
	skip int64 // bytes of the cluster before it
	at   int   // place in the task's plain bytes
	n    int
}

func (s span) whole() bool { return s.skip == 0 && int64(s.n) == s.c.Len }

// A taker may set dst to the plain bytes of a span itself, and so get hold of
// the stored ones. All plain bytes before the span are there already. If it
// returns false, the bytes are read in the ordinary way, which then has the
// last word on what is wrong with them.
type taker interface {
	take(dev blockdev.Clusters, s span, dst []byte) bool
}

// fill sets dst to the task's plain bytes; tk, if not nil, is offered the
// compressed clusters.
func (r *reader) fill(dst []byte, t *task, tk taker) error {
	lit, at := t.lit, 0
	for i := range t.pieces {
		p := &t.pieces[i]
		part := dst[at : at+p.n]
		var err error
		switch {
		case p.lit:
			copy(part, lit)
			lit = lit[p.n:]
		case p.dev != nil:
			err = r.read(part, p, at, tk)
		case p.file != nil:
			err = readOpened(p.file, part, p.off)
		default:
			clear(part)
		}
		if err != nil {
			return fileError(p.path, err)
		}
		at += p.n
	}
	return nil
}

// read sets dst, which is at place at of the task, to the bytes of p.
func (r *reader) read(dst []byte, p *piece, at int, tk taker) error {
	dev := r.view(p.dev)
	clusters, ok := dev.(blockdev.Clusters)
	if !ok || tk == nil {
		return readFull(dev, dst, p.phys)
	}
	done, pos := 0, 0 // bytes of dst that are there, that were looked at
	for pos < len(dst) {
		off := p.phys + int64(pos)
		c, err := clusters.Cluster(off)
		if err != nil {
			return err
		}
		s := span{c: c, skip: off - c.Off, at: at + pos, n: int(min(c.Off+c.Len-off, int64(len(dst)-pos)))}
		if c.Storage == blockdev.Deflate || c.Storage == blockdev.Zstd {
			if err := readFull(dev, dst[done:pos], p.phys+int64(done)); err != nil {
				return err
			}
			done = pos
			if tk.take(clusters, s, dst[pos:pos+s.n]) {
				done += s.n
			}
		}
		pos += s.n
	}
	return readFull(dev, dst[done:], p.phys+int64(done))
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
	if len(dst) == 0 {
		return nil
	}
	n, err := r.ReadAt(dst, off)
	if n == len(dst) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return err
}
