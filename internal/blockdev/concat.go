package blockdev

import (
	"errors"
	"fmt"
	"io"
	"sort"
)

// Concat returns the bytes of parts, one behind the other, as one Device. It
// keeps what all of the parts can do. Parts must not be empty.
func Concat(parts []Device) Device {
	if len(parts) == 1 {
		return parts[0]
	}
	c := &concat{parts: parts, ends: make([]int64, len(parts))}
	end, all := int64(0), true
	for i, p := range parts {
		end += p.Size()
		c.ends[i] = end
		_, ok := p.(Clusters)
		all = all && ok
	}
	if all {
		return &clusterConcat{c}
	}
	return c
}

type concat struct {
	parts  []Device
	ends   []int64 // where each part ends
	parent *concat // of a view: what it was forked from
}

func (c *concat) Size() int64 { return c.ends[len(c.ends)-1] }

// find returns the part that holds byte off, and where it begins.
func (c *concat) find(off int64) (Device, int64) {
	i := sort.Search(len(c.ends), func(i int) bool { return c.ends[i] > off })
	if i == 0 {
		return c.parts[0], 0
	}
	return c.parts[i], c.ends[i-1]
}

func (c *concat) ReadAt(p []byte, off int64) (n int, err error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	for n < len(p) {
		pos := off + int64(n)
		if pos >= c.Size() {
			return n, io.EOF
		}
		part, start := c.find(pos)
		want := p[n:min(int64(len(p)), int64(n)+start+part.Size()-pos)]
		m, err := part.ReadAt(want, pos-start)
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

func (c *concat) NextExtent(off int64) (Extent, error) {
	part, start := c.find(off)
	m, ok := part.(Mapper)
	if !ok {
		return Extent{Off: off, Len: start + part.Size() - off}, nil
	}
	e, err := m.NextExtent(off - start)
	e.Off = off
	return e, err
}

func (c *concat) fork() *concat {
	view := &concat{parts: make([]Device, len(c.parts)), ends: c.ends, parent: c}
	for i, p := range c.parts {
		view.parts[i] = Fork(p)
	}
	return view
}

func (c *concat) Fork() Device { return c.fork() }

// Close gives back what Fork made.
func (c *concat) Close() error {
	if c.parent == nil {
		return nil
	}
	var errs []error
	for i, p := range c.parts {
		errs = append(errs, Release(c.parent.parts[i], p))
	}
	return errors.Join(errs...)
}

type clusterConcat struct{ *concat }

func (c *clusterConcat) Fork() Device { return &clusterConcat{c.fork()} }

// Cluster hands out a compressed cluster only if it lies in one part: what it
// holds beyond does not follow here.
func (c *clusterConcat) Cluster(off int64) (Cluster, error) {
	part, start := c.find(off)
	cl, err := part.(Clusters).Cluster(off - start)
	if err != nil {
		return cl, err
	}
	from, to := max(cl.Off, 0), min(cl.Off+cl.Len, part.Size())
	if from != cl.Off || to != cl.Off+cl.Len {
		if cl.Storage != Zero {
			cl = Cluster{Storage: Raw}
		}
		cl.Off, cl.Len = from, to-from
		if cl.Storage == Raw {
			cl.RefLen = cl.Len
		}
	}
	cl.Off += start
	return cl, nil
}

func (c *clusterConcat) ReadStored(cl Cluster, buf []byte) ([]byte, error) {
	if cl.Storage == Raw {
		if int64(cap(buf)) < cl.Len {
			buf = make([]byte, cl.Len)
		}
		buf = buf[:cl.Len]
		if n, err := c.ReadAt(buf, cl.Off); n < len(buf) {
			return nil, err
		}
		return buf, nil
	}
	part, start := c.find(cl.Off)
	cl.Off -= start
	return part.(Clusters).ReadStored(cl, buf)
}
