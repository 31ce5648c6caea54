package blockdev

import (
	"fmt"
	"io"
	"sync"
)

// What a Cache is usually made with: blocks that match qcow2's own clusters,
// and room for the inode tables of a system of some 40,000 files, which are gone
// through once for each level of directories.
const (
	CacheBlock = 64 << 10
	CacheBytes = 16 << 20
)

// NewCache puts a cache of limit bytes in blocks of block bytes before dev;
// those that are being read come on top of the limit.
func NewCache(dev Device, block, limit int64) *Cache {
	c := &Cache{dev: dev, block: block, limit: limit, blocks: NewLRU[int64, []byte](limit), reading: map[int64]bool{}}
	c.mu = &c.blocks.mu
	c.read.L = c.mu
	return c
}

// Cache is a Device with a bounded cache, for the small scattered reads of
// metadata. Reads of more than a quarter of its limit pass it by. It makes no
// promise about how the bytes are stored: it is neither Mapper nor Clusters nor
// Forker.
type Cache struct {
	dev          Device
	block, limit int64
	blocks       *LRU[int64, []byte] // by offset

	mu      *sync.Mutex    // of blocks, whose bytes are copied and reused under it
	reading map[int64]bool // blocks on their way from dev, by offset
	read    sync.Cond      // one of them has come
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
		k, err := c.copy(p[n:], pos-in, in)
		n += k
		if err != nil && n < len(p) {
			return n, err
		}
	}
	return n, nil
}

// copy fills p from byte in of the block at off, as far as that goes. With an
// error, it has copied what there is. Several who want the same block have it
// read once.
func (c *Cache) copy(p []byte, off, in int64) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.reading[off] {
		c.read.Wait()
	}
	if b, ok := c.blocks.get(off); ok {
		return copy(p, b[in:]), nil
	}
	b, ok := c.blocks.makeRoom(c.block)
	if !ok {
		b = make([]byte, c.block)
	}
	b = b[:min(c.block, c.Size()-off)]
	n, err := c.fetch(b, off)
	if n == len(b) {
		c.blocks.add(off, b, c.block)
		err = nil
	} else if err == nil {
		err = io.ErrUnexpectedEOF
	}
	return copy(p, b[min(in, int64(n)):n]), err
}

// fetch reads the block at off into b, mu released meanwhile.
func (c *Cache) fetch(b []byte, off int64) (int, error) {
	c.reading[off] = true
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.reading, off)
		c.read.Broadcast()
	}()
	return c.dev.ReadAt(b, off)
}

// Drop forgets all blocks, to give their memory back; reads go on as before.
func (c *Cache) Drop() { c.blocks.Clear() }
