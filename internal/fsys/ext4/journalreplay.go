package ext4

import (
	"cmp"
	"slices"
	"sort"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxCopies bounds the memory of a replay (about 60 bytes a block of the log).
// mke2fs makes no journal of more than 10,240,000 blocks, and by default none
// of more than 262,144.
const maxCopies = 4 << 20

// jbdCopy is one block of one transaction.
type jbdCopy struct {
	jbdTag
	tid uint32
	at  uint32 // block of the journal file

	revoked   bool // by revokedBy, a transaction not before tid
	revokedBy uint32
}

// jbdReplay puts the blocks of all transactions in order.
type jbdReplay struct {
	*journal
	copies  []jbdCopy // as they stand in the log
	byBlock []int32   // indices of copies, sorted by filesystem block, then by age
	buf     []byte
}

// recover builds the overlay of the log's transactions over a filesystem of
// the given size: of each block, the last copy that no revoke record covers.
func (j *journal) recover(log *jbdLog, blocks uint64) (*overlay, error) {
	r := jbdReplay{journal: j, buf: make([]byte, j.blockSize)}
	if err := r.collect(log.descriptors, blocks); err != nil {
		return nil, err
	}
	for _, record := range log.revokes {
		if err := r.revoke(record); err != nil {
			return nil, err
		}
	}
	r.spreadRevokes()
	if err := r.verify(); err != nil {
		return nil, err
	}
	return r.overlay()
}

// collect lists the copies.
func (r *jbdReplay) collect(descriptors []jbdRecord, blocks uint64) error {
	for _, d := range descriptors {
		off, err := r.read(r.buf, d.block)
		if err != nil {
			return err
		}
		n := uint32(0)
		for tag := range r.tags(r.buf) {
			n++
			if tag.block >= blocks {
				return ondisk.Corruptf(off, "transaction %d writes block %d, filesystem has %d", d.tid, tag.block, blocks)
			}
			if len(r.copies) >= maxCopies {
				return ondisk.Unsupportedf("a dirty journal with more than %d blocks", maxCopies)
			}
			r.byBlock = append(r.byBlock, int32(len(r.copies)))
			r.copies = append(r.copies, jbdCopy{jbdTag: tag, tid: d.tid, at: r.after(d.block, n)})
		}
	}
	slices.SortStableFunc(r.byBlock, func(a, b int32) int {
		return cmp.Compare(r.copies[a].block, r.copies[b].block)
	})
	return nil
}

// revoke takes back what a revoke block names: the copies of its own and of
// earlier transactions.
func (r *jbdReplay) revoke(record jbdRecord) error {
	const rHeader = jbdHeader + 4
	off, err := r.read(r.buf, record.block)
	if err != nil {
		return err
	}
	rCount, most := int64(be.Uint32(r.buf[jbdHeader:])), r.blockSize
	if r.summed() {
		most -= jbdTail
	}
	if rCount > most {
		return ondisk.Corruptf(off, "revoke block of %d bytes, at most %d", rCount, most)
	}
	size := int64(4)
	if r.has(jbdIncompat64Bit) {
		size = 8
	}
	for pos := int64(rHeader); pos+size <= rCount; pos += size {
		block := uint64(be.Uint32(r.buf[pos:]))
		if size == 8 {
			block = be.Uint64(r.buf[pos:])
		}
		// The first of the block's copies keeps the youngest revoke.
		i := sort.Search(len(r.byBlock), func(i int) bool { return r.copies[r.byBlock[i]].block >= block })
		if i == len(r.byBlock) || r.copies[r.byBlock[i]].block != block {
			continue
		}
		if c := &r.copies[r.byBlock[i]]; !c.revoked || before(c.revokedBy, record.tid) {
			c.revoked, c.revokedBy = true, record.tid
		}
	}
	return nil
}

// spreadRevokes gives each copy the verdict that its block's first copy keeps.
func (r *jbdReplay) spreadRevokes() {
	var head jbdCopy
	for k, i := range r.byBlock {
		c := &r.copies[i]
		if k == 0 || c.block != head.block {
			head = *c
		}
		c.revoked = head.revoked && !before(head.revokedBy, c.tid)
	}
}

// verify checks the data that is to be replayed, also what is replayed over
// later: the kernel does not mount if any of it is bad.
func (r *jbdReplay) verify() error {
	if !r.summed() || r.unverified {
		return nil
	}
	for i := range r.copies {
		if r.copies[i].revoked {
			continue
		}
		off, err := r.read(r.buf, r.copies[i].at)
		if err != nil {
			return err
		}
		if !r.dataSound(&r.copies[i], r.buf) {
			return ondisk.Corruptf(off, "copy of block %d in transaction %d has a bad checksum", r.copies[i].block, r.copies[i].tid)
		}
	}
	return nil
}

// overlay takes the youngest copy of each block.
func (r *jbdReplay) overlay() (*overlay, error) {
	o := &overlay{dev: r.dev, blockSize: r.blockSize}
	for k, i := range r.byBlock {
		c := &r.copies[i]
		if c.revoked || k+1 < len(r.byBlock) && r.copies[r.byBlock[k+1]].block == c.block {
			continue // what is younger is not revoked if this is not
		}
		at, err := r.blockOff(c.at)
		if err != nil {
			return nil, err
		}
		o.blocks = append(o.blocks, replayed{block: c.block, at: at, escaped: c.escaped})
	}
	for _, run := range r.runs {
		if first, end := uint64(run.Phys/r.blockSize), uint64((run.Phys+run.Len)/r.blockSize); run.Phys >= 0 && o.any(first, end) {
			return nil, ondisk.Corruptf(run.Phys, "a transaction writes over the journal")
		}
	}
	return o, nil
}
