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
// anything else is done, even before buf is refilled.
func (d *Decoder) fast(w *[winSize]byte, base int, src []byte) (done bool, err error) {
	// At the top of the loop buf holds 56 bits or more, enough for three literals
	// of the table's first part and the look-up behind them (44 bits) or a whole
	// match (48), and e is the entry of the next symbol. Of n, the number of bits
	// in buf, the low six bits count; whole entries are subtracted from it.
	_ = w[0] // not nil, seen once for all
	in := src[d.ip:]
	op := uint(d.op - base)
	buf, n := d.bits, d.nbits&63

	if len(in) < fastIn+8 {
		return false, nil
	}
	buf |= binary.LittleEndian.Uint64(in) << (n & 63)
	in = in[^n>>3&7:]
	n |= 56
	e := d.lit[buf&(1<<litBits-1)]
	for len(in) >= fastIn && op <= winStop {
		if e >= entryLit {
			buf >>= e & 63
			n -= uint(e)
			w[op] = byte(e >> 8)
			op++
			e = d.lit[buf&(1<<litBits-1)]
			if e >= entryLit {
				buf >>= e & 63
				n -= uint(e)
				w[op] = byte(e >> 8)
				op++
				e = d.lit[buf&(1<<litBits-1)]
				if e >= entryLit {
					buf >>= e & 63
					n -= uint(e)
					w[op] = byte(e >> 8)
					op++
					e = d.lit[buf&(1<<litBits-1)]
				}
			}
			buf |= binary.LittleEndian.Uint64(in) << (n & 63)
			in = in[^n>>3&7:]
			n |= 56
			if e >= entryLit {
				continue
			}
		}
		if e&entryOdd != 0 {
			buf >>= e & 63
			n -= uint(e)
			if e&entryLink != 0 {
				e = d.lit[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
				if e >= entryLit {
					buf >>= e & 63
					n -= uint(e)
					w[op] = byte(e >> 8)
					op++
					buf |= binary.LittleEndian.Uint64(in) << (n & 63)
					in = in[^n>>3&7:]
					n |= 56
					e = d.lit[buf&(1<<litBits-1)]
					continue
				}
				if e&entryOdd != 0 {
					buf >>= e & 63
					n -= uint(e)
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
		length := uint(e>>16) + uint(buf&(1<<(e&63)-1)>>(e>>8&63))
		buf >>= e & 63
		n -= uint(e)

		e = d.dist[buf&(1<<distBits-1)]
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
		dist := uint(e>>16) + uint(buf&(1<<(e&63)-1)>>(e>>8&63))
		buf >>= e & 63
		n -= uint(e)

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
			buf |= binary.LittleEndian.Uint64(in) << (n & 63)
			in = in[^n>>3&7:]
			n |= 56
		}
		e = d.lit[buf&(1<<litBits-1)]
		buf |= binary.LittleEndian.Uint64(in) << (n & 63)
		in = in[^n>>3&7:]
		n |= 56
		end := op + length&511
		switch {
		case dist >= 16:
			// Most matches are no longer than 32 bytes, as a branch could not tell.
			*(*[16]byte)(w[op:]) = *(*[16]byte)(w[from:])
			*(*[16]byte)(w[op+16:]) = *(*[16]byte)(w[from+16:])
			for op+32 < end {
				op += 32
				from += 32
				*(*[16]byte)(w[op:]) = *(*[16]byte)(w[from:])
				*(*[16]byte)(w[op+16:]) = *(*[16]byte)(w[from+16:])
			}
		case dist >= 8:
			for ; op < end; op += 8 {
				binary.LittleEndian.PutUint64(w[op:], binary.LittleEndian.Uint64(w[from:]))
				from += 8
			}
		default:
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
