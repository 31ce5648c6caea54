package blockdev

import (
	"fmt"
	"io"
)

// What a Cache is usually made with: blocks that match qcow2's own clusters,
// and room for the metadata of one allocation group and its neighbours.
const (
	CacheBlock = 64 << 10
	CacheBytes = 8 << 20
)

// NewCache puts a cache of limit bytes in blocks of block bytes before dev.
func NewCache(dev Device, block, limit int64) *Cache {
	return &Cache{dev: dev, block: block, limit: limit, blocks: NewLRU[int64, []byte](limit)}
}

// Cache is a Device with a bounded cache, for the small scattered reads of
// metadata. Reads of more than a quarter of its limit pass it by. It makes no
// promise about how the bytes are stored: it is neither Mapper nor Clusters nor
// Forker.
type Cache struct {
	dev          Device
	block, limit int64
	blocks       *LRU[int64, []byte] // by offset
}

// Size is that of the Device below.
func (c *Cache) Size() int64 { return c.dev.Size() }

// ReadAt reads through the cache, or past it where p is large.
func (c *Cache) ReadAt(p []byte, off int64) (int, error) {
	if off < 0 {
		return 0, fmt.Errorf("read at negative offset %d", off)
	}
	if int64(len(p)) > c.limit/4 {
		return c.dev.ReadAt(p, off)
	}
	n := 0
	for n < len(p) {
		pos := off + int64(n)
		if pos >= c.Size() || pos < 0 {
			return n, io.EOF
		}
		in := pos % c.block
		b, err := c.read(pos - in)
		if in < int64(len(b)) {
			n += copy(p[n:], b[in:])
		} else if err == nil {
			err = io.ErrUnexpectedEOF
		}
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// read returns the block at off; with an error, what there is of it.
func (c *Cache) read(off int64) ([]byte, error) {
	if b, ok := c.blocks.Get(off); ok {
		return b, nil
	}
	b := make([]byte, min(c.block, c.Size()-off))
	n, err := c.dev.ReadAt(b, off)
	if n < len(b) {
		if err == nil {
			err = io.ErrUnexpectedEOF
		}
		return b[:n], err
	}
	c.blocks.Add(off, b, int64(len(b)))
	return b, nil
}

// Drop forgets all blocks, to give their memory back; reads go on as before.
func (c *Cache) Drop() { c.blocks.Clear() }
