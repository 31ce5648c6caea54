package tarball

import (
	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// zstdCodec makes zstd frames (RFC 8878); a decoder reads frames that follow
// each other as one stream. Frames of whole clusters are the image's own,
// unless the bytes are to depend on the content alone.
func zstdCodec(c Compression) codec {
	level := map[Compression]zstd.EncoderLevel{
		Fast: zstd.SpeedFastest, Default: zstd.SpeedDefault, Small: zstd.SpeedBetterCompression,
	}[c]
	return codec{most: maxWorkers, encoder: func() encoder { return &zstdEncoder{level: level, reuse: c != Small} }}
}

type zstdEncoder struct {
	level  zstd.EncoderLevel
	reuse  bool
	enc    *zstd.Encoder
	dec    *zstd.Decoder
	plain  []byte
	done   int // plain bytes that are in out
	out    []byte
	stored []byte
}

// maxWindow is what every zstd decoder must be able to hold (RFC 8878, 3.1.1.1.2).
const maxWindow = 8 << 20

func (e *zstdEncoder) open() (err error) {
	e.enc, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(e.level), zstd.WithEncoderConcurrency(1),
		zstd.WithWindowSize(target), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return err
	}
	e.dec, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecodeAllCapLimit(true))
	return err
}

func (e *zstdEncoder) encode(t *task, r *reader) error {
	if e.enc == nil {
		if err := e.open(); err != nil {
			return err
		}
	}
	e.plain, e.done, e.out = resize(e.plain, t.size), 0, t.out[:0]
	var tk taker
	if e.reuse {
		tk = e
	}
	if err := r.fill(e.plain, t, tk); err != nil {
		return err
	}
	e.encodeTo(len(e.plain))
	t.out = e.out
	return nil
}

// encodeTo makes a frame of the plain bytes up to place end.
func (e *zstdEncoder) encodeTo(end int) {
	if e.done < end {
		e.out = e.enc.EncodeAll(e.plain[e.done:end], e.out)
		e.done = end
	}
}

// take copies the frames of a whole cluster. They carry no checksum, so that
// decoding them is the only proof that they are whole.
func (e *zstdEncoder) take(dev blockdev.Clusters, s span, dst []byte) bool {
	if s.c.Storage != blockdev.Zstd || !s.whole() {
		return false
	}
	stored, err := dev.ReadStored(s.c, e.stored)
	if err != nil {
		return false
	}
	e.stored = stored
	if plain, err := e.dec.DecodeAll(stored, dst[:0:len(dst)]); err != nil || len(plain) != len(dst) {
		return false
	}
	e.encodeTo(s.at)
	e.out = append(e.out, stored...)
	e.done = s.at + s.n
	return true
}
