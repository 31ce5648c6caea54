package qcow2

import (
	"bytes"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

// decodeFunc fills plain, exactly one cluster, from its stored bytes. These may
// be followed by others: neither their end nor the cluster's is marked. As in
// qemu, what a stream holds beyond the cluster is not looked at.
type decodeFunc func(plain, stored []byte) error

// errShort: the stream ends before the cluster is full.
var errShort = errors.New("holds less than a cluster")

type inflater struct {
	r   io.ReadCloser
	src bytes.Reader
}

var inflaters = sync.Pool{New: func() any {
	return &inflater{r: flate.NewReader(nil)}
}}

func inflate(plain, stored []byte) error {
	f := inflaters.Get().(*inflater)
	defer inflaters.Put(f)
	f.src.Reset(stored)
	if err := f.r.(flate.Resetter).Reset(&f.src, nil); err != nil {
		return err
	}
	_, err := io.ReadFull(f.r, plain)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errShort
	}
	return err
}
