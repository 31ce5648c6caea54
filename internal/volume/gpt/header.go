// Package gpt reads GUID partition tables.
package gpt

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// The format: UEFI specification, section 5.3,
// https://uefi.org/specs/UEFI/2.10/05_GUID_Partition_Table_Format.html
const (
	signature     = "EFI PART"
	headerLen     = 92 // of revision 1.0; header_size may be more
	minEntry      = 128
	maxEntries    = 4096
	maxArrayBytes = 1 << 20
)

// sectorSizes are tried in this order.
var sectorSizes = []int64{512, 4096, 2048, 1024}

// header is a GPT header whose own checksum holds.
type header struct {
	sector     int64
	lba        int64 // where it lies
	alternate  uint64
	first      uint64 // usable LBAs
	last       uint64
	entriesLBA int64
	entries    int64
	entrySize  int64
	entriesCRC uint32
	raw        [headerLen]byte
}

// errNone: there is no header at the place that was looked at.
var errNone = errors.New("no GPT signature")

// readHeader reads the header at lba and checks all that it says of itself.
func readHeader(dev blockdev.Device, sector, lba int64) (*header, error) {
	off := lba * sector
	if lba < 1 || off+sector > dev.Size() {
		return nil, errNone
	}
	b := make([]byte, sector)
	if err := ondisk.ReadFull(dev, b, off, "GPT header"); err != nil {
		return nil, err
	}
	if string(b[:8]) != signature {
		return nil, errNone
	}
	le := binary.LittleEndian
	headerSize := int64(le.Uint32(b[12:]))
	if headerSize < headerLen || headerSize > sector {
		return nil, ondisk.Corruptf(off+12, "GPT header: size %d, want %d to %d", headerSize, headerLen, sector)
	}
	h := &header{
		sector:     sector,
		lba:        lba,
		alternate:  le.Uint64(b[32:]),
		first:      le.Uint64(b[40:]),
		last:       le.Uint64(b[48:]),
		entries:    int64(le.Uint32(b[80:])),
		entrySize:  int64(le.Uint32(b[84:])),
		entriesCRC: le.Uint32(b[88:]),
	}
	copy(h.raw[:], b)
	headerCRC := le.Uint32(b[16:])
	clear(b[16:20])
	if got := crc32.ChecksumIEEE(b[:headerSize]); got != headerCRC {
		return nil, ondisk.Corruptf(off+16, "GPT header: checksum %#x, want %#x", got, headerCRC)
	}
	if myLBA := le.Uint64(b[24:]); myLBA != uint64(lba) {
		return nil, ondisk.Corruptf(off+24, "GPT header: says it is at LBA %d, is at %d", myLBA, lba)
	}
	entriesLBA := le.Uint64(b[72:])
	switch {
	case h.entrySize < minEntry || h.entrySize&(h.entrySize-1) != 0:
		return nil, ondisk.Corruptf(off+84, "GPT header: entry size %d, want a power of two from %d", h.entrySize, minEntry)
	case h.entries > maxEntries || h.entries*h.entrySize > maxArrayBytes:
		return nil, ondisk.Corruptf(off+80, "GPT header: %d entries of %d bytes, at most %d and %d bytes in all", h.entries, h.entrySize, maxEntries, maxArrayBytes)
	case entriesLBA < 2 || entriesLBA > uint64((math.MaxInt64-maxArrayBytes)/sector):
		return nil, ondisk.Corruptf(off+72, "GPT header: entries at LBA %d, want 2 or more", entriesLBA)
	}
	h.entriesLBA = int64(entriesLBA)
	return h, nil
}

// readEntries reads the array of entries and checks its checksum.
func (h *header) readEntries(dev io.ReaderAt) ([]byte, error) {
	off := h.entriesLBA * h.sector
	b, err := ondisk.ReadAt(dev, off, h.entries*h.entrySize, maxArrayBytes, "GPT entries")
	if err != nil {
		return nil, err
	}
	if got := crc32.ChecksumIEEE(b); got != h.entriesCRC {
		return nil, ondisk.Corruptf(off, "GPT entries: checksum %#x, want %#x", got, h.entriesCRC)
	}
	return b, nil
}

// found is a header with its entries.
type found struct {
	*header
	array   []byte
	warning string
}

// find looks for a whole table: the primary one, or with a warning its backup.
// errNone says that the disk has none.
func find(dev blockdev.Device) (*found, error) {
	var firstErr error
	for _, sector := range sectorSizes {
		f, err := load(dev, sector, 1)
		if err == nil {
			return f, nil
		}
		if errors.Is(err, errNone) {
			continue
		}
		if !errors.Is(err, ondisk.ErrCorrupt) {
			return nil, err
		}
		firstErr = fmt.Errorf("primary partition table: %w", err)
		// A damaged primary header still tells where it thinks its backup is.
		if f := backup(dev, sector); f != nil {
			f.warning = firstErr.Error() + "; the backup was used"
			return f, nil
		}
	}
	if firstErr != nil {
		return nil, firstErr
	}
	for _, sector := range sectorSizes {
		if f := backup(dev, sector); f != nil {
			f.warning = "the primary partition table is missing; the backup was used"
			return f, nil
		}
	}
	return nil, errNone
}

func load(dev blockdev.Device, sector, lba int64) (*found, error) {
	h, err := readHeader(dev, sector, lba)
	if err != nil {
		return nil, err
	}
	array, err := h.readEntries(dev)
	if err != nil {
		return nil, err
	}
	return &found{header: h, array: array}, nil
}

// backup loads the table at the end of the disk or, for a disk that has been
// enlarged since, where the primary header says that the disk ended. It is nil
// if there is no whole one.
func backup(dev blockdev.Device, sector int64) *found {
	places := []int64{dev.Size()/sector - 1}
	primary := make([]byte, headerLen)
	if err := ondisk.ReadFull(dev, primary, sector, "GPT header"); err == nil && string(primary[:8]) == signature {
		if alternate := binary.LittleEndian.Uint64(primary[32:]); alternate < uint64(places[0]) {
			places = append(places, int64(alternate))
		}
	}
	for _, lba := range places {
		if lba <= 1 {
			continue
		}
		if f, err := load(dev, sector, lba); err == nil {
			return f
		}
	}
	return nil
}
