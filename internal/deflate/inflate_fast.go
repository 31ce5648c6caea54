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
func (d *Decoder) fast(w *[winSize]byte, base int, src []byte) (done bool, err error) {
	// At the top of the loop buf holds 56 bits or more, enough for two literals
	// of the table's first part (22 bits) and a whole length code (20), and e is
	// the entry of the next symbol. It is looked up before the bytes of a match
	// are copied, so that both go on side by side.
	in := src[d.ip:]
	op := uint(d.op - base)
	buf, n := d.bits, d.nbits&63
	want := d.want

	if len(in) < fastIn+8 {
		return false, nil
	}
	buf |= binary.LittleEndian.Uint64(in) << (n & 63)
	in = in[^n&63>>3:]
	n |= 56
	e := d.lit[buf&(1<<litBits-1)]
	for len(in) >= fastIn && op <= winStop {
		if e >= entryLit {
			buf >>= e & 63
			n -= uint(e & 63)
			w[op] = byte(e >> 8)
			op++
			e = d.lit[buf&(1<<litBits-1)]
			if e >= entryLit {
				buf >>= e & 63
				n -= uint(e & 63)
				w[op] = byte(e >> 8)
				op++
				e = d.lit[buf&(1<<litBits-1)]
				if e >= entryLit {
					buf >>= e & 63
					n -= uint(e & 63)
					w[op] = byte(e >> 8)
					op++
					buf |= binary.LittleEndian.Uint64(in) << (n & 63)
					in = in[^n&63>>3:]
					n |= 56
					e = d.lit[buf&(1<<litBits-1)]
					continue
				}
			}
		}
		if e&entryOdd != 0 {
			buf >>= e & 63
			n -= uint(e & 63)
			if e&entryLink != 0 {
				e = d.lit[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
				if e >= entryLit {
					buf >>= e & 63
					n -= uint(e & 63)
					w[op] = byte(e >> 8)
					op++
					buf |= binary.LittleEndian.Uint64(in) << (n & 63)
					in = in[^n&63>>3:]
					n |= 56
					e = d.lit[buf&(1<<litBits-1)]
					continue
				}
				if e&entryOdd != 0 {
					buf >>= e & 63
					n -= uint(e & 63)
				}
			}
			if e&entryOdd != 0 {
				d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n
				if e&entryEnd == 0 {
					return false, d.corrupt("literal/length code is unassigned")
				}
				return true, nil
			}
		}
		length := uint(e>>16) + uint(buf&(1<<(e&63)-1)>>(e>>8&63))
		buf >>= e & 63
		n -= uint(e & 63)

		if n < 28 {
			buf |= binary.LittleEndian.Uint64(in) << (n & 63)
			in = in[^n&63>>3:]
			n |= 56
		}
		e = d.dist[buf&(1<<distBits-1)]
		if e&entryOdd != 0 {
			buf >>= e & 63
			n -= uint(e & 63)
			if e&entryLink != 0 {
				e = d.dist[uint(e>>16)+uint(buf)&(1<<(e>>8&15)-1)]
			}
			if e&entryOdd != 0 {
				d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n
				return false, d.corrupt("distance code is unassigned")
			}
		}
		dist := uint(e>>16) + uint(buf&(1<<(e&63)-1)>>(e>>8&63))
		buf >>= e & 63
		n -= uint(e & 63)

		from := op - dist
		if from > winStop+8 {
			d.ip, d.op, d.bits, d.nbits = len(src)-len(in), base+int(op), buf, n
			return false, d.tooFar(int(dist))
		}
		if want {
			d.tokens[d.ntok] = makeToken(base+int(op)-d.runAt, int(length), int(dist))
			d.ntok++
			d.runAt = base + int(op) + int(length)
		}
		length &= 511
		buf |= binary.LittleEndian.Uint64(in) << (n & 63)
		in = in[^n&63>>3:]
		n |= 56
		e = d.lit[buf&(1<<litBits-1)]
		end := op + length
		switch {
		case dist >= 8:
			binary.LittleEndian.PutUint64(w[op:op+8], binary.LittleEndian.Uint64(w[from:from+8]))
			binary.LittleEndian.PutUint64(w[op+8:op+16], binary.LittleEndian.Uint64(w[from+8:from+16]))
			for length > 16 {
				op += 16
				from += 16
				length -= 16
				binary.LittleEndian.PutUint64(w[op:op+8], binary.LittleEndian.Uint64(w[from:from+8]))
				binary.LittleEndian.PutUint64(w[op+8:op+16], binary.LittleEndian.Uint64(w[from+8:from+16]))
			}
		default:
			r := &repeats[dist&7]
			v := binary.LittleEndian.Uint64(w[from:from+8]) & r.mask * r.mul
			for ; op < end; op += r.step {
				binary.LittleEndian.PutUint64(w[op:], v)
			}
		}
		op = end
	}
	// Give back the whole bytes that were not used.
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
