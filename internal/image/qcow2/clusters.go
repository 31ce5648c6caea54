package qcow2

import (
	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxPieces bounds how many clusters NextExtent looks at in one call.
const maxPieces = 1 << 16

// NextExtent describes the bytes from off on: Zero for all that reads as zeros
// without a stored byte, here or in the backing file.
func (m *Image) NextExtent(off int64) (blockdev.Extent, error) {
	c := cursor{m: m}
	e, err := m.extent(&c, off)
	for range maxPieces {
		end := e.Off + e.Len
		if err != nil || end >= m.size {
			break
		}
		next, nextErr := m.extent(&c, end)
		if nextErr != nil || next.Zero != e.Zero {
			break // an error is for the extent that begins there
		}
		e.Len += next.Len
	}
	return e, err
}

// extent describes the bytes of the piece at off, or the first of them.
func (m *Image) extent(c *cursor, off int64) (blockdev.Extent, error) {
	p, err := c.run(off, m.clusterSize())
	if err != nil {
		return blockdev.Extent{}, err
	}
	e := blockdev.Extent{Off: off, Len: p.n, Zero: p.kind == zero || p.kind == unallocated}
	switch p.kind {
	case data: // a preallocated cluster may be a hole of the file
		return below(m.data, p.host, e)
	case unallocated:
		if m.backing == nil || off >= m.backing.Size() {
			return e, nil
		}
		e.Len = min(e.Len, m.backing.Size()-off)
		e.Zero = false
		return below(m.backing, off, e)
	}
	return e, nil
}

// below narrows e by what dev, which holds its bytes at off, knows of them.
func below(dev blockdev.Device, off int64, e blockdev.Extent) (blockdev.Extent, error) {
	mapper, ok := dev.(blockdev.Mapper)
	if !ok {
		return e, nil
	}
	under, err := mapper.NextExtent(off)
	return blockdev.Extent{Off: e.Off, Len: min(e.Len, under.Len), Zero: under.Zero}, err
}

// Ref of a Cluster: how many backing files down its bytes are stored, and where.
const refDepthShift = 56

// Cluster describes the storage of the byte at off. A compressed cluster is
// always whole, and may reach past the end of the disk. What lies in a backing
// file is handed out as compressed only if this image hides no part of it.
func (m *Image) Cluster(off int64) (blockdev.Cluster, error) {
	c := cursor{m: m}
	p, err := c.at(off)
	if err != nil {
		return blockdev.Cluster{}, err
	}
	size := m.clusterSize()
	start := off &^ (size - 1)
	switch {
	case p.kind == compressed:
		storage := blockdev.Deflate
		if m.compression == compressionZstd {
			storage = blockdev.Zstd
		}
		return blockdev.Cluster{Off: start, Len: size, Storage: storage, Ref: uint64(p.host), RefLen: p.stored}, nil
	case p.kind == unallocated && m.backing != nil && off < m.backing.Size():
		return m.backingCluster(&c, p)
	case p.kind == data:
		return blockdev.Cluster{Off: off, Len: p.n, Storage: blockdev.Raw, RefLen: p.n}, nil
	}
	return blockdev.Cluster{Off: off, Len: p.n, Storage: blockdev.Zero}, nil
}

func (m *Image) backingCluster(c *cursor, p piece) (blockdev.Cluster, error) {
	n := min(p.n, m.backing.Size()-p.off)
	raw := blockdev.Cluster{Off: p.off, Len: n, Storage: blockdev.Raw, RefLen: n}
	under, ok := m.backing.(blockdev.Clusters)
	if !ok {
		return raw, nil
	}
	b, err := under.Cluster(p.off)
	if err != nil {
		return raw, err
	}
	if b.Storage == blockdev.Deflate || b.Storage == blockdev.Zstd {
		end := b.Off + b.Len
		if end > m.backing.Size() || end > m.size {
			return raw, nil
		}
		for pos := b.Off; pos < end; {
			over, err := c.at(pos)
			if err != nil || over.kind != unallocated {
				return raw, err
			}
			pos += over.n
		}
		b.Ref += 1 << refDepthShift
		return b, nil
	}
	end := min(b.Off+b.Len, raw.Off+raw.Len)
	n = end - p.off
	return blockdev.Cluster{Off: p.off, Len: n, Storage: b.Storage, RefLen: min(n, b.RefLen)}, nil
}

// ReadStored returns what is stored for c, which Cluster gave. Stored bytes of
// zstd clusters are cut to whole frames; deflate streams may be followed by
// bytes that do not belong to them.
func (v *view) ReadStored(c blockdev.Cluster, buf []byte) ([]byte, error) {
	switch c.Storage {
	case blockdev.Zero:
		return buf[:0], nil
	case blockdev.Raw:
		buf = resize(buf, c.Len)
		return buf, ondisk.ReadFull(v, buf, c.Off, "cluster")
	}
	if c.Ref>>refDepthShift > 0 {
		c.Ref -= 1 << refDepthShift
		return v.backing.(blockdev.Clusters).ReadStored(c, buf)
	}
	buf = resize(buf, c.RefLen)
	if err := ondisk.ReadFull(v.file, buf, int64(c.Ref), "compressed cluster"); err != nil {
		return nil, err
	}
	if c.Storage == blockdev.Zstd {
		n, err := zstdFrames(buf, v.clusterSize())
		if err != nil {
			return nil, v.badCluster(piece{off: c.Off, host: int64(c.Ref)}, err)
		}
		buf = buf[:n]
	}
	return buf, nil
}

func resize(buf []byte, n int64) []byte {
	if int64(cap(buf)) < n {
		return make([]byte, n)
	}
	return buf[:n]
}
