package deflate

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// A Decoder inflates raw deflate streams that lie whole in memory. The zero
// value is ready; reuse it, one a goroutine: once its tables exist a call
// allocates nothing.
type Decoder struct {
	lit   [litTableSize]uint32
	dist  [distTableSize]uint32
	pre   [1 << preBits]uint32
	lens  [numLitLen + numDistSym]uint8
	b     builder
	fixed bool // lit and dist hold the fixed code

	// The stream being read. Bits of bits above nbits are either zero or the
	// same as those that the bytes from src[ip] will bring.
	bits   uint64
	nbits  uint
	ip, op int

	want   bool // record tokens
	tokens []Token
	ntok   int
	runAt  int // output offset at which the literals of the next token start

	last Stream
	win  *[winSize]byte // takes the output of calls whose dst is smaller
}

// Stream tells where the parts of a deflate stream lie, in bits from its start
// (bit 0 is the low bit of byte 0).
type Stream struct {
	Final int64 // the BFINAL bit of the last block's header
	End   int64 // just behind the last block
}

// Inflate decodes the raw deflate stream at the start of src into dst. It
// returns how many bytes it wrote to dst and how many bytes of src the stream
// takes; what follows the stream is ignored. A stream that is malformed, ends
// early or holds more than len(dst) bytes is ondisk.ErrCorrupt, with the offset
// within src; n then counts the bytes that were decoded before. Bytes of dst
// behind n may have been overwritten.
//
// It accepts and refuses exactly what compress/flate does.
func (d *Decoder) Inflate(dst, src []byte) (n, used int, err error) {
	d.want = false
	return d.inflate(dst, src)
}

// InflateTokens is Inflate, and also keeps the stream's matches for Tokens.
func (d *Decoder) InflateTokens(dst, src []byte) (n, used int, err error) {
	d.want = true
	// A match makes at least three bytes; one token more holds the last literals.
	if need := max(len(dst), winSize)/minMatch + 2; len(d.tokens) < need {
		d.tokens = make([]Token, need)
	}
	return d.inflate(dst, src)
}

// Tokens is what the last InflateTokens found, in order; together they make all
// of its output. The slice is valid until the next call.
func (d *Decoder) Tokens() []Token { return d.tokens[:d.ntok] }

// Stream is the shape of the last stream that was inflated without error.
func (d *Decoder) Stream() Stream { return d.last }

func (d *Decoder) inflate(dst, src []byte) (n, used int, err error) {
	d.bits, d.nbits, d.ip, d.op = 0, 0, 0, 0
	d.ntok, d.runAt = 0, 0
	if len(dst) >= winSize {
		err = d.blocks(dst, src)
	} else {
		if d.win == nil {
			d.win = new([winSize]byte)
		}
		err = d.blocks(d.win[:], src)
		if d.op > len(dst) {
			d.op = len(dst)
			err = d.tooLong(dst)
		}
		copy(dst, d.win[:d.op])
	}
	if err != nil {
		return d.op, d.ip, err
	}
	if d.want && d.runAt < d.op {
		d.tokens[d.ntok] = makeToken(d.op-d.runAt, 0, 0)
		d.ntok++
	}
	return d.op, int(d.last.End+7) / 8, nil
}

// blocks decodes all blocks; dst has at least winSize bytes.
func (d *Decoder) blocks(dst, src []byte) error {
	for final := false; !final; {
		at := d.bitPos()
		h, ok := d.take(src, 3)
		if !ok {
			return errTruncated(src)
		}
		final = h&1 != 0
		var err error
		switch h >> 1 {
		case blockStored:
			err = d.stored(dst, src)
		case blockFixed:
			d.loadFixed()
			err = d.symbols(dst, src)
		case blockDynamic:
			if err = d.readCodes(src); err == nil {
				err = d.symbols(dst, src)
			}
		default:
			err = d.corrupt("block type 3")
		}
		if err != nil {
			return err
		}
		d.last.Final = at
	}
	d.last.End = d.bitPos()
	return nil
}

// bitPos is how many bits have been consumed.
func (d *Decoder) bitPos() int64 { return int64(d.ip)*8 - int64(d.nbits) }

func (d *Decoder) corrupt(format string, args ...any) error {
	return ondisk.Corruptf(d.bitPos()/8, "deflate stream: "+format, args...)
}

func errTruncated(src []byte) error {
	return ondisk.Corruptf(int64(len(src)), "deflate stream: ends before its final block does")
}

// fill makes at least 48 bits available, or as many as src still has.
func (d *Decoder) fill(src []byte) {
	d.bits &= 1<<d.nbits - 1
	if len(src)-d.ip >= 8 {
		d.bits |= binary.LittleEndian.Uint64(src[d.ip:]) << d.nbits
		k := (63 - d.nbits) >> 3
		d.ip += int(k)
		d.nbits += k * 8
		return
	}
	for d.nbits <= 56 && d.ip < len(src) {
		d.bits |= uint64(src[d.ip]) << d.nbits
		d.ip++
		d.nbits += 8
	}
}

// take consumes n bits, at most 16; false if src ends before.
func (d *Decoder) take(src []byte, n uint) (v uint, ok bool) {
	if d.nbits < n {
		if d.fill(src); d.nbits < n {
			return 0, false
		}
	}
	v = uint(d.bits) & (1<<n - 1)
	d.bits >>= n
	d.nbits -= n
	return v, true
}

// stored copies a stored block.
func (d *Decoder) stored(dst, src []byte) error {
	d.bits >>= d.nbits & 7
	d.nbits &^= 7
	d.ip -= int(d.nbits / 8)
	d.bits, d.nbits = 0, 0
	if len(src)-d.ip < 4 {
		return errTruncated(src)
	}
	n := int(binary.LittleEndian.Uint16(src[d.ip:]))
	if inv := int(binary.LittleEndian.Uint16(src[d.ip+2:])); n != inv^0xffff {
		return d.corrupt("stored block of length %#x with complement %#x, want %#x", n, inv, n^0xffff)
	}
	d.ip += 4
	if len(src)-d.ip < n {
		return errTruncated(src)
	}
	if len(dst)-d.op < n {
		return d.tooLong(dst)
	}
	copy(dst[d.op:], src[d.ip:d.ip+n])
	d.ip += n
	d.op += n
	return nil
}

func (d *Decoder) tooLong(dst []byte) error {
	return d.corrupt("holds more than %d bytes", len(dst))
}

// symbols decodes the symbols of a block whose codes are in d.lit and d.dist;
// dst has at least winSize bytes.
func (d *Decoder) symbols(dst, src []byte) error {
	for len(dst)-d.op > winSize-winStop && len(src)-d.ip >= fastIn+8 {
		base := 0
		if d.op > winStop {
			// The window moves on, with room for the farthest match behind op.
			base = min(d.op-maxDist, len(dst)-winSize)
		}
		if done, err := d.fast((*[winSize]byte)(dst[base:]), base, src); done || err != nil {
			return err
		}
	}
	return d.careful(dst, src)
}

func (d *Decoder) tooFar(dist int) error {
	return d.corrupt("match reaches %d bytes back, only %d are there", dist, d.op)
}
