package ext4

import "fmt"

// Forms of an access control list: what ext4 stores, and what the kernel shows
// as the value of system.posix_acl_*.
// https://github.com/torvalds/linux/blob/v6.12/fs/ext4/acl.h
// https://github.com/torvalds/linux/blob/v6.12/include/uapi/linux/posix_acl_xattr.h
const (
	aclDiskVersion   = 1
	aclKernelVersion = 2
	aclNoID          = 0xffffffff // where the tag takes no id

	aclUserObj, aclUser   = 0x1, 0x2
	aclGroupObj, aclGroup = 0x4, 0x8
	aclMask, aclOther     = 0x10, 0x20
)

// convertACL turns ext4's form, in which only named users and groups take the
// four bytes of an id, into the kernel's, or returns nil for a list without
// entries.
func convertACL(disk []byte) ([]byte, error) {
	if len(disk) < 4 {
		return nil, fmt.Errorf("list of %d bytes", len(disk))
	}
	if v := le.Uint32(disk); v != aclDiskVersion {
		return nil, fmt.Errorf("version %d, want %d", v, aclDiskVersion)
	}
	disk = disk[4:]
	if len(disk) == 0 {
		return nil, nil
	}
	kernel := le.AppendUint32(make([]byte, 0, 4+2*len(disk)), aclKernelVersion)
	for len(disk) > 0 {
		if len(disk) < 4 {
			return nil, fmt.Errorf("%d bytes left for an entry", len(disk))
		}
		tag, id, n := le.Uint16(disk), uint32(aclNoID), 4
		switch tag {
		case aclUserObj, aclGroupObj, aclMask, aclOther:
		case aclUser, aclGroup:
			if len(disk) < 8 {
				return nil, fmt.Errorf("%d bytes left for an entry with an id", len(disk))
			}
			id, n = le.Uint32(disk[4:]), 8
		default:
			return nil, fmt.Errorf("entry of unknown tag %#x", tag)
		}
		kernel = append(kernel, disk[:4]...)
		kernel = le.AppendUint32(kernel, id)
		disk = disk[n:]
	}
	return kernel, nil
}
