package xfs

import "github.com/wslimg/wslimg/internal/ondisk"

// Facts of struct xfs_da_intnode, a node of the tree by which attributes, and
// the entries of large directories, are found by the hash of their name.
const (
	nodeMagic    = 0xfebe
	nodeMagicV5  = 0x3ebe
	nodeHeader   = 16
	nodeHeaderV5 = 64
	maxNodeLevel = 5
)

// hashTree is such a tree, with all that its root may be: a node, or the only
// leaf. Names are looked up from the root, so a leaf that no node leads to, or
// leads to by other hashes, holds nothing that the kernel finds.
type hashTree struct {
	v5   bool
	root uint32 // file block
	most uint64 // blocks that the tree can have
	what string

	// read reads and verifies a block; it is needed until the next.
	read func(at uint32) (b []byte, off int64, err error)
}

// hashRange is what leads to a block of the tree: hashes from low to high. The
// last child of a node takes all that lead to the node and are higher, too.
type hashRange struct {
	at        uint32
	low, high uint32
}

// hashNode is a node being walked: the children that are left.
type hashNode struct {
	level    int
	children []hashRange
}

// leaves hands the leaves to leaf, from left to right.
func (t hashTree) leaves(leaf func(b []byte, off int64, r hashRange) error) error {
	stack := []hashNode{{-1, []hashRange{{t.root, 0, 1<<32 - 1}}}}
	for left := t.most; len(stack) > 0; {
		top := &stack[len(stack)-1]
		if len(top.children) == 0 {
			stack = stack[:len(stack)-1]
			continue
		}
		r, level := top.children[0], top.level-1
		top.children = top.children[1:]
		b, off, err := t.read(r.at)
		if err != nil {
			return err
		}
		if left == 0 {
			return ondisk.Corruptf(off, "%s: blocks form a loop", t.what)
		}
		left--
		if !t.isNode(b) {
			if top.level > 0 && level != 0 {
				return ondisk.Corruptf(off, "%s: no node at level %d", t.what, level)
			}
			if err := leaf(b, off, r); err != nil {
				return err
			}
			continue
		}
		n, err := t.node(b, off, r)
		if err != nil {
			return err
		}
		if top.level > 0 && n.level != level {
			return ondisk.Corruptf(off, "%s: node of level %d, want %d", t.what, n.level, level)
		}
		stack = append(stack, n)
	}
	return nil
}

func (t hashTree) isNode(b []byte) bool {
	magic := uint16(nodeMagic)
	if t.v5 {
		magic = nodeMagicV5
	}
	return be.Uint16(b[8:]) == magic
}

// node decodes a node that r leads to.
func (t hashTree) node(b []byte, off int64, r hashRange) (hashNode, error) {
	count, header := 12, nodeHeader
	if t.v5 {
		count, header = 56, nodeHeaderV5
	}
	n, level := int(be.Uint16(b[count:])), int(be.Uint16(b[count+2:]))
	if level < 1 || level > maxNodeLevel || n < 1 || n > (len(b)-header)/8 {
		return hashNode{}, ondisk.Corruptf(off, "%s: node of level %d with %d children", t.what, level, n)
	}
	children := make([]hashRange, n)
	low := r.low
	for i := range children {
		e := b[header+8*i:]
		c := hashRange{be.Uint32(e[4:]), low, be.Uint32(e)}
		if c.high < low || c.at == t.root {
			return hashNode{}, ondisk.Corruptf(off+int64(header+8*i), "%s: hash %#x leads to block %#x, the one before is %#x", t.what, c.high, c.at, low)
		}
		low = c.high
		c.high = min(c.high, r.high)
		children[i] = c
	}
	children[n-1].high = r.high
	return hashNode{level, children}, nil
}

// check makes sure that r leads to the entry of a leaf that has this hash.
func (r hashRange) check(hash uint32, off int64, what string) error {
	if hash < r.low || hash > r.high {
		return ondisk.Corruptf(off, "%s: hash %#x in a leaf for %#x to %#x", what, hash, r.low, r.high)
	}
	return nil
}
