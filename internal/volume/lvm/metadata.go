package lvm

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	mdaHeaderLen = 512
	mdaMagic     = " LVM2 x[5A%r0N*>"
	mdaVersion   = 1
	maxText      = 4 << 20 // bytes; LVM itself makes areas of 1 MiB

	locationIgnored = 1
)

// readText returns the metadata text of the area, or "" if it holds none.
func (p *pv) readText(a area) (string, error) {
	h := make([]byte, mdaHeaderLen)
	if err := ondisk.ReadFull(p.dev, h, a.off, "LVM2 metadata header"); err != nil {
		return "", err
	}
	le := binary.LittleEndian
	switch {
	case string(h[4:20]) != mdaMagic:
		return "", ondisk.Corruptf(a.off+4, "LVM2 metadata header: magic %x", h[4:20])
	case checksum(h[4:]) != le.Uint32(h):
		return "", ondisk.Corruptf(a.off, "LVM2 metadata header: checksum %#x, want %#x", checksum(h[4:]), le.Uint32(h))
	case le.Uint32(h[20:]) != mdaVersion:
		return "", ondisk.Unsupportedf("LVM2 metadata version %d", le.Uint32(h[20:]))
	case le.Uint64(h[24:]) != uint64(a.off) || le.Uint64(h[32:]) != uint64(a.size):
		return "", ondisk.Corruptf(a.off+24, "LVM2 metadata header: area of %d bytes at %#x, the label says %d at %#x",
			le.Uint64(h[32:]), le.Uint64(h[24:]), a.size, a.off)
	}
	// The first location is the committed one. The text may run over the end
	// of the area and go on behind the header.
	offset, size, sum, flags := le.Uint64(h[40:]), le.Uint64(h[48:]), le.Uint32(h[56:]), le.Uint32(h[60:])
	if offset == 0 || flags&locationIgnored != 0 {
		return "", nil
	}
	if offset < mdaHeaderLen || offset >= uint64(a.size) || size > uint64(a.size)-mdaHeaderLen || size > maxText {
		return "", ondisk.Corruptf(a.off+40, "LVM2 metadata of %d bytes at %#x of an area of %d bytes, at most %d bytes", size, offset, a.size, maxText)
	}
	first := min(int64(size), a.size-int64(offset))
	text, err := ondisk.ReadAt(p.dev, a.off+int64(offset), first, maxText, "LVM2 metadata")
	if err != nil {
		return "", err
	}
	if rest := int64(size) - first; rest > 0 {
		wrapped, err := ondisk.ReadAt(p.dev, a.off+mdaHeaderLen, rest, maxText, "LVM2 metadata")
		if err != nil {
			return "", err
		}
		text = append(text, wrapped...)
	}
	if got := checksum(text); got != sum {
		return "", ondisk.Corruptf(a.off+int64(offset), "LVM2 metadata: checksum %#x, want %#x", got, sum)
	}
	return string(text), nil
}
