package deflate

// A header is the description of a dynamic block's codes (RFC 1951, 3.2.7).
type header struct {
	bits        int // size, with the three bits of the block header
	nlit, ndist int
	npre        int
	items       [numStats]uint16 // symbol | extra<<5
	n           int
	lens        [numPreSym]uint8
	codes       [numPreSym]uint32
}

// preExtra is how many extra bits follow a code length symbol.
func preExtra(sym uint) uint {
	switch sym {
	case 16:
		return 2
	case 17:
		return 3
	case 18:
		return 7
	}
	return 0
}

// prepare works out the header for the code lengths.
func (h *header) prepare(hf *huffman, lens *[numStats]uint8) {
	h.nlit, h.ndist = maxLitLen, maxDistSym
	for h.nlit > 257 && lens[h.nlit-1] == 0 {
		h.nlit--
	}
	for h.ndist > 1 && lens[maxLitLen+h.ndist-1] == 0 {
		h.ndist--
	}
	var all [numStats]uint8
	copy(all[:], lens[:h.nlit])
	copy(all[h.nlit:], lens[maxLitLen:maxLitLen+h.ndist])

	var freqs [numPreSym]uint32
	h.n = 0
	add := func(sym, extra int) {
		h.items[h.n] = uint16(sym | extra<<5)
		h.n++
		freqs[sym]++
	}
	for i, end := 0, h.nlit+h.ndist; i < end; {
		l := all[i]
		run := 1
		for i+run < end && all[i+run] == l {
			run++
		}
		i += run
		if l == 0 {
			for ; run >= 11; run -= min(run, 138) {
				add(18, min(run, 138)-11)
			}
			if run >= 3 {
				add(17, run-3)
				run = 0
			}
		} else if run >= 4 {
			add(int(l), 0)
			run--
			for ; run >= 3; run -= min(run, 6) {
				add(16, min(run, 6)-3)
			}
		}
		for ; run > 0; run-- {
			add(int(l), 0)
		}
	}
	hf.lengths(h.lens[:], freqs[:], maxPreLen)
	h.npre = numPreSym
	for h.npre > 4 && h.lens[preOrder[h.npre-1]] == 0 {
		h.npre--
	}
	h.bits = 3 + 5 + 5 + 4 + 3*h.npre
	for sym, f := range freqs {
		h.bits += int(f) * (int(h.lens[sym]) + int(preExtra(uint(sym))))
	}
}

// write writes the header of a dynamic block that is not the last.
func (h *header) write(w *bitWriter) {
	w.put(blockDynamic<<1, 3)
	w.put(uint64(h.nlit-257), 5)
	w.put(uint64(h.ndist-1), 5)
	w.put(uint64(h.npre-4), 4)
	for _, sym := range preOrder[:h.npre] {
		w.put(uint64(h.lens[sym]), 3)
	}
	assign(h.codes[:], h.lens[:])
	for _, it := range h.items[:h.n] {
		sym := uint(it & 31)
		c := h.codes[sym]
		w.put(uint64(c>>8)|uint64(it>>5)<<(c&0xff), uint(c&0xff)+preExtra(sym))
	}
}
