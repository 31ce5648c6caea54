package xfs

import "github.com/wslimg/wslimg/internal/ondisk"

// shortForm reads attributes kept in the inode: struct xfs_attr_sf_hdr, then
// entries of name length, value length, flags, name and value.
func (l *attrList) shortForm(b []byte) error {
	at := l.d.off
	if len(b) < 4 {
		return ondisk.Corruptf(at, "short-form attributes in %d bytes", len(b))
	}
	total, count := int(be.Uint16(b)), int(b[2])
	if total < 4 || total > len(b) {
		return ondisk.Corruptf(at, "short-form attributes: %d bytes in a fork of %d", total, len(b))
	}
	b = b[4:total]
	for range count {
		if len(b) < 3 || len(b) < 3+int(b[0])+int(b[1]) {
			return ondisk.Corruptf(at, "short-form attributes: %d entries do not fit", count)
		}
		if b[2]&^attrNamespace != 0 || b[0] == 0 {
			return ondisk.Corruptf(at, "short-form attributes: name of %d bytes, flags %#x", b[0], b[2])
		}
		n := 3 + int(b[0])
		end := n + int(b[1])
		if !hidden(b[2]) {
			if err := l.add(b[2], b[3:n], b[n:end], at); err != nil {
				return err
			}
		}
		b = b[end:]
	}
	if len(b) != 0 {
		return ondisk.Corruptf(at, "short-form attributes: %d bytes behind the %d entries", len(b), count)
	}
	return nil
}
