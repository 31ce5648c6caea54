package tarball

import (
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// What bsdtar restores on Linux, and so what goes into the archive: the
// attributes of these namespaces, and ACLs as text.
const (
	nsUser     = "user."
	nsSecurity = "security."
	aclAccess  = "system.posix_acl_access"
	aclDefault = "system.posix_acl_default"
)

// xattrRecords makes the pax records of n's attributes, and calls lose with
// the kind of each that cannot be carried.
func xattrRecords(n *tree.Node, lose func(kind string)) ([]record, error) {
	var rs []record
	for _, x := range n.Xattrs {
		switch {
		case x.Name == aclAccess, x.Name == aclDefault:
			text, err := aclText(x.Value)
			if err != nil {
				return nil, err
			}
			rs = append(rs, record{map[string]string{aclAccess: "SCHILY.acl.access", aclDefault: "SCHILY.acl.default"}[x.Name], text})
		case carried(n, x.Name):
			rs = append(rs, xattrRecord(x))
		default:
			lose(lossKind(x.Name))
		}
	}
	return rs, nil
}

// carried tells whether extraction can set the attribute on such a file: the
// kernel has user.* on regular files and directories only.
func carried(n *tree.Node, name string) bool {
	return strings.HasPrefix(name, nsSecurity) ||
		strings.HasPrefix(name, nsUser) && (n.IsRegular() || n.IsDir())
}

func lossKind(name string) string {
	ns, _, _ := strings.Cut(name, ".")
	return fsys.Printable(ns) + " xattr"
}

// xattrRecord uses star's form, value as it is, except for a name with '=',
// which would end the key early: libarchive's own form can say that.
func xattrRecord(x fsys.Xattr) record {
	if strings.Contains(x.Name, "=") {
		return record{"LIBARCHIVE.xattr." + url.PathEscape(x.Name), base64.RawStdEncoding.EncodeToString(x.Value)}
	}
	return record{"SCHILY.xattr." + x.Name, string(x.Value)}
}
