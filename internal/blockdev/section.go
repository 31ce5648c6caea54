package blockdev

import (
	"fmt"
	"io"
)

// Section returns the n bytes of dev from off as a Device of their own. It
// keeps what dev can do: Fork, NextExtent, Cluster and ReadStored answer in
// the section's coordinates.
func Section(dev Device, off, n int64) (Device, error) {
	if off < 0 || n < 0 || off > dev.Size() || n > dev.Size()-off {
		return nil, fmt.Errorf("section of %d bytes at %#x: device has %d bytes", n, off, dev.Size())
	}
	s := section{dev: dev, off: off, n: n}
	if _, ok := dev.(Clusters); ok {
		return &clusterSection{s}, nil
	}
	return &s, nil
}

type section struct {
	dev    Device
	off, n int64
	parent Device // of a view: what dev was forked from
}

func (s *section) Size() int64 { return s.n }

func (s *section) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if off >= s.n {
		return 0, io.EOF
	}
	short := int64(len(p)) > s.n-off
	if short {
		p = p[:s.n-off]
	}
	n, err := s.dev.ReadAt(p, s.off+off)
	switch {
	case n < len(p) && err == nil:
		err = io.ErrUnexpectedEOF
	case n == len(p) && short:
		err = io.EOF
	case n == len(p):
		err = nil
	}
	return n, err
}

func (s *section) Fork() Device {
	return &section{dev: Fork(s.dev), off: s.off, n: s.n, parent: s.dev}
}

// Close gives back what Fork made; a section that is no view owns nothing.
func (s *section) Close() error {
	if s.parent == nil {
		return nil
	}
	return Release(s.parent, s.dev)
}

// NextExtent takes a Device that is no Mapper as wholly written.
func (s *section) NextExtent(off int64) (Extent, error) {
	m, ok := s.dev.(Mapper)
	if !ok {
		return Extent{Off: off, Len: s.n - off}, nil
	}
	e, err := m.NextExtent(s.off + off)
	return Extent{Off: off, Len: min(e.Len, s.n-off), Zero: e.Zero}, err
}

type clusterSection struct{ section }

func (s *clusterSection) Fork() Device {
	return &clusterSection{section{dev: Fork(s.dev), off: s.off, n: s.n, parent: s.dev}}
}

func (s *clusterSection) Cluster(off int64) (Cluster, error) {
	c, err := s.dev.(Clusters).Cluster(s.off + off)
	c.Off -= s.off
	return c, err
}

func (s *clusterSection) ReadStored(c Cluster, buf []byte) ([]byte, error) {
	c.Off += s.off
	return s.dev.(Clusters).ReadStored(c, buf)
}
