package tarball

// combine returns the CRC-32 (IEEE) of two pieces strung together from theirs
// and the second's length: the first is moved past n zero bytes, which is a
// multiplication by x^8n modulo the polynomial.
func combine(a, b uint32, n int64) uint32 {
	return times(a, power(uint64(n))) ^ b
}

const poly = 0xedb88320 // of CRC-32, bit-reversed: bit 31 is x^0

// times multiplies two polynomials modulo poly.
func times(a, b uint32) uint32 {
	p := uint32(0)
	for bit := uint32(1 << 31); bit != 0; bit >>= 1 {
		if a&bit != 0 {
			p ^= b
		}
		carry := b & 1
		b >>= 1
		if carry != 0 {
			b ^= poly
		}
	}
	return p
}

// power returns x^(8n) modulo poly.
func power(n uint64) uint32 {
	p, sq := uint32(1<<31), uint32(1<<23) // 1, x^8
	for ; n > 0; n >>= 1 {
		if n&1 != 0 {
			p = times(p, sq)
		}
		sq = times(sq, sq)
	}
	return p
}
