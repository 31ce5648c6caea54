package tarball

import (
	"fmt"
	"slices"
)

// encoder turns tasks into output bytes; one worker's own.
type encoder interface {
	// encode sets t.out, and t.crc where the format wants it.
	encode(t *task, r *reader) error
}

// maxWorkers bounds memory: a worker and its task take up to about 8 MiB. Ten
// encode faster than one can write and digest.
const maxWorkers = 10

// codec is a format: what stands before and after the encoded tasks.
type codec struct {
	head    []byte
	encoder func() encoder
	most    int // workers
	ahead   int // tasks in memory beyond one for each worker and the writer
	tail    func(crc uint32, plain int64) []byte
}

func codecFor(f Format, c Compression) (codec, error) {
	switch f {
	case Tar:
		// Some tasks have little to decode, and digesting and writing take a
		// third of the time: with one task more, workers wait less for either.
		return codec{most: maxWorkers, ahead: 1, encoder: func() encoder { return stored{} }}, nil
	case Gzip:
		return gzipCodec(c), nil
	case Zstd:
		return zstdCodec(c), nil
	case Xz:
		return xzCodec(c), nil
	}
	return codec{}, fmt.Errorf("format %d is none of the known ones", f)
}

// stored is the encoder of a plain tar.
type stored struct{}

func (stored) encode(t *task, r *reader) error {
	t.out = resize(t.out, t.size)
	return r.fill(t.out, t, nil)
}

// resize returns b with n bytes of any value.
func resize(b []byte, n int) []byte { return slices.Grow(b[:0], n)[:n] }
