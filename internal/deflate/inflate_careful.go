package deflate

// careful decodes up to the end of the block with every limit checked at every
// step; it serves the ends of src and dst, where fast has no room.
func (d *Decoder) careful(dst, src []byte) error {
	for {
		if d.nbits < 48 {
			d.fill(src)
		}
		e := d.lit[d.bits&(1<<litBits-1)]
		if e&(entryLit|entryOdd) == entryOdd && e&entryLink != 0 {
			if !d.drop(e) {
				return errTruncated(src)
			}
			e = d.lit[uint(e>>16)+uint(d.bits)&(1<<(e>>8&15)-1)]
		}
		saved := d.bits
		if e >= entryLit {
			if !d.drop(e) {
				return errTruncated(src)
			}
			if d.op == len(dst) {
				return d.tooLong(dst)
			}
			dst[d.op] = byte(e >> 8)
			d.op++
			continue
		}
		if e&entryOdd != 0 {
			if !d.drop(e) || e&entryEnd == 0 && d.nbits == 0 {
				return errTruncated(src)
			}
			if e&entryEnd == 0 {
				return d.corrupt("literal/length code is unassigned")
			}
			return nil
		}
		if !d.drop(e) {
			return errTruncated(src)
		}
		length := int(e>>16) + int(saved&(1<<(e&63)-1)>>(e>>8&31))

		e = d.dist[d.bits&(1<<distBits-1)]
		if e&entryOdd != 0 && e&entryLink != 0 {
			if !d.drop(e) {
				return errTruncated(src)
			}
			e = d.dist[uint(e>>16)+uint(d.bits)&(1<<(e>>8&15)-1)]
		}
		if e&entryOdd != 0 {
			if d.nbits == 0 {
				return errTruncated(src)
			}
			return d.corrupt("distance code is unassigned")
		}
		saved = d.bits
		if !d.drop(e) {
			return errTruncated(src)
		}
		dist := int(e>>16) + int(saved&(1<<(e&63)-1)>>(e>>8&31))
		if dist > d.op {
			return d.tooFar(dist)
		}
		if length > len(dst)-d.op {
			return d.tooLong(dst)
		}
		if d.want {
			d.tokens[d.ntok] = makeToken(d.op-d.runAt, length, dist)
			d.ntok++
			d.runAt = d.op + length
		}
		for i := d.op; i < d.op+length; i++ {
			dst[i] = dst[i-dist]
		}
		d.op += length
	}
}

// drop consumes the bits of e; false if there are too few.
func (d *Decoder) drop(e uint32) bool {
	n := uint(e & 63)
	if n > d.nbits {
		return false
	}
	d.bits >>= n
	d.nbits -= n
	return true
}
