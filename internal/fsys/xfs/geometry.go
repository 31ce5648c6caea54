package xfs

import (
	"math"
	"slices"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// A filesystem block number ("fsb") holds the allocation group's number above
// agBlockLog bits of block number within the group, so numbers have gaps
// wherever the group size is no power of two. Inode numbers add inopbLog bits.

// groupBlocks returns the size of group agno, the last of which may be short.
func (sb *superblock) groupBlocks(agno uint64) uint64 {
	if agno == sb.agCount-1 {
		return sb.dataBlocks - agno*sb.agBlocks
	}
	return sb.agBlocks
}

// checkBlocks tells whether the n blocks from fsb lie in one allocation group,
// behind its headers.
func (sb *superblock) checkBlocks(fsb, n uint64) error {
	agno, agbno := fsb>>sb.agBlockLog, fsb&(1<<sb.agBlockLog-1)
	headers := uint64(agHeaderSectors<<sb.sectLog+sb.blockSize-1) >> sb.blockLog
	if agno >= sb.agCount || n == 0 || agbno < headers || agbno >= sb.groupBlocks(agno) || n > sb.groupBlocks(agno)-agbno {
		return ondisk.Corruptf(ondisk.NoOffset, "blocks %#x+%d are outside the allocation groups", fsb, n)
	}
	return nil
}

// blockOffset returns the byte offset of a checked filesystem block.
func (sb *superblock) blockOffset(fsb uint64) int64 {
	agno, agbno := fsb>>sb.agBlockLog, fsb&(1<<sb.agBlockLog-1)
	return int64((agno*sb.agBlocks + agbno) << sb.blockLog)
}

// checkInode tells whether an inode of this number can exist.
func (sb *superblock) checkInode(ino uint64) error {
	if err := sb.checkBlocks(ino>>sb.inopbLog, 1); err != nil {
		return ondisk.Corruptf(ondisk.NoOffset, "number is outside the allocation groups")
	}
	return nil
}

// groupInode returns the number of inode n of the allocation group that ino is in.
func (sb *superblock) groupInode(ino uint64, n uint32) uint64 {
	bits := sb.agBlockLog + sb.inopbLog
	if uint64(n)>>bits != 0 {
		return math.MaxUint64 // none
	}
	return ino>>bits<<bits | uint64(n)
}

// internal tells whether an inode holds what the filesystem keeps for itself,
// and no name may lead to it.
func (sb *superblock) internal(ino uint64) bool { return slices.Contains(sb.internals[:], ino) }

// inodeOffset returns the byte offset of a checked inode.
func (sb *superblock) inodeOffset(ino uint64) int64 {
	index := int64(ino & (1<<sb.inopbLog - 1))
	return sb.blockOffset(ino>>sb.inopbLog) + index<<sb.inodeLog
}
