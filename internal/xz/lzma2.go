package xz

// A block's data is a chain of chunks; LZMA2 is described in the Linux kernel's
// documentation of its decoder and in
// https://en.wikipedia.org/wiki/Lempel%E2%80%93Ziv%E2%80%93Markov_chain_algorithm#LZMA2_format
const (
	maxChunkIn    = 64 << 10
	maxChunkPlain = 2 << 20

	chunkEnd       = 0x00
	chunkRawReset  = 0x01 // plain bytes, dictionary reset
	chunkRaw       = 0x02
	chunkLZMA      = 0x80 // bits 5 and 6 say what is reset
	resetState     = 1
	resetProps     = 2
	resetDict      = 3
	resetShift     = 5
	resetMask      = 3
	plainHighBits  = 0x1f
	chunkHeaderLen = 4 // of LZMA chunks, behind the control byte; without properties
)

// lzma2 decodes the chunks of a block into a window, which also is the
// dictionary.
type lzma2 struct {
	decoder
	active    bool // in a block
	needDict  bool // the next chunk must reset the dictionary
	needProps bool
	needState bool
	given     int // how much of buf was taken
	in        [maxChunkIn + slack]byte
}

// reset begins a block.
func (z *lzma2) reset(dict int) {
	z.max, z.active = dict, true
	z.needDict, z.needProps, z.needState = true, true, true
}

func (z *lzma2) pending() []byte { return z.buf[z.given:z.pos] }
func (z *lzma2) take(n int)      { z.given += n }

// chunk decodes the next chunk, and returns its bytes, which stay pending. At
// the end of the block active becomes false.
func (z *lzma2) chunk(r *counter) ([]byte, error) {
	control, err := r.ReadByte()
	if err != nil {
		return nil, err
	}
	if control == chunkEnd {
		z.active = false
		return nil, nil
	}
	if control < chunkLZMA {
		return z.rawChunk(r, control)
	}
	h := z.in[:chunkHeaderLen]
	reset := control >> resetShift & resetMask
	if reset >= resetProps {
		h = z.in[:chunkHeaderLen+1]
	}
	if err := r.full(h); err != nil {
		return nil, err
	}
	plain := (int(control&plainHighBits)<<16 | int(h[0])<<8 | int(h[1])) + 1
	size := (int(h[2])<<8 | int(h[3])) + 1
	if reset == resetDict {
		z.dropDict()
	}
	if reset >= resetProps {
		if err := z.setProps(h[chunkHeaderLen]); err != nil {
			return nil, err
		}
		z.needProps = false
	}
	if reset >= resetState && !z.needProps {
		z.resetState()
		z.needState = false
	}
	if z.needDict || z.needProps || z.needState {
		return nil, corruptf("chunk %#x without the resets that it needs", control)
	}
	if err := r.full(z.in[:size]); err != nil {
		return nil, err
	}
	clear(z.in[size : size+slack])
	z.room(plain)
	start := z.pos
	if err := z.decode(z.in[:size+slack], size, plain); err != nil {
		return nil, err
	}
	return z.buf[start:z.pos], nil
}

func (z *lzma2) rawChunk(r *counter, control byte) ([]byte, error) {
	if control > chunkRaw {
		return nil, corruptf("chunk %#x", control)
	}
	if control == chunkRawReset {
		z.dropDict()
	}
	if z.needDict {
		return nil, corruptf("chunk %#x without the resets that it needs", control)
	}
	h := z.in[:2]
	if err := r.full(h); err != nil {
		return nil, err
	}
	n := (int(h[0])<<8 | int(h[1])) + 1
	z.room(n)
	out := z.buf[z.pos:][:n]
	if err := r.full(out); err != nil {
		return nil, err
	}
	z.pos += n
	return out, nil
}

// dropDict forgets what was decoded before. Properties do not outlive it.
func (z *lzma2) dropDict() {
	z.base, z.origin = z.pos, z.pos
	z.needDict, z.needProps, z.needState = false, true, true
}

// room makes room for n more bytes, and keeps the dictionary's worth before
// them. All that was decoded has been taken: a step is only made then. The
// buffer grows with what is really decoded, to the dictionary's size and as
// much again, up to a limit, so that moving down is rare.
func (z *lzma2) room(n int) {
	if z.pos+n <= len(z.buf) {
		return
	}
	keep := min(z.pos-z.base, z.max)
	const spare = 8 << 20
	if limit := z.max + maxChunkPlain + min(z.max, spare); len(z.buf) < limit && keep+n > len(z.buf)/2 {
		bigger := make([]byte, min(max(2*len(z.buf), 2*(keep+n)), limit))
		copy(bigger, z.buf[z.pos-keep:z.pos])
		z.buf = bigger
	} else {
		copy(z.buf, z.buf[z.pos-keep:z.pos])
	}
	z.origin -= z.pos - keep
	z.pos, z.base, z.given = keep, 0, keep
}
