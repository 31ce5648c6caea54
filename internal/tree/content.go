package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"sort"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
)

// Content tells where the bytes of a regular file are.
type Content struct {
	Size int64
	// Dev and Runs place the bytes on a volume: sorted, adjacent, covering
	// [0, Size). Nil Runs: everything comes through Open.
	Dev  blockdev.Device
	Runs []fsys.Run
	// Volume orders contents of several volumes; equal for those of one Dev.
	Volume int

	open func() (io.ReaderAt, error)
}

// Bytes is content held in memory.
func Bytes(b []byte) *Content {
	return Stream(int64(len(b)), func() (io.ReaderAt, error) { return bytes.NewReader(b), nil })
}

// Stream is content of a known size that open hands out when it is needed. A
// reader that is an io.Closer is closed by the one who opened it.
func Stream(size int64, open func() (io.ReaderAt, error)) *Content {
	return &Content{Size: size, open: open}
}

// Encoded tells whether some bytes can only be had through Open.
func (c *Content) Encoded() bool { return c.open != nil }

// Stored is how many bytes are no holes.
func (c *Content) Stored() int64 {
	if c.Runs == nil {
		return c.Size
	}
	return stored(c.Runs)
}

// FirstPhys is the lowest byte of the volume that holds content, or -1.
func (c *Content) FirstPhys() int64 {
	first := int64(-1)
	for _, r := range c.Runs {
		if r.Phys >= 0 && (first < 0 || r.Phys < first) {
			first = r.Phys
		}
	}
	return first
}

// Open returns the plain bytes, safe for concurrent use.
func (c *Content) Open() (io.ReaderAt, error) {
	if c.open != nil {
		return c.open()
	}
	return runReader{c}, nil
}

// runReader reads content whose every byte is on the volume or a hole.
type runReader struct{ c *Content }

func (r runReader) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	runs := r.c.Runs
	i := sort.Search(len(runs), func(i int) bool { return runs[i].Off+runs[i].Len > off })
	n := 0
	for ; i < len(runs) && n < len(p); i++ {
		run := runs[i]
		in := off + int64(n) - run.Off
		part := p[n:min(int64(len(p)), int64(n)+run.Len-in)]
		if run.Phys == fsys.Hole {
			clear(part)
		} else if k, err := r.c.Dev.ReadAt(part, run.Phys+in); k < len(part) {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return n + k, err
		}
		n += len(part)
	}
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}
