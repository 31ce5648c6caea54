package ext4

import (
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Inode flags that change how an inode is read; all others are ignored.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#index-nodes
const (
	flagEncrypt = 0x800
	flagIndex   = 0x1000
	flagExtents = 0x80000
	flagEAInode = 0x200000
	flagInline  = 0x10000000
)

const (
	iFileACL      = 0x68 // offset of the attribute block's number
	baseInodeSize = 128  // bytes of the inode as ext2 knew it
	// nominalExtra is what the kernel takes i_extra_isize for where it is 0.
	nominalExtra = 32
)

// inode is a decoded inode. Its slices lie in the buffer that it was read into.
type inode struct {
	ino   uint32
	off   int64 // byte offset on the volume
	mode  uint32
	links uint32
	uid   uint32
	gid   uint32
	size  int64
	mtime fsys.Time

	flags      uint32
	generation uint32
	sectors    uint64 // i_blocks as stored; used only to tell whether it is 0
	xattrBlock uint64 // i_file_acl, 0 if none
	atime      uint32 // of an inode that holds an xattr value: its hash
	mtimeLow   uint32 // of one made by Lustre: the owner's inode number

	block []byte // i_block, 60 bytes: block map, extent tree root, link target, …
	body  []byte // what follows i_extra_isize: attributes, if there are any
	seed  uint32 // of the checksums of everything that the inode owns
}

func (n *inode) isType(t uint32) bool { return n.mode&fsys.ModeType == t }
func (n *inode) has(flag uint32) bool { return n.flags&flag != 0 }

// errorf is an ErrCorrupt about the inode, which the caller of this package
// names; off is where, or 0 for the inode itself.
func (n *inode) errorf(off int64, format string, args ...any) error {
	if off == 0 {
		off = n.off
	}
	return ondisk.Corruptf(off, format, args...)
}

// inodeOff is the byte offset of an inode that names refer to.
func (fs *FS) inodeOff(ino fsys.Ino) (int64, error) {
	if ino == 0 || ino > fsys.Ino(fs.sb.inodes) {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "no such inode, filesystem has %d", fs.sb.inodes)
	}
	group := (uint32(ino) - 1) / fs.sb.inodesPerGroup
	index := (uint32(ino) - 1) % fs.sb.inodesPerGroup
	return fs.blockOff(fs.groups[group]) + int64(index)*fs.sb.inodeSize, nil
}

// readInode reads any inode into buf, which must have the size of one, and
// verifies its checksum.
func (fs *FS) readInode(ino fsys.Ino, buf []byte) (inode, error) {
	off, err := fs.inodeOff(ino)
	if err != nil {
		return inode{}, err
	}
	if err := ondisk.ReadFull(fs.dev, buf, off, "inode table"); err != nil {
		return inode{}, err
	}
	return fs.decodeInode(uint32(ino), buf, off)
}

// namedInode reads an inode that a directory may refer to.
func (fs *FS) namedInode(ino fsys.Ino, buf []byte) (inode, error) {
	if ino != rootIno && ino < fsys.Ino(fs.sb.firstIno) {
		off, err := fs.inodeOff(ino)
		if err == nil {
			err = ondisk.Corruptf(off, "is reserved, but has a name")
		}
		return inode{}, err
	}
	n, err := fs.readInode(ino, buf)
	if err != nil {
		return n, err
	}
	if n.links == 0 {
		return n, n.errorf(0, "is deleted, but has a name")
	}
	if n.has(flagEAInode) {
		return n, n.errorf(0, "holds an attribute's value, but has a name")
	}
	return n, nil
}

// ownInode is an inode with the buffer that it lies in.
type ownInode struct {
	inode
	buf []byte
	of  fsys.Ino // 0 where nothing was read
}

// borrowInode is namedInode for the methods that are called for every file;
// give the inode back to the pool. Attributes and layout are asked for one
// after the other: often the pool still has the inode, and once the journal is
// replayed it does not change any more.
func (fs *FS) borrowInode(ino fsys.Ino) (*ownInode, error) {
	n := fs.inodes.Get().(*ownInode)
	if n.of != 0 && n.of == ino {
		return n, nil
	}
	var err error
	n.of = 0
	if n.inode, err = fs.namedInode(ino, n.buf); err != nil {
		fs.inodes.Put(n)
		return nil, err
	}
	n.of = ino
	return n, nil
}

// decodeInode reads the inode at byte off of the volume from b, which holds
// all bytes of it.
func (fs *FS) decodeInode(ino uint32, b []byte, off int64) (inode, error) {
	n := inode{
		ino:        ino,
		off:        off,
		mode:       uint32(le.Uint16(b[0x0:])),
		uid:        uint32(le.Uint16(b[0x2:])) | uint32(le.Uint16(b[0x78:]))<<16,
		gid:        uint32(le.Uint16(b[0x18:])) | uint32(le.Uint16(b[0x7a:]))<<16,
		links:      uint32(le.Uint16(b[0x1a:])),
		sectors:    uint64(le.Uint32(b[0x1c:])),
		flags:      le.Uint32(b[0x20:]),
		block:      b[0x28:0x64],
		generation: le.Uint32(b[0x64:]),
		atime:      le.Uint32(b[0x8:]),
		mtimeLow:   le.Uint32(b[0x10:]),
		mtime:      fsys.Time{Sec: int64(int32(le.Uint32(b[0x10:])))},
	}
	if fs.sb.hasRoCompat(roCompatHugeFile) {
		n.sectors |= uint64(le.Uint16(b[0x74:])) << 32
	}
	extra := int64(0)
	if fs.sb.inodeSize > baseInodeSize {
		extra = int64(le.Uint16(b[0x80:]))
		if extra > fs.sb.inodeSize-baseInodeSize || extra%4 != 0 {
			return n, n.errorf(0, "i_extra_isize %d, inode size %d", extra, fs.sb.inodeSize)
		}
	}
	n.seed = crc32cWord(crc32cWord(fs.sb.csumSeed, ino), n.generation)
	if err := fs.verifyInode(&n, b, extra); err != nil {
		return n, err
	}
	size := uint64(le.Uint32(b[0x4:]))
	if n.isType(fsys.ModeRegular) || fs.sb.hasIncompat(incompatLargeDir) {
		size |= uint64(le.Uint32(b[0x6c:])) << 32
	}
	if n.size = int64(size); n.size < 0 {
		return n, n.errorf(0, "size %#x", size)
	}
	n.xattrBlock = uint64(le.Uint32(b[iFileACL:]))
	if fs.sb.hasIncompat(incompat64Bit) {
		n.xattrBlock |= uint64(le.Uint16(b[0x76:])) << 32
	}
	if extra > 0 {
		n.body = b[baseInodeSize+extra:]
	} else if fs.sb.inodeSize > baseInodeSize {
		extra = nominalExtra
	}
	return n, n.addExtraTime(b, extra)
}

// addExtraTime widens the modification time to 34 bits and nanoseconds.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#inode-timestamps
func (n *inode) addExtraTime(b []byte, extra int64) error {
	const iMtimeExtra = 0x88
	if extra < iMtimeExtra+4-baseInodeSize {
		return nil
	}
	v := le.Uint32(b[iMtimeExtra:])
	n.mtime.Sec += int64(v&3) << 32
	n.mtime.Nsec = v >> 2
	if n.mtime.Nsec >= 1e9 {
		return n.errorf(n.off+iMtimeExtra, "modification time has %d nanoseconds", n.mtime.Nsec)
	}
	return nil
}

// verifyInode checks the inode's checksum, 32 bits of it or, where the inode
// has no room for the upper half, 16.
func (fs *FS) verifyInode(n *inode, b []byte, extra int64) error {
	if !fs.sb.checksummed() || fs.opts.unverified {
		return nil
	}
	const iChecksumLo, iChecksumHi = 0x7c, 0x82
	got := uint32(le.Uint16(b[iChecksumLo:]))
	want := crc32c(n.seed, b[:iChecksumLo])
	want = crc32cZeros(want, 2)
	want = crc32c(want, b[iChecksumLo+2:baseInodeSize])
	if extra >= iChecksumHi+2-baseInodeSize {
		got |= uint32(le.Uint16(b[iChecksumHi:])) << 16
		want = crc32c(want, b[baseInodeSize:iChecksumHi])
		want = crc32cZeros(want, 2)
		want = crc32c(want, b[iChecksumHi+2:])
	} else {
		want = crc32c(want, b[baseInodeSize:]) & 0xffff
	}
	if got != want {
		return n.errorf(0, "checksum %#x, want %#x", got, want)
	}
	return nil
}

// rdev decodes the device number of a device node: the kernel uses the old
// form in the first word if it is set, else the new one in the second.
func (n *inode) rdev() fsys.Rdev {
	if old := le.Uint32(n.block[0:]); old != 0 {
		return fsys.Rdev{Major: old >> 8 & 0xff, Minor: old & 0xff}
	}
	dev := le.Uint32(n.block[4:])
	return fsys.Rdev{Major: dev >> 8 & 0xfff, Minor: dev&0xff | dev>>12&0xfff00}
}

// Inode returns what stat, readlink and listxattr tell of an inode.
func (fs *FS) Inode(ino fsys.Ino) (*fsys.Inode, error) {
	n, err := fs.borrowInode(ino)
	if err != nil {
		return nil, err
	}
	defer fs.inodes.Put(n)
	stat := &fsys.Inode{
		Ino: ino, Mode: n.mode, UID: fsys.OwnerID(n.uid), GID: fsys.OwnerID(n.gid),
		Nlink: n.links, Size: n.size, Mtime: n.mtime,
	}
	switch n.mode & fsys.ModeType {
	case fsys.ModeRegular, fsys.ModeDir, fsys.ModeFifo, fsys.ModeSocket:
	case fsys.ModeBlock, fsys.ModeChar:
		stat.Rdev = n.rdev()
	case fsys.ModeSymlink:
		if stat.Target, err = fs.target(&n.inode); err != nil {
			return nil, err
		}
	default:
		return nil, n.errorf(0, "mode %#o has no known type", n.mode)
	}
	stat.Xattrs, err = fs.xattrs(&n.inode)
	return stat, err
}
