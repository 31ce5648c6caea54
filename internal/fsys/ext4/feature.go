package ext4

import (
	"fmt"
	"strings"
)

// Feature bits that this reader acts on.
// https://docs.kernel.org/filesystems/ext4/globals.html#super-block
const (
	compatHasJournal   = 0x4
	compatSparseSuper2 = 0x200

	incompatFiletype   = 0x2
	incompatRecover    = 0x4
	incompatJournalDev = 0x8
	incompatMetaBG     = 0x10
	incompatExtents    = 0x40
	incompat64Bit      = 0x80
	incompatMMP        = 0x100
	incompatFlexBG     = 0x200
	incompatEAInode    = 0x400
	incompatCsumSeed   = 0x2000
	incompatLargeDir   = 0x4000
	incompatInlineData = 0x8000
	incompatEncrypt    = 0x10000
	incompatCasefold   = 0x20000

	roCompatSparseSuper  = 0x1
	roCompatLargeFile    = 0x2
	roCompatHugeFile     = 0x8
	roCompatGDTCsum      = 0x10
	roCompatBigalloc     = 0x200
	roCompatMetadataCsum = 0x400
	roCompatSharedBlocks = 0x4000
)

// incompatRead are the incompatible features that this package reads.
const incompatRead = incompatFiletype | incompatRecover | incompatMetaBG | incompatExtents |
	incompat64Bit | incompatMMP | incompatFlexBG | incompatEAInode | incompatCsumSeed |
	incompatLargeDir | incompatInlineData | incompatEncrypt | incompatCasefold

// Names as e2fsprogs prints them, by bit.
var (
	compatNames = []string{
		0: "dir_prealloc", 1: "imagic_inodes", 2: "has_journal", 3: "ext_attr", 4: "resize_inode",
		5: "dir_index", 6: "lazy_bg", 8: "snapshot_bitmap", 9: "sparse_super2", 10: "fast_commit",
		11: "stable_inodes", 12: "orphan_file",
	}
	incompatNames = []string{
		0: "compression", 1: "filetype", 2: "needs_recovery", 3: "journal_dev", 4: "meta_bg",
		6: "extent", 7: "64bit", 8: "mmp", 9: "flex_bg", 10: "ea_inode", 12: "dirdata",
		13: "metadata_csum_seed", 14: "large_dir", 15: "inline_data", 16: "encrypt", 17: "casefold",
	}
	roCompatNames = []string{
		0: "sparse_super", 1: "large_file", 3: "huge_file", 4: "uninit_bg", 5: "dir_nlink",
		6: "extra_isize", 7: "has_snapshot", 8: "quota", 9: "bigalloc", 10: "metadata_csum",
		11: "replica", 12: "read-only", 13: "project", 14: "shared_blocks", 15: "verity",
		16: "orphan_present",
	}
)

// bitNames lists the features of one word; e2fsprogs calls an unknown one
// FEATURE_, the class (C, I or R) and the bit.
func bitNames(word uint32, names []string, class byte) []string {
	var list []string
	for bit := range 32 {
		if word>>bit&1 == 0 {
			continue
		}
		name := ""
		if bit < len(names) {
			name = names[bit]
		}
		if name == "" {
			name = fmt.Sprintf("FEATURE_%c%d", class, bit)
		}
		list = append(list, name)
	}
	return list
}

// featureNames are all features in the order of dumpe2fs.
func (sb *superblock) featureNames() []string {
	list := bitNames(sb.compat, compatNames, 'C')
	list = append(list, bitNames(sb.incompat, incompatNames, 'I')...)
	return append(list, bitNames(sb.roCompat, roCompatNames, 'R')...)
}

// unsupported names the features without which nothing can be read right.
func (sb *superblock) unsupported() string {
	return strings.Join(bitNames(sb.incompat&^incompatRead, incompatNames, 'I'), ", ")
}

// unknownReadOnly names the features that were made so that a reader may not know them.
func (sb *superblock) unknownReadOnly() string {
	var known uint32
	for bit, name := range roCompatNames {
		if name != "" {
			known |= 1 << bit
		}
	}
	return strings.Join(bitNames(sb.roCompat&^known, roCompatNames, 'R'), ", ")
}

// kind is the name that blkid and mount(8) give this set of features.
func (sb *superblock) kind() string {
	const (
		ext3Incompat = incompatFiletype | incompatRecover | incompatMetaBG
		ext3RoCompat = roCompatSparseSuper | roCompatLargeFile
	)
	switch {
	case sb.incompat&^ext3Incompat != 0 || sb.roCompat&^ext3RoCompat != 0:
		return "ext4"
	case sb.compat&compatHasJournal != 0:
		return "ext3"
	}
	return "ext2"
}
