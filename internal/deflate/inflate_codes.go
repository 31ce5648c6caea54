package deflate

func (d *Decoder) loadFixed() {
	if d.fixed {
		return
	}
	d.b.build(d.lit[:], litBits, fixedLitLens[:], litEntries[:])
	d.b.build(d.dist[:], distBits, fixedDistLens[:], distEntries[:])
	d.fixed = true
}

// readCodes reads the header of a dynamic block and builds its tables.
func (d *Decoder) readCodes(src []byte) error {
	h, ok := d.take(src, 14)
	if !ok {
		return errTruncated(src)
	}
	nlit, ndist, npre := int(h&31)+257, int(h>>5&31)+1, int(h>>10)+4
	if nlit > maxLitLen {
		return d.corrupt("%d literal/length codes, at most %d", nlit, maxLitLen)
	}
	if ndist > maxDistSym {
		return d.corrupt("%d distance codes, at most %d", ndist, maxDistSym)
	}
	var pre [numPreSym]uint8
	for _, sym := range preOrder[:npre] {
		n, ok := d.take(src, 3)
		if !ok {
			return errTruncated(src)
		}
		pre[sym] = uint8(n)
	}
	if !d.b.build(d.pre[:], preBits, pre[:], preEntries[:]) {
		return d.corrupt("code length code is not complete")
	}
	d.fixed = false
	lens := d.lens[:nlit+ndist]
	for i := 0; i < len(lens); {
		if d.nbits < maxPreLen+7 {
			d.fill(src)
		}
		e := d.pre[d.bits&(1<<preBits-1)]
		if e&entryOdd != 0 {
			if d.nbits == 0 {
				return errTruncated(src)
			}
			return d.corrupt("code length code is unassigned")
		}
		if _, ok := d.take(src, uint(e&63)); !ok {
			return errTruncated(src)
		}
		sym := e >> 16
		if sym < 16 {
			lens[i] = uint8(sym)
			i++
			continue
		}
		var fill uint8
		var extra, n uint
		switch sym {
		case 16:
			if i == 0 {
				return d.corrupt("code lengths start with a repetition")
			}
			fill, extra, n = lens[i-1], 2, 3
		case 17:
			extra, n = 3, 3
		default:
			extra, n = 7, 11
		}
		v, ok := d.take(src, extra)
		if !ok {
			return errTruncated(src)
		}
		n += v
		if uint(len(lens)-i) < n {
			return d.corrupt("%d code lengths, want %d", uint(i)+n, len(lens))
		}
		for ; n > 0; n-- {
			lens[i] = fill
			i++
		}
	}
	if !d.b.build(d.lit[:], litBits, lens[:nlit], litEntries[:]) {
		return d.corrupt("literal/length code is not complete")
	}
	if !d.b.build(d.dist[:], distBits, lens[nlit:], distEntries[:]) {
		return d.corrupt("distance code is not complete")
	}
	return nil
}
