package xfs

import (
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Bits of an attribute's flags, XFS_ATTR_*.
const (
	attrLocal      = 1 << 0
	attrRoot       = 1 << 1
	attrSecure     = 1 << 2
	attrParent     = 1 << 3
	attrIncomplete = 1 << 7
	attrNamespace  = attrRoot | attrSecure | attrParent
)

// maxAttrs bounds the attributes of one inode held in memory.
const maxAttrs = 1 << 20

// attrList collects the attributes of one inode.
type attrList struct {
	fs   *FS
	d    *dinode
	list []fsys.Xattr
	size int64 // bytes of all values
}

// maxAttrBytes bounds the values of one inode held in memory.
const maxAttrBytes = 128 << 20

// xattrs returns what listxattr(2) and getxattr(2) show of an inode to root.
func (fs *FS) xattrs(d *dinode) ([]fsys.Xattr, error) {
	l := attrList{fs: fs, d: d}
	var err error
	switch {
	case d.attr.b == nil:
	case d.attr.format == formatLocal:
		err = l.shortForm(d.attr.b)
	case d.attr.extents > 0:
		err = l.blocks()
	}
	if err == nil {
		err = fs.intents.setAttrs(&l)
	}
	if err != nil {
		return nil, err
	}
	slices.SortFunc(l.list, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(l.list); i++ {
		if l.list[i].Name == l.list[i-1].Name {
			return nil, ondisk.Corruptf(d.off, "attribute %q twice", l.list[i].Name)
		}
	}
	return l.list, nil
}

// hidden tells whether the kernel keeps an attribute to itself: parent
// pointers, and what a crash left half made or half removed.
func hidden(flags byte) bool { return flags&(attrParent|attrIncomplete) != 0 }

// add appends an attribute, which off places for errors. value is copied.
func (l *attrList) add(flags byte, name, value []byte, off int64) error {
	if len(name) == 0 || slices.Contains(name, 0) {
		return ondisk.Corruptf(off, "attribute name %q", name)
	}
	if len(value) > fsys.MaxXattr {
		return ondisk.Corruptf(off, "attribute %q: value of %d bytes", name, len(value))
	}
	if l.size += int64(len(value)); len(l.list) >= maxAttrs || l.size > maxAttrBytes {
		return ondisk.Unsupportedf("more than %d attributes or %d bytes of them", maxAttrs, maxAttrBytes)
	}
	full, acl := attrName(flags, name)
	if full == "" || len(full) > fsys.MaxXattrName {
		return ondisk.Corruptf(off, "attribute %q: flags %#x, name of %d bytes", name, flags, len(name))
	}
	if acl != "" {
		v, err := decodeACL(value, off)
		if err != nil {
			return err
		}
		l.list = append(l.list, fsys.Xattr{Name: acl, Value: v})
	}
	v := make([]byte, len(value))
	copy(v, value)
	l.list = append(l.list, fsys.Xattr{Name: full, Value: v})
	return nil
}

// attrName returns an attribute's name with its namespace, or "", and for an
// ACL the name of the kernel's form of it: the kernel lists both.
func attrName(flags byte, name []byte) (full, acl string) {
	switch flags & attrNamespace {
	case 0:
		return "user." + string(name), ""
	case attrSecure:
		return "security." + string(name), ""
	case attrRoot:
		return "trusted." + string(name), aclNames[string(name)]
	}
	return "", ""
}
