package xz

// The model of LZMA, by the names of its specification:
// https://www.7-zip.org/sdk.html (lzma-specification.txt)
const (
	states        = 12
	maxPosStates  = 1 << 4
	maxLiteral    = 1 << 4 // contexts of literals: lc + lp is at most 4
	lenStates     = 4
	posSlots      = 1 << 6
	startPosModel = 4
	endPosModel   = 14
	alignBits     = 4
	minMatch      = 2
)

// lenModel are the probabilities of a match's length.
type lenModel struct {
	choice, choice2 uint16
	low, mid        [maxPosStates][8]uint16
	high            [256]uint16
}

// model is all that is reset together.
type model struct {
	isMatch    [states][maxPosStates]uint16
	isRep      [states]uint16
	isRepG0    [states]uint16
	isRepG1    [states]uint16
	isRepG2    [states]uint16
	isRep0Long [states][maxPosStates]uint16
	posSlot    [lenStates][posSlots]uint16
	posSpecial [1 + 1<<(endPosModel/2) - endPosModel]uint16
	align      [1 << alignBits]uint16
	match, rep lenModel
	literal    [maxLiteral][3 << 8]uint16
}

// decoder decodes LZMA chunks into a window.
type decoder struct {
	rc rangeDecoder
	m  model

	lc             uint // high bits of the previous byte that choose the literal's context
	lpMask, pbMask int  // of the position

	state                  int
	rep0, rep1, rep2, rep3 int // distances less one

	buf    []byte
	pos    int // end of what was decoded
	base   int // begin of what may be referred to
	origin int // where positions are counted from; may be before buf
	max    int // the largest distance
}

// setProps takes the byte that holds lc, lp and pb.
func (z *decoder) setProps(b byte) error {
	lc, lp, pb := b%9, b/9%5, b/45
	if pb > 4 || lc+lp > 4 {
		return corruptf("LZMA properties %#x", b)
	}
	z.lc, z.lpMask, z.pbMask = uint(lc), 1<<lp-1, 1<<pb-1
	return nil
}

func (z *decoder) resetState() {
	z.state = 0
	z.rep0, z.rep1, z.rep2, z.rep3 = 0, 0, 0, 0
	m := &z.m
	each := func(probs []uint16) {
		for i := range probs {
			probs[i] = probHalf
		}
	}
	for i := range states {
		each(m.isMatch[i][:])
		each(m.isRep0Long[i][:])
	}
	for _, p := range [][]uint16{m.isRep[:], m.isRepG0[:], m.isRepG1[:], m.isRepG2[:], m.posSpecial[:], m.align[:]} {
		each(p)
	}
	for i := range m.posSlot {
		each(m.posSlot[i][:])
	}
	for i := range m.literal {
		each(m.literal[i][:])
	}
	for _, l := range []*lenModel{&m.match, &m.rep} {
		l.choice, l.choice2 = probHalf, probHalf
		for i := range maxPosStates {
			each(l.low[i][:])
			each(l.mid[i][:])
		}
		each(l.high[:])
	}
}

// length decodes a match's length.
func (d *rangeDecoder) length(l *lenModel, posState int) int {
	if !d.bit(&l.choice) {
		return minMatch + int(d.tree(l.low[posState][:]))
	}
	if !d.bit(&l.choice2) {
		return minMatch + 8 + int(d.tree(l.mid[posState][:]))
	}
	return minMatch + 16 + int(d.tree(l.high[:]))
}

// distance decodes a match's distance less one.
func (z *decoder) distance(length int) int {
	slot := z.rc.tree(z.m.posSlot[min(length-minMatch, lenStates-1)][:])
	if slot < startPosModel {
		return int(slot)
	}
	n := uint(slot>>1 - 1)
	dist := (2 | slot&1) << n
	if slot < endPosModel {
		return int(dist + z.rc.reverse(z.m.posSpecial[dist-slot:], n))
	}
	dist += z.rc.direct(n-alignBits) << alignBits
	return int(dist + z.rc.reverse(z.m.align[:], alignBits))
}

// decode decodes one chunk: n bytes from the first size bytes of in, behind
// which there is slack.
func (z *decoder) decode(in []byte, size, n int) error {
	rc, m := &z.rc, &z.m
	if size < 5 || !rc.start(in) {
		return corruptf("start of an LZMA chunk")
	}
	pos, end := z.pos, z.pos+n
	buf := z.buf[:end]
	for pos < end {
		if rc.ip > size {
			return corruptf("LZMA chunk is cut off")
		}
		posState := (pos - z.origin) & z.pbMask & (maxPosStates - 1)
		if !rc.bit(&m.isMatch[z.state][posState]) {
			prev := byte(0)
			if pos > z.base {
				prev = buf[pos-1]
			}
			context := ((pos-z.origin)&z.lpMask)<<z.lc | int(prev>>(8-z.lc))
			probs := &m.literal[context&(maxLiteral-1)]
			if z.state < 7 {
				buf[pos] = rc.literal(probs)
			} else {
				if z.rep0 >= pos-z.base {
					return corruptf("LZMA distance %d after %d bytes", z.rep0+1, pos-z.base)
				}
				buf[pos] = rc.matchedLiteral(probs, uint32(buf[pos-z.rep0-1]))
			}
			pos++
			switch {
			case z.state < 4:
				z.state = 0
			case z.state < 10:
				z.state -= 3
			default:
				z.state -= 6
			}
			continue
		}
		var length int
		switch {
		case !rc.bit(&m.isRep[z.state]):
			z.rep1, z.rep2, z.rep3 = z.rep0, z.rep1, z.rep2
			length = rc.length(&m.match, posState)
			z.rep0 = z.distance(length)
			z.state = after(z.state, 7)
		case !rc.bit(&m.isRepG0[z.state]):
			length = 1
			if rc.bit(&m.isRep0Long[z.state][posState]) {
				length = rc.length(&m.rep, posState)
				z.state = after(z.state, 8)
			} else {
				z.state = after(z.state, 9)
			}
		default:
			z.reorder()
			length = rc.length(&m.rep, posState)
			z.state = after(z.state, 8)
		}
		dist := z.rep0 + 1
		if dist <= 0 || dist > pos-z.base || dist > z.max {
			return corruptf("LZMA distance %d after %d bytes, at most %d", dist, pos-z.base, z.max)
		}
		if length > end-pos {
			return corruptf("LZMA match of %d bytes in the last %d of a chunk", length, end-pos)
		}
		copyMatch(buf[pos-dist:pos+length], dist)
		pos += length
	}
	z.pos = pos
	if rc.rng < top { // what the last bit left to be read
		rc.code = rc.code<<8 | uint32(rc.in[rc.ip])
		rc.ip++
	}
	if rc.ip != size || rc.code != 0 {
		return corruptf("LZMA chunk of %d bytes, %d were used", size, rc.ip)
	}
	return nil
}

// reorder moves one of the older distances to the front.
func (z *decoder) reorder() {
	if !z.rc.bit(&z.m.isRepG1[z.state]) {
		z.rep0, z.rep1 = z.rep1, z.rep0
		return
	}
	if !z.rc.bit(&z.m.isRepG2[z.state]) {
		z.rep0, z.rep1, z.rep2 = z.rep2, z.rep0, z.rep1
		return
	}
	z.rep0, z.rep1, z.rep2, z.rep3 = z.rep3, z.rep0, z.rep1, z.rep2
}

// after is the state behind a match; three more if one was before it too.
func after(state, next int) int {
	if state < 7 {
		return next
	}
	if next == 9 {
		return 11
	}
	return next + 3
}

// copyMatch fills b from byte dist on with what begins at its start.
func copyMatch(b []byte, dist int) {
	if n := len(b) - dist; n <= dist {
		copy(b[dist:], b[:n])
		return
	}
	if dist == 1 && b[0] == 0 {
		clear(b[1:])
		return
	}
	for have := dist; have < len(b); have *= 2 {
		copy(b[have:], b[:have])
	}
}
