// Package qcow2 reads QEMU's copy-on-write images, versions 2 and 3, as qemu
// does when it opens them read-only.
package qcow2

import (
	"encoding/binary"
	"errors"
	"io"
	"math"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Names and limits of the format:
// https://gitlab.com/qemu-project/qemu/-/blob/master/docs/interop/qcow2.rst
// and, where the text sets no limit, qemu's block/qcow2.h.
const (
	Magic = "QFI\xfb"

	headerV2Len = 72
	headerV3Len = 104

	minClusterBits    = 9
	maxClusterBits    = 21
	maxL1Bytes        = 32 << 20
	maxRefTableBytes  = 8 << 20
	maxSnapshots      = 65536
	maxBackingName    = 1023
	snapshotEntryLen  = 40 // its fixed part
	subclusters       = 32
	minSubclusterSize = 512

	compressionZlib = 0
	compressionZstd = 1

	cryptNone = 0
	cryptAES  = 1
	cryptLUKS = 2
)

// Incompatible feature bits.
const (
	incompatDirty       = 1 << 0
	incompatCorrupt     = 1 << 1
	incompatDataFile    = 1 << 2
	incompatCompression = 1 << 3
	incompatExtendedL2  = 1 << 4
	incompatKnown       = 1<<5 - 1
)

const (
	compatLazyRefcounts = 1 << 0
	autoclearBitmaps    = 1 << 0
	autoclearRawData    = 1 << 1
)

// header is the checked content of the first cluster.
type header struct {
	version     int
	clusterBits uint
	size        int64 // virtual size in bytes
	l1Offset    int64
	l1Size      int // entries that the disk's size needs, not more

	incompat, compat, autoclear uint64

	compression uint8
	snapshots   int

	hasBacking    bool
	backing       string
	backingFormat string
	dataFile      string
}

func (h *header) clusterSize() int64 { return 1 << h.clusterBits }
func (h *header) extendedL2() bool   { return h.incompat&incompatExtendedL2 != 0 }
func (h *header) external() bool     { return h.incompat&incompatDataFile != 0 }

// entrySize is the size of an L2 entry in bytes.
func (h *header) entrySize() int64 {
	if h.extendedL2() {
		return 16
	}
	return 8
}

// l1Reach is how many bytes of the disk one L1 entry stands for.
func (h *header) l1Reach() int64 { return h.clusterSize() / h.entrySize() << h.clusterBits }

// readHeader reads and checks the header, its extensions and the backing name.
func readHeader(r io.ReaderAt, fileSize int64) (*header, error) {
	fixed := make([]byte, headerV3Len+1)
	n, err := r.ReadAt(fixed, 0)
	if n < headerV2Len {
		if err == nil || errors.Is(err, io.EOF) {
			err = ondisk.Corruptf(int64(n), "qcow2 header: ends after %d bytes, want %d", n, headerV2Len)
		}
		return nil, err
	}
	be := binary.BigEndian
	if string(fixed[:4]) != Magic {
		return nil, ondisk.NotFormatf("qcow2: magic %x, want %x", fixed[:4], Magic)
	}
	version := be.Uint32(fixed[4:])
	if version != 2 && version != 3 {
		return nil, ondisk.Unsupportedf("qcow2 version %d", version)
	}
	h := &header{version: int(version), hasBacking: be.Uint64(fixed[8:]) != 0}
	clusterBits := be.Uint32(fixed[20:])
	if clusterBits < minClusterBits || clusterBits > maxClusterBits {
		return nil, ondisk.Corruptf(20, "qcow2 header: cluster_bits %d, want %d to %d", clusterBits, minClusterBits, maxClusterBits)
	}
	h.clusterBits = uint(clusterBits)

	headerLength := uint32(headerV2Len)
	if version == 3 {
		if n < headerV3Len {
			return nil, ondisk.Corruptf(int64(n), "qcow2 header: ends after %d bytes, want %d", n, headerV3Len)
		}
		h.incompat, h.compat, h.autoclear = be.Uint64(fixed[72:]), be.Uint64(fixed[80:]), be.Uint64(fixed[88:])
		if refcountOrder := be.Uint32(fixed[96:]); refcountOrder > 6 {
			return nil, ondisk.Corruptf(96, "qcow2 header: refcount_order %d, want at most 6", refcountOrder)
		}
		headerLength = be.Uint32(fixed[100:])
		if headerLength < headerV3Len || int64(headerLength) > h.clusterSize() {
			return nil, ondisk.Corruptf(100, "qcow2 header: header_length %d, want %d to %d", headerLength, headerV3Len, h.clusterSize())
		}
		if headerLength > headerV3Len {
			h.compression = fixed[headerV3Len]
		}
	}
	first, err := ondisk.ReadAt(r, 0, min(h.clusterSize(), fileSize), h.clusterSize(), "qcow2 header")
	if err != nil {
		return nil, err
	}
	if err := h.readExtensions(first, int64(headerLength)); err != nil {
		return nil, err
	}
	if err := h.checkCrypt(be.Uint32(fixed[32:])); err != nil {
		return nil, err
	}
	if err := h.checkFeatures(); err != nil {
		return nil, err
	}
	return h, h.checkTables(fixed, fileSize)
}

func (h *header) checkCrypt(method uint32) error {
	switch method {
	case cryptNone:
		return nil
	case cryptAES:
		return ondisk.Encryptedf("qcow2 image is encrypted with AES")
	case cryptLUKS:
		return ondisk.Encryptedf("qcow2 image is encrypted with LUKS")
	}
	return ondisk.Encryptedf("qcow2 image is encrypted by the unknown method %d", method)
}

// checkFeatures refuses combinations that the format rules out, as qemu does.
func (h *header) checkFeatures() error {
	switch {
	case h.compression > compressionZstd:
		return ondisk.Unsupportedf("qcow2 compression type %d", h.compression)
	case (h.compression != compressionZlib) != (h.incompat&incompatCompression != 0):
		return ondisk.Corruptf(headerV3Len, "qcow2 header: compression type %d contradicts incompatible features %#x", h.compression, h.incompat)
	case h.extendedL2() && h.clusterSize()/subclusters < minSubclusterSize:
		return ondisk.Corruptf(20, "qcow2 header: subclusters of %d bytes, want at least %d", h.clusterSize()/subclusters, minSubclusterSize)
	case h.external() && h.dataFile == "":
		return ondisk.Unsupportedf("qcow2 image keeps its data in an external file that it does not name")
	case !h.external() && h.autoclear&autoclearRawData != 0:
		return ondisk.Corruptf(88, "qcow2 header: raw external data without an external data file")
	}
	return nil
}

// checkTables checks sizes and places of the tables that the header points at.
func (h *header) checkTables(fixed []byte, fileSize int64) error {
	be := binary.BigEndian
	size := be.Uint64(fixed[24:])
	if size > math.MaxInt64 {
		return ondisk.Corruptf(24, "qcow2 header: virtual size %d, at most %d", size, int64(math.MaxInt64))
	}
	h.size = int64(size)

	l1Size, l1Offset := be.Uint32(fixed[36:]), be.Uint64(fixed[40:])
	if err := h.checkTable("L1 table", 40, l1Offset, uint64(l1Size), 8, maxL1Bytes); err != nil {
		return err
	}
	reach := h.l1Reach()
	need := h.size / reach
	if h.size%reach != 0 {
		need++
	}
	if need > int64(l1Size) {
		return ondisk.Corruptf(36, "qcow2 header: L1 table of %d entries, want %d for a disk of %d bytes", l1Size, need, h.size)
	}
	h.l1Size, h.l1Offset = int(need), int64(l1Offset)
	if end := h.l1Offset + 8*need; end > fileSize {
		return ondisk.Corruptf(40, "L1 table: ends at byte %#x of a file of %d bytes", end, fileSize)
	}

	refClusters := be.Uint32(fixed[56:])
	if err := h.checkTable("refcount table", 48, be.Uint64(fixed[48:]), uint64(refClusters), uint64(h.clusterSize()), maxRefTableBytes); err != nil {
		return err
	}
	if refClusters == 0 {
		return ondisk.Corruptf(56, "qcow2 header: no refcount table")
	}
	nbSnapshots := be.Uint32(fixed[60:])
	h.snapshots = int(nbSnapshots)
	return h.checkTable("snapshot table", 64, be.Uint64(fixed[64:]), uint64(nbSnapshots), snapshotEntryLen, snapshotEntryLen*maxSnapshots)
}

// checkTable checks a table of count entries against limit bytes; field is the
// place of its offset in the header.
func (h *header) checkTable(what string, field int64, offset, count, entry, limit uint64) error {
	switch {
	case count > limit/entry:
		return ondisk.Corruptf(field, "%s: %d entries of %d bytes, at most %d bytes", what, count, entry, limit)
	case count > 0 && offset%uint64(h.clusterSize()) != 0:
		return ondisk.Corruptf(field, "%s: offset %#x is not a multiple of the cluster size %d", what, offset, h.clusterSize())
	case count > 0 && offset > math.MaxInt64-limit:
		return ondisk.Corruptf(field, "%s: offset %#x is too large", what, offset)
	}
	return nil
}
