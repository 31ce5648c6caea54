// Package lvm finds the logical volumes of LVM2: linear and striped ones.
package lvm

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// The format, from LVM2's own headers (lib/format_text/layout.h, lib/label/label.h):
// https://sourceware.org/git/?p=lvm2.git
const (
	sector       = 512
	labelSectors = 4 // one of the first has the label
	labelMagic   = "LABELONE"
	labelType    = "LVM2 001"
	uuidLen      = 32
	areaLen      = 16
	maxAreas     = 8
)

// pv is a physical volume: a partition with the label of LVM2.
type pv struct {
	dev   blockdev.Device
	id    string // 32 characters
	areas []area // where metadata lies
}

// area is a range of bytes of a physical volume.
type area struct{ off, size int64 }

// checksum is CRC-32 without the usual inversions, from LVM's own start value.
func checksum(b []byte) uint32 {
	const start = 0xf597a6cf
	return ^crc32.Update(^uint32(start), crc32.IEEETable, b)
}

// readLabel returns the physical volume on dev, or nil if it is none.
func readLabel(dev blockdev.Device) (*pv, error) {
	head := make([]byte, labelSectors*sector)
	n, err := dev.ReadAt(head, 0)
	if n < len(head) && err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	for i := range int64(labelSectors) {
		s := head[i*sector:][:sector]
		if string(s[:8]) == labelMagic && string(s[24:32]) == labelType {
			return parseLabel(dev, s, i*sector)
		}
	}
	return nil, nil
}

// parseLabel reads the label in the sector s at byte off.
func parseLabel(dev blockdev.Device, s []byte, off int64) (*pv, error) {
	le := binary.LittleEndian
	if at := le.Uint64(s[8:]); at != uint64(off/sector) {
		return nil, ondisk.Corruptf(off+8, "LVM2 label: says it is in sector %d", at)
	}
	if got, want := checksum(s[20:]), le.Uint32(s[16:]); got != want {
		return nil, ondisk.Corruptf(off+16, "LVM2 label: checksum %#x, want %#x", got, want)
	}
	header := int64(le.Uint32(s[20:]))
	if header < 32 || header > sector-uuidLen-8 {
		return nil, ondisk.Corruptf(off+20, "LVM2 label: header at %d of the sector", header)
	}
	p := &pv{dev: dev, id: string(s[header:][:uuidLen])}
	rest := s[header+uuidLen+8:]
	// Two lists of areas, each ended by an empty one: data, then metadata.
	lists := 0
	for ; lists < 2 && len(rest) >= areaLen; rest = rest[areaLen:] {
		start, size := le.Uint64(rest), le.Uint64(rest[8:])
		switch {
		case start == 0:
			lists++
		case lists == 1:
			if start > uint64(dev.Size()) || size > uint64(dev.Size())-start || size < mdaHeaderLen {
				return nil, ondisk.Corruptf(off, "LVM2 label: metadata of %d bytes at %#x of a volume of %d bytes", size, start, dev.Size())
			}
			if len(p.areas) < maxAreas {
				p.areas = append(p.areas, area{int64(start), int64(size)})
			}
		}
	}
	if lists < 2 {
		return nil, ondisk.Corruptf(off, "LVM2 label: lists of areas have no end")
	}
	return p, nil
}
