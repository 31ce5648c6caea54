// Package all opens a volume with whichever filesystem driver fits.
package all

import (
	"errors"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/ext4"
	"github.com/wslimg/wslimg/internal/fsys/xfs"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Options say how filesystems are read.
type Options struct {
	IgnoreLog bool // read an XFS with a dirty log as it lies
}

// Open reads dev with the driver that knows it; dev should cache small reads.
// ErrNotFormat means that the volume holds nothing known, ErrUnsupported and
// ErrEncrypted name what it holds.
func Open(dev blockdev.Device, opts Options) (fsys.FS, error) {
	drivers := []func() (fsys.FS, error){
		func() (fsys.FS, error) { return ext4.Open(dev, ext4.Options{}) },
		func() (fsys.FS, error) { return xfs.Open(dev, xfs.Options{IgnoreLog: opts.IgnoreLog}) },
	}
	for _, open := range drivers {
		fs, err := open()
		if err == nil {
			return fs, nil
		}
		if !errors.Is(err, ondisk.ErrNotFormat) {
			return nil, err
		}
	}
	switch kind := Probe(dev); kind {
	case "":
		return nil, ondisk.NotFormatf("no known filesystem")
	case "crypto_LUKS", "BitLocker":
		return nil, ondisk.Encryptedf("%s volume", kind)
	default:
		return nil, ondisk.WithHint(ondisk.Unsupportedf("%s is not read", kind),
			"wslimg reads ext2, ext3, ext4 and XFS: copy the system to one of them inside the VM and export that")
	}
}
