package tarball

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/flate"
)

// gzipCodec makes one gzip member (RFC 1952) of deflate pieces that each end
// at a byte boundary, so that the tasks' outputs are simply strung together.
func gzipCodec(c Compression) codec {
	level := map[Compression]int{Fast: 1, Default: 6, Small: 9}[c]
	return codec{
		// deflate, no name, no time, any system: the same bytes everywhere.
		head:    []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255},
		encoder: func() encoder { return &gzipEncoder{level: level} },
		tail: func(crc uint32, plain int64) []byte {
			end := []byte{0x01, 0, 0, 0xff, 0xff} // a last, empty stored block
			end = binary.LittleEndian.AppendUint32(end, crc)
			return binary.LittleEndian.AppendUint32(end, uint32(plain)) // modulo 2^32 as the format says
		},
	}
}

type gzipEncoder struct {
	level int
	plain []byte
	w     *flate.Writer
}

func (e *gzipEncoder) encode(t *task, r *reader) (err error) {
	e.plain = resize(e.plain, t.size)
	if err := r.fill(e.plain, t, nil); err != nil {
		return err
	}
	t.crc = checksum(e.plain)
	buf := bytes.NewBuffer(t.out[:0])
	if e.w == nil {
		if e.w, err = flate.NewWriter(buf, e.level); err != nil {
			return err
		}
	} else {
		e.w.Reset(buf)
	}
	if _, err := e.w.Write(e.plain); err != nil {
		return err
	}
	if err := e.w.Flush(); err != nil { // ends in an empty stored block
		return err
	}
	t.out = buf.Bytes()
	return nil
}
