package xfs

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strings"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// be is the byte order of everything on an XFS volume but checksums and the
// items inside the log.
var be = binary.BigEndian

// Limits of the format, https://docs.kernel.org/filesystems/xfs/ and the
// "XFS Algorithms & Data Structures" document.
const (
	sbMagic = 0x58465342 // "XFSB"
	sbCRC   = 224        // offset of sb_crc
	sbLSN   = 240        // offset of sb_lsn

	minBlockLog, maxBlockLog   = 9, 16
	minSectLog, maxSectLog     = 9, 15
	minInodeLog, maxInodeLog   = 8, 11
	maxAGBytes                 = 1 << 40
	maxLogBytes                = 1 << 31
	maxLogBlocks               = 1 << 20
	maxDataBlocksBits          = 54 // of a filesystem block number
	basicBlockLog, basicBlock  = 9, 512
	inodesPerChunk             = 64
	agHeaderSectors            = 4 // superblock, AGF, AGI, AGFL
	maxRealtimeGroupBlocksBits = 31
)

// superblock is the geometry and identity of a filesystem, checked.
type superblock struct {
	v5 bool

	blockLog, sectLog, inodeLog, inopbLog, agBlockLog uint8

	blockSize, sectSize, inodeSize int64 // bytes
	dirBlocks                      int64 // filesystem blocks of a directory block
	dataBlocks                     uint64
	agBlocks, agCount              uint64
	rootIno                        uint64
	internals                      [5]uint64 // inodes of the realtime section and of quotas, 0 for none
	inodeAlign                     uint64    // filesystem blocks
	sparseAlign                    uint64    // filesystem blocks of part of a chunk of inodes, 0: chunks are whole

	logStart  uint64 // filesystem block; 0: the log is on another device
	logBlocks uint64
	logsun    int64 // the log's stripe unit in bytes

	rt realtime

	uuid, metaUUID [16]byte // what mount(8) sees; what metadata blocks carry
	label          string
	feat           features
	lsn            lsn // of the last change that was written back
}

// readSuperblock reads and checks the primary superblock of dev.
func readSuperblock(dev blockdev.Device, unverified bool) (*superblock, error) {
	var first [basicBlock]byte
	if dev.Size() < basicBlock {
		return nil, ondisk.NotFormatf("xfs: %d bytes are too few", dev.Size())
	}
	if err := ondisk.ReadFull(dev, first[:], 0, "superblock"); err != nil {
		return nil, err
	}
	if got := be.Uint32(first[:]); got != sbMagic {
		return nil, ondisk.NotFormatf("xfs: superblock magic %#x, want %#x", got, uint32(sbMagic))
	}
	sectSize := int64(be.Uint16(first[102:]))
	if sectSize < 1<<minSectLog || sectSize > 1<<maxSectLog || sectSize&(sectSize-1) != 0 {
		return nil, ondisk.Corruptf(102, "superblock: sector size %d", sectSize)
	}
	b := make([]byte, sectSize)
	if err := ondisk.ReadFull(dev, b, 0, "superblock"); err != nil {
		return nil, err
	}
	sb, err := decodeSuperblock(b, unverified)
	if err != nil {
		return nil, err
	}
	if want := int64(sb.dataBlocks << sb.blockLog); dev.Size() < want {
		return nil, ondisk.Corruptf(8, "superblock: the filesystem has %d bytes, the volume only %d", want, dev.Size())
	}
	return sb, nil
}

// decodeSuperblock decodes one sector with a superblock and checks all that
// later arithmetic relies on. stale says that the checksum is not up to date.
func decodeSuperblock(b []byte, stale bool) (*superblock, error) {
	version := be.Uint16(b[100:])
	sb := &superblock{
		v5:         version&0xf == 5,
		blockLog:   b[120],
		sectLog:    b[121],
		inodeLog:   b[122],
		inopbLog:   b[123],
		agBlockLog: b[124],
		dataBlocks: be.Uint64(b[8:]),
		agBlocks:   uint64(be.Uint32(b[84:])),
		agCount:    uint64(be.Uint32(b[88:])),
		rootIno:    be.Uint64(b[56:]),
		inodeAlign: uint64(be.Uint32(b[180:])),
		logStart:   be.Uint64(b[48:]),
		logBlocks:  uint64(be.Uint32(b[96:])),
		logsun:     int64(be.Uint32(b[196:])),
		label:      strings.TrimRight(string(b[108:120]), "\x00"),
	}
	copy(sb.uuid[:], b[32:48])
	if sb.v5 {
		sb.lsn = lsn(be.Uint64(b[sbLSN:]))
	}
	if sb.v5 && !stale {
		if got, want := checksum(b, sbCRC), binary.LittleEndian.Uint32(b[sbCRC:]); got != want {
			return nil, ondisk.Corruptf(sbCRC, "superblock: checksum %#x, computed %#x", want, got)
		}
	}
	feat, err := decodeFeatures(b, version)
	if err != nil {
		return nil, err
	}
	sb.feat = feat
	sb.internals = internalInodes(b, feat)
	if feat.incompat&incompatSparseInodes != 0 {
		sb.sparseAlign = uint64(be.Uint32(b[228:]))
	}
	sb.metaUUID = sb.uuid
	if feat.incompat&incompatMetaUUID != 0 {
		copy(sb.metaUUID[:], b[248:264])
	}
	if err := sb.checkSizes(b); err != nil {
		return nil, err
	}
	if err := sb.checkGroups(); err != nil {
		return nil, err
	}
	if err := sb.checkLog(b, version); err != nil {
		return nil, err
	}
	if err := sb.decodeRealtime(b); err != nil {
		return nil, err
	}
	if err := sb.checkInode(sb.rootIno); err != nil {
		return nil, ondisk.Corruptf(56, "superblock: root inode %d is outside the allocation groups", sb.rootIno)
	}
	return sb, nil
}

// internalInodes returns the inodes that superblock sector b names as those of
// the filesystem's own files. With a metadata directory they are told by a flag.
func internalInodes(b []byte, feat features) (list [5]uint64) {
	if feat.incompat&incompatMetadir != 0 {
		return list
	}
	list[0], list[1] = be.Uint64(b[64:]), be.Uint64(b[72:]) // sb_rbmino, sb_rsumino
	if feat.version&versionQuota != 0 {
		list[2], list[3] = be.Uint64(b[160:]), be.Uint64(b[168:]) // sb_uquotino, sb_gquotino
		if feat.v5() {
			list[4] = be.Uint64(b[232:]) // sb_pquotino
		}
	}
	return list
}

// checkSizes checks the block, sector, inode and directory block sizes, each
// of which is stated twice.
func (sb *superblock) checkSizes(b []byte) error {
	for _, f := range []struct {
		what     string
		off      int64
		size     int64
		log      uint8
		min, max uint8
	}{
		{"block", 4, int64(be.Uint32(b[4:])), sb.blockLog, minBlockLog, maxBlockLog},
		{"sector", 102, int64(be.Uint16(b[102:])), sb.sectLog, minSectLog, maxSectLog},
		{"inode", 104, int64(be.Uint16(b[104:])), sb.inodeLog, minInodeLog, maxInodeLog},
	} {
		if f.log < f.min || f.log > f.max || f.size != 1<<f.log {
			return ondisk.Corruptf(f.off, "superblock: %s size %d, log2 %d", f.what, f.size, f.log)
		}
	}
	sb.blockSize, sb.sectSize, sb.inodeSize = 1<<sb.blockLog, 1<<sb.sectLog, 1<<sb.inodeLog
	dirBlockLog := b[192]
	switch {
	case sb.v5 && sb.blockSize < 1024:
		return ondisk.Corruptf(4, "superblock: block size %d, version 5 needs 1024", sb.blockSize)
	case sb.v5 && sb.inodeSize < 512:
		return ondisk.Corruptf(104, "superblock: inode size %d, version 5 needs 512", sb.inodeSize)
	case sb.inodeLog > sb.blockLog || sb.inopbLog != sb.blockLog-sb.inodeLog:
		return ondisk.Corruptf(123, "superblock: %d inodes of %d bytes in a block of %d, log2", sb.inopbLog, sb.inodeSize, sb.blockSize)
	case dirBlockLog > maxBlockLog || dirBlockLog+sb.blockLog > maxBlockLog:
		return ondisk.Corruptf(192, "superblock: directory block of 2^%d blocks", dirBlockLog)
	case b[126] != 0:
		return ondisk.Corruptf(126, "superblock: mkfs has not finished")
	}
	sb.dirBlocks = 1 << dirBlockLog
	return nil
}

// checkGroups checks the allocation groups' count and size.
func (sb *superblock) checkGroups() error {
	switch {
	case sb.agBlocks == 0 || sb.agBlocks<<sb.blockLog > maxAGBytes || sb.agBlocks<<sb.blockLog < agHeaderSectors<<sb.sectLog:
		return ondisk.Corruptf(84, "superblock: allocation group of %d blocks", sb.agBlocks)
	case int(sb.agBlockLog) != bits.Len64(sb.agBlocks-1):
		return ondisk.Corruptf(124, "superblock: log2 of %d group blocks is %d", sb.agBlocks, sb.agBlockLog)
	case sb.dataBlocks == 0 || sb.dataBlocks >= 1<<min(maxDataBlocksBits, 62-sb.blockLog):
		return ondisk.Corruptf(8, "superblock: %d blocks", sb.dataBlocks)
	case sb.agCount != (sb.dataBlocks+sb.agBlocks-1)/sb.agBlocks:
		return ondisk.Corruptf(88, "superblock: %d allocation groups of %d blocks for %d blocks", sb.agCount, sb.agBlocks, sb.dataBlocks)
	case bits.Len64(sb.agCount-1)+int(sb.agBlockLog)+int(sb.inopbLog) > 63:
		return ondisk.Corruptf(88, "superblock: inode numbers of %d allocation groups pass 63 bits", sb.agCount)
	}
	return nil
}

// checkLog checks size, sector and place of the log.
func (sb *superblock) checkLog(b []byte, version uint16) error {
	logSectLog, logSectSize := b[193], int64(be.Uint16(b[194:]))
	if version&versionSector != 0 {
		if logSectLog < minSectLog || logSectLog > maxSectLog || logSectSize != 1<<logSectLog {
			return ondisk.Corruptf(194, "superblock: log sector size %d, log2 %d", logSectSize, logSectLog)
		}
	}
	switch {
	case sb.logBlocks == 0 || sb.logBlocks > maxLogBlocks || sb.logBlocks<<sb.blockLog > maxLogBytes:
		return ondisk.Corruptf(96, "superblock: log of %d blocks", sb.logBlocks)
	case sb.logsun > 1 && (sb.logsun%sb.blockSize != 0 || sb.logsun > maxRecord):
		return ondisk.Corruptf(196, "superblock: log stripe unit %d", sb.logsun)
	case sb.logStart != 0 && sb.checkBlocks(sb.logStart, sb.logBlocks) != nil:
		return ondisk.Corruptf(48, "superblock: log of %d blocks at block %#x is outside the allocation groups", sb.logBlocks, sb.logStart)
	}
	return nil
}

// uuidString formats a UUID the usual way.
func uuidString(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[:4], u[4:6], u[6:8], u[8:10], u[10:])
}
