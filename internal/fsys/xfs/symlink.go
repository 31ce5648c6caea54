package xfs

import (
	"bytes"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of remote symlinks, struct xfs_dsymlink_hdr.
const (
	symlinkMagic  = 0x58534c4d // "XSLM"
	symlinkHeader = 56
	maxTarget     = 1024 // XFS_SYMLINK_MAXLEN
)

// target returns the target of a symlink.
func (fs *FS) target(d *dinode) (string, error) {
	if d.size == 0 || d.size > maxTarget {
		return "", ondisk.Corruptf(d.off+56, "symlink target of %d bytes", d.size)
	}
	var b []byte
	if d.data.format == formatLocal {
		b = d.data.b[:d.size]
	} else {
		var err error
		if b, err = fs.remoteTarget(d); err != nil {
			return "", err
		}
	}
	if bytes.IndexByte(b, 0) >= 0 {
		return "", ondisk.Corruptf(d.off, "symlink target %q", b)
	}
	return string(b), nil
}

// remoteTarget reads a target that has blocks of its own. Each extent is one
// buffer, with one header in version 5.
func (fs *FS) remoteTarget(d *dinode) ([]byte, error) {
	list, err := fs.extents(d, &d.data)
	if err != nil {
		return nil, err
	}
	target := make([]byte, 0, d.size)
	for len(list) > 0 && int64(len(target)) < d.size {
		e := list[0]
		// A target with its headers takes two blocks at most, but for
		// blocks that are smaller than the target.
		if size := int64(e.n) << fs.sb.blockLog; size > max(2*fs.sb.blockSize, 4*maxTarget) {
			return nil, ondisk.Corruptf(d.off, "symlink: extent of %d blocks", e.n)
		}
		buf := fs.buffer(int64(e.n) << fs.sb.blockLog)
		err := fs.symlinkPart(d, &list, *buf, &target)
		fs.release(buf)
		if err != nil {
			return nil, err
		}
	}
	if int64(len(target)) != d.size {
		return nil, ondisk.Corruptf(d.off, "symlink: %d bytes of target, the inode says %d", len(target), d.size)
	}
	return target, nil
}

// symlinkPart reads the first extent of list through b and appends its bytes
// to target.
func (fs *FS) symlinkPart(d *dinode, list *[]extent, b []byte, target *[]byte) error {
	if at := (*list)[0].off; at != 0 && len(*target) == 0 {
		return ondisk.Corruptf(d.off, "symlink: target begins at file block %d", at)
	}
	off, _, err := fs.readMapped(list, b, "symlink block")
	if err != nil {
		return err
	}
	left := int(d.size) - len(*target)
	if !fs.sb.v5 {
		*target = append(*target, b[:min(left, len(b))]...)
		return nil
	}
	if got := be.Uint32(b); got != symlinkMagic {
		return ondisk.Corruptf(off, "symlink block magic %#x, want %#x", got, symlinkMagic)
	}
	if err := fs.checkSelf(b, off, remoteSelf, d.ino, "symlink block"); err != nil {
		return err
	}
	at, n := be.Uint32(b[4:]), be.Uint32(b[8:])
	if want := min(left, len(b)-symlinkHeader); int64(at) != int64(len(*target)) || int64(n) != int64(want) {
		return ondisk.Corruptf(off+4, "symlink block: bytes %d+%d, want %d+%d", at, n, len(*target), want)
	}
	*target = append(*target, b[symlinkHeader:symlinkHeader+n]...)
	return nil
}
