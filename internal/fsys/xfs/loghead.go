package xfs

import (
	"errors"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// span is the stretch of the log that matters: from the oldest record whose
// changes may not be in place to behind the newest complete one.
type span struct {
	tail, head int64
	end        lsn  // of the head: nothing was logged later
	clean      bool // the newest record says that all was written back
}

// endLSN is the log sequence number of head, which lies behind record newest.
func endLSN(newest record, head int64) lsn {
	cycle := lsn(newest.cycle)
	if head < newest.block {
		cycle++
	}
	return cycle<<32 | lsn(head)
}

// find locates the span as the kernel does. Cycle numbers fall by one where
// the ring is being written, which a binary search finds; but up to
// maxInFlight records before that place may have been written out of order,
// in part, or not at all.
func (j *journal) find() (span, error) {
	head, empty, err := j.findHead()
	if err != nil || empty {
		return span{clean: empty, end: 1 << 32}, err
	}
	newest, err := j.newest(head, j.blocks)
	if err != nil {
		return span{}, err
	}
	s := span{head: head, tail: newest.tail.block(), end: endLSN(newest, head)}
	if s.clean, err = j.unmounted(newest, head); err != nil || s.clean {
		return s, err
	}
	if newest, err = j.verifyHead(&s, newest); err != nil {
		return s, err
	}
	if s.end = endLSN(newest, s.head); s.tail == s.head {
		return s, nil
	}
	if s.head != head {
		if s.clean, err = j.unmounted(newest, s.head); err != nil || s.clean {
			return s, err
		}
	}
	return s, j.checkTail(s, newest)
}

// findHead returns the block behind the last one written.
func (j *journal) findHead() (head int64, empty bool, err error) {
	first, err := j.cycle(0)
	if err != nil {
		return 0, false, err
	}
	last, err := j.cycle(j.blocks - 1)
	if err != nil {
		return 0, false, err
	}
	window := j.window(maxInFlight)
	switch {
	case first == 0:
		return 0, true, nil
	case last == 0: // the first turn, not yet finished
		if head, err = j.search(0); err != nil {
			return 0, false, err
		}
		start := max(0, head-window)
		if at, err := j.firstOf(start, head-start, 0); err != nil {
			return 0, false, err
		} else if at >= 0 {
			head = at
		}
		head, err = j.dropTorn(head)
		return head, false, err
	}
	stop := last
	if first == last {
		head, stop = j.blocks, last-1
	} else if head, err = j.search(last); err != nil {
		return 0, false, err
	}
	if head, err = j.firstHole(head, min(window, j.blocks), stop); err != nil {
		return 0, false, err
	}
	if head, err = j.dropTorn(head); err != nil {
		return 0, false, err
	}
	return head % j.blocks, false, nil
}

// window is the number of blocks that n records may take.
func (j *journal) window(n int64) int64 {
	if j.v2 {
		return n * maxRecord >> basicBlockLog
	}
	return n * recordSpan >> basicBlockLog
}

// search returns the first block of the given cycle, assuming that blocks of
// it come behind blocks of others and that the last block has it.
func (j *journal) search(cycle uint32) (int64, error) {
	low, high := int64(0), j.blocks-1
	for low+1 < high {
		mid := (low + high) / 2
		c, err := j.cycle(mid)
		if err != nil {
			return 0, err
		}
		if c == cycle {
			high = mid
		} else {
			low = mid
		}
	}
	return high, nil
}

// firstHole looks through the window before head for the first block that
// was not yet written when head was.
func (j *journal) firstHole(head, window int64, stop uint32) (int64, error) {
	if head < window {
		at, err := j.firstOf(j.blocks-(window-head), window-head, stop-1)
		if err != nil || at >= 0 {
			return at, err
		}
		window = head
	}
	at, err := j.firstOf(head-window, window, stop)
	if err != nil || at < 0 {
		return head, err
	}
	return at, nil
}

// firstOf returns the first of n blocks that has the given cycle, or -1.
func (j *journal) firstOf(block, n int64, cycle uint32) (int64, error) {
	buf := make([]byte, min(n<<basicBlockLog, maxRecord))
	for n > 0 {
		p := buf[:min(n<<basicBlockLog, int64(len(buf)))]
		if err := j.read(p, block); err != nil {
			return 0, err
		}
		for ; len(p) > 0; p, block, n = p[basicBlock:], block+1, n-1 {
			if cycleOf(p) == cycle {
				return block, nil
			}
		}
	}
	return -1, nil
}

// dropTorn moves head back to the begin of the record before it, unless that
// record ends there.
func (j *journal) dropTorn(head int64) (int64, error) {
	r, err := j.newest(head, min(j.window(1), j.blocks))
	if err != nil {
		return 0, err
	}
	if uuid := [16]byte(r.header[304:320]); uuid != j.uuid && uuid != [16]byte{} {
		return 0, ondisk.Corruptf(j.place(r.block)+304, "log record: of filesystem %s, want %s", uuidString(uuid), uuidString(j.uuid))
	}
	if j.distance(r.block, head) != j.headerBlocks(r)+dataBlocks(r.length) {
		return r.block, nil
	}
	return head, nil
}

// newest returns the last record header in the n blocks before end, which go
// around the ring.
func (j *journal) newest(end, n int64) (record, error) {
	buf := make([]byte, 64<<basicBlockLog)
	for left := n; left > 0; {
		step := min(left, int64(len(buf))>>basicBlockLog)
		start := j.distance(step, end)
		if err := j.read(buf[:step<<basicBlockLog], start); err != nil {
			return record{}, err
		}
		for i := step - 1; i >= 0; i-- {
			if b := buf[i<<basicBlockLog:][:basicBlock]; be.Uint32(b) == recordMagic {
				return decodeRecord(append([]byte(nil), b...), (start+i)%j.blocks), nil
			}
		}
		end, left = start, left-step
	}
	return record{}, ondisk.Corruptf(j.place(end), "log: no record in %d blocks", n)
}

// unmounted tells whether r is the record of a clean unmount that ends at head.
func (j *journal) unmounted(r record, head int64) (bool, error) {
	if r.tail.block() >= j.blocks {
		return false, ondisk.Corruptf(j.place(r.block)+24, "log record: tail at block %#x of %#x", r.tail.block(), j.blocks)
	}
	h := j.headerBlocks(r)
	if r.length <= 0 || r.ops != 1 || (r.block+h+dataBlocks(r.length))%j.blocks != head {
		return false, nil
	}
	var b [basicBlock]byte
	err := j.read(b[:], r.block+h)
	return b[9]&opUnmount != 0, err
}

// verifyHead checks the records that may have been under way, cuts the log
// off before one that is torn, and verifies the tail. It returns the newest
// record that is left.
func (j *journal) verifyHead(s *span, newest record) (record, error) {
	start, left := s.head, j.distance(s.tail, s.head)
	for range maxInFlight {
		r, err := j.newest(start, left)
		if err != nil && !errors.Is(err, ondisk.ErrCorrupt) {
			return newest, err
		}
		if err != nil {
			break
		}
		left -= j.distance(r.block, start)
		start = r.block
	}
	bad, err := j.verify(start, s.head)
	if err != nil {
		return newest, err
	}
	if bad >= 0 {
		if newest, err = j.newest(bad, j.blocks); err != nil {
			return newest, err
		}
		s.head, s.tail = bad, newest.tail.block()
		if s.head == s.tail {
			return newest, nil
		}
	}
	return newest, j.verifyTail(s, newest.size)
}

// distance is the number of blocks from a to b around the ring.
func (j *journal) distance(a, b int64) int64 { return ((b-a)%j.blocks + j.blocks) % j.blocks }

// verify checks the records from start to head and returns the first bad one,
// or -1. An error is one of reading.
func (j *journal) verify(start, head int64) (bad int64, err error) {
	err = j.records(start, head, &bad, func(r record, data []byte) error {
		if stated, ok := r.sums(j.v2, data); stated != 0 && !ok && !j.unverified {
			return ondisk.Corruptf(j.place(r.block), "log record: checksum %#x is wrong", stated)
		}
		return nil
	})
	if errors.Is(err, ondisk.ErrCorrupt) {
		return bad, nil
	}
	return -1, err
}

// verifyTail moves the tail on over records that were being overwritten when
// the machine stopped: they were no longer needed, but nothing says so.
func (j *journal) verifyTail(s *span, size int64) error {
	next := s.tail
	for range maxOverwritten {
		at, err := j.nextHeader(next, s.head)
		if err != nil {
			return err
		}
		s.tail = at
		bad, err := j.verify(s.tail, s.head)
		if err != nil || bad < 0 {
			return err
		}
		if j.distance(s.head, bad) > dataBlocks(maxInFlight*size) {
			return ondisk.Corruptf(j.place(bad), "log record is damaged")
		}
		next = (bad + 1) % j.blocks
	}
	return ondisk.Corruptf(j.place(s.tail), "log: %d damaged records at its tail", maxOverwritten)
}

// maxOverwritten bounds the records at the tail that may be damaged.
const maxOverwritten = 512

// nextHeader returns the first record header from block on and before head.
func (j *journal) nextHeader(block, head int64) (int64, error) {
	var b [basicBlock]byte
	for n := j.distance(block, head); n > 0; n-- {
		if err := j.read(b[:], block); err != nil {
			return 0, err
		}
		if be.Uint32(b[:]) == recordMagic {
			return block, nil
		}
		block = (block + 1) % j.blocks
	}
	return 0, ondisk.Corruptf(j.place(head), "log: no record from its tail to its head")
}

// checkTail checks that the tail that the newest record states lies before
// the head, by cycle and block.
func (j *journal) checkTail(s span, newest record) error {
	cycle, tailCycle, tail := newest.cycle, uint32(uint64(newest.tail)>>32), newest.tail.block()
	if newest.block >= s.head {
		cycle++ // the head has gone around the ring's end since
	}
	ok := cycle == tailCycle && s.head >= tail || cycle == tailCycle+1 && s.head < tail
	if !ok || tail >= j.blocks {
		return ondisk.Corruptf(j.place(newest.block)+24, "log: tail is cycle %d block %#x, head is cycle %d block %#x", tailCycle, tail, cycle, s.head)
	}
	return nil
}
