package qcow2

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// How much an Image remembers, in bytes.
const (
	l2CacheBytes      = 4 << 20
	decodedCacheBytes = 4 << 20
)

// Options says how the files that an image refers to are opened. Without a
// function, an image that refers to such a file is ErrUnsupported.
type Options struct {
	// Backing opens the backing file; format is what the image calls its
	// format, "" if it does not tell.
	Backing func(name, format string) (blockdev.Device, error)
	// DataFile opens the external data file, which is raw.
	DataFile func(name string) (blockdev.Device, error)
}

// Image is the disk in a qcow2 file: a blockdev.Device, Mapper, Clusters and
// Forker. It does not own the file.
type Image struct {
	header
	headerEnd int64 // no cluster lies before
	l1        []uint64

	file    blockdev.Device
	data    blockdev.Device // where plain clusters lie: file or the external data file
	backing blockdev.Device // nil without one

	l2Cache *blockdev.LRU[int64, []byte] // parts of L2 tables by file offset
	decoded *blockdev.LRU[int64, []byte] // plain clusters by place of the stored bytes
	views   sync.Pool                    // of *view
}

// Open reads the tables of the image in file, and opens what it refers to.
// Errors carry byte offsets in file.
func Open(file blockdev.Device, opts Options) (*Image, error) {
	h, err := readHeader(file, file.Size())
	if err != nil {
		return nil, err
	}
	m := &Image{header: *h, headerEnd: h.clusterSize(), file: file, data: file}
	if err := m.readL1(); err != nil {
		return nil, err
	}
	m.l2Cache = blockdev.NewLRU[int64, []byte](l2CacheBytes)
	m.decoded = blockdev.NewLRU[int64, []byte](max(decodedCacheBytes, 2*m.clusterSize()))
	m.views.New = func() any {
		return &view{Image: m, file: m.file, data: m.data, backing: m.backing, shared: true}
	}
	return m, m.openOthers(opts)
}

// readL1 reads the L1 table, of which checkTables has seen that it fits the
// file and the limit.
func (m *Image) readL1() error {
	m.l1 = make([]uint64, m.l1Size)
	buf := make([]byte, 64<<10)
	for i := 0; i < len(m.l1); {
		part := buf[:min(len(buf), 8*(len(m.l1)-i))]
		if err := ondisk.ReadFull(m.file, part, m.l1Offset+8*int64(i), "L1 table"); err != nil {
			return err
		}
		for ; len(part) > 0; part = part[8:] {
			m.l1[i] = binary.BigEndian.Uint64(part)
			i++
		}
	}
	return nil
}

func (m *Image) openOthers(opts Options) (err error) {
	if m.external() {
		if opts.DataFile == nil {
			return ondisk.Unsupportedf("external data file %q is not followed", m.dataFile)
		}
		if m.data, err = opts.DataFile(m.dataFile); err != nil {
			return fmt.Errorf("external data file: %w", err)
		}
	}
	if m.hasBacking && m.header.backing != "" {
		if opts.Backing == nil {
			return ondisk.Unsupportedf("backing file %q is not followed", m.header.backing)
		}
		if m.backing, err = opts.Backing(m.header.backing, m.backingFormat); err != nil {
			return fmt.Errorf("backing file: %w", err)
		}
	}
	return nil
}

// Details tells what the header says.
func (m *Image) Details() image.Details {
	d := image.Details{
		Version:       m.version,
		VirtualSize:   m.size,
		ClusterSize:   m.clusterSize(),
		Compression:   "zlib",
		ExtendedL2:    m.extendedL2(),
		LazyRefcounts: m.compat&compatLazyRefcounts != 0,
		Dirty:         m.incompat&incompatDirty != 0,
		Corrupt:       m.incompat&incompatCorrupt != 0,
		Snapshots:     m.snapshots,
		Bitmaps:       m.autoclear&autoclearBitmaps != 0,
		BackingFile:   m.header.backing,
		BackingFormat: m.backingFormat,
		DataFile:      m.dataFile,
	}
	if m.compression == compressionZstd {
		d.Compression = "zstd"
	}
	return d
}

// Warnings tells what the user should know of an image that is read all the same.
func (m *Image) Warnings() (w []string) {
	if m.incompat&incompatCorrupt != 0 {
		w = append(w, "qemu has marked the image as corrupt; run qemu-img check")
	}
	if m.snapshots > 0 {
		w = append(w, fmt.Sprintf("the image holds internal snapshots (%d); its current state is read", m.snapshots))
	}
	return w
}

// Size is the virtual size of the disk in bytes.
func (m *Image) Size() int64 { return m.size }

// ReadAt reads from the disk.
func (m *Image) ReadAt(p []byte, off int64) (int, error) {
	v := m.views.Get().(*view)
	defer m.views.Put(v)
	return v.ReadAt(p, off)
}

// ReadStored returns what is stored for c.
func (m *Image) ReadStored(c blockdev.Cluster, buf []byte) ([]byte, error) {
	v := m.views.Get().(*view)
	defer m.views.Put(v)
	return v.ReadStored(c, buf)
}

// Fork returns a view for one goroutine, which keeps the cluster decoded last.
func (m *Image) Fork() blockdev.Device {
	v := &view{Image: m, file: blockdev.Fork(m.file), backing: m.backing}
	v.data = v.file
	if m.external() {
		v.data = blockdev.Fork(m.data)
	}
	if m.backing != nil {
		v.backing = blockdev.Fork(m.backing)
	}
	return v
}

var _ interface {
	blockdev.Clusters
	blockdev.Mapper
	blockdev.Forker
	io.ReaderAt
} = (*Image)(nil)
