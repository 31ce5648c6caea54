package ext4

import (
	"bytes"
	"io"
	"math/bits"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Places and constants of the superblock.
// https://docs.kernel.org/filesystems/ext4/globals.html#super-block
const (
	superOffset = 1024
	superSize   = 1024
	superMagic  = 0xef53

	stateErrors = 0x2 // s_state: the kernel found errors
	osHurd      = 1   // s_creator_os
	checksumCRC = 1   // s_checksum_type: crc32c

	rootIno    = 2
	journalIno = 8
	firstIno   = 11 // first inode that is not reserved, unless s_first_ino tells

	// maxGroups bounds the table that is kept in memory (8 bytes a group): 256
	// TiB at 4 KiB blocks. mke2fs itself cannot make that many.
	maxGroups = 1 << 21
)

// superblock holds what reading needs, checked against itself and the device.
type superblock struct {
	blockSize      int64 // bytes, 1 KiB to 64 KiB
	clusterSize    int64 // bytes, blockSize unless bigalloc
	blocks         uint64
	firstDataBlock uint64
	blocksPerGroup uint64
	groups         uint64

	inodes, inodesPerGroup uint32
	firstIno               uint32
	inodeSize              int64 // bytes, 128 to blockSize
	descSize               int64 // bytes of a group descriptor

	compat, incompat, roCompat uint32
	firstMetaBG                uint64
	backupBGs                  [2]uint32
	logicalSuperBlock          uint64 // block that holds the superblock

	uuid  [16]byte
	label string

	csumSeed   uint32
	hashSeed   [4]uint32 // of the hashes of names
	flags      uint32    // s_flags
	state      uint16
	errorCount uint32
	hurd       bool

	journalIno, journalDev uint32
}

func (sb *superblock) hasCompat(f uint32) bool   { return sb.compat&f != 0 }
func (sb *superblock) hasIncompat(f uint32) bool { return sb.incompat&f != 0 }
func (sb *superblock) hasRoCompat(f uint32) bool { return sb.roCompat&f != 0 }

// checksummed tells whether metadata carries CRC-32C checksums.
func (sb *superblock) checksummed() bool { return sb.hasRoCompat(roCompatMetadataCsum) }

func readSuperblock(dev io.ReaderAt, devSize int64, opts Options) (*superblock, error) {
	if devSize < superOffset+superSize {
		return nil, ondisk.NotFormatf("%d bytes are too few for an ext4 superblock", devSize)
	}
	var b [superSize]byte
	if err := ondisk.ReadFull(dev, b[:], superOffset, "superblock"); err != nil {
		return nil, err
	}
	return decodeSuperblock(b[:], devSize, opts)
}

// decodeSuperblock reads and checks the superblock of a device of devSize bytes.
func decodeSuperblock(b []byte, devSize int64, opts Options) (*superblock, error) {
	if magic := le.Uint16(b[0x38:]); magic != superMagic {
		return nil, ondisk.NotFormatf("ext4 magic %#x, want %#x", magic, superMagic)
	}
	sb := &superblock{
		inodes:         le.Uint32(b[0x0:]),
		blocks:         uint64(le.Uint32(b[0x4:])),
		firstDataBlock: uint64(le.Uint32(b[0x14:])),
		blocksPerGroup: uint64(le.Uint32(b[0x20:])),
		inodesPerGroup: le.Uint32(b[0x28:]),
		state:          le.Uint16(b[0x3a:]),
		hurd:           le.Uint32(b[0x48:]) == osHurd,
		firstIno:       firstIno,
		inodeSize:      128,
		descSize:       32,
		uuid:           [16]byte(b[0x68:0x78]),
		label:          cString(b[0x78:0x88]),
	}
	sRevLevel := le.Uint32(b[0x4c:])
	if sRevLevel > 1 {
		return nil, ondisk.Unsupportedf("ext4 revision level %d", sRevLevel)
	}
	if sRevLevel == 1 {
		sb.firstIno = le.Uint32(b[0x54:])
		sb.inodeSize = int64(le.Uint16(b[0x58:]))
		sb.compat = le.Uint32(b[0x5c:])
		sb.incompat = le.Uint32(b[0x60:])
		sb.roCompat = le.Uint32(b[0x64:])
		sb.journalIno = le.Uint32(b[0xe0:])
		sb.journalDev = le.Uint32(b[0xe4:])
		sb.firstMetaBG = uint64(le.Uint32(b[0x104:]))
		for i := range sb.hashSeed {
			sb.hashSeed[i] = le.Uint32(b[0xec+4*i:])
		}
		sb.flags = le.Uint32(b[0x160:])
		sb.errorCount = le.Uint32(b[0x194:])
		sb.backupBGs = [2]uint32{le.Uint32(b[0x24c:]), le.Uint32(b[0x250:])}
	}
	if sb.hasIncompat(incompatJournalDev) {
		return nil, ondisk.Unsupportedf("an external ext4 journal (journal_dev), which holds no files")
	}
	if names := sb.unsupported(); names != "" {
		return nil, ondisk.Unsupportedf("ext4 features: %s", names)
	}
	if err := sb.verify(b, opts); err != nil {
		return nil, err
	}
	if sb.hasIncompat(incompat64Bit) {
		sb.descSize = int64(le.Uint16(b[0xfe:]))
		sb.blocks |= uint64(le.Uint32(b[0x150:])) << 32
	}
	if err := sb.setBlockSize(le.Uint32(b[0x18:]), le.Uint32(b[0x1c:]), le.Uint32(b[0x24:])); err != nil {
		return nil, err
	}
	return sb, sb.checkGeometry(devSize)
}

// verify checks the superblock's checksum and finds the seed of all others.
func (sb *superblock) verify(b []byte, opts Options) error {
	switch {
	case sb.hasIncompat(incompatCsumSeed):
		sb.csumSeed = le.Uint32(b[0x270:])
	case sb.checksummed() || sb.hasIncompat(incompatEAInode):
		sb.csumSeed = crc32c(^uint32(0), sb.uuid[:])
	}
	if !sb.checksummed() {
		return nil
	}
	if t := b[0x175]; t != checksumCRC {
		return ondisk.Unsupportedf("ext4 checksum type %d", t)
	}
	got, want := le.Uint32(b[0x3fc:]), crc32c(^uint32(0), b[:0x3fc])
	if got != want && !opts.unverified {
		return ondisk.Corruptf(superOffset, "superblock checksum %#08x, want %#08x", got, want)
	}
	return nil
}

func (sb *superblock) setBlockSize(sLogBlockSize, sLogClusterSize, sClustersPerGroup uint32) error {
	if sLogBlockSize > 6 {
		return superCorrupt("block size 2^%d KiB, at most 64 KiB", sLogBlockSize)
	}
	sb.blockSize = 1024 << sLogBlockSize
	sb.logicalSuperBlock = uint64(superOffset / sb.blockSize)
	sb.clusterSize = sb.blockSize
	ratio := uint64(1)
	if sb.hasRoCompat(roCompatBigalloc) {
		if sLogClusterSize < sLogBlockSize || sLogClusterSize > 19 {
			return superCorrupt("cluster size 2^%d KiB with blocks of 2^%d KiB", sLogClusterSize, sLogBlockSize)
		}
		sb.clusterSize = 1024 << sLogClusterSize
		ratio = 1 << (sLogClusterSize - sLogBlockSize)
		if uint64(sClustersPerGroup)*ratio != sb.blocksPerGroup {
			return superCorrupt("%d blocks a group, want %d clusters of %d", sb.blocksPerGroup, sClustersPerGroup, ratio)
		}
	}
	// Each group's bitmap is one block.
	if sb.blocksPerGroup == 0 || sb.blocksPerGroup > uint64(sb.blockSize)*8*ratio {
		return superCorrupt("%d blocks a group, at most %d", sb.blocksPerGroup, uint64(sb.blockSize)*8*ratio)
	}
	if sb.blockSize == 1024 && ratio == 1 && sb.firstDataBlock == 0 {
		return superCorrupt("first data block 0 with blocks of 1 KiB")
	}
	return nil
}

func (sb *superblock) checkGeometry(devSize int64) error {
	if sb.blocks > uint64(devSize/sb.blockSize) {
		return superCorrupt("%d blocks of %d bytes, the volume has %d bytes", sb.blocks, sb.blockSize, devSize)
	}
	if sb.firstDataBlock >= sb.blocks {
		return superCorrupt("first data block %d of %d", sb.firstDataBlock, sb.blocks)
	}
	sb.groups = (sb.blocks - sb.firstDataBlock + sb.blocksPerGroup - 1) / sb.blocksPerGroup
	if sb.groups > maxGroups {
		return ondisk.Unsupportedf("ext4 with %d block groups, at most %d", sb.groups, maxGroups)
	}
	if sb.inodeSize < 128 || sb.inodeSize > sb.blockSize || bits.OnesCount64(uint64(sb.inodeSize)) != 1 {
		return superCorrupt("inode size %d with blocks of %d bytes", sb.inodeSize, sb.blockSize)
	}
	inodesPerBlock := sb.blockSize / sb.inodeSize
	if n := int64(sb.inodesPerGroup); n < inodesPerBlock || n > sb.blockSize*8 {
		return superCorrupt("%d inodes a group, want %d to %d", n, inodesPerBlock, sb.blockSize*8)
	}
	if uint64(sb.inodes) != sb.groups*uint64(sb.inodesPerGroup) {
		return superCorrupt("%d inodes, want %d groups of %d", sb.inodes, sb.groups, sb.inodesPerGroup)
	}
	if sb.firstIno < firstIno {
		return superCorrupt("first inode %d, at least %d", sb.firstIno, firstIno)
	}
	if sb.hasIncompat(incompat64Bit) && (sb.descSize < 64 || sb.descSize > 1024 || bits.OnesCount64(uint64(sb.descSize)) != 1) {
		return superCorrupt("group descriptors of %d bytes", sb.descSize)
	}
	perBlock := uint64(sb.blockSize / sb.descSize)
	if blocks := (sb.groups + perBlock - 1) / perBlock; sb.hasIncompat(incompatMetaBG) && sb.firstMetaBG > blocks {
		return superCorrupt("first meta block group %d of %d", sb.firstMetaBG, blocks)
	}
	return nil
}

func superCorrupt(format string, args ...any) error {
	return ondisk.Corruptf(superOffset, "superblock: "+format, args...)
}

// cString is the text before the first NUL.
func cString(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}
