package ext4

// The block map of inodes without extents: twelve blocks, then the root of a
// tree of one, two and three levels.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#direct-indirect-block-addressing
const (
	directBlocks = 12
	maxLevels    = 3
)

// blockMap walks an inode's block map from left to right, up to its size.
func (fs *FS) blockMap(n *inode, to *runBuilder) error {
	bs := uint64(fs.sb.blockSize)
	w := mapWalk{fs: fs, n: n, to: to, end: (uint64(n.size) + bs - 1) / bs}
	if err := w.check(n.block[:4*directBlocks], n.off+0x28); err != nil {
		return err
	}
	for i := range directBlocks {
		if err := w.pointer(n.block[4*i:], n.off+0x28+int64(4*i), 0); err != nil {
			return err
		}
	}
	for level := 1; level <= maxLevels && w.next < w.end; level++ {
		i := directBlocks + level - 1
		root, off := n.block[4*i:4*i+4], n.off+0x28+int64(4*i)
		if err := w.check(root, off); err != nil {
			return err
		}
		if err := w.pointer(root, off, level); err != nil {
			return err
		}
	}
	if w.next < w.end {
		return n.errorf(0, "size %d is more than the block map can hold", n.size)
	}
	return nil
}

type mapWalk struct {
	fs   *FS
	n    *inode
	to   *runBuilder
	next uint64 // logical block that the next pointer stands for
	end  uint64 // blocks in the file
	// seen keeps a tree whose pointers meet from being walked more than once.
	seen map[uint32]bool
}

// check looks at all pointers of a block of them, which lies at byte off. As in
// the kernel, a bad one spoils the block, also behind the file's end.
func (w *mapWalk) check(b []byte, off int64) error {
	for i := 0; i < len(b); i += 4 {
		if block := le.Uint32(b[i:]); block != 0 && !w.fs.validBlocks(uint64(block), 1) {
			return w.n.errorf(off+int64(i), "block %d of %d is no data block", block, w.fs.sb.blocks)
		}
	}
	return nil
}

// pointer follows one pointer at byte off, which was checked. It calls itself maxLevels times at
// most, since level falls.
func (w *mapWalk) pointer(p []byte, off int64, level int) error {
	if w.next >= w.end {
		return nil
	}
	block := le.Uint32(p)
	if block == 0 { // a hole
		w.next += w.span(level)
		return nil
	}
	if level == 0 {
		w.next++
		return w.to.add(w.next-1, 1, uint64(block), false)
	}
	if w.seen[block] {
		return w.n.errorf(off, "indirect block %d is used twice", block)
	}
	if w.seen == nil {
		w.seen = map[uint32]bool{}
	}
	w.seen[block] = true
	buf := w.fs.borrowBlock()
	defer w.fs.releaseBlock(buf)
	if err := w.fs.readBlock(*buf, uint64(block), "indirect block"); err != nil {
		return err
	}
	at := w.fs.blockOff(uint64(block))
	if err := w.check(*buf, at); err != nil {
		return err
	}
	for i := 0; i < len(*buf) && w.next < w.end; i += 4 {
		if err := w.pointer((*buf)[i:], at+int64(i), level-1); err != nil {
			return err
		}
	}
	return nil
}

// span is the number of blocks below a pointer: at most 2^42.
func (w *mapWalk) span(level int) uint64 {
	n := uint64(1)
	for range level {
		n *= uint64(w.fs.sb.blockSize / 4)
	}
	return n
}
