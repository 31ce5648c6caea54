package xz

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"github.com/wslimg/wslimg/internal/ondisk"
)

const filterLZMA2 = 0x21

// blockHeader begins the next block or, at a size of zero, reads the index.
func (r *Reader) blockHeader() error {
	at := r.in.n
	size, err := r.in.ReadByte()
	if err != nil {
		return err
	}
	if size == 0 {
		return r.index(at)
	}
	r.header = (int64(size) + 1) * 4
	h := r.tmp[:r.header]
	h[0] = size
	if err := r.in.full(h[1:]); err != nil {
		return err
	}
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if binary.LittleEndian.Uint32(sum) != crc32.ChecksumIEEE(body) {
		return corruptf("checksum of a block header")
	}
	flags, b := body[1], bytes.NewReader(body[2:])
	r.wantIn, r.wantPlain = -1, -1
	if flags&0x40 != 0 {
		if r.wantIn, err = readVLI(b); err != nil {
			return err
		}
	}
	if flags&0x80 != 0 {
		if r.wantPlain, err = readVLI(b); err != nil {
			return err
		}
	}
	if flags&0x3c != 0 {
		return ondisk.Unsupportedf("xz block flags %#x", flags)
	}
	filter, err := readVLI(b)
	if err != nil {
		return err
	}
	if flags&3 != 0 || filter != filterLZMA2 {
		return ondisk.WithHint(ondisk.Unsupportedf("xz filter %#x before LZMA2", filter), "unpack it with xz -d and give the disk image inside")
	}
	props := make([]byte, 2)
	if _, err := io.ReadFull(b, props); err != nil || props[0] != 1 {
		return corruptf("properties of the LZMA2 filter")
	}
	for b.Len() > 0 {
		if c, _ := b.ReadByte(); c != 0 {
			return ondisk.Unsupportedf("xz block header with more than filters")
		}
	}
	dict, err := dictSize(props[1])
	if err != nil {
		return err
	}
	r.lz.reset(dict)
	r.start, r.plain = r.in.n, 0
	return nil
}

// dictSize decodes the size of the LZMA2 dictionary in bytes.
func dictSize(b byte) (int, error) {
	const most = 40
	if b > most {
		return 0, corruptf("dictionary size %d, at most %d", b, most)
	}
	size := int64(math.MaxUint32)
	if b < most {
		size = int64(2|b&1) << (b/2 + 11)
	}
	if size > maxDict {
		return 0, ondisk.WithHint(ondisk.Unsupportedf("xz dictionary of %d MiB, at most %d", size>>20, maxDict>>20), "unpack it with xz -d and give the disk image inside")
	}
	return int(size), nil
}

// readVLI reads an integer of at most 63 bits, seven in a byte, low ones first.
func readVLI(r io.ByteReader) (int64, error) {
	var v int64
	for shift := 0; shift < 63; shift += 7 {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) {
			err = corruptf("an integer is cut off")
		}
		if err != nil {
			return 0, err
		}
		v |= int64(b&0x7f) << shift
		if b&0x80 == 0 {
			if b == 0 && shift > 0 {
				break // not the shortest form
			}
			return v, nil
		}
	}
	return 0, corruptf("an integer is malformed")
}

// summing is an io.ByteReader that adds up what it reads.
type summing struct {
	in  *counter
	crc uint32
}

func (s *summing) ReadByte() (byte, error) {
	b, err := s.in.ReadByte()
	if err == nil {
		s.crc = crc32.Update(s.crc, crc32.IEEETable, []byte{b})
	}
	return b, err
}

// index reads the list of blocks that began at byte at of the file, and the
// footer behind it, and ends the stream.
func (r *Reader) index(at int64) error {
	in := &summing{r.in, crc32.ChecksumIEEE([]byte{0})}
	count, err := readVLI(in)
	if err != nil {
		return err
	}
	if count != r.blocks {
		return corruptf("index of %d blocks, the stream has %d", count, r.blocks)
	}
	sizes := sha256.New()
	for range count {
		unpadded, err := readVLI(in)
		if err != nil {
			return err
		}
		plain, err := readVLI(in)
		if err != nil {
			return err
		}
		record(sizes, unpadded, plain)
	}
	if !bytes.Equal(sizes.Sum(nil), r.sizes.Sum(nil)) {
		return corruptf("index disagrees with the blocks")
	}
	for (r.in.n-at)%4 != 0 {
		if b, err := in.ReadByte(); err != nil {
			return err
		} else if b != 0 {
			return corruptf("padding of the index is not zero")
		}
	}
	f := r.tmp[:16] // the index's checksum and the footer
	if err := r.in.full(f); err != nil {
		return err
	}
	le := binary.LittleEndian
	indexSize := r.in.n - 12 - at
	switch {
	case le.Uint32(f) != in.crc:
		return corruptf("checksum of the index")
	case le.Uint32(f[4:]) != crc32.ChecksumIEEE(f[8:14]):
		return corruptf("checksum of the stream footer")
	case (int64(le.Uint32(f[8:]))+1)*4 != indexSize:
		return corruptf("the footer tells an index of another size")
	case f[12] != 0 || f[13] != r.kind:
		return corruptf("footer and header of the stream disagree")
	case string(f[14:]) != footerMagic:
		return corruptf("footer magic %x, want %x", f[14:], footerMagic)
	}
	r.sizes = nil
	return nil
}
