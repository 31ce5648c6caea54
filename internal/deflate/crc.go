package deflate

// crcPoly is the CRC-32 polynomial of gzip (RFC 1952, section 8), the bit of
// x^0 highest.
const crcPoly = 0xedb88320

// crcPowers[k] is x^(2^k) modulo the polynomial.
var crcPowers = func() (t [64]uint32) {
	t[0] = 1 << 30 // x
	for k := 1; k < len(t); k++ {
		t[k] = crcMul(t[k-1], t[k-1])
	}
	return t
}()

// crcMul multiplies two polynomials modulo the CRC's.
func crcMul(a, b uint32) uint32 {
	var p uint32
	for ; a != 0; a <<= 1 {
		if a>>31 != 0 {
			p ^= b
		}
		b = b>>1 ^ crcPoly&-(b&1)
	}
	return p
}

// CombineCRC32 is the CRC-32 (hash/crc32's IEEE) of two byte sequences one
// after the other, from the CRC of each and the length of the second in bytes,
// which must not be negative.
func CombineCRC32(crc1, crc2 uint32, len2 int64) uint32 {
	shift := uint32(1 << 31) // x^0
	for n, k := uint64(len2), 3; n != 0; n, k = n>>1, k+1 {
		if n&1 != 0 {
			shift = crcMul(crcPowers[k&63], shift)
		}
	}
	return crcMul(shift, crc1) ^ crc2
}
