package qcow2

import (
	"errors"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Why stored bytes do not make a cluster.
var (
	errShort = errors.New("holds less than a cluster")
	errLong  = errors.New("holds more than a cluster")
)

// decodeTo fills p, of the size of a cluster, with the plain bytes of from.
func (v *view) decodeTo(p []byte, from piece) error {
	if err := v.readStored(from); err != nil {
		return err
	}
	if err := v.decode(p); err != nil {
		return v.badCluster(from, err)
	}
	return nil
}

// decode decodes v.stored into p. Neither the end of the stored bytes nor that
// of the stream in them is marked: others may follow.
func (v *view) decode(p []byte) error {
	if v.compression == compressionZstd {
		return unzstd(p, v.stored)
	}
	n, _, err := v.inflater.Inflate(p, v.stored)
	if err == nil && n < len(p) {
		err = errShort
	}
	return err
}

// readStored fills v.stored with the stored bytes of a compressed cluster.
func (v *view) readStored(from piece) error {
	v.stored = resize(v.stored, from.stored)
	return ondisk.ReadFull(v.file, v.stored, from.host, "compressed cluster")
}

// badCluster says that what is stored for a cluster cannot be decoded, and
// where in the file.
func (v *view) badCluster(from piece, err error) error {
	off, what := from.host, err.Error()
	if in := (*ondisk.FormatError)(nil); errors.As(err, &in) && in.Off >= 0 {
		off, what = off+in.Off, in.What
	}
	return ondisk.Corruptf(off, "compressed cluster of disk byte %#x: %s", from.off&^(v.clusterSize()-1), what)
}
