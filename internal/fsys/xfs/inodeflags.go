package xfs

import (
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxHint is the largest extent size hint in blocks (XFS_MAX_BMBT_EXTLEN).
const maxHint = 1<<21 - 1

// checkFlags checks that the inode's flags suit its type, its hints of extent
// sizes and the filesystem, as the kernel does (xfs_inode_validate_extsize,
// xfs_inode_validate_cowextsize): each is a place where damage shows that
// nothing else tells. Hints of realtime files, in units of their own, are
// passed over.
func (d *dinode) checkFlags(sb *superblock, b []byte, flags2 uint64) error {
	flags := be.Uint16(b[90:])
	feat := sb.feat
	for _, f := range []struct {
		flag uint64
		have bool
	}{
		{flag2Reflink | flag2Cowextsize, feat.roCompat&roCompatReflink != 0},
		{flag2Bigtime, feat.incompat&incompatBigtime != 0},
		{flag2Nrext64, feat.incompat&incompatNrext64 != 0},
	} {
		if flags2&f.flag != 0 && !f.have {
			return ondisk.Corruptf(d.off+120, "flags %#x need features that the filesystem has not", flags2)
		}
	}
	kind := d.mode & fsys.ModeType
	regular, dir := kind == fsys.ModeRegular, kind == fsys.ModeDir
	if flags&flagExtsize != 0 && !regular || flags&flagExtsizeInherit != 0 && !dir {
		return ondisk.Corruptf(d.off+90, "flags %#x for mode %#o", flags, d.mode)
	}
	if flags2&flag2Reflink != 0 && !regular || flags2&flag2Cowextsize != 0 && !regular && !dir {
		return ondisk.Corruptf(d.off+120, "flags %#x for mode %#o", flags2, d.mode)
	}
	if err := d.checkHint(sb, be.Uint32(b[72:]), flags&(flagExtsize|flagExtsizeInherit) != 0, 72); err != nil || !sb.v5 {
		return err
	}
	return d.checkHint(sb, be.Uint32(b[128:]), flags2&flag2Cowextsize != 0, 128)
}

// checkHint checks one hint, which lies at byte at of the inode: it is there
// if its flag is, and no larger than half an allocation group.
func (d *dinode) checkHint(sb *superblock, hint uint32, flag bool, at int64) error {
	switch {
	case hint != 0 && !flag:
		return ondisk.Corruptf(d.off+at, "extent size hint %d without a flag", hint)
	case hint == 0 && flag, hint > maxHint, !d.rt && uint64(hint) > sb.agBlocks/2:
		return ondisk.Corruptf(d.off+at, "extent size hint %d", hint)
	}
	return nil
}
