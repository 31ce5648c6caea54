// Package wrap takes off what disk images are shipped in: gzip, xz, zstd and
// bzip2 streams, and tar archives that hold one disk image.
package wrap

import (
	"bufio"
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/xz"
)

const (
	maxLayers = 4 // such as zstd, tar, gzip
	peekLen   = 8 << 10
	maxWindow = 1 << 27 // of zstd streams; memory
)

// Detect names the wrapping that a file beginning with head has: "gzip", "xz",
// "zstd", "bzip2", "tar", or "" for none.
func Detect(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return "gzip"
	case bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")):
		return "xz"
	case bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")):
		return "zstd"
	case bytes.HasPrefix(head, []byte("BZh")):
		return "bzip2"
	case isTar(head):
		return "tar"
	}
	return ""
}

// PeekLen is how much of a file Detect wants to see.
const PeekLen = 512

// Unwrap copies the disk image that r holds, in whatever wrapping, to w, and
// returns the wrapping, outermost first; none if there was none. An image of
// more than limit bytes is an error.
func Unwrap(w io.Writer, r io.Reader, limit int64) (layers []string, err error) {
	in, err := peel(r)
	defer in.close()
	if err == nil {
		out := &limited{w: w, left: limit, limit: limit}
		if in.isTar {
			in.layers = append(in.layers, "tar")
			err = untar(out, in)
		} else {
			_, err = io.CopyBuffer(out, struct{ io.Reader }{in}, make([]byte, 256<<10))
		}
	}
	return in.layers, layered(err, in.layers)
}

// Plain takes compressions off r and tells whether a tar stream is below. The
// caller calls closer when it has read enough.
func Plain(r io.Reader) (plain io.Reader, isTar bool, closer func(), err error) {
	in, err := peel(r)
	if err != nil {
		in.close()
		return nil, false, nil, err
	}
	return in, in.isTar, in.close, nil
}

// peeled is what is below all compressions.
type peeled struct {
	*bufio.Reader
	isTar   bool
	layers  []string // compressions, outermost first
	closers []func()
}

func (p *peeled) close() {
	for _, c := range p.closers {
		c()
	}
}

// peel takes compressions off r. With an error too it returns what it has come
// to, which is to be closed.
func peel(r io.Reader) (*peeled, error) {
	p := &peeled{}
	for range maxLayers {
		p.Reader = bufio.NewReaderSize(r, peekLen)
		head, err := p.Peek(PeekLen)
		if err != nil && !errors.Is(err, io.EOF) {
			return p, err
		}
		kind := Detect(head)
		if kind == "" || kind == "tar" {
			p.isTar = kind == "tar"
			return p, nil
		}
		p.layers = append(p.layers, kind)
		next, closer, err := decompress(kind, p.Reader)
		if err != nil {
			return p, corrupt(err)
		}
		p.closers = append(p.closers, closer)
		r = corrupting{next}
	}
	return p, ondisk.Unsupportedf("wrapped more than %d times", maxLayers)
}

func layered(err error, layers []string) error {
	if err == nil || len(layers) == 0 {
		return err
	}
	return fmt.Errorf("unpacking %s: %w", layers[len(layers)-1], err)
}

func decompress(kind string, r io.Reader) (next io.Reader, closer func(), err error) {
	closer = func() {}
	switch kind {
	case "gzip":
		next, err = gzip.NewReader(r)
	case "xz":
		next = xz.NewReader(r)
	case "bzip2":
		next = bzip2.NewReader(r)
	case "zstd":
		d, e := zstd.NewReader(r, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderLowmem(true))
		if e == nil {
			closer = d.Close
		}
		next, err = d, e
	}
	return next, closer, err
}

// limited counts what is written and ends with an error at the limit.
type limited struct {
	w           io.Writer
	left, limit int64
}

func (l *limited) Write(p []byte) (int, error) {
	if int64(len(p)) > l.left {
		return 0, ondisk.Unsupportedf("disk image of more than %d bytes", l.limit)
	}
	n, err := l.w.Write(p)
	l.left -= int64(n)
	return n, err
}

// corrupting makes a decompressor's complaints about its input ErrCorrupt.
type corrupting struct{ r io.Reader }

func (c corrupting) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = corrupt(err)
	}
	return n, err
}

// corrupt makes err ErrCorrupt, unless it is of a class already or the
// source's.
func corrupt(err error) error {
	var source *SourceError
	var format *ondisk.FormatError
	if errors.As(err, &source) || errors.As(err, &format) {
		return err
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return ondisk.Corruptf(ondisk.NoOffset, "the file is cut off")
	}
	return ondisk.Corruptf(ondisk.NoOffset, "%v", err)
}

// SourceError marks a failure to read the wrapped file itself; decompressors
// pass it through, and so it is not taken for corruption.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap returns what failed.
func (e *SourceError) Unwrap() error { return e.Err }
