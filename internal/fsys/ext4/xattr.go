package ext4

import (
	"bytes"
	"cmp"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Extended attributes.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#extended-attributes
const xattrMagic uint32 = 0xea020000

const (
	xattrBlockHeader = 32
	xattrEntrySize   = 16 // bytes before the name

	xattrIndexACLAccess  = 2
	xattrIndexACLDefault = 3
	xattrIndexSystem     = 7
	xattrIndexHurd       = 10
)

// xattrPrefixes are the namespaces that Linux shows. Attributes of others
// (Lustre, richacl, the key of encryption, inline data) it does not list.
var xattrPrefixes = [...]string{
	1:                    "user.",
	xattrIndexACLAccess:  "system.posix_acl_access",
	xattrIndexACLDefault: "system.posix_acl_default",
	4:                    "trusted.",
	6:                    "security.",
	xattrIndexHurd:       "gnu.",
}

// xattrEntry is one attribute as stored. name and value lie in the buffer that
// was decoded.
type xattrEntry struct {
	index byte
	name  []byte
	value []byte // empty if inum is set
	inum  uint32 // inode that holds the value, 0 if it is here
	size  uint32 // bytes of the value
	hash  uint32
	off   int64 // byte offset of the entry on the volume
}

func (e *xattrEntry) isInlineData() bool {
	return e.index == xattrIndexSystem && string(e.name) == "data"
}

// xattrs returns the attributes in the inode and in its block, sorted by name.
func (fs *FS) xattrs(n *inode) ([]fsys.Xattr, error) {
	entries, err := fs.bodyEntries(n)
	if err != nil {
		return nil, err
	}
	list, err := fs.appendXattrs(nil, n, entries)
	if err != nil {
		return nil, err
	}
	if n.xattrBlock != 0 {
		buf := fs.borrowBlock()
		defer fs.releaseBlock(buf)
		if entries, err = fs.blockEntries(n, *buf); err != nil {
			return nil, err
		}
		if list, err = fs.appendXattrs(list, n, entries); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(list, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
	for i := 1; i < len(list); i++ {
		if list[i].Name == list[i-1].Name {
			return nil, n.errorf(0, "attribute %q is there twice", list[i].Name)
		}
	}
	return list, nil
}

// appendXattrs turns entries into what listxattr and getxattr show.
func (fs *FS) appendXattrs(list []fsys.Xattr, n *inode, entries []xattrEntry) ([]fsys.Xattr, error) {
	for i := range entries {
		e := &entries[i]
		if int(e.index) >= len(xattrPrefixes) || xattrPrefixes[e.index] == "" || e.index == xattrIndexHurd && !fs.sb.hurd {
			continue
		}
		x := fsys.Xattr{Name: xattrPrefixes[e.index]}
		isACL := e.index == xattrIndexACLAccess || e.index == xattrIndexACLDefault
		if isACL && len(e.name) > 0 {
			return nil, n.errorf(e.off, "%s has a name of its own: %q", x.Name, e.name)
		}
		x.Name += string(e.name)
		if len(x.Name) > fsys.MaxXattrName {
			return nil, n.errorf(e.off, "attribute name of %d bytes, at most %d", len(x.Name), fsys.MaxXattrName)
		}
		value, err := fs.xattrValue(n, e)
		if err != nil {
			return nil, err
		}
		if isACL {
			if value, err = convertACL(value); err != nil {
				return nil, n.errorf(e.off, "%s: %v", x.Name, err)
			}
			if value == nil {
				continue // without entries there is no ACL
			}
		}
		x.Value = value
		list = append(list, x)
	}
	return list, nil
}

// xattrValue returns a value of its own, never nil.
func (fs *FS) xattrValue(n *inode, e *xattrEntry) ([]byte, error) {
	if e.size > fsys.MaxXattr {
		return nil, ondisk.Unsupportedf("attribute value of %d bytes, Linux shows at most %d", e.size, fsys.MaxXattr)
	}
	if e.inum != 0 {
		return fs.inodeValue(n, e)
	}
	return append(make([]byte, 0, len(e.value)), e.value...), nil
}

// bodyEntries decodes the attributes that stand behind i_extra_isize.
func (fs *FS) bodyEntries(n *inode) ([]xattrEntry, error) {
	const header = 4
	if len(n.body) < header || le.Uint32(n.body) != xattrMagic {
		return nil, nil
	}
	off := n.off + fs.sb.inodeSize - int64(len(n.body))
	if len(n.body) < header+4 {
		return nil, n.errorf(off, "no room for attributes")
	}
	// Values count from the first entry.
	return fs.decodeEntries(n, n.body[header:], 0, off+header)
}

// blockEntries reads the inode's attribute block into buf and decodes it.
func (fs *FS) blockEntries(n *inode, buf []byte) ([]xattrEntry, error) {
	if !fs.validBlocks(n.xattrBlock, 1) {
		return nil, n.errorf(n.off+iFileACL, "attribute block %d of %d, which is no data block", n.xattrBlock, fs.sb.blocks)
	}
	if err := fs.readBlock(buf, n.xattrBlock, "attribute block"); err != nil {
		return nil, err
	}
	off := fs.blockOff(n.xattrBlock)
	if magic, hBlocks := le.Uint32(buf), le.Uint32(buf[8:]); magic != xattrMagic || hBlocks != 1 {
		return nil, n.errorf(off, "attribute block magic %#x and %d blocks, want %#x and 1", magic, hBlocks, xattrMagic)
	}
	if fs.sb.checksummed() && !fs.opts.unverified {
		const hChecksum = 0x10
		var place [8]byte
		le.PutUint64(place[:], n.xattrBlock)
		want := crc32c(crc32c(fs.sb.csumSeed, place[:]), buf[:hChecksum])
		want = crc32c(crc32cZeros(want, 4), buf[hChecksum+4:])
		if got := le.Uint32(buf[hChecksum:]); got != want {
			return nil, n.errorf(off, "attribute block checksum %#08x, want %#08x", got, want)
		}
	}
	// Values count from the block's begin.
	entries, err := fs.decodeEntries(n, buf, xattrBlockHeader, off)
	if err != nil {
		return nil, err
	}
	for i := 1; i < len(entries); i++ {
		if entries[i-1].compare(&entries[i]) >= 0 {
			return nil, n.errorf(entries[i].off, "attribute %q is out of order", entries[i].name)
		}
	}
	return entries, nil
}

// compare gives the order of the entries in a block, by which the kernel finds
// them: it does not show the value of one that is out of order.
func (e *xattrEntry) compare(o *xattrEntry) int {
	return cmp.Or(cmp.Compare(e.index, o.index), cmp.Compare(len(e.name), len(o.name)), bytes.Compare(e.name, o.name))
}

// decodeEntries decodes the list of entries that begins at pos of b; values lie
// behind it, at offsets from b's begin. off is b's place on the volume.
func (fs *FS) decodeEntries(n *inode, b []byte, pos int, off int64) ([]xattrEntry, error) {
	var entries []xattrEntry
	for {
		if pos+4 > len(b) {
			return nil, n.errorf(off+int64(pos), "list of attributes has no end")
		}
		if le.Uint32(b[pos:]) == 0 {
			break
		}
		if pos+xattrEntrySize > len(b) || pos+xattrEntrySize+int(b[pos]) > len(b) {
			return nil, n.errorf(off+int64(pos), "attribute name of %d bytes ends outside", b[pos])
		}
		e := b[pos:]
		entries = append(entries, xattrEntry{
			index: e[1],
			name:  e[xattrEntrySize : xattrEntrySize+int(e[0])],
			inum:  le.Uint32(e[4:]),
			size:  le.Uint32(e[8:]),
			hash:  le.Uint32(e[12:]),
			off:   off + int64(pos),
		})
		if slices.Contains(entries[len(entries)-1].name, 0) {
			return nil, n.errorf(off+int64(pos), "attribute name holds a NUL")
		}
		pos += (xattrEntrySize + int(e[0]) + 3) &^ 3
	}
	for i := range entries {
		e := &entries[i]
		eValueOffs := int(le.Uint16(b[e.off-off+2:]))
		switch {
		case e.inum != 0 || e.size == 0:
			// The value is an inode's content, or has no place.
		case eValueOffs < pos+4 || int64(eValueOffs)+(int64(e.size)+3)&^3 > int64(len(b)):
			return nil, n.errorf(e.off, "attribute value of %d bytes at %d, want %d to %d", e.size, eValueOffs, pos+4, len(b))
		default:
			e.value = b[eValueOffs : eValueOffs+int(e.size)]
		}
	}
	return entries, nil
}
