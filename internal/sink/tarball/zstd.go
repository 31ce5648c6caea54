package tarball

import "github.com/klauspost/compress/zstd"

// zstdCodec makes one zstd frame (RFC 8878) a task; a decoder reads frames
// that follow each other as one stream.
func zstdCodec(c Compression) codec {
	level := map[Compression]zstd.EncoderLevel{
		Fast: zstd.SpeedFastest, Default: zstd.SpeedDefault, Small: zstd.SpeedBetterCompression,
	}[c]
	return codec{encoder: func() encoder { return &zstdEncoder{level: level} }}
}

type zstdEncoder struct {
	level zstd.EncoderLevel
	plain []byte
	w     *zstd.Encoder
}

func (e *zstdEncoder) encode(t *task, r *reader) (err error) {
	if e.w == nil {
		e.w, err = zstd.NewWriter(nil, zstd.WithEncoderLevel(e.level), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(target), zstd.WithEncoderCRC(true), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return err
		}
	}
	e.plain = resize(e.plain, t.size)
	if err := r.fill(e.plain, t); err != nil {
		return err
	}
	t.out = e.w.EncodeAll(e.plain, t.out[:0])
	return nil
}
