package tarball

import (
	"bytes"

	"github.com/ulikunitz/xz"
)

// xzCodec makes one .xz stream a task; the format allows streams that follow
// each other (https://tukaani.org/xz/xz-file-format.txt, section 2).
func xzCodec(Compression) codec {
	const most = 4 // each of its writers is new and takes some 15 MiB
	return codec{most: most, encoder: func() encoder { return &xzEncoder{} }}
}

type xzEncoder struct{ plain []byte }

func (e *xzEncoder) encode(t *task, r *reader) error {
	e.plain = resize(e.plain, t.size)
	if err := r.fill(e.plain, t, nil); err != nil {
		return err
	}
	buf := bytes.NewBuffer(t.out[:0])
	w, err := xz.WriterConfig{DictCap: target, BlockSize: maxTask, CheckSum: xz.CRC32}.NewWriter(buf)
	if err != nil {
		return err
	}
	if _, err := w.Write(e.plain); err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	t.out = buf.Bytes()
	return nil
}
