package ondisk

import (
	"errors"
	"io"
)

// chunk bounds what ReadAt allocates before the bytes have been seen to exist.
const chunk = 1 << 20

// ReadAt returns the n bytes at off. It allocates no more than about twice
// what the reader really holds, so a length that the image merely claims is
// harmless; a length beyond limit, a negative one or a short read is ErrCorrupt.
// what names the structure for the error text.
func ReadAt(r io.ReaderAt, off, n, limit int64, what string) ([]byte, error) {
	switch {
	case off < 0:
		return nil, Corruptf(NoOffset, "%s: offset %d is negative", what, off)
	case n < 0 || n > limit:
		return nil, Corruptf(off, "%s: length %d, at most %d", what, n, limit)
	}
	buf := make([]byte, 0, min(n, chunk))
	for int64(len(buf)) < n {
		have := int64(len(buf))
		next := min(n, max(2*have, chunk))
		grown := make([]byte, next)
		copy(grown, buf)
		if err := ReadFull(r, grown[have:], off+have, what); err != nil {
			return nil, err
		}
		buf = grown
	}
	return buf, nil
}

// ReadFull fills p from off; a short read is ErrCorrupt, any other failure is
// the reader's own error.
func ReadFull(r io.ReaderAt, p []byte, off int64, what string) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return Corruptf(off+int64(n), "%s: ends %d bytes short", what, len(p)-n)
	}
	return err
}
