package xfs

import (
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of struct xfs_attr3_rmt_hdr: every filesystem block of a remote value
// has one, unlike those of a symlink.
const (
	remoteMagic  = 0x5841524d // "XARM"
	remoteHeader = 56
)

// remoteValue reads the n bytes of a value that begins at block at of the
// attribute fork. off places the entry that says so.
func (l *attrList) remoteValue(list []extent, at, n uint32, off int64) ([]byte, error) {
	if n > fsys.MaxXattr {
		return nil, ondisk.Corruptf(off, "attribute leaf: value of %d bytes", n)
	}
	sb := l.fs.sb
	buf := l.fs.buffer(sb.blockSize)
	defer l.fs.release(buf)
	b := *buf
	value := make([]byte, 0, n)
	for block := uint64(at); uint32(len(value)) < n; block++ {
		blockOff, err := l.readForkBlock(list, block, b, "attribute value block")
		if err != nil {
			return nil, err
		}
		left := int(n) - len(value)
		if !sb.v5 {
			value = append(value, b[:min(left, len(b))]...)
			continue
		}
		if got := be.Uint32(b); got != remoteMagic {
			return nil, ondisk.Corruptf(blockOff, "attribute value block magic %#x, want %#x", got, remoteMagic)
		}
		if err := l.fs.checkSelf(b, blockOff, remoteSelf, l.d.ino, "attribute value block"); err != nil {
			return nil, err
		}
		from, bytes := int64(be.Uint32(b[4:])), int64(be.Uint32(b[8:]))
		if want := int64(min(left, len(b)-remoteHeader)); from != int64(len(value)) || bytes != want {
			return nil, ondisk.Corruptf(blockOff+4, "attribute value block: bytes %d+%d, want %d+%d", from, bytes, len(value), want)
		}
		value = append(value, b[remoteHeader:remoteHeader+bytes]...)
	}
	return value, nil
}
