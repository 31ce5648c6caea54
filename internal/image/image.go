// Package image is the contract of the disk image containers: a file that
// holds the bytes of a disk in some form.
package image

import (
	"errors"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// Image is an open disk image. Device is not embedded so that nobody passes
// the Image itself on and loses what the Device can do beyond ReadAt (Mapper,
// Clusters, Forker).
type Image struct {
	Device   blockdev.Device // the disk's bytes; its Size is the virtual size
	Name     string          // the file as the user named it, "-" for standard input
	Format   string          // "raw" or "qcow2"
	Wrapping []string        // what the image was wrapped in, outermost first: "xz", "tar", …
	FileSize int64           // bytes of the image file itself, unwrapped
	Details  Details
	Warnings []string

	Files []File // all that Close closes; the image file first, then its backing files
}

// Details is what a container tells beyond the disk's bytes. All but
// VirtualSize is zero for raw images.
type Details struct {
	Version       int    // of the format
	VirtualSize   int64  // bytes
	ClusterSize   int64  // bytes
	Compression   string // of compressed clusters, should it have some: "zlib" or "zstd"
	ExtendedL2    bool   // has subclusters
	LazyRefcounts bool
	Dirty         bool // was not closed properly
	Corrupt       bool // qemu has marked it as corrupt
	Snapshots     int  // internal snapshots, which are not read
	Bitmaps       bool // has persistent bitmaps
	BackingFile   string
	BackingFormat string
	DataFile      string
}

// File is an open host file.
type File interface {
	blockdev.Device
	Changed() error
	Close() error
}

// Changed is an error if a file of the image was changed since it was opened.
func (m *Image) Changed() error {
	for _, f := range m.Files {
		if err := f.Changed(); err != nil {
			return err
		}
	}
	return nil
}

// Close closes all files of the image; temporary ones are gone then.
func (m *Image) Close() error {
	var errs []error
	for _, f := range m.Files {
		errs = append(errs, f.Close())
	}
	m.Files = nil
	return errors.Join(errs...)
}
