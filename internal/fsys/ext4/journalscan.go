package ext4

import (
	"github.com/wslimg/wslimg/internal/ondisk"
)

// jbdLog is what a scan found: where the descriptor and revoke blocks of the
// complete transactions are, in order.
type jbdLog struct {
	descriptors, revokes []jbdRecord
	end                  uint32 // number of the first transaction that is not complete
	later                bool   // an intact transaction stands behind it
}

// jbdRecord is a control block of the log.
type jbdRecord struct {
	block uint32
	tid   uint32 // number of its transaction
}

// before compares transaction numbers, which wrap.
func before(a, b uint32) bool { return int32(a-b) < 0 }

// scan follows the log from its start, transaction by transaction, to the
// first that has no sound commit block. It ends where the kernel's recovery
// does, and with an error where the kernel refuses to mount.
// https://github.com/torvalds/linux/blob/v6.12/fs/jbd2/recovery.c
func (j *journal) scan() (*jbdLog, error) {
	s := jbdScan{journal: j, next: j.start, tid: j.sequence, buf: make([]byte, j.blockSize), sum: ^uint32(0)}
	for more := true; more; {
		var err error
		if more, err = s.step(); err != nil {
			return nil, err
		}
	}
	if !s.ended {
		s.log.end = s.tid
	}
	if err := s.lookBehind(); err != nil {
		return nil, err
	}
	s.log.descriptors = complete(s.log.descriptors, s.log.end)
	s.log.revokes = complete(s.log.revokes, s.log.end)
	return &s.log, nil
}

// lookBehind tells a log that was damaged from one that just ends, as far as
// checksums allow: a power failure leaves no intact transaction behind the one
// that it cut off. The kernel drops both kinds of rest without a word.
func (s *jbdScan) lookBehind() error {
	const most = 1024 // blocks to look at
	if !s.summed() || s.unverified {
		return nil
	}
	for i := range min(most, s.last-s.first) {
		if _, err := s.read(s.buf, s.after(s.next, i)); err != nil {
			return err
		}
		tid := be.Uint32(s.buf[8:])
		if be.Uint32(s.buf) == jbdMagic && be.Uint32(s.buf[4:]) == jbdCommit && before(s.log.end, tid) && s.commitSound() {
			s.log.later = true
			return nil
		}
	}
	return nil
}

// complete drops the records of transactions that are not to be replayed.
func complete(records []jbdRecord, end uint32) []jbdRecord {
	for i, r := range records {
		if !before(r.tid, end) {
			return records[:i]
		}
	}
	return records
}

// jbdScan is the state of a scan.
type jbdScan struct {
	*journal
	log   jbdLog
	ended bool // log.end is set
	buf   []byte
	next  uint32 // block to look at
	used  uint64 // blocks passed
	tid   uint32 // number of the transaction that is expected

	doubt      bool   // a control block of the transaction has a bad checksum
	lastCommit uint64 // time of the last sound commit, in seconds
	sum        uint32 // checksum v1 of the transaction so far
}

// step looks at one control block and passes over the blocks that it
// describes. It returns false at the end of the log.
func (s *jbdScan) step() (bool, error) {
	if len(s.log.descriptors)+len(s.log.revokes) > maxCopies {
		return false, ondisk.Unsupportedf("a dirty journal with more than %d blocks", maxCopies)
	}
	if s.used > uint64(s.last-s.first) {
		return false, ondisk.Corruptf(s.inode, "transaction %d goes round the whole log", s.tid)
	}
	off, err := s.read(s.buf, s.next)
	if err != nil {
		return false, err
	}
	record := jbdRecord{block: s.next, tid: s.tid}
	s.next, s.used = s.after(s.next, 1), s.used+1
	if be.Uint32(s.buf) != jbdMagic || be.Uint32(s.buf[8:]) != s.tid {
		return false, nil
	}
	switch be.Uint32(s.buf[4:]) {
	case jbdDescriptor:
		s.doubt = s.doubt || !s.tailSound(s.buf)
		s.log.descriptors = append(s.log.descriptors, record)
		return true, s.passData()
	case jbdRevoke:
		s.doubt = s.doubt || !s.tailSound(s.buf)
		s.log.revokes = append(s.log.revokes, record)
		return true, nil
	case jbdCommit:
		return s.commit(off)
	}
	return false, nil
}

// passData goes over the data blocks of the descriptor in buf.
func (s *jbdScan) passData() error {
	tags := s.countTags(s.buf)
	if s.compat&jbdCompatChecksum != 0 && !s.doubt && !s.ended {
		s.sum = crc32be(s.sum, s.buf)
		for i := range tags {
			if _, err := s.read(s.buf, s.after(s.next, i)); err != nil {
				return err
			}
			s.sum = crc32be(s.sum, s.buf)
		}
	}
	s.next, s.used = s.after(s.next, tags), s.used+uint64(tags)
	return nil
}

// commit ends a transaction. A bad checksum in it means that the log ends here
// if the commit is older than the one before, so a leftover of the log's last
// round; else the journal is corrupt.
func (s *jbdScan) commit(off int64) (bool, error) {
	if s.ended && s.compat&jbdCompatChecksum != 0 {
		return false, ondisk.Corruptf(off, "transaction %d has a bad checksum and is not the last", s.log.end)
	}
	time := be.Uint64(s.buf[0x30:])
	sound := !s.doubt && s.commitSound()
	if !sound && time < s.lastCommit {
		return false, nil
	}
	switch {
	case s.doubt:
		return false, ondisk.Corruptf(off, "transaction %d has a control block with a bad checksum", s.tid)
	case !sound && !s.has(jbdIncompatAsync):
		return false, ondisk.Corruptf(off, "transaction %d has a bad checksum", s.tid)
	case !sound && !s.ended:
		// An asynchronous commit may reach the disk before its transaction.
		s.log.end, s.ended = s.tid, true
	}
	s.sum = ^uint32(0)
	s.lastCommit = time
	s.tid++
	return true, nil
}

// commitSound verifies the commit block in buf.
func (s *jbdScan) commitSound() bool {
	const (
		crc32Type = 1
		hChksum   = 0x10
	)
	got := be.Uint32(s.buf[hChksum:])
	switch {
	case s.unverified:
		return true
	case s.summed():
		header := crc32cZeros(crc32c(s.seed, s.buf[:hChksum]), 4)
		if got == crc32c(header, s.buf[hChksum+4:]) {
			return true
		}
		// The commit may have been cut off behind its first sector, as the
		// kernel allows: what follows the header counts as zeros.
		const commitHeader = 64
		return got == crc32c(crc32c(header, s.buf[hChksum+4:commitHeader]), make([]byte, len(s.buf)-commitHeader))
	case s.compat&jbdCompatChecksum != 0:
		hChksumType, hChksumSize := s.buf[0xc], s.buf[0xd]
		unused := hChksumType == 0 && hChksumSize == 0 && got == 0
		return unused || hChksumType == crc32Type && hChksumSize == 4 && got == s.sum
	}
	return true
}

// tailSound verifies a descriptor or revoke block.
func (j *journal) tailSound(b []byte) bool {
	if !j.summed() || j.unverified {
		return true
	}
	tail := len(b) - jbdTail
	return be.Uint32(b[tail:]) == crc32cZeros(crc32c(j.seed, b[:tail]), jbdTail)
}

var crc32beTable = func() (table [256]uint32) {
	const polynomial = 0x04c11db7
	for i := range table {
		crc := uint32(i) << 24
		for range 8 {
			if crc&(1<<31) != 0 {
				crc = crc<<1 ^ polynomial
			} else {
				crc <<= 1
			}
		}
		table[i] = crc
	}
	return table
}()

// crc32be continues the CRC-32 of checksums v1, which takes bits from the top.
func crc32be(crc uint32, p []byte) uint32 {
	for _, b := range p {
		crc = crc<<8 ^ crc32beTable[byte(crc>>24)^b]
	}
	return crc
}
