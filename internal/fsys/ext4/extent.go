package ext4

// The extent tree.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#extent-tree
const (
	extentMagic  = 0xf30a
	extentSize   = 12 // bytes of the header, of an index entry and of an extent
	maxDepth     = 5  // five levels hold more than 2^32 blocks
	maxExtentLen = 32768
)

// extents walks an inode's extent tree from left to right.
func (fs *FS) extents(n *inode, to *runBuilder) error {
	w := extentWalk{fs: fs, n: n, to: to}
	depth := int(le.Uint16(n.block[6:]))
	if depth > maxDepth {
		return n.errorf(0, "extent tree depth %d, at most %d", depth, maxDepth)
	}
	return w.node(n.block, n.off+0x28, depth)
}

type extentWalk struct {
	fs   *FS
	n    *inode
	to   *runBuilder
	next uint64 // first logical block that the rest of the tree may hold
}

// node reads the node in b, which lies at byte off, and all below it. It calls
// itself maxDepth times at most, since depth falls with each level.
func (w *extentWalk) node(b []byte, off int64, depth int) error {
	ehMagic, ehEntries := le.Uint16(b[0:]), int(le.Uint16(b[2:]))
	ehMax, ehDepth := int(le.Uint16(b[4:])), int(le.Uint16(b[6:]))
	room := len(b)/extentSize - 1
	switch {
	case ehMagic != extentMagic:
		return w.n.errorf(off, "extent magic %#x, want %#x", ehMagic, extentMagic)
	case ehDepth != depth:
		return w.n.errorf(off, "extent depth %d, want %d", ehDepth, depth)
	case ehMax == 0 || ehMax > room:
		return w.n.errorf(off, "room for %d extents, want 1 to %d", ehMax, room)
	case ehEntries > ehMax:
		return w.n.errorf(off, "%d extents, room for %d", ehEntries, ehMax)
	case ehEntries == 0 && depth > 0:
		return w.n.errorf(off, "empty extent index")
	}
	inRoot := len(b) == len(w.n.block)
	if err := w.verify(b, off, ehMax, inRoot); err != nil {
		return err
	}
	for i := 1; i <= ehEntries; i++ {
		entry, at := b[i*extentSize:(i+1)*extentSize], off+int64(i*extentSize)
		lblk := uint64(le.Uint32(entry))
		if lblk < w.next {
			return w.n.errorf(at, "extent of block %d after block %d", lblk, int64(w.next)-1)
		}
		if i == 1 && !inRoot && lblk != w.next {
			// The parent set next to the block that its entry promises.
			return w.n.errorf(at, "extent node begins with block %d, want %d", lblk, w.next)
		}
		w.next = lblk
		var err error
		if depth == 0 {
			err = w.leaf(entry, at)
		} else {
			err = w.index(entry, at, depth)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *extentWalk) leaf(entry []byte, at int64) error {
	eeLen := uint64(le.Uint16(entry[4:]))
	pblk := uint64(le.Uint32(entry[8:])) | uint64(le.Uint16(entry[6:]))<<32
	unwritten := eeLen > maxExtentLen
	if unwritten {
		eeLen -= maxExtentLen
	}
	if eeLen == 0 || w.next+eeLen > 1<<32 {
		return w.n.errorf(at, "extent of %d blocks at block %d", eeLen, w.next)
	}
	if !w.fs.validBlocks(pblk, eeLen) {
		return w.n.errorf(at, "extent at blocks %d+%d of %d, not all of which are data blocks", pblk, eeLen, w.fs.sb.blocks)
	}
	lblk := w.next
	w.next += eeLen
	return w.to.add(lblk, eeLen, pblk, unwritten)
}

func (w *extentWalk) index(entry []byte, at int64, depth int) error {
	child := uint64(le.Uint32(entry[4:])) | uint64(le.Uint16(entry[8:]))<<32
	if !w.fs.validBlocks(child, 1) {
		return w.n.errorf(at, "extent node at block %d of %d, which is no data block", child, w.fs.sb.blocks)
	}
	buf := w.fs.borrowBlock()
	defer w.fs.releaseBlock(buf)
	if err := w.fs.readBlock(*buf, child, "extent node"); err != nil {
		return err
	}
	return w.node(*buf, w.fs.blockOff(child), depth-1)
}

// verify checks the checksum behind the entries of a node that is a block of its own.
func (w *extentWalk) verify(b []byte, off int64, ehMax int, inRoot bool) error {
	if inRoot || !w.fs.sb.checksummed() || w.fs.opts.unverified {
		return nil
	}
	tail := extentSize * (1 + ehMax)
	if tail+4 > len(b) {
		return w.n.errorf(off, "room for %d extents leaves none for their checksum", ehMax)
	}
	if got, want := le.Uint32(b[tail:]), crc32c(w.n.seed, b[:tail]); got != want {
		return w.n.errorf(off, "extent node checksum %#08x, want %#08x", got, want)
	}
	return nil
}
