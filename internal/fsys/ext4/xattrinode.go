package ext4

import (
	"fmt"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// inodeValue reads an attribute's value from the inode that holds it alone,
// and verifies the hashes that stand for a checksum. The size is within
// fsys.MaxXattr.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#extended-attributes
func (fs *FS) inodeValue(owner *inode, e *xattrEntry) ([]byte, error) {
	if !fs.sb.hasIncompat(incompatEAInode) {
		return nil, owner.errorf(e.off, "attribute value in inode %d in a filesystem without ea_inode", e.inum)
	}
	if e.inum < fs.sb.firstIno || e.inum == owner.ino {
		return nil, owner.errorf(e.off, "attribute value in inode %d", e.inum)
	}
	value, err := fs.readValue(owner, e)
	if err != nil {
		return nil, fmt.Errorf("attribute value in inode %d: %w", e.inum, err)
	}
	return value, nil
}

// readValue is the part of inodeValue whose errors are about the value's inode.
func (fs *FS) readValue(owner *inode, e *xattrEntry) ([]byte, error) {
	buf := fs.inodeBufs.Get().(*[]byte)
	defer fs.inodeBufs.Put(buf)
	n, err := fs.readInode(fsys.Ino(e.inum), *buf)
	if err != nil {
		return nil, err
	}
	if !n.has(flagEAInode) || !n.isType(fsys.ModeRegular) || n.has(flagInline|flagEncrypt) || n.links == 0 || n.size != int64(e.size) {
		return nil, n.errorf(0, "mode %#o, flags %#x and size %d do not fit a value of %d bytes", n.mode, n.flags, n.size, e.size)
	}
	runs, err := fs.runs(&n)
	if err != nil {
		return nil, err
	}
	value := make([]byte, e.size)
	for _, r := range runs {
		if r.Phys < 0 {
			return nil, n.errorf(0, "has a hole at %d", r.Off)
		}
		if err := ondisk.ReadFull(fs.dev, value[r.Off:r.Off+r.Len], r.Phys, "attribute value"); err != nil {
			return nil, err
		}
	}
	return value, fs.verifyValue(owner, &n, e, value)
}

// verifyValue compares the hashes of a value with those in its inode (kept in
// the access time) and in the entry. Lustre, which came first, has none and
// names the owner in the inode instead.
func (fs *FS) verifyValue(owner, n *inode, e *xattrEntry, value []byte) error {
	if fs.opts.unverified {
		return nil
	}
	if e.hash != n.atime && n.mtimeLow == owner.ino && n.generation == owner.generation {
		return nil
	}
	hash := crc32c(fs.sb.csumSeed, value)
	if hash != n.atime {
		return n.errorf(0, "hash %#08x, want %#08x", n.atime, hash)
	}
	if e.hash != entryHash(e.name, hash, false) && e.hash != entryHash(e.name, hash, true) {
		return owner.errorf(e.off, "hash in the attribute %#08x, want %#08x", e.hash, entryHash(e.name, hash, false))
	}
	return nil
}

// entryHash is the hash of an entry's name and of its value's hash. Kernels on
// machines whose char is signed once computed it with signed.
func entryHash(name []byte, value uint32, signed bool) uint32 {
	hash := uint32(0)
	for _, c := range name {
		v := uint32(c)
		if signed {
			v = uint32(int32(int8(c)))
		}
		hash = hash<<5 ^ hash>>27 ^ v
	}
	return hash<<16 ^ hash>>16 ^ value
}
