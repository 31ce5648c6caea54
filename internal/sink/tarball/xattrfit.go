package tarball

import (
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Room for attributes in ext4 as WSL formats its disks, 256-byte inodes and
// blocks of 4096 bytes (https://docs.kernel.org/filesystems/ext4/attributes.html):
// both less header and the zeros that end the list.
const (
	inodeRoom = 256 - 128 - 32 - 4 - 4
	blockRoom = 4096 - 32 - 4
)

// fitExt4 returns the attributes that ext4 has room for, as the extraction
// would set them, and calls lose for each of the others: an attribute that
// does not fit fails the import.
func fitExt4(xs []fsys.Xattr, lose func()) []fsys.Xattr {
	total := 0
	for _, x := range xs {
		total += ext4Size(x)
	}
	if total <= blockRoom || fitsAsExtracted(xs) {
		return xs
	}
	ranked := slices.Clone(xs)
	slices.SortStableFunc(ranked, func(a, b fsys.Xattr) int { return rank(a.Name) - rank(b.Name) })
	room := blockRoom
	kept := ranked[:0]
	for _, x := range ranked {
		if size := ext4Size(x); size <= room {
			room -= size
			kept = append(kept, x)
		} else {
			lose()
		}
	}
	slices.SortFunc(kept, func(a, b fsys.Xattr) int { return strings.Compare(a.Name, b.Name) })
	return kept
}

// rank puts first what the system cannot do without.
func rank(name string) int {
	switch {
	case strings.HasPrefix(name, nsSecurity):
		return 0
	case aclKeys[name] != "":
		return 1
	case strings.HasPrefix(name, nsTrusted):
		return 2
	}
	return 3
}

// fitsAsExtracted follows bsdtar, which sets attributes last first and ACLs at
// the end, and ext4, which puts each into the inode if it fits, else into the block.
func fitsAsExtracted(xs []fsys.Xattr) bool {
	inode, block := inodeRoom, blockRoom
	for _, acls := range []bool{false, true} {
		for _, x := range slices.Backward(xs) {
			size := ext4Size(x)
			switch {
			case (aclKeys[x.Name] != "") != acls:
			case size <= inode:
				inode -= size
			case size <= block:
				block -= size
			default:
				return false
			}
		}
	}
	return true
}

// ext4Size is what an attribute takes: an entry with the name less its prefix,
// and the value, each filled up to 4 bytes. ACLs are smaller than this on disk.
func ext4Size(x fsys.Xattr) int {
	const entry = 16
	_, name, _ := strings.Cut(x.Name, ".")
	up := func(n int) int { return (n + 3) &^ 3 }
	return up(entry+len(name)) + up(len(x.Value))
}
