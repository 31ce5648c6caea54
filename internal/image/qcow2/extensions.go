package qcow2

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Header extensions that matter to a reader.
const (
	extEnd           = 0
	extBackingFormat = 0xe2792aca
	extFeatureNames  = 0x6803f857
	extDataFile      = 0x44415441
)

// readExtensions reads what lies between the header and the backing name, and
// that name; first is the first cluster.
func (h *header) readExtensions(first []byte, pos int64) error {
	be := binary.BigEndian
	end := int64(len(first))
	if h.hasBacking {
		offset, size := be.Uint64(first[8:]), be.Uint32(first[16:])
		if offset > uint64(end) {
			return ondisk.Corruptf(8, "qcow2 header: backing name at %#x, want it in the first cluster", offset)
		}
		if size > maxBackingName || int64(size) > end-int64(offset) {
			return ondisk.Corruptf(16, "qcow2 header: backing name of %d bytes at %#x, at most %d and in the first cluster", size, offset, maxBackingName)
		}
		h.backing = string(first[offset:][:size])
		end = int64(offset)
	}
	var names []featureName
	err := h.eachExtension(first[:end], pos, func(kind uint32, data []byte) {
		switch kind {
		case extBackingFormat:
			h.backingFormat = string(data)
		case extDataFile:
			h.dataFile = string(data)
		case extFeatureNames:
			names = featureNames(data)
		}
	})
	// Without a way to read the extensions, unknown features still are the
	// better thing to say.
	if unknown := h.incompat &^ incompatKnown; unknown != 0 {
		return ondisk.Unsupportedf("qcow2 incompatible feature %s", describe(unknown, names))
	}
	return err
}

// eachExtension calls f for every header extension from pos on in b.
func (h *header) eachExtension(b []byte, pos int64, f func(kind uint32, data []byte)) error {
	be := binary.BigEndian
	for pos+8 <= int64(len(b)) {
		kind, n := be.Uint32(b[pos:]), int64(be.Uint32(b[pos+4:]))
		if kind == extEnd {
			return nil
		}
		if n > int64(len(b))-pos-8 {
			return ondisk.Corruptf(pos, "qcow2 header extension %#x: length %d, want at most %d", kind, n, int64(len(b))-pos-8)
		}
		f(kind, b[pos+8:][:n])
		pos += 8 + (n+7)&^7
	}
	return nil
}

// featureName is an entry of the feature name table.
type featureName struct {
	kind, bit uint8
	name      string
}

func featureNames(table []byte) (names []featureName) {
	const entryLen = 48
	for ; len(table) >= entryLen; table = table[entryLen:] {
		name, _, _ := strings.Cut(string(table[2:entryLen]), "\x00")
		names = append(names, featureName{table[0], table[1], name})
	}
	return names
}

// describe names the incompatible feature bits, by the image's own words where
// it has them.
func describe(unknown uint64, names []featureName) string {
	var words []string
	for ; unknown != 0; unknown &= unknown - 1 {
		bit := uint8(bits.TrailingZeros64(unknown))
		word := fmt.Sprintf("bit %d", bit)
		for _, n := range names {
			if n.kind == 0 && n.bit == bit {
				word = fmt.Sprintf("bit %d (%q)", bit, n.name)
			}
		}
		words = append(words, word)
	}
	return strings.Join(words, ", ")
}
