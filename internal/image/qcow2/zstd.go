package qcow2

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// maxWindow is the largest window that the reference decoder, and so qemu,
// takes without being told to.
const maxWindow = 1 << 27

// zstdDecoder is safe for concurrent use; it never decodes more than the room
// that it is given.
var zstdDecoder = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderLowmem(true),
		zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderMaxWindow(maxWindow))
})

func unzstd(plain, stored []byte) error {
	_, err := eachFrame(stored, int64(len(plain)), func(frame frameHeader, b []byte, at int64) (int64, error) {
		return decodeFrame(plain[at:at:len(plain)], b)
	})
	return err
}

// zstdFrames returns how many of the stored bytes are the frames that make up
// a cluster of size bytes. It decodes those only that do not tell their size.
func zstdFrames(stored []byte, size int64) (int, error) {
	return eachFrame(stored, size, func(frame frameHeader, b []byte, at int64) (int64, error) {
		if frame.content >= 0 {
			return frame.content, nil
		}
		return decodeFrame(make([]byte, 0, size-at), b)
	})
}

// eachFrame walks the frames until they hold size bytes in all; f returns how
// many the frame in b holds, whose first is number at. The result is the count
// of stored bytes gone through.
func eachFrame(stored []byte, size int64, f func(frame frameHeader, b []byte, at int64) (int64, error)) (int, error) {
	pos, at := 0, int64(0)
	for at < size {
		if pos == len(stored) {
			return pos, errShort
		}
		frame, err := parseFrame(stored[pos:])
		if err != nil {
			return pos, err
		}
		if !frame.skippable {
			n, err := f(frame, stored[pos:pos+frame.len], at)
			if err != nil {
				return pos, err
			}
			if n > size-at {
				return pos, errLong
			}
			at += n
		}
		pos += frame.len
	}
	return pos, nil
}

// decodeFrame decodes one frame into the spare room of room, which is empty.
func decodeFrame(room, frame []byte) (int64, error) {
	d, err := zstdDecoder()
	if err != nil {
		return 0, err
	}
	full := cap(room)
	plain, err := d.DecodeAll(frame, room)
	if err != nil {
		return 0, err
	}
	if len(plain) > full {
		return 0, errLong
	}
	// The decoder may have moved to memory of its own.
	return int64(copy(room[:len(plain)], plain)), nil
}

// frameHeader is what RFC 8878, section 3.1.1, tells of a frame without
// decoding it.
type frameHeader struct {
	len       int   // bytes in all
	content   int64 // plain bytes, -1 if not told
	skippable bool
}

var errFrameShort = errors.New("zstd frame is cut off")

// parseFrame measures the frame at the start of b.
func parseFrame(b []byte) (frameHeader, error) {
	le := binary.LittleEndian
	if len(b) < 8 {
		return frameHeader{}, errFrameShort
	}
	magic := le.Uint32(b)
	if magic&^0xf == 0x184d2a50 {
		n := int64(le.Uint32(b[4:])) + 8
		if n > int64(len(b)) {
			return frameHeader{}, errFrameShort
		}
		return frameHeader{len: int(n), skippable: true}, nil
	}
	if magic != 0xfd2fb528 {
		return frameHeader{}, fmt.Errorf("zstd magic %#x, want 0xfd2fb528", magic)
	}
	frameHeaderDescriptor := b[4]
	singleSegment := frameHeaderDescriptor>>5&1 != 0
	contentChecksum := frameHeaderDescriptor>>2&1 != 0
	pos := 5
	if !singleSegment {
		pos++ // window descriptor
	}
	pos += [4]int{0, 1, 2, 4}[frameHeaderDescriptor&3] // dictionary id
	content := int64(-1)
	fcsSize := [4]int{0, 2, 4, 8}[frameHeaderDescriptor>>6]
	if fcsSize == 0 && singleSegment {
		fcsSize = 1
	}
	if pos+fcsSize > len(b) {
		return frameHeader{}, errFrameShort
	}
	switch fcs := b[pos:]; fcsSize {
	case 1:
		content = int64(fcs[0])
	case 2:
		content = int64(le.Uint16(fcs)) + 256
	case 4:
		content = int64(le.Uint32(fcs))
	case 8:
		content = int64(le.Uint64(fcs) &^ (1 << 63)) // too large in any case
	}
	pos += fcsSize
	for last := false; !last; {
		if pos+3 > len(b) {
			return frameHeader{}, errFrameShort
		}
		blockHeader := int(b[pos]) | int(b[pos+1])<<8 | int(b[pos+2])<<16
		last = blockHeader&1 != 0
		size := blockHeader >> 3
		if blockHeader>>1&3 == 1 { // RLE: one byte stands for all
			size = 1
		}
		pos += 3 + size
	}
	if contentChecksum {
		pos += 4
	}
	if pos > len(b) {
		return frameHeader{}, errFrameShort
	}
	return frameHeader{len: pos, content: content}, nil
}
