package xz

const (
	probBits = 11
	probHalf = 1 << (probBits - 1)
	moveBits = 5
	top      = 1 << 24

	// slack is how many zeros stand behind a chunk's bytes, so that one symbol
	// can be decoded without looking for their end: a match takes at most 49
	// bits, each of which brings in one byte at most.
	slack = 64
)

// rangeDecoder is LZMA's binary arithmetic decoder.
type rangeDecoder struct {
	rng, code uint32
	in        []byte
	ip        int
}

// start reads the first five bytes of a chunk; the first is always zero.
func (d *rangeDecoder) start(in []byte) bool {
	d.rng = 1<<32 - 1
	d.code = uint32(in[1])<<24 | uint32(in[2])<<16 | uint32(in[3])<<8 | uint32(in[4])
	d.in, d.ip = in, 5
	return in[0] == 0
}

// bit decodes one bit by its probability of being 0.
func (d *rangeDecoder) bit(prob *uint16) bool {
	if d.rng < top {
		d.rng <<= 8
		d.code = d.code<<8 | uint32(d.in[d.ip])
		d.ip++
	}
	p := uint32(*prob)
	bound := d.rng >> probBits * p
	if d.code < bound {
		d.rng = bound
		*prob = uint16(p + (1<<probBits-p)>>moveBits)
		return false
	}
	d.rng -= bound
	d.code -= bound
	*prob = uint16(p - p>>moveBits)
	return true
}

// tree decodes one of len(probs) symbols, a power of two: n bits, high ones first.
func (d *rangeDecoder) tree(probs []uint16) uint32 {
	rng, code, ip := d.rng, d.code, d.ip
	sym := uint32(1)
	for sym < uint32(len(probs)) {
		if rng < top {
			rng <<= 8
			code = code<<8 | uint32(d.in[ip])
			ip++
		}
		p := uint32(probs[sym])
		bound := rng >> probBits * p
		if code < bound {
			rng = bound
			probs[sym] = uint16(p + (1<<probBits-p)>>moveBits)
			sym <<= 1
		} else {
			rng -= bound
			code -= bound
			probs[sym] = uint16(p - p>>moveBits)
			sym = sym<<1 | 1
		}
	}
	d.rng, d.code, d.ip = rng, code, ip
	return sym - uint32(len(probs))
}

// reverse decodes n bits, low ones first.
func (d *rangeDecoder) reverse(probs []uint16, n uint) uint32 {
	sym, v := uint32(1), uint32(0)
	for i := range n {
		if d.bit(&probs[sym]) {
			sym = sym<<1 | 1
			v |= 1 << i
		} else {
			sym <<= 1
		}
	}
	return v
}

// direct decodes n bits that are as likely 0 as 1, high ones first.
func (d *rangeDecoder) direct(n uint) uint32 {
	v := uint32(0)
	for range n {
		if d.rng < top {
			d.rng <<= 8
			d.code = d.code<<8 | uint32(d.in[d.ip])
			d.ip++
		}
		d.rng >>= 1
		d.code -= d.rng
		mask := -(d.code >> 31) // all ones if the code was below
		d.code += d.rng & mask
		v = v<<1 + mask + 1
	}
	return v
}

// literal decodes a byte.
func (d *rangeDecoder) literal(probs *[3 << 8]uint16) byte {
	return byte(d.tree(probs[:1<<8]))
}

// matchedLiteral decodes a byte by means of the one that a match would bring.
func (d *rangeDecoder) matchedLiteral(probs *[3 << 8]uint16, match uint32) byte {
	rng, code, ip := d.rng, d.code, d.ip
	offset, sym := uint32(1<<8), uint32(1)
	for sym < 1<<8 {
		match <<= 1
		bit := match & offset
		prob := &probs[offset+bit+sym]
		if rng < top {
			rng <<= 8
			code = code<<8 | uint32(d.in[ip])
			ip++
		}
		p := uint32(*prob)
		bound := rng >> probBits * p
		if code < bound {
			rng = bound
			*prob = uint16(p + (1<<probBits-p)>>moveBits)
			sym <<= 1
			offset &^= bit
		} else {
			rng -= bound
			code -= bound
			*prob = uint16(p - p>>moveBits)
			sym = sym<<1 | 1
			offset &= bit
		}
	}
	d.rng, d.code, d.ip = rng, code, ip
	return byte(sym)
}
