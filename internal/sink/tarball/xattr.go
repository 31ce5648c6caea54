package tarball

import (
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// Names of attributes that are treated apart.
const (
	nsUser     = "user."
	nsSecurity = "security."
	nsTrusted  = "trusted."
	capability = "security.capability"
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"
	// XFS shows its own form of the ACLs too; the kernel makes it anew.
	sgiACL = "trusted.SGI_ACL_"
)

// aclKeys are the pax keys of star's text form; bsdtar restores ACLs from no other.
var aclKeys = map[string]string{aclAccess: "SCHILY.acl.access", aclDefault: "SCHILY.acl.default"}

// xattrRecords makes the pax records of n's attributes, and calls lose with
// the kind of each that extraction could not restore: it would drop it or,
// worse, fail altogether.
func xattrRecords(n *tree.Node, big bool, lose func(kind string)) ([]record, error) {
	keep := make([]fsys.Xattr, 0, len(n.Xattrs))
	for _, x := range n.Xattrs {
		if kind := unfit(n, x); kind == "" {
			keep = append(keep, x)
		} else if !strings.HasPrefix(x.Name, sgiACL) {
			lose(kind)
		}
	}
	if !big {
		keep = fitExt4(keep, func() { lose("xattr too large for ext4") })
	}
	var rs []record
	for _, x := range keep {
		key, isACL := aclKeys[x.Name]
		if !isACL {
			rs = append(rs, xattrRecord(x))
			continue
		}
		text, dropped, err := aclText(x.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", x.Name, err)
		}
		if dropped > 0 {
			lose("ACL entry of an id above 2147483647")
		}
		if text != "" {
			rs = append(rs, record{key, text})
		}
	}
	return rs, nil
}

// unfit tells which kind of loss an attribute is, "" if none: what bsdtar
// restores are the namespaces security, trusted and user, and ACLs.
func unfit(n *tree.Node, x fsys.Xattr) string {
	ns, _, _ := strings.Cut(x.Name, ".")
	ok := false
	switch {
	case x.Name == capability:
		if !validCapability(x.Value) {
			return "invalid " + capability
		}
		ok = true
	case x.Name == aclAccess:
		ok = !n.IsSymlink()
	case x.Name == aclDefault:
		ok = n.IsDir()
	case strings.HasPrefix(x.Name, nsUser):
		ok = n.IsRegular() || n.IsDir() // the kernel has them nowhere else
	case strings.HasPrefix(x.Name, sgiACL):
	default:
		ok = strings.HasPrefix(x.Name, nsSecurity) || strings.HasPrefix(x.Name, nsTrusted)
	}
	if ok {
		return ""
	}
	return fsys.Printable(ns) + " xattr"
}

// validCapability tells whether the kernel takes the value (struct
// vfs_ns_cap_data of uapi/linux/capability.h, revisions 2 and 3).
func validCapability(v []byte) bool {
	const effective = 1
	if len(v) < 4 {
		return false
	}
	switch binary.LittleEndian.Uint32(v) &^ effective {
	case 0x02000000:
		return len(v) == 20
	case 0x03000000:
		return len(v) == 24
	}
	return false
}

// xattrRecord uses star's form, value as it is, except for a name with '=',
// which would end the key early, or with what GNU tar takes for an escape of
// it: libarchive's own form can say those, though GNU tar does not read it.
func xattrRecord(x fsys.Xattr) record {
	if strings.Contains(x.Name, "=") || strings.Contains(x.Name, "%3D") || strings.Contains(x.Name, "%25") {
		return record{"LIBARCHIVE.xattr." + urlEncode(x.Name), base64.RawStdEncoding.EncodeToString(x.Value)}
	}
	return record{"SCHILY.xattr." + x.Name, string(x.Value)}
}

func urlEncode(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c == '.' || c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}
