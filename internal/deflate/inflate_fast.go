package deflate

import "encoding/binary"

const (
	// What one turn of the fast loop may read and write beyond ip and op.
	fastIn  = 32
	fastOut = maxMatch + 32
)

// fast decodes symbols while at least fastIn bytes of input and fastOut bytes
// of room are left, and reports whether it reached the end of the block. It
// writes up to 16 bytes beyond what it decodes, always within dst.
func (d *Decoder) fast(dst, src []byte) (done bool, err error) {
	ip, op := d.ip, d.op
	buf, n := d.bits, d.nbits
	ipEnd, opEnd := len(src)-fastIn, len(dst)-fastOut
	want := d.want

	for ip <= ipEnd && op <= opEnd {
		// Refill to 56 bits or more: enough for three codes of the first part
		// of the table (33 bits) and a whole length code (20).
		buf |= binary.LittleEndian.Uint64(src[ip:]) << (n & 63)
		ip += int((63 - n) >> 3)
		n |= 56

		e := d.lit[buf&(1<<litBits-1)]
		if e >= entryLit {
			buf >>= e & 63
			n -= uint(e & 63)
			binary.LittleEndian.PutUint16(dst[op:], uint16(e>>8))
			op += int(e >> 24 & 3)
			e = d.lit[buf&(1<<litBits-1)]
			if e >= entryLit {
				buf >>= e & 63
				n -= uint(e & 63)
				binary.LittleEndian.PutUint16(dst[op:], uint16(e>>8))
				op += int(e >> 24 & 3)
				e = d.lit[buf&(1<<litBits-1)]
				if e >= entryLit {
					buf >>= e & 63
					n -= uint(e & 63)
					binary.LittleEndian.PutUint16(dst[op:], uint16(e>>8))
					op += int(e >> 24 & 3)
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
					dst[op] = byte(e >> 8)
					op++
					continue
				}
				if e&entryOdd != 0 {
					buf >>= e & 63
					n -= uint(e & 63)
				}
			}
			if e&entryOdd != 0 {
				d.ip, d.op, d.bits, d.nbits = ip, op, buf, n
				if e&entryEnd == 0 {
					return false, d.corrupt("literal/length code is unassigned")
				}
				return true, nil
			}
		}
		length := int(e>>16) + int(buf&(1<<(e&63)-1)>>(e>>8&31))
		buf >>= e & 63
		n -= uint(e & 63)

		if n < 28 {
			buf |= binary.LittleEndian.Uint64(src[ip:]) << (n & 63)
			ip += int((63 - n) >> 3)
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
				d.ip, d.op, d.bits, d.nbits = ip, op, buf, n
				return false, d.corrupt("distance code is unassigned")
			}
		}
		dist := int(e>>16) + int(buf&(1<<(e&63)-1)>>(e>>8&31))
		buf >>= e & 63
		n -= uint(e & 63)

		from := op - dist
		if from < 0 {
			d.ip, d.op, d.bits, d.nbits = ip, op, buf, n
			return false, d.tooFar(dist)
		}
		if want {
			d.tokens[d.ntok] = makeToken(op-d.runAt, length, dist)
			d.ntok++
			d.runAt = op + length
		}
		end := op + length
		switch {
		case dist >= 16:
			for {
				copy(dst[op:op+16:op+16], dst[from:from+16:from+16])
				op += 16
				from += 16
				if op >= end {
					break
				}
			}
		case dist >= 8:
			for ; op < end; op, from = op+8, from+8 {
				binary.LittleEndian.PutUint64(dst[op:], binary.LittleEndian.Uint64(dst[from:]))
			}
		case dist == 1:
			v := uint64(dst[from]) * 0x0101010101010101
			for ; op < end; op += 8 {
				binary.LittleEndian.PutUint64(dst[op:], v)
			}
		default:
			for ; op < end; op, from = op+1, from+1 {
				dst[op] = dst[from]
			}
		}
		op = end
	}
	// Give back the whole bytes that were not used.
	ip -= int(n >> 3)
	n &= 7
	d.ip, d.op, d.bits, d.nbits = ip, op, buf&(1<<n-1), n
	return false, nil
}
