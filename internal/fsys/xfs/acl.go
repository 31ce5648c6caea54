package xfs

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// aclNames maps the attributes that hold ACLs to what the kernel makes of them.
var aclNames = map[string]string{
	"SGI_ACL_FILE":    "system.posix_acl_access",
	"SGI_ACL_DEFAULT": "system.posix_acl_default",
}

// Tags of ACL entries, the same in both forms.
const (
	aclUser  = 0x02
	aclGroup = 0x08
)

// decodeACL turns struct xfs_acl (big-endian: a count, then 12 bytes an entry
// of tag, id, permissions and padding) into the form of
// linux/posix_acl_xattr.h (little-endian: version 2, then 8 bytes an entry of
// tag, permissions and id).
func decodeACL(b []byte, off int64) ([]byte, error) {
	if len(b) < 4 {
		return nil, ondisk.Corruptf(off, "ACL of %d bytes", len(b))
	}
	n := be.Uint32(b)
	if uint64(len(b)) < 4+12*uint64(n) {
		return nil, ondisk.Corruptf(off, "ACL of %d entries in %d bytes", n, len(b))
	}
	le := binary.LittleEndian
	out := le.AppendUint32(make([]byte, 0, 4+8*n), 2)
	for e := b[4:]; n > 0; e, n = e[12:], n-1 {
		tag, id, perm := be.Uint32(e), be.Uint32(e[4:]), be.Uint16(e[8:])
		if tag > 0x20 || tag&(tag-1) != 0 || tag == 0 || perm > 7 {
			return nil, ondisk.Corruptf(off, "ACL entry of tag %#x and permissions %#o", tag, perm)
		}
		if tag != aclUser && tag != aclGroup {
			id = 0xffffffff // ACL_UNDEFINED_ID
		}
		out = le.AppendUint16(out, uint16(tag))
		out = le.AppendUint16(out, perm)
		out = le.AppendUint32(out, id)
	}
	return out, nil
}
