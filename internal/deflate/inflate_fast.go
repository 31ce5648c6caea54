package deflate

import "encoding/binary"

const (
	// fast writes through a pointer to an array of fixed size, so that the
	// compiler can see from op <= winStop that no access leaves it.
	winSize = 1 << 16
	winStop = winSize - maxMatch - 64

	// What one turn of the fast loop may read beyond the start of in.
	fastIn = 32
)

// fast decodes symbols while at least fastIn bytes of input are left and the
// output, which goes to w and starts there at d.op-base, has not passed
// winStop. It reports whether it reached the end of the block. It may write
// some bytes beyond what it decodes, within w.
//
// What takes its time is the way from one entry to the next (shift, mask, load)
// and branches that could not be foreseen. So the next entry is looked up before
// anything else is done, even before buf is refilled, and its bits are consumed
// before it is known of which kind it is: that is done when the branch turns out
// to be mispredicted. saved are the bits from before, for those of them that
// say how much to add.
func (d *Decoder) fast(w *[winSize]byte, base int, src []byte) (done bool, err error) {
	// At the top of the loop buf holds 56 bits or more and e is the entry of the
	// next symbol. 56 bits are enough for three literals of the table's first part
	// and the look-up behind them (44), and for two, a length (20) and the look-up
	// of its distance (50 in all); that may take 28 more. Of n, the number of bits
	// in buf, the low six bits count; whole entries are subtracted from it.
	_ = w[0] // not nil, seen once for all
	in := src[d.ip:]
	op := uint(d.op - base)
	buf, n := d.bits, d.nbits&63

	if len(in) < fastIn+8 {
		return false, nil
	}
	buf, n, in = refill(buf, n, in)
	e := d.lit[buf&(1<<litBits-1)]
	for len(in) >= fastIn && op <= winStop {
		saved := buf
		buf >>= e & 63
		n -= uint(e)
		if int32(e) < 0 { // entryLit, whose test as a bit costs 1 % more
			lit := byte(e >> 8)
			e = d.lit[buf&(1<<litBits-1)]
			saved = buf
			buf >>= e & 63
			n -= uint(e)
			w[op] = lit
			op++
			if int32(e) < 0 {
				lit := byte(e >> 8)
				e = d.lit[buf&(1<<litBits-1)]
				saved = buf
				buf >>= e & 63
				n -= uint(e)
				w[op] = lit
				op++
				if int32(e) < 0 {
					lit := byte(e >> 8)
					e = d.lit[buf&(1<<litBits-1)]
					buf, n, in = refill(buf, n, in)
					w[op] = lit
					op++
					continue
				}
			}
		}
		if e&entryOdd != 0 {
			if e&entryLink != 0 {
				e = d.lit[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
				saved = buf
				buf >>= e & 63
				n -= uint(e)
				if int32(e) < 0 {
					lit := byte(e >> 8)
					e = d.lit[buf&(1<<litBits-1)]
					buf, n, in = refill(buf, n, in)
					w[op] = lit
					op++
					continue
				}
			}
			if e&entryOdd != 0 {
				d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n&63
				if e&entryEnd == 0 {
					return false, d.corrupt("literal/length code is unassigned")
				}
				return true, nil
			}
		}
		length := uint(e>>16) + uint(saved&(1<<(e&63)-1)>>(e>>8&63))

		e = d.dist[buf&(1<<distBits-1)]
		if n&63 < 28 {
			buf, n, in = refill(buf, n, in)
		}
		if e&entryOdd != 0 {
			buf >>= e & 63
			n -= uint(e)
			if e&entryLink != 0 {
				e = d.dist[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
			}
			if e&entryOdd != 0 {
				d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n&63
				return false, d.corrupt("distance code is unassigned")
			}
		}
		saved = buf
		buf >>= e & 63
		n -= uint(e)
		dist := uint(e>>16) + uint(saved&(1<<(e&63)-1)>>(e>>8&63))

		from := op - dist
		// op is never so large; saying so spares the copies their checks.
		if from > winStop+3 || op > winStop+3 {
			d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n&63
			return false, d.tooFar(int(dist))
		}
		if d.want {
			d.tokens[d.ntok] = makeToken(base+int(op)-d.runAt, int(length), int(dist))
			d.ntok++
			d.runAt = base + int(op) + int(length)
		}
		if n&63 < litBits {
			buf, n, in = refill(buf, n, in)
		}
		e = d.lit[buf&(1<<litBits-1)]
		buf, n, in = refill(buf, n, in)
		end := op + length&511
		if dist >= 8 {
			// Most matches are no longer than 32 bytes, as a branch could not tell.
			copy32((*[32]byte)(w[op:]), (*[32]byte)(w[from:]))
			for op+32 < end {
				op += 32
				from += 32
				copy32((*[32]byte)(w[op:]), (*[32]byte)(w[from:]))
			}
		} else {
			r := &repeats[dist&7]
			v := binary.LittleEndian.Uint64(w[from:]) & r.mask * r.mul
			for ; op < end; op += r.step {
				binary.LittleEndian.PutUint64(w[op:], v)
			}
		}
		op = end
	}
	// Give back the whole bytes that were not used.
	n &= 63
	d.ip, d.op, d.bits, d.nbits = len(src)-len(in)-int(n>>3), base+int(op), buf&(1<<(n&7)-1), n&7
	return false, nil
}

// repeats tells for a distance below 8 how to make a word of repetitions of
// that many bytes, and by how much to advance so that the next one continues it.
var repeats = makeRepeats()

type repeat struct {
	mask, mul uint64
	step      uint
}

func makeRepeats() (t [8]repeat) {
	t[0].step = 8 // never used; no distance is 0
	for i := uint(1); i < 8; i++ {
		t[i] = repeat{mask: 1<<(8*i) - 1, step: 8 / i * i}
		for at := uint(0); at < 8; at += i {
			t[i].mul |= 1 << (8 * at)
		}
	}
	return t
}

// copy32 copies eight bytes at a time, in order: to may begin eight bytes behind
// from, or farther.
func copy32(to, from *[32]byte) {
	le := binary.LittleEndian
	le.PutUint64(to[0:], le.Uint64(from[0:]))
	le.PutUint64(to[8:], le.Uint64(from[8:]))
	le.PutUint64(to[16:], le.Uint64(from[16:]))
	le.PutUint64(to[24:], le.Uint64(from[24:]))
}

// refill brings buf, which holds n bits (of n the low six bits count), to 56 bits
// or more from the start of in, of eight bytes or more. The bits above those that
// it counts are right already, so that or-ing them in again is harmless.
func refill(buf uint64, n uint, in []byte) (uint64, uint, []byte) {
	return buf | binary.LittleEndian.Uint64(in)<<(n&63), n | 56, in[^n>>3&7:]
}
