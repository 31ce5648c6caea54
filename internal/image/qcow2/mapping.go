package qcow2

import (
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Bits of L1 and L2 entries.
const (
	entryCopied     = 1 << 63 // refcount is one: of no meaning to a reader
	entryCompressed = 1 << 62
	entryZero       = 1 << 0 // L2, not with subclusters
	offsetMask      = 0x00ff_ffff_ffff_fe00

	l1Reserved       = ^uint64(entryCopied | offsetMask)
	l2Reserved       = ^uint64(entryCopied | entryCompressed | entryZero | offsetMask)
	compressedSector = 512
)

// maxSlice bounds the part of an L2 table that is read and kept at once.
const maxSlice = 64 << 10

// kind is how a piece of the disk is stored.
type kind uint8

const (
	unallocated kind = iota // the backing file's bytes, or zeros
	zero
	data
	compressed
)

// piece is a run of bytes of the disk that are stored alike.
type piece struct {
	kind   kind
	off, n int64
	host   int64 // data: place of the bytes; compressed: place of the cluster's stored bytes
	stored int64 // compressed: their count, rounded up
	entry  int64 // place of the L2 entry in the file, for errors
}

// cursor finds pieces; it keeps the part of the L2 table that it used last.
type cursor struct {
	m     *Image
	l2    []byte
	l2Off int64
}

// run returns the longest piece from off on, but no more than about limit
// bytes; 0 <= off < size.
func (c *cursor) run(off, limit int64) (piece, error) {
	p, err := c.at(off)
	if err != nil {
		return p, err
	}
	for p.kind != compressed && p.n < limit && off+p.n < c.m.size {
		next, err := c.at(off + p.n)
		if err != nil || next.kind != p.kind || next.kind == data && next.host != p.host+p.n {
			break
		}
		p.n += next.n
	}
	return p, nil //nolint:nilerr // who asks for the next run gets the error
}

// at returns the piece from off on, at most to the end of its cluster or, where
// there is no L2 table, of the reach of its L1 entry.
func (c *cursor) at(off int64) (piece, error) {
	m := c.m
	reach := m.l1Reach()
	i := off / reach
	l1 := m.l1[i]
	if l1&l1Reserved != 0 {
		return piece{}, ondisk.Corruptf(m.l1Offset+8*i, "L1 entry %d: %#x has reserved bits set", i, l1)
	}
	l2Off := int64(l1 & offsetMask)
	if l2Off == 0 {
		return piece{kind: unallocated, off: off, n: min(reach-off%reach, m.size-off)}, nil
	}
	if err := m.checkHost("L2 table", l2Off, m.clusterSize(), m.clusterSize(), m.l1Offset+8*i); err != nil {
		return piece{}, err
	}
	entryOff := l2Off + off%reach>>m.clusterBits*m.entrySize()
	entry, bitmap, err := c.entry(entryOff)
	if err != nil {
		return piece{}, err
	}
	in := off & (m.clusterSize() - 1)
	p := piece{off: off, n: min(m.clusterSize()-in, m.size-off), entry: entryOff}
	switch {
	case entry&entryCompressed != 0:
		err = m.compressedPiece(&p, entry, bitmap)
	case m.extendedL2():
		err = m.subclusterPiece(&p, entry, bitmap, in)
	default:
		err = m.clusterPiece(&p, entry, in)
	}
	return p, err
}

// entry returns the L2 entry at byte off of the file, with the subcluster
// bitmap where there is one.
func (c *cursor) entry(off int64) (entry, bitmap uint64, err error) {
	size := min(maxSlice, c.m.clusterSize())
	if start := off &^ (size - 1); c.l2 == nil || c.l2Off != start {
		b, ok := c.m.l2Cache.Get(start)
		if !ok {
			b = make([]byte, size)
			if err := ondisk.ReadFull(c.m.file, b, start, "L2 table"); err != nil {
				return 0, 0, err
			}
			c.m.l2Cache.Add(start, b, size)
		}
		c.l2, c.l2Off = b, start
	}
	b := c.l2[off-c.l2Off:]
	if c.m.extendedL2() {
		bitmap = binary.BigEndian.Uint64(b[8:])
	}
	return binary.BigEndian.Uint64(b), bitmap, nil
}

// clusterPiece fills in p from a standard L2 entry.
func (m *Image) clusterPiece(p *piece, entry uint64, in int64) error {
	if entry&l2Reserved != 0 || m.version < 3 && entry&entryZero != 0 {
		return ondisk.Corruptf(p.entry, "L2 entry: %#x has reserved bits set", entry)
	}
	host := int64(entry & offsetMask)
	allocated := m.allocated(entry)
	switch {
	case entry&entryZero != 0:
		p.kind = zero
	case allocated:
		p.kind = data
	}
	if allocated {
		return m.place(p, host, in)
	}
	return nil
}

// subclusterPiece fills in p from an extended L2 entry, for the run of like
// subclusters that holds byte in of the cluster.
func (m *Image) subclusterPiece(p *piece, entry, bitmap uint64, in int64) error {
	if entry&(l2Reserved|entryZero) != 0 {
		return ondisk.Corruptf(p.entry, "L2 entry: %#x has reserved bits set", entry)
	}
	alloc, zeros := uint32(bitmap), uint32(bitmap>>32)
	allocated := m.allocated(entry)
	if alloc&zeros != 0 || alloc != 0 && !allocated {
		return ondisk.Corruptf(p.entry+8, "subcluster bitmap: allocated %#x and zero %#x with L2 entry %#x", alloc, zeros, entry)
	}
	size := m.clusterSize() / subclusters
	sub := uint(in / size)
	var like uint32 // from sub on, which subclusters are as sub is
	switch {
	case zeros>>sub&1 != 0:
		p.kind, like = zero, zeros>>sub
	case alloc>>sub&1 != 0:
		p.kind, like = data, alloc>>sub
	default:
		p.kind, like = unallocated, ^(alloc|zeros)>>sub
	}
	count := min(int64(bits.TrailingZeros32(^like)), subclusters-int64(sub))
	p.n = min(p.n, (int64(sub)+count)*size-in)
	if allocated {
		return m.place(p, int64(entry&offsetMask), in)
	}
	return nil
}

// allocated tells whether a standard entry has a host cluster. Offset 0 is the
// header's, but may be used in an external data file.
func (m *Image) allocated(entry uint64) bool {
	return entry&offsetMask != 0 || m.external() && entry&entryCopied != 0
}

// place checks the host cluster of p, and that its bytes exist if p needs them.
func (m *Image) place(p *piece, host, in int64) error {
	if host&(m.clusterSize()-1) != 0 {
		return ondisk.Corruptf(p.entry, "L2 entry: cluster at %#x is not a multiple of the cluster size %d", host, m.clusterSize())
	}
	if p.kind != data {
		return nil
	}
	p.host = host + in
	if m.external() {
		if end := p.host + p.n; end > m.data.Size() {
			return ondisk.Corruptf(p.entry, "L2 entry: data up to byte %#x of a data file of %d bytes", end, m.data.Size())
		}
		return nil
	}
	return m.checkHost("cluster", p.host, p.n, 1, p.entry)
}

// compressedPiece fills in p from the L2 entry of a compressed cluster.
func (m *Image) compressedPiece(p *piece, entry, bitmap uint64) error {
	if bitmap != 0 {
		return ondisk.Corruptf(p.entry+8, "subcluster bitmap: %#x for a compressed cluster, want 0", bitmap)
	}
	if m.external() {
		return ondisk.Corruptf(p.entry, "L2 entry: compressed cluster in an image with an external data file")
	}
	offsetBits := 62 - (m.clusterBits - 8)
	p.kind = compressed
	p.host = int64(entry & (1<<offsetBits - 1))
	sectors := int64(entry>>offsetBits&(1<<(m.clusterBits-8)-1)) + 1
	p.stored = sectors*compressedSector - p.host%compressedSector
	// The count of sectors is rounded up, and the file may end before.
	p.stored = min(p.stored, m.file.Size()-p.host)
	if p.stored <= 0 {
		return ondisk.Corruptf(p.entry, "L2 entry: compressed cluster at %#x of a file of %d bytes", p.host, m.file.Size())
	}
	return m.checkHost("compressed cluster", p.host, p.stored, 1, p.entry)
}

// checkHost checks that the n bytes at off lie in the file, on a multiple of
// align, and do not reach into header or L1 table. entry is the place that
// points at them.
func (m *Image) checkHost(what string, off, n, align, entry int64) error {
	size := m.file.Size()
	l1End := m.l1Offset + 8*int64(len(m.l1))
	switch {
	case off%align != 0:
		return ondisk.Corruptf(entry, "%s at %#x is not a multiple of the cluster size %d", what, off, align)
	case off > math.MaxInt64-n || off+n > size:
		return ondisk.Corruptf(entry, "%s at %#x of %d bytes: the file ends at %#x", what, off, n, size)
	case off < m.headerEnd:
		return ondisk.Corruptf(entry, "%s at %#x overlaps the header", what, off)
	case off < l1End && off+n > m.l1Offset:
		return ondisk.Corruptf(entry, "%s at %#x overlaps the L1 table at %#x", what, off, m.l1Offset)
	}
	return nil
}
