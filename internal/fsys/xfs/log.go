package xfs

import (
	"encoding/binary"
	"hash/crc32"
	"io"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// The log is a ring of 512-byte blocks. Records are written to it one behind
// the other; the first four bytes of each block are replaced by the number of
// the turn ("cycle") in which it was written, and saved in the record's
// header. Facts of struct xlog_rec_header.
const (
	recordMagic   = 0xfeedbabe
	recordCRC     = 32       // offset of h_crc
	recordHeader  = 328      // bytes under the checksum
	recordHeader2 = 324      // the same on i386, whose structure ends unpadded
	recordExt     = 260      // bytes of an extended header under the checksum
	cycleData     = 44       // offset of h_cycle_data
	cyclesInBlock = 64       // words saved in one header block
	recordSpan    = 32 << 10 // bytes of a record that one header block serves
	maxRecord     = 256 << 10
	maxInFlight   = 8 // records that may be under way at once
)

// lsn is a log sequence number: the cycle above the block.
type lsn int64

// noLSN stands on blocks that are written without being logged.
const noLSN lsn = -1

func (l lsn) block() int64 { return int64(uint32(l)) }

// journal is the log as it lies on the volume. Places in it are block numbers
// from its own begin.
type journal struct {
	dev        io.ReaderAt
	off        int64 // byte offset on the volume
	blocks     int64 // 512-byte blocks
	v2         bool
	crc        bool // records without or with a wrong checksum are not to be trusted
	uuid       [16]byte
	unverified bool
	unit       int64 // largest record of a log whose header understates it
}

func newJournal(dev io.ReaderAt, sb *superblock, unverified bool) *journal {
	return &journal{
		dev:        dev,
		off:        sb.blockOffset(sb.logStart),
		blocks:     int64(sb.logBlocks) << (sb.blockLog - basicBlockLog),
		v2:         sb.feat.logV2(),
		crc:        sb.v5 && !unverified,
		unverified: unverified,
		uuid:       sb.uuid,
		unit:       max(sb.logsun, recordSpan),
	}
}

// place is the byte offset on the volume of a block of the ring.
func (j *journal) place(block int64) int64 { return j.off + block<<basicBlockLog }

// read fills p, whole blocks, from block on, around the ring's end.
func (j *journal) read(p []byte, block int64) error {
	for len(p) > 0 {
		block %= j.blocks
		n := min(int64(len(p)), (j.blocks-block)<<basicBlockLog)
		if err := ondisk.ReadFull(j.dev, p[:n], j.place(block), "log"); err != nil {
			return err
		}
		p = p[n:]
		block += n >> basicBlockLog
	}
	return nil
}

// cycleOf returns the turn in which a block was written.
func cycleOf(b []byte) uint32 {
	if be.Uint32(b) == recordMagic {
		return be.Uint32(b[4:])
	}
	return be.Uint32(b)
}

func (j *journal) cycle(block int64) (uint32, error) {
	var b [basicBlock]byte
	err := j.read(b[:], block)
	return cycleOf(b[:]), err
}

// record is a log record's header.
type record struct {
	block     int64 // where it begins
	header    []byte
	cycle     uint32
	version   uint32
	length    int64 // bytes of data, a claim until checked
	lsn, tail lsn
	ops       uint32
	size      int64 // of the buffer it was written from
}

// decodeRecord reads what a header's first block tells.
func decodeRecord(b []byte, block int64) record {
	return record{
		block: block, header: b,
		cycle: be.Uint32(b[4:]), version: be.Uint32(b[8:]),
		length: int64(int32(be.Uint32(b[12:]))),
		lsn:    lsn(be.Uint64(b[16:])), tail: lsn(be.Uint64(b[24:])),
		ops:  be.Uint32(b[40:]),
		size: int64(int32(be.Uint32(b[320:]))),
	}
}

// headerBlocks returns how many blocks the header has.
func (j *journal) headerBlocks(r record) int64 {
	if j.v2 && r.version&2 != 0 && r.size > recordSpan {
		return (r.size + recordSpan - 1) / recordSpan
	}
	return 1
}

// dataBlocks returns how many blocks n bytes take.
func dataBlocks(n int64) int64 { return (n + basicBlock - 1) >> basicBlockLog }

// check checks a header against the log and the size of the buffers in use.
func (j *journal) check(r record, size int64) error {
	version := uint32(1)
	if j.v2 {
		version = 2
	}
	switch magic := be.Uint32(r.header); {
	case magic != recordMagic:
		return ondisk.Corruptf(j.place(r.block), "log record magic %#x, want %#x", magic, uint32(recordMagic))
	case r.version != version:
		return ondisk.Corruptf(j.place(r.block)+8, "log record version %d, want %d", r.version, version)
	case r.length <= 0 || r.length > size || size > maxRecord:
		return ondisk.Corruptf(j.place(r.block)+12, "log record of %d bytes in buffers of %d", r.length, size)
	}
	return nil
}

// sums returns the checksum a record states, 0 for none, and whether its bytes
// have it. data is as it lies in the log.
func (r record) sums(v2 bool, data []byte) (stated uint32, ok bool) {
	stated = binary.LittleEndian.Uint32(r.header[recordCRC:])
	for _, n := range []int{recordHeader, recordHeader2} {
		sum := checksum(r.header[:n], recordCRC)
		if v2 {
			for at := recordSpan; at < len(data); at += recordSpan {
				ext := r.header[at/recordSpan<<basicBlockLog:]
				sum = crc32.Update(sum, castagnoli, ext[:recordExt])
			}
		}
		if crc32.Update(sum, castagnoli, data) == stated {
			return stated, true
		}
	}
	return stated, false
}

// unpack puts back the words that the cycle numbers stand in for.
func (r record) unpack(data []byte) {
	for i := 0; i<<basicBlockLog < len(data); i++ {
		at := cycleData + 4*i
		if i >= cyclesInBlock {
			at = i/cyclesInBlock<<basicBlockLog + 4 + 4*(i%cyclesInBlock)
		}
		copy(data[i<<basicBlockLog:], r.header[at:at+4])
	}
}

// records hands the records from tail to head, both places of headers, to fn.
// data has whole blocks cut to the record's length, and is fn's to keep. On an
// error bad is set to the record's place.
func (j *journal) records(tail, head int64, bad *int64, fn func(r record, data []byte) error) error {
	left := j.distance(tail, head)
	first := make([]byte, basicBlock)
	if err := j.read(first, tail); err != nil {
		return err
	}
	*bad = tail
	r := decodeRecord(first, tail)
	size := int64(recordSpan)
	if j.v2 {
		if size = r.size; r.length > size && r.length <= j.unit && r.ops == 1 {
			size = j.unit // mkfs writes 32 KiB whatever the stripe unit
		}
	}
	if err := j.check(r, size); err != nil {
		return err
	}
	headers := (size + recordSpan - 1) / recordSpan
	for block := tail; left > 0; {
		*bad = block
		header := make([]byte, headers<<basicBlockLog)
		if err := j.read(header, block); err != nil {
			return err
		}
		r := decodeRecord(header, block)
		if err := j.check(r, size); err != nil {
			return err
		}
		n := headers + dataBlocks(r.length)
		if n > left {
			return ondisk.Corruptf(j.place(block), "log record of %d blocks, the log's head is %d further", n, left)
		}
		data := make([]byte, dataBlocks(r.length)<<basicBlockLog)
		if err := j.read(data, block+headers); err != nil {
			return err
		}
		if err := fn(r, data[:r.length]); err != nil {
			return err
		}
		block, left = (block+n)%j.blocks, left-n
	}
	*bad = -1
	return nil
}
