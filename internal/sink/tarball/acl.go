package tarball

import (
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Layout of an ACL as the kernel hands it out,
// https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/include/uapi/linux/posix_acl_xattr.h.
const (
	aclVersion   = 2
	aclHeaderLen = 4
	aclEntryLen  = 8
)

// Tags of ACL entries (uapi/linux/posix_acl.h).
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// aclText writes an ACL in star's text form, entries between commas. Named
// users and groups stand by number both as name and as fourth field: bsdtar
// takes a name that it cannot find for an error or drops the entry.
func aclText(v []byte) (string, error) {
	if len(v) < aclHeaderLen || (len(v)-aclHeaderLen)%aclEntryLen != 0 {
		return "", ondisk.Corruptf(ondisk.NoOffset, "ACL of %d bytes", len(v))
	}
	if a_version := binary.LittleEndian.Uint32(v); a_version != aclVersion {
		return "", ondisk.Corruptf(ondisk.NoOffset, "ACL version %d, want %d", a_version, aclVersion)
	}
	var text []string
	for v = v[aclHeaderLen:]; len(v) > 0; v = v[aclEntryLen:] {
		e, err := aclEntry(binary.LittleEndian.Uint16(v), binary.LittleEndian.Uint16(v[2:]), binary.LittleEndian.Uint32(v[4:]))
		if err != nil {
			return "", err
		}
		text = append(text, e)
	}
	return strings.Join(text, ","), nil
}

func aclEntry(tag, perm uint16, id uint32) (string, error) {
	if perm > 7 {
		return "", ondisk.Corruptf(ondisk.NoOffset, "ACL permissions %#x, at most 7", perm)
	}
	rwx := []byte("rwx")
	for i := range rwx {
		if perm&(4>>i) == 0 {
			rwx[i] = '-'
		}
	}
	switch tag {
	case aclUserObj:
		return "user::" + string(rwx), nil
	case aclUser:
		return fmt.Sprintf("user:%d:%s:%[1]d", id, rwx), nil
	case aclGroupObj:
		return "group::" + string(rwx), nil
	case aclGroup:
		return fmt.Sprintf("group:%d:%s:%[1]d", id, rwx), nil
	case aclMask:
		return "mask::" + string(rwx), nil
	case aclOther:
		return "other::" + string(rwx), nil
	}
	return "", ondisk.Corruptf(ondisk.NoOffset, "ACL entry of tag %#x", tag)
}
