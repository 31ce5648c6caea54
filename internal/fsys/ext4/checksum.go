package ext4

import "hash/crc32"

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// crc32c continues the CRC-32C of ext4 and jbd2, which is not inverted at
// either end as the standard library's is.
func crc32c(crc uint32, p []byte) uint32 {
	return ^crc32.Update(^crc, castagnoli, p)
}

// crc32cWord continues crc with a little-endian number. Byte by byte it needs
// no buffer, which would be allocated for each of a million inodes.
func crc32cWord(crc, v uint32) uint32 {
	for range 4 {
		crc = castagnoli[byte(crc)^byte(v)] ^ crc>>8
		v >>= 8
	}
	return crc
}

// crc32cZeros continues crc with n zero bytes, which stand for the checksum
// field itself.
func crc32cZeros(crc uint32, n int) uint32 {
	for range n {
		crc = castagnoli[byte(crc)] ^ crc>>8
	}
	return crc
}

// crc16 continues the CRC-16 (polynomial 0x8005, reflected) of the group
// descriptors of filesystems with uninit_bg.
func crc16(crc uint16, p []byte) uint16 {
	for _, b := range p {
		crc ^= uint16(b)
		for range 8 {
			if crc&1 != 0 {
				crc = crc>>1 ^ 0xa001
			} else {
				crc >>= 1
			}
		}
	}
	return crc
}
