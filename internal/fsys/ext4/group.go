package ext4

import (
	"slices"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// groupDesc is where a group's metadata begins.
type groupDesc struct{ blockBitmap, inodeBitmap, inodeTable uint64 }

// readGroups finds the first block of each group's inode table, and returns
// all blocks of the superblock, of the descriptors and of what they describe.
// Memory grows only with descriptors that were read and found sound.
// https://docs.kernel.org/filesystems/ext4/globals.html#block-group-descriptors
func (fs *FS) readGroups() ([]span, error) {
	sb := &fs.sb
	perBlock := uint64(sb.blockSize / sb.descSize)
	var blockBitmaps, inodeBitmaps, tables []span
	descs := []span{{sb.logicalSuperBlock, sb.logicalSuperBlock + 1}}
	fs.groups = nil
	buf := make([]byte, sb.blockSize)
	for first := uint64(0); first < sb.groups; first += perBlock {
		block := sb.descBlock(first / perBlock)
		if block >= sb.blocks {
			return nil, ondisk.Corruptf(superOffset, "group descriptors at block %d, filesystem has %d", block, sb.blocks)
		}
		descs = grow(descs, block, 1)
		off := fs.blockOff(block)
		if err := ondisk.ReadFull(fs.dev, buf, off, "group descriptors"); err != nil {
			return nil, err
		}
		for i := uint64(0); i < perBlock && first+i < sb.groups; i++ {
			at := int64(i) * sb.descSize
			desc, err := fs.decodeGroup(uint32(first+i), buf[at:at+sb.descSize], off+at)
			if err != nil {
				return nil, err
			}
			fs.groups = append(fs.groups, desc.inodeTable)
			blockBitmaps = grow(blockBitmaps, desc.blockBitmap, 1)
			inodeBitmaps = grow(inodeBitmaps, desc.inodeBitmap, 1)
			tables = grow(tables, desc.inodeTable, sb.tableBlocks())
		}
	}
	return slices.Concat(descs, blockBitmaps, inodeBitmaps, tables), nil
}

// descBlock is the block that holds the n-th block of group descriptors.
func (sb *superblock) descBlock(n uint64) uint64 {
	if !sb.hasIncompat(incompatMetaBG) || n < sb.firstMetaBG {
		return sb.logicalSuperBlock + 1 + n
	}
	// With meta_bg they lie in the first group of those they describe.
	group := n * uint64(sb.blockSize/sb.descSize)
	block := sb.firstDataBlock + group*sb.blocksPerGroup
	if sb.groupHasSuper(group) {
		block++
	}
	if group == 0 && sb.blockSize == 1024 && sb.firstDataBlock == 0 {
		block++ // bigalloc of 1 KiB blocks: the boot block comes before
	}
	return block
}

// groupHasSuper tells whether a group begins with a copy of the superblock.
func (sb *superblock) groupHasSuper(group uint64) bool {
	switch {
	case group == 0:
		return true
	case sb.hasCompat(compatSparseSuper2):
		return group == uint64(sb.backupBGs[0]) || group == uint64(sb.backupBGs[1])
	case group == 1 || !sb.hasRoCompat(roCompatSparseSuper):
		return true
	case group&1 == 0:
		return false
	}
	for _, base := range []uint64{3, 5, 7} {
		power := base
		for power < group {
			power *= base
		}
		if power == group {
			return true
		}
	}
	return false
}

// decodeGroup checks one descriptor, which lies at byte off.
func (fs *FS) decodeGroup(group uint32, b []byte, off int64) (groupDesc, error) {
	sb := &fs.sb
	if got, want, ok := sb.groupChecksum(group, b); ok && got != want && !fs.opts.unverified {
		return groupDesc{}, ondisk.Corruptf(off, "group %d: descriptor checksum %#04x, want %#04x", group, got, want)
	}
	bgBlockBitmap := uint64(le.Uint32(b[0x0:]))
	bgInodeBitmap := uint64(le.Uint32(b[0x4:]))
	bgInodeTable := uint64(le.Uint32(b[0x8:]))
	if sb.descSize >= 64 {
		bgBlockBitmap |= uint64(le.Uint32(b[0x20:])) << 32
		bgInodeBitmap |= uint64(le.Uint32(b[0x24:])) << 32
		bgInodeTable |= uint64(le.Uint32(b[0x28:])) << 32
	}
	first, last := sb.firstDataBlock, sb.blocks-1
	if !sb.hasIncompat(incompatFlexBG) {
		first += uint64(group) * sb.blocksPerGroup
		last = min(last, first+sb.blocksPerGroup-1)
	}
	for _, place := range []struct {
		what          string
		block, blocks uint64
	}{{"block bitmap", bgBlockBitmap, 1}, {"inode bitmap", bgInodeBitmap, 1}, {"inode table", bgInodeTable, sb.tableBlocks()}} {
		if place.block < first || place.block > last || place.blocks > last-place.block+1 {
			return groupDesc{}, ondisk.Corruptf(off, "group %d: %s at block %d, want %d to %d", group, place.what, place.block, first, last)
		}
	}
	return groupDesc{bgBlockBitmap, bgInodeBitmap, bgInodeTable}, nil
}

// tableBlocks is the size of a group's inode table in blocks.
func (sb *superblock) tableBlocks() uint64 {
	return (uint64(sb.inodesPerGroup)*uint64(sb.inodeSize) + uint64(sb.blockSize) - 1) / uint64(sb.blockSize)
}

// groupChecksum returns the stored and the computed checksum, and whether
// descriptors have one.
func (sb *superblock) groupChecksum(group uint32, b []byte) (got, want uint16, ok bool) {
	const bgChecksum = 0x1e
	got = le.Uint16(b[bgChecksum:])
	switch {
	case sb.checksummed():
		crc := crc32cWord(sb.csumSeed, group)
		crc = crc32c(crc, b[:bgChecksum])
		crc = crc32cZeros(crc, 2)
		crc = crc32c(crc, b[bgChecksum+2:])
		return got, uint16(crc), true
	case sb.hasRoCompat(roCompatGDTCsum):
		var g [4]byte
		le.PutUint32(g[:], group)
		crc := crc16(^uint16(0), sb.uuid[:])
		crc = crc16(crc, g[:])
		crc = crc16(crc, b[:bgChecksum])
		return got, crc16(crc, b[bgChecksum+2:]), true
	}
	return 0, 0, false
}
