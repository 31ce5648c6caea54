package xfs

import (
	"bytes"
	"encoding/binary"
	"math"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of struct xfs_dinode.
const (
	inodeMagic   = 0x494e // "IN"
	inodeCRC     = 100    // offset of di_crc
	inodeCore    = 100    // bytes of the core, versions 1 and 2
	inodeCoreV3  = 176
	maxInodeSize = 1 << maxInodeLog
	noInode      = math.MaxUint32 // NULLAGINO
)

// Values of di_format and di_aformat.
const (
	formatDev = iota
	formatLocal
	formatExtents
	formatBtree
)

// Bits of di_flags and di_flags2 that matter to a reader.
const (
	flagRealtime       = 1 << 0
	flagExtsize        = 1 << 11
	flagExtsizeInherit = 1 << 12

	flag2Reflink    = 1 << 1
	flag2Cowextsize = 1 << 2
	flag2Bigtime    = 1 << 3
	flag2Nrext64    = 1 << 4
	flag2Metadata   = 1 << 5
)

// bigtimeEpoch is the second that a bigtime stamp counts from.
const bigtimeEpoch = math.MinInt32

// dinode is an inode as it lies on the volume, with its core decoded and its
// forks bounded. It is reused: nothing may point into raw after it is given back.
type dinode struct {
	ino  uint64
	off  int64 // byte offset on the volume
	mode uint32
	uid  uint32
	gid  uint32
	link uint32
	size int64 // bytes, not negative
	mt   fsys.Time
	rt   bool // data blocks are realtime blocks

	data, attr fork

	raw [maxInodeSize]byte
}

// fork is one of the two places where an inode maps or holds content.
type fork struct {
	format  uint8
	extents uint64 // stated count
	b       []byte // the part of the inode that belongs to the fork
	isAttr  bool
}

func (f *fork) name() string {
	if f.isAttr {
		return "attribute fork"
	}
	return "data fork"
}

// load reads and checks an inode that is in use. The caller gives it back by drop.
func (fs *FS) load(ino uint64) (*dinode, error) {
	if err := fs.sb.checkInode(ino); err != nil {
		return nil, err
	}
	d := fs.inodes.Get().(*dinode)
	d.ino, d.off = ino, fs.sb.inodeOffset(ino)
	b := d.raw[:fs.sb.inodeSize]
	if err := ondisk.ReadFull(fs.dev, b, d.off, "inode"); err != nil {
		fs.drop(d)
		return nil, err
	}
	if err := d.decode(fs.sb, b, fs.unverified); err != nil {
		fs.drop(d)
		return nil, err
	}
	if err := d.checkNamed(fs.sb, b); err != nil {
		fs.drop(d)
		return nil, err
	}
	return d, nil
}

// checkNamed refuses an inode that no name can lead to.
func (d *dinode) checkNamed(sb *superblock, b []byte) error {
	if d.mode == 0 {
		return ondisk.Corruptf(d.off+2, "is free, but has a name")
	}
	if sb.v5 && be.Uint64(b[120:])&flag2Metadata != 0 {
		return ondisk.Corruptf(d.off+120, "is metadata of the filesystem, but has a name")
	}
	return nil
}

func (fs *FS) drop(d *dinode) { fs.inodes.Put(d) }

// decode checks identity and core of the inode in b, and of one that can have a
// name the forks, as the kernel does (xfs_dinode_verify).
func (d *dinode) decode(sb *superblock, b []byte, unverified bool) error {
	if got := be.Uint16(b); got != inodeMagic {
		return ondisk.Corruptf(d.off, "magic %#x, want %#x", got, inodeMagic)
	}
	version := b[4]
	switch {
	case sb.v5 && version != 3, !sb.v5 && version != 1 && version != 2:
		return ondisk.Corruptf(d.off+4, "version %d", version)
	case sb.v5:
		if got, want := checksum(b, inodeCRC), binary.LittleEndian.Uint32(b[inodeCRC:]); got != want && !unverified {
			return ondisk.Corruptf(d.off+inodeCRC, "checksum %#x, computed %#x", want, got)
		}
		if got := be.Uint64(b[152:]); got != d.ino {
			return ondisk.Corruptf(d.off+152, "says it is inode %d", got)
		}
		if !bytes.Equal(b[160:176], sb.metaUUID[:]) {
			return ondisk.Corruptf(d.off+160, "of filesystem %s, want %s", uuidString([16]byte(b[160:176])), uuidString(sb.metaUUID))
		}
	}
	if next := be.Uint32(b[96:]); next != noInode && sb.checkInode(sb.groupInode(d.ino, next)) != nil {
		return ondisk.Corruptf(d.off+96, "next unlinked inode %#x is outside the allocation group", next)
	}
	d.mode = uint32(be.Uint16(b[2:]))
	d.uid, d.gid = be.Uint32(b[8:]), be.Uint32(b[12:])
	d.link = be.Uint32(b[16:])
	if version == 1 {
		d.link = uint32(be.Uint16(b[6:])) // di_onlink
	}
	if d.checkNamed(sb, b) != nil {
		return nil //nolint:nilerr // it may have forks that others have not; nobody reads it
	}
	size := be.Uint64(b[56:])
	if size > math.MaxInt64 {
		return ondisk.Corruptf(d.off+56, "size %#x", size)
	}
	d.size = int64(size)
	d.rt = d.mode&fsys.ModeType == fsys.ModeRegular && be.Uint16(b[90:])&flagRealtime != 0
	var flags2 uint64
	if sb.v5 {
		flags2 = be.Uint64(b[120:])
	}
	if err := d.checkFlags(sb, b, flags2); err != nil {
		return err
	}
	if err := d.decodeTime(b[40:48], flags2&flag2Bigtime != 0); err != nil {
		return err
	}
	return d.decodeForks(sb, b, flags2&flag2Nrext64 != 0)
}

// decodeTime reads di_mtime.
func (d *dinode) decodeTime(b []byte, bigtime bool) error {
	if bigtime {
		ns := be.Uint64(b)
		d.mt = fsys.Time{Sec: int64(ns/1e9) + bigtimeEpoch, Nsec: uint32(ns % 1e9)}
		return nil
	}
	d.mt = fsys.Time{Sec: int64(int32(be.Uint32(b))), Nsec: be.Uint32(b[4:])}
	if d.mt.Nsec >= 1e9 {
		return ondisk.Corruptf(d.off+44, "%d nanoseconds", d.mt.Nsec)
	}
	return nil
}

// decodeForks bounds the two forks and checks that their formats suit the
// file's type and size.
func (d *dinode) decodeForks(sb *superblock, b []byte, nrext64 bool) error {
	core := int64(inodeCore)
	if sb.v5 {
		core = inodeCoreV3
	}
	literal := b[core:]
	d.data = fork{format: b[5], extents: uint64(be.Uint32(b[76:])), b: literal}
	d.attr = fork{format: b[83], extents: uint64(be.Uint16(b[80:])), isAttr: true}
	if nrext64 {
		d.data.extents, d.attr.extents = be.Uint64(b[24:]), uint64(be.Uint32(b[76:]))
	}
	if forkOff := int(b[82]) << 3; forkOff != 0 {
		if forkOff >= len(literal) {
			return ondisk.Corruptf(d.off+82, "attribute fork at %d of %d bytes", forkOff, len(literal))
		}
		d.data.b, d.attr.b = literal[:forkOff], literal[forkOff:]
	} else if d.attr.extents != 0 {
		return ondisk.Corruptf(d.off+80, "%d attribute extents, no attribute fork", d.attr.extents)
	}
	if pad := be.Uint16(b[80:]); nrext64 && pad != 0 {
		return ondisk.Corruptf(d.off+80, "padding %#x, want 0", pad)
	}
	if pad := be.Uint64(b[24:]); sb.v5 && !nrext64 && pad != 0 {
		return ondisk.Corruptf(d.off+24, "padding %#x, want 0", pad)
	}
	blocks := be.Uint64(b[64:])
	if d.data.extents > blocks || d.attr.extents > blocks-d.data.extents || d.data.extents|d.attr.extents == 0 && blocks > 0 {
		return ondisk.Corruptf(d.off+64, "%d and %d extents in %d blocks", d.data.extents, d.attr.extents, blocks)
	}
	if err := d.checkFormat(); err != nil {
		return err
	}
	for _, f := range []*fork{&d.data, &d.attr} {
		if f.b == nil {
			continue
		}
		fits := uint64(len(f.b) / extentSize)
		if f.format == formatLocal && f.extents > 0 || f.format == formatExtents && f.extents > fits || f.format == formatBtree && f.extents <= fits {
			return ondisk.Corruptf(d.off, "%d extents in a %s of %d bytes and format %d", f.extents, f.name(), len(f.b), f.format)
		}
	}
	return nil
}

// checkFormat checks that the forks have a format that the file's type allows.
func (d *dinode) checkFormat() error {
	format, local := d.data.format, d.data.format == formatLocal
	ok := false
	switch d.mode & fsys.ModeType {
	case fsys.ModeRegular:
		ok = format == formatExtents || format == formatBtree
	case fsys.ModeDir:
		ok = local || format == formatExtents || format == formatBtree
	case fsys.ModeSymlink:
		ok = local || format == formatExtents
	case fsys.ModeChar, fsys.ModeBlock, fsys.ModeFifo, fsys.ModeSocket:
		ok = format == formatDev && (d.attr.b == nil || len(d.data.b) == 8)
	default:
		return ondisk.Corruptf(d.off+2, "mode %#o", d.mode)
	}
	if !ok {
		return ondisk.Corruptf(d.off+5, "data fork format %d for mode %#o", format, d.mode)
	}
	if local && d.size > int64(len(d.data.b)) {
		return ondisk.Corruptf(d.off+56, "%d bytes in a data fork of %d", d.size, len(d.data.b))
	}
	switch d.attr.format {
	case formatExtents:
	case formatLocal, formatBtree:
		if d.attr.b == nil {
			return ondisk.Corruptf(d.off+83, "attribute fork format %d, no attribute fork", d.attr.format)
		}
	case formatDev: // zero: what a fresh inode without attributes has
		if d.attr.b != nil {
			return ondisk.Corruptf(d.off+83, "attribute fork format 0")
		}
	default:
		return ondisk.Corruptf(d.off+83, "attribute fork format %d", d.attr.format)
	}
	return nil
}

// rdev decodes the device number, major above 18 bits of minor.
func (d *dinode) rdev() fsys.Rdev {
	switch d.mode & fsys.ModeType {
	case fsys.ModeChar, fsys.ModeBlock:
		dev := be.Uint32(d.data.b)
		return fsys.Rdev{Major: dev >> 18 & 0x3fff, Minor: dev & 0x3ffff}
	}
	return fsys.Rdev{}
}
