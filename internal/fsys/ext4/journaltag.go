package ext4

import "iter"

// Flags of a tag.
const (
	tagEscaped  = 1 // the block began with the journal's magic, which was zeroed
	tagSameUUID = 2 // no UUID follows the tag
	tagLast     = 8
)

// jbdTag says where one block of a transaction belongs.
type jbdTag struct {
	block   uint64 // of the filesystem
	sum     uint32 // checksum, 16 bits of it in version 2
	escaped bool
}

// tagSize is the size of a tag without its UUID.
// https://docs.kernel.org/filesystems/ext4/journal.html#descriptor-block
func (j *journal) tagSize() int {
	if j.has(jbdIncompatCsumV3) {
		return 16
	}
	size := 8
	if j.has(jbdIncompatCsumV2) {
		size += 2
	}
	if j.has(jbdIncompat64Bit) {
		size += 4
	}
	return size
}

// tags yields the tags of the descriptor block b.
func (j *journal) tags(b []byte) iter.Seq[jbdTag] {
	return func(yield func(jbdTag) bool) {
		if j.summed() {
			b = b[:len(b)-jbdTail]
		}
		size := j.tagSize()
		for pos := jbdHeader; pos+size <= len(b); {
			t := b[pos:]
			tFlags := be.Uint16(t[6:])
			tag := jbdTag{block: uint64(be.Uint32(t)), escaped: tFlags&tagEscaped != 0}
			if j.has(jbdIncompat64Bit) {
				tag.block |= uint64(be.Uint32(t[8:])) << 32
			}
			switch {
			case j.has(jbdIncompatCsumV3):
				tag.sum = be.Uint32(t[12:])
			case j.has(jbdIncompatCsumV2):
				tag.sum = uint32(be.Uint16(t[4:]))
			}
			if !yield(tag) || tFlags&tagLast != 0 {
				return
			}
			pos += size
			if tFlags&tagSameUUID == 0 {
				pos += 16
			}
		}
	}
}

func (j *journal) countTags(b []byte) uint32 {
	n := uint32(0)
	for range j.tags(b) {
		n++
	}
	return n
}

// dataSound verifies a data block of the log.
func (j *journal) dataSound(c *jbdCopy, data []byte) bool {
	if !j.summed() || j.unverified {
		return true
	}
	var seq [4]byte
	be.PutUint32(seq[:], c.tid)
	sum := crc32c(crc32c(j.seed, seq[:]), data)
	if j.has(jbdIncompatCsumV2) {
		return uint16(sum) == uint16(c.sum)
	}
	return sum == c.sum
}
