// Package xz reads .xz files, the wrapping that most Linux disk images are
// published in. It decodes chunk by chunk from memory to memory, several times
// faster than through readers, and takes no more memory than the data proves to
// need.
package xz

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// The format: https://tukaani.org/xz/xz-file-format.txt
const (
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"

	streamHeaderLen = 12
	maxDict         = 256 << 20 // bytes; xz -9 uses 64 MiB

	checkNone   = 0
	checkCRC32  = 1
	checkCRC64  = 4
	checkSHA256 = 10
)

// Reader decodes the streams of an .xz file. Errors are ondisk.ErrCorrupt or
// ErrUnsupported, without an offset, or what the file's own reader returned.
type Reader struct {
	in   *counter
	lz   lzma2
	err  error
	tmp  [1024]byte // the largest block header
	sum  hash.Hash  // of the block; nil for none
	kind byte       // of sum

	// What the index must agree with.
	blocks int64
	sizes  hash.Hash

	header    int64 // bytes of the block's header
	start     int64 // where the block's data began in the file
	plain     int64 // bytes of the block so far
	wantIn    int64 // what the block's header says, or -1
	wantPlain int64
}

// NewReader returns a Reader of the .xz file that r delivers.
func NewReader(r io.Reader) *Reader {
	return &Reader{in: &counter{r: bufio.NewReaderSize(r, 64<<10)}}
}

// counter counts what is read.
type counter struct {
	r *bufio.Reader
	n int64
}

func (c *counter) full(p []byte) error {
	n, err := io.ReadFull(c.r, p)
	c.n += int64(n)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	if errors.Is(err, io.ErrUnexpectedEOF) {
		err = corruptf("the file is cut off")
	}
	return err
}

func (c *counter) ReadByte() (byte, error) {
	var b [1]byte
	err := c.full(b[:])
	return b[0], err
}

func corruptf(format string, args ...any) error {
	return ondisk.Corruptf(ondisk.NoOffset, format, args...)
}

// Read implements io.Reader.
func (r *Reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for {
		if n := copy(p, r.lz.pending()); n > 0 {
			r.lz.take(n)
			return n, nil
		}
		if r.err != nil {
			return 0, r.err
		}
		r.err = r.step()
	}
}

// step decodes what comes next: a header, a chunk of a block, or the end.
func (r *Reader) step() error {
	if r.sizes == nil {
		return r.streamHeader()
	}
	if !r.lz.active {
		return r.blockHeader()
	}
	out, err := r.lz.chunk(r.in)
	if err != nil {
		return err
	}
	if r.sum != nil {
		r.sum.Write(out)
	}
	r.plain += int64(len(out))
	if r.wantPlain >= 0 && r.plain > r.wantPlain || r.wantIn >= 0 && r.in.n-r.start > r.wantIn {
		return corruptf("block is larger than its header says")
	}
	if r.lz.active {
		return nil
	}
	return r.blockEnd()
}

// streamHeader begins the first stream or the next. Between streams there may
// be zeros.
func (r *Reader) streamHeader() error {
	h := r.tmp[:streamHeaderLen]
	for {
		if _, err := r.in.r.Peek(1); r.in.n > 0 && errors.Is(err, io.EOF) {
			return io.EOF
		}
		if err := r.in.full(h[:4]); err != nil {
			return err
		}
		if r.in.n == 4 || !bytes.Equal(h[:4], []byte{0, 0, 0, 0}) {
			break
		}
	}
	if err := r.in.full(h[4:]); err != nil {
		return err
	}
	if string(h[:6]) != headerMagic {
		return corruptf("stream magic %x, want %x", h[:6], headerMagic)
	}
	if binary.LittleEndian.Uint32(h[8:]) != crc32.ChecksumIEEE(h[6:8]) {
		return corruptf("checksum of the stream header")
	}
	if h[6] != 0 || h[7]&0xf0 != 0 {
		return ondisk.Unsupportedf("xz stream flags %#x", h[6:8])
	}
	r.kind = h[7]
	switch r.kind {
	case checkNone:
		r.sum = nil
	case checkCRC32:
		r.sum = crc32.NewIEEE()
	case checkCRC64:
		r.sum = crc64.New(crc64.MakeTable(crc64.ECMA))
	case checkSHA256:
		r.sum = sha256.New()
	default:
		return ondisk.Unsupportedf("xz check of kind %d", r.kind)
	}
	r.blocks, r.sizes = 0, sha256.New()
	return nil
}

// blockEnd reads the padding and the check behind a block's data.
func (r *Reader) blockEnd() error {
	unpadded := r.header + r.in.n - r.start
	if r.wantPlain >= 0 && r.plain != r.wantPlain || r.wantIn >= 0 && r.in.n-r.start != r.wantIn {
		return corruptf("block is smaller than its header says")
	}
	if err := r.padding(unpadded); err != nil {
		return err
	}
	if r.sum != nil {
		got := r.sum.Sum(nil)
		r.sum.Reset()
		if r.kind != checkSHA256 { // the others are stored in little-endian order
			for i, j := 0, len(got)-1; i < j; i, j = i+1, j-1 {
				got[i], got[j] = got[j], got[i]
			}
		}
		want := r.tmp[:len(got)]
		if err := r.in.full(want); err != nil {
			return err
		}
		if !bytes.Equal(got, want) {
			return corruptf("checksum of a block: %x, want %x", got, want)
		}
		unpadded += int64(len(got))
	}
	r.blocks++
	record(r.sizes, unpadded, r.plain)
	return nil
}

// padding reads zeros up to the next multiple of four from n.
func (r *Reader) padding(n int64) error {
	pad := r.tmp[:-n&3]
	if err := r.in.full(pad); err != nil {
		return err
	}
	for _, b := range pad {
		if b != 0 {
			return corruptf("padding is not zero")
		}
	}
	return nil
}

// record adds the sizes of a block to a digest, which stands for the list.
func record(h hash.Hash, unpadded, plain int64) {
	var b [16]byte
	binary.LittleEndian.PutUint64(b[:], uint64(unpadded))
	binary.LittleEndian.PutUint64(b[8:], uint64(plain))
	h.Write(b[:])
}
