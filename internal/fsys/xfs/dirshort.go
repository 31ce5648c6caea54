package xfs

import (
	"math"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// shortForm reads a directory kept in its inode: struct xfs_dir2_sf_hdr, then
// entries of name length, two bytes of cookie, name, file type and inode
// number. Numbers have 4 bytes, or 8 in the whole directory once one needs it.
func (w *dirWalk) shortForm(b []byte) error {
	at := w.dir.off // the place of the directory is told no finer than its inode
	if len(b) < 6 {
		return ondisk.Corruptf(at, "short-form directory of %d bytes", len(b))
	}
	count, width := int(b[0]), 4
	if b[1] != 0 {
		width = 8
	}
	if len(b) < 2+width {
		return ondisk.Corruptf(at, "short-form directory of %d bytes", len(b))
	}
	number := func(p []byte) uint64 {
		if width == 8 {
			return be.Uint64(p)
		}
		return uint64(be.Uint32(p))
	}
	if parent := number(b[2:]); w.fs.sb.checkInode(parent) != nil || w.fs.sb.internal(parent) {
		return ondisk.Corruptf(at, "short-form directory: parent inode number %d", parent)
	}
	typed := 0
	if w.fs.sb.feat.fileType() {
		typed = 1
	}
	large := 0 // inode numbers of more than 32 bits
	if number(b[2:]) > math.MaxUint32 {
		large++
	}
	// Each entry says where it would lie in a block, behind "." and "..".
	least := dirHeader
	if w.fs.sb.v5 {
		least = dirHeaderV5
	}
	least += entrySize(len("."), typed) + entrySize(len(".."), typed)
	i8count := int(b[1])
	b = b[2+width:]
	for range count {
		if len(b) < 3 || len(b) < 3+int(b[0])+typed+width {
			return ondisk.Corruptf(at, "short-form directory: %d entries do not fit", count)
		}
		n := 3 + int(b[0])
		place := int(be.Uint16(b[1:]))
		if place < least {
			return ondisk.Corruptf(at, "short-form directory: entry %q at %#x, want %#x or more", b[3:n], place, least)
		}
		least = place + entrySize(int(b[0]), typed)
		if number(b[n+typed:]) > math.MaxUint32 {
			large++
		}
		if err := w.entry(b[3:n], number(b[n+typed:]), b[n], at); err != nil || w.stopped {
			return err
		}
		b = b[n+typed+width:]
	}
	if len(b) != 0 {
		return ondisk.Corruptf(at, "short-form directory: %d bytes behind its %d entries", len(b), count)
	}
	if large != i8count {
		return ondisk.Corruptf(at, "short-form directory: %d large inode numbers, it says %d", large, i8count)
	}
	return nil
}
