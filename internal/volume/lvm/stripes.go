package lvm

import (
	"errors"
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// stripes is a Device whose chunks lie on its parts by turns. The parts are of
// one size, a multiple of the chunk's.
type stripes struct {
	parts  []blockdev.Device
	chunk  int64
	parent *stripes // of a view: what it was forked from
}

func newStripes(parts []blockdev.Device, chunk int64) blockdev.Device {
	return &stripes{parts: parts, chunk: chunk}
}

func (s *stripes) Size() int64 { return s.parts[0].Size() * int64(len(s.parts)) }

// at returns the part that holds byte off, where on it, and how many bytes
// follow there.
func (s *stripes) at(off int64) (part blockdev.Device, on, n int64) {
	chunk, in := off/s.chunk, off%s.chunk
	count := int64(len(s.parts))
	return s.parts[chunk%count], chunk/count*s.chunk + in, s.chunk - in
}

func (s *stripes) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	for n < len(p) {
		pos := off + int64(n)
		if pos >= s.Size() {
			return n, io.EOF
		}
		part, on, have := s.at(pos)
		want := p[n:min(int64(len(p)), int64(n)+have)]
		m, err := part.ReadAt(want, on)
		n += m
		if m < len(want) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n, err
		}
	}
	return n, nil
}

// NextExtent goes no further than the chunk.
func (s *stripes) NextExtent(off int64) (blockdev.Extent, error) {
	part, on, have := s.at(off)
	m, ok := part.(blockdev.Mapper)
	if !ok {
		return blockdev.Extent{Off: off, Len: have}, nil
	}
	e, err := m.NextExtent(on)
	return blockdev.Extent{Off: off, Len: min(e.Len, have), Zero: e.Zero}, err
}

func (s *stripes) Fork() blockdev.Device {
	view := &stripes{chunk: s.chunk, parent: s}
	for _, p := range s.parts {
		view.parts = append(view.parts, blockdev.Fork(p))
	}
	return view
}

// Close gives back what Fork made.
func (s *stripes) Close() error {
	if s.parent == nil {
		return nil
	}
	var errs []error
	for i, p := range s.parts {
		errs = append(errs, blockdev.Release(s.parent.parts[i], p))
	}
	return errors.Join(errs...)
}
