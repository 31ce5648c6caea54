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
	out := &limited{w: w, left: limit, limit: limit}
	for range maxLayers {
		in := bufio.NewReaderSize(r, peekLen)
		head, err := in.Peek(PeekLen)
		if err != nil && !errors.Is(err, io.EOF) {
			return layers, layered(err, layers)
		}
		kind := Detect(head)
		switch kind {
		case "":
			_, err := io.CopyBuffer(out, struct{ io.Reader }{in}, make([]byte, 256<<10))
			return layers, layered(err, layers)
		case "tar":
			layers = append(layers, kind)
			return layers, layered(untar(out, in), layers)
		}
		layers = append(layers, kind)
		next, closer, err := decompress(kind, in)
		if err != nil {
			return layers, layered(err, layers)
		}
		defer closer()
		r = corrupting{next}
	}
	return layers, ondisk.Unsupportedf("wrapped more than %d times", maxLayers)
}

// Plain takes compressions off r and tells whether a tar stream is below. The
// caller calls closer when it has read enough.
func Plain(r io.Reader) (plain io.Reader, isTar bool, closer func(), err error) {
	var closers []func()
	closer = func() {
		for _, c := range closers {
			c()
		}
	}
	for range maxLayers {
		in := bufio.NewReaderSize(r, peekLen)
		head, err := in.Peek(PeekLen)
		if err != nil && !errors.Is(err, io.EOF) {
			closer()
			return nil, false, nil, err
		}
		kind := Detect(head)
		if kind == "" || kind == "tar" {
			return in, kind == "tar", closer, nil
		}
		next, c, err := decompress(kind, in)
		if err != nil {
			closer()
			return nil, false, nil, corrupt(err)
		}
		closers = append(closers, c)
		r = corrupting{next}
	}
	closer()
	return nil, false, nil, ondisk.Unsupportedf("wrapped more than %d times", maxLayers)
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
	var source *SourceError
	if err != nil && !errors.Is(err, io.EOF) && !errors.As(err, &source) {
		err = corrupt(err)
	}
	return n, err
}

func corrupt(err error) error {
	if class := (*ondisk.FormatError)(nil); errors.As(err, &class) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
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
