// Package blockdev holds what disk images, partitions and volumes have in
// common: a range of bytes that can be read at any place, by several
// goroutines at once, and that may tell how those bytes are stored.
package blockdev

import "io"

// Device is a fixed-size range of bytes. ReadAt follows io.ReaderAt and is
// safe for concurrent use; reads past Size end in io.EOF.
type Device interface {
	io.ReaderAt
	Size() int64
}

// Forker is a Device that can hand out cheaper views of itself.
type Forker interface {
	// Fork returns the same bytes for the use of one goroutine. The view may
	// keep scratch memory (the last cluster decoded, a file handle of its
	// own); Close, if it is an io.Closer, gives that back.
	Fork() Device
}

// Fork returns dev's one-goroutine view where it has one, else dev itself.
// Give the result back with Release.
func Fork(dev Device) Device {
	if f, ok := dev.(Forker); ok {
		return f.Fork()
	}
	return dev
}

// Release closes view, which Fork made of dev. Where Fork returned dev itself
// there is nothing to give back, and dev stays open.
func Release(dev, view Device) error {
	if _, ok := dev.(Forker); !ok {
		return nil
	}
	if c, ok := view.(io.Closer); ok {
		return c.Close()
	}
	return nil
}

// Mapper is a Device that knows which of its parts were ever written.
type Mapper interface {
	// NextExtent describes the longest known run of like storage that starts
	// at off, 0 <= off < Size. The extent starts at off and is not empty.
	NextExtent(off int64) (Extent, error)
}

// Extent is a run of bytes of a Device that are stored alike.
type Extent struct {
	Off, Len int64
	Zero     bool // reads as zeros and has no stored bytes
}

// Storage is how the bytes of a cluster are kept.
type Storage uint8

// The ways a cluster can be stored.
const (
	Zero    Storage = iota // no stored bytes, reads as zeros
	Raw                    // as they are
	Deflate                // one raw deflate stream (RFC 1951)
	Zstd                   // one or more zstd frames (RFC 8878)
)

// Cluster is one unit of storage of a compressing container.
type Cluster struct {
	Off, Len int64 // place and plain size on the Device; where that begins or ends inside a cluster, Off lies before 0 and Off+Len beyond Size
	Storage  Storage
	Ref      uint64 // private to the container: where the stored bytes are
	RefLen   int64  // upper bound of their count; the stream may end earlier
}

// Clusters is a Device whose stored bytes can be had as they are, so that a
// sink of the same coding need not encode them again. Safe for concurrent use.
type Clusters interface {
	Device
	// Cluster describes the cluster that holds byte off, 0 <= off < Size.
	Cluster(off int64) (Cluster, error)
	// ReadStored appends the stored bytes of c to buf[:0] and returns them.
	ReadStored(c Cluster, buf []byte) ([]byte, error)
}
