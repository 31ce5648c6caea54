package tarball

import (
	"encoding/binary"
	"fmt"
	"math"
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

// Tags of ACL entries (uapi/linux/posix_acl.h). Valid ACLs have them in
// ascending order, all but aclUser and aclGroup once.
const (
	aclUserObj  = 0x01
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

var aclNames = map[uint16]string{
	aclUserObj: "user", aclUser: "user", aclGroupObj: "group", aclGroup: "group", aclMask: "mask", aclOther: "other",
}

// maxACLID is the largest id that libarchive reads in an ACL.
const maxACLID = math.MaxInt32

// aclText writes an ACL in star's text form, entries between commas. Named
// users and groups stand by number both as name and as fourth field: bsdtar
// takes a name that it cannot find for an error or drops the entry. dropped
// counts entries of ids that bsdtar would restore for another one.
//
// An ACL that the kernel would not take is an error: extraction fails on it.
func aclText(v []byte) (text string, dropped int, err error) {
	if len(v) < aclHeaderLen || (len(v)-aclHeaderLen)%aclEntryLen != 0 {
		return "", 0, ondisk.Corruptf(ondisk.NoOffset, "ACL of %d bytes", len(v))
	}
	if version := binary.LittleEndian.Uint32(v); version != aclVersion {
		return "", 0, ondisk.Corruptf(ondisk.NoOffset, "ACL version %d, want %d", version, aclVersion)
	}
	var entries []string
	last, seen := uint16(0), uint16(0)
	for v = v[aclHeaderLen:]; len(v) > 0; v = v[aclEntryLen:] {
		tag, perm, id := binary.LittleEndian.Uint16(v), binary.LittleEndian.Uint16(v[2:]), binary.LittleEndian.Uint32(v[4:])
		name, known := aclNames[tag]
		named := tag == aclUser || tag == aclGroup
		if !known || tag < last || tag == last && !named || perm > 7 {
			return "", 0, ondisk.Corruptf(ondisk.NoOffset, "ACL entry of tag %#x and permissions %#x after tag %#x", tag, perm, last)
		}
		last, seen = tag, seen|tag
		switch {
		case !named:
			entries = append(entries, name+"::"+rwx(perm))
		case id <= maxACLID:
			entries = append(entries, fmt.Sprintf("%s:%d:%s:%[2]d", name, id, rwx(perm)))
		default:
			dropped++
		}
	}
	want := uint16(aclUserObj | aclGroupObj | aclOther)
	if seen&(aclUser|aclGroup) != 0 {
		want |= aclMask
	}
	if seen != 0 && seen&want != want {
		return "", 0, ondisk.Corruptf(ondisk.NoOffset, "ACL with the entries %#x, want %#x", seen, want)
	}
	return strings.Join(entries, ","), dropped, nil
}

func rwx(perm uint16) string {
	s := []byte("rwx")
	for i := range s {
		if perm&(4>>i) == 0 {
			s[i] = '-'
		}
	}
	return string(s)
}
