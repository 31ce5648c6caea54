package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"sort"
	"strings"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

var be = binary.BigEndian // jbd2's order

// The journal, jbd2.
// https://docs.kernel.org/filesystems/ext4/journal.html
const jbdMagic uint32 = 0xc03b3998

const (
	jbdHeader     = 12 // bytes of magic, block type and transaction number
	jbdTail       = 4  // bytes of the checksum at a control block's end
	jbdMinBlocks  = 1024
	jbdSuperBytes = 1024

	jbdDescriptor = 1 // block types
	jbdCommit     = 2
	jbdSuperV1    = 3
	jbdSuperV2    = 4
	jbdRevoke     = 5

	jbdCompatChecksum = 0x1

	jbdIncompat64Bit      = 0x2
	jbdIncompatAsync      = 0x4
	jbdIncompatCsumV2     = 0x8
	jbdIncompatCsumV3     = 0x10
	jbdIncompatFastCommit = 0x20
	jbdIncompatRead       = 0x3f
)

// jbdIncompatNames are the incompatible features by bit.
var jbdIncompatNames = []string{
	0: "journal_incompat_revoke", 1: "journal_64bit", 2: "journal_async_commit",
	3: "journal_checksum_v2", 4: "journal_checksum_v3", 5: "fast_commit",
}

// journal is the log of a filesystem. Its blocks are counted from the first of
// the journal file; those of the log form a ring from first to last-1.
type journal struct {
	dev       io.ReaderAt
	runs      []fsys.Run // of the journal file
	inode     int64      // byte offset of its inode
	blockSize int64

	total, first, last uint32
	fastFirst          uint32 // fast commits lie from here to total-1
	start, sequence    uint32 // block and number of the first transaction; start 0 if there is none
	failed             bool   // the kernel gave the journal up

	compat, incompat uint32
	seed             uint32 // of the checksums v2 and v3
	unverified       bool
}

func (j *journal) has(f uint32) bool { return j.incompat&f != 0 }

// summed tells whether control blocks and data carry CRC-32C checksums.
func (j *journal) summed() bool { return j.has(jbdIncompatCsumV2 | jbdIncompatCsumV3) }

// replay puts an overlay over the volume that shows each block as the journal's
// transactions leave it. It tells whether there was something to replay.
func (fs *FS) replay(dev blockdev.Device) (bool, error) {
	if !fs.sb.hasIncompat(incompatRecover) {
		return false, nil // as the kernel, which then wipes what the journal holds
	}
	j, err := fs.openJournal(dev)
	if err != nil {
		return false, err
	}
	if j.failed {
		fs.warnings = append(fs.warnings, "the kernel gave up this filesystem's journal after an error; e2fsck was not run since")
	}
	if j.start == 0 {
		return false, nil
	}
	log, err := j.scan()
	if err != nil {
		return false, err
	}
	if log.later {
		fs.warnings = append(fs.warnings, fmt.Sprintf(
			"the journal is damaged at transaction %d; it and what follows are left out, as the kernel leaves them out", log.end))
	}
	if err := j.checkFastCommits(log.end); err != nil {
		return false, err
	}
	if fs.overlay, err = j.recover(log, fs.sb.blocks); err != nil {
		return false, err
	}
	fs.dirty = true
	fs.dev = fs.overlay
	return true, nil
}

// journalInode reads the inode of the journal into buf, and finds its blocks.
func (fs *FS) journalInode(buf []byte) (inode, []fsys.Run, error) {
	n, err := fs.readInode(fsys.Ino(fs.sb.journalIno), buf)
	if err != nil {
		return n, nil, err
	}
	if n.links == 0 || !n.isType(fsys.ModeRegular) || n.has(flagEncrypt|flagInline) {
		return n, nil, n.errorf(0, "mode %#o, %d links and flags %#x do not fit a journal", n.mode, n.links, n.flags)
	}
	runs, err := fs.runs(&n)
	return n, runs, err
}

// openJournal reads the journal's superblock.
func (fs *FS) openJournal(dev io.ReaderAt) (*journal, error) {
	switch {
	case !fs.sb.hasCompat(compatHasJournal):
		return nil, superCorrupt("needs_recovery without has_journal")
	case fs.sb.journalIno == 0 && fs.sb.journalDev != 0:
		return nil, ondisk.Unsupportedf("a dirty journal on another device (%d:%d)", fs.sb.journalDev>>8, fs.sb.journalDev&0xff)
	}
	buf := fs.inodeBufs.Get().(*[]byte)
	defer fs.inodeBufs.Put(buf)
	n, runs, err := fs.journalInode(*buf)
	if err != nil {
		return nil, err
	}
	j := &journal{dev: dev, runs: runs, inode: n.off, blockSize: fs.sb.blockSize, unverified: fs.opts.unverified}
	j.total = uint32(min(n.size/j.blockSize, 1<<32-1))
	var b [jbdSuperBytes]byte
	off, err := j.blockOff(0)
	if err != nil {
		return nil, err
	}
	if err := ondisk.ReadFull(dev, b[:], off, "superblock"); err != nil {
		return nil, err
	}
	return j, j.decodeSuper(b[:], off)
}

// decodeSuper reads the journal's superblock, which lies at byte off.
func (j *journal) decodeSuper(b []byte, off int64) error {
	corrupt := func(format string, args ...any) error {
		return ondisk.Corruptf(off, "superblock: "+format, args...)
	}
	magic, version := be.Uint32(b), be.Uint32(b[4:])
	if magic != jbdMagic || version != jbdSuperV1 && version != jbdSuperV2 {
		return corrupt("magic %#x and type %d, want %#x and 3 or 4", magic, version, jbdMagic)
	}
	sMaxlen := be.Uint32(b[0x10:])
	j.first, j.sequence, j.start = be.Uint32(b[0x14:]), be.Uint32(b[0x18:]), be.Uint32(b[0x1c:])
	j.failed = be.Uint32(b[0x20:]) != 0
	if version == jbdSuperV2 {
		j.compat, j.incompat = be.Uint32(b[0x24:]), be.Uint32(b[0x28:])
		ro := be.Uint32(b[0x2c:])
		if j.incompat&^jbdIncompatRead != 0 || ro != 0 {
			names := append(bitNames(j.incompat&^jbdIncompatRead, jbdIncompatNames, 'I'), bitNames(ro, nil, 'R')...)
			return ondisk.Unsupportedf("journal features: %s", strings.Join(names, ", "))
		}
	}
	if size := int64(be.Uint32(b[0xc:])); size != j.blockSize {
		return corrupt("block size %d, the filesystem's is %d", size, j.blockSize)
	}
	if sMaxlen > j.total || sMaxlen < jbdMinBlocks {
		return corrupt("%d blocks, want %d to %d", sMaxlen, jbdMinBlocks, j.total)
	}
	j.total, j.last = sMaxlen, sMaxlen
	if err := j.verifySuper(b, off); err != nil {
		return err
	}
	if j.has(jbdIncompatFastCommit) {
		sNumFCBlks := be.Uint32(b[0x54:])
		if sNumFCBlks == 0 {
			sNumFCBlks = 256
		}
		if sNumFCBlks > j.total-jbdMinBlocks {
			return corrupt("%d blocks of fast commits among %d", sNumFCBlks, j.total)
		}
		j.last = j.total - sNumFCBlks
		j.fastFirst = j.last + 1
	}
	if j.first == 0 || j.first >= j.last || j.start != 0 && (j.start < j.first || j.start >= j.last) {
		return corrupt("log from block %d to %d starts at %d", j.first, j.last, j.start)
	}
	return nil
}

// verifySuper checks which of the three kinds of checksums is in use, and that
// of the superblock.
func (j *journal) verifySuper(b []byte, off int64) error {
	v1, v2, v3 := j.compat&jbdCompatChecksum != 0, j.has(jbdIncompatCsumV2), j.has(jbdIncompatCsumV3)
	if v2 && v3 || v1 && (v2 || v3) {
		return ondisk.Corruptf(off, "superblock: more than one kind of checksums")
	}
	if !j.summed() {
		return nil
	}
	const crc32cType, sChecksum = 4, 0xfc
	if t := b[0x50]; t != crc32cType {
		return ondisk.Unsupportedf("journal checksum type %d", t)
	}
	j.seed = crc32c(^uint32(0), b[0x30:0x40])
	want := crc32c(^uint32(0), b[:sChecksum])
	want = crc32c(crc32cZeros(want, 4), b[sChecksum+4:])
	if got := be.Uint32(b[sChecksum:]); got != want && !j.unverified {
		return ondisk.Corruptf(off, "superblock checksum %#08x, want %#08x", got, want)
	}
	return nil
}

// blockOff is the byte offset on the volume of a block of the journal file.
func (j *journal) blockOff(block uint32) (int64, error) {
	off := int64(block) * j.blockSize
	i := sort.Search(len(j.runs), func(i int) bool { return j.runs[i].Off+j.runs[i].Len > off })
	if i == len(j.runs) || j.runs[i].Phys < 0 {
		return 0, ondisk.Corruptf(j.inode, "block %d is a hole or behind the end", block)
	}
	return j.runs[i].Phys + off - j.runs[i].Off, nil
}

// read fills buf with a block of the journal file and returns its byte offset.
func (j *journal) read(buf []byte, block uint32) (int64, error) {
	off, err := j.blockOff(block)
	if err != nil {
		return 0, err
	}
	return off, ondisk.ReadFull(j.dev, buf, off, "journal block")
}

// after is the block n places behind block in the ring.
func (j *journal) after(block, n uint32) uint32 {
	ring := uint64(j.last - j.first)
	return j.first + uint32((uint64(block-j.first)+uint64(n))%ring)
}
