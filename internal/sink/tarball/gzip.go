package tarball

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/deflate"
)

// gzipCodec makes one gzip member (RFC 1952) of deflate pieces that each begin
// and end at a byte boundary, so that the tasks' outputs are simply strung
// together.
func gzipCodec(c Compression) codec {
	return codec{
		most: maxWorkers,
		// deflate, no name, no time, any system: the same bytes everywhere.
		head: []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255},
		encoder: func() encoder {
			return &gzipEncoder{reuse: reuses[c], enc: deflate.NewEncoder(deflateLevels[c])}
		},
		tail: func(crc uint32, plain int64) []byte {
			end := binary.LittleEndian.AppendUint32([]byte(deflate.Final), crc)
			return binary.LittleEndian.AppendUint32(end, uint32(plain)) //nolint:gosec // modulo 2^32 as the format says
		},
	}
}

// reuse says which stored clusters are taken over: those stored in at least so
// many percent of their plain size. qemu deflates each cluster alone and with a
// window of 4 KiB, so that the better a cluster compresses, the more is left to
// find by searching it anew. None is out of reach of never.
type reuse struct {
	whole int64 // clusters that a task holds whole: the stream is copied bit for bit
	torn  int64 // clusters that it holds a part of: the matches are kept
}

const never = 1 << 20

// reuses were chosen on a Debian cloud image: Fast costs a tenth of the CPU time
// of converting, mounting and tar | pigz -6, and its output is less than 1.08
// times as large; Default costs a fifth, and stays below 1.03.
var reuses = map[Compression]reuse{
	Fast:    {whole: 0, torn: 30},
	Default: {whole: 38, torn: never},
	Small:   {whole: never, torn: never},
}

func reusable(c blockdev.Cluster, percent int64) bool { return c.RefLen*100 >= c.Len*percent }

var deflateLevels = map[Compression]deflate.Level{
	Fast: deflate.LevelFast, Default: deflate.LevelDefault, Small: deflate.LevelSmall,
}

// gzipEncoder encodes what it cannot take over from the image.
type gzipEncoder struct {
	reuse   reuse
	enc     *deflate.Encoder
	dec     deflate.Decoder
	plain   []byte
	streams [][]byte // scratch for the streams of a task
	used    int      // of streams
	torn    torn
}

func (e *gzipEncoder) encode(t *task, r *reader) error {
	e.plain, e.used = resize(e.plain, t.size), 0
	var tk taker
	if e.reuse.whole < never {
		tk = e
	}
	if err := r.fill(e.plain, t, tk); err != nil {
		return err
	}
	e.torn.flush(e.enc)
	t.crc = checksum(e.plain)
	t.out = e.enc.Encode(t.out[:0], e.plain)
	return nil
}

// take implements taker. Inflating a stream, which the checksum needs anyway,
// proves that it is whole and needs nothing before it.
func (e *gzipEncoder) take(dev blockdev.Clusters, s span, dst []byte) bool {
	switch {
	case s.c.Storage != blockdev.Deflate:
		return false
	case !s.whole():
		return reusable(s.c, e.reuse.torn) && e.torn.take(e.enc, dev, s, dst)
	case !reusable(s.c, e.reuse.whole):
		return false
	}
	if e.used == len(e.streams) {
		e.streams = append(e.streams, nil)
	}
	stored, err := dev.ReadStored(s.c, e.streams[e.used])
	if err != nil {
		return false
	}
	e.streams[e.used] = stored
	n, used, err := e.dec.Inflate(dst, stored)
	if err != nil || n != len(dst) {
		return false
	}
	e.used++
	e.enc.Splice(s.at, s.n, stored[:used], e.dec.Stream())
	return true
}

// torn is the cluster decoded last of those that a task holds in part, most
// often because several small files share it.
type torn struct {
	dev    blockdev.Clusters // nil: none
	off    int64             // of the cluster on dev
	dec    deflate.Decoder   // has its tokens
	stored []byte
	plain  []byte
	ranges []deflate.Range // what the task holds of it, not yet told to the encoder
}

// take sets dst to the span's bytes and notes where they are.
func (t *torn) take(enc *deflate.Encoder, dev blockdev.Clusters, s span, dst []byte) bool {
	if t.dev != dev || t.off != s.c.Off {
		t.flush(enc)
		if !t.load(dev, s.c) {
			t.dev = nil
			return false
		}
		t.dev, t.off = dev, s.c.Off
	}
	r := deflate.Range{Off: int(s.skip), Len: s.n, At: s.at}
	copy(dst, t.plain[r.Off:])
	if n := len(t.ranges); n > 0 && t.ranges[n-1].Off+t.ranges[n-1].Len > r.Off {
		t.flush(enc) // the encoder wants them in order
	}
	t.ranges = append(t.ranges, r)
	return true
}

func (t *torn) load(dev blockdev.Clusters, c blockdev.Cluster) bool {
	stored, err := dev.ReadStored(c, t.stored)
	if err != nil {
		return false
	}
	t.stored, t.plain = stored, resize(t.plain, int(c.Len))
	n, _, err := t.dec.InflateTokens(t.plain, stored)
	return err == nil && n == len(t.plain)
}

// flush tells the encoder the ranges of the cluster at hand.
func (t *torn) flush(enc *deflate.Encoder) {
	if len(t.ranges) > 0 {
		enc.Reuse(t.dec.Tokens(), t.ranges...)
		t.ranges = t.ranges[:0]
	}
}
