package ext4

import (
	"github.com/wslimg/wslimg/internal/fsys"
)

// inlineData returns a copy of the bytes that an inode holds itself: i_block
// and the value of the attribute system.data.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#inline-data
func (fs *FS) inlineData(n *inode) ([]byte, error) {
	if !fs.sb.hasIncompat(incompatInlineData) {
		return nil, n.errorf(0, "inline data in a filesystem without the feature")
	}
	entries, err := fs.bodyEntries(n)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if e.isInlineData() {
			if e.inum != 0 {
				return nil, n.errorf(0, "inline data in inode %d", e.inum)
			}
			data := make([]byte, 0, len(n.block)+len(e.value))
			return append(append(data, n.block...), e.value...), nil
		}
	}
	return nil, n.errorf(0, "inline data without the attribute system.data")
}

// inlineDir yields the entries of a directory that fits its inode: the
// parent's inode number, then entries without "." and "..".
func (fs *FS) inlineDir(n *inode, yield func(fsys.Dirent) bool) error {
	const dotdot = 4
	data, err := fs.inlineData(n)
	if err != nil {
		return err
	}
	// Each of the two places is filled by entries of its own.
	d := dirBlock{fs: fs, n: n, b: data[dotdot:len(n.block)], off: n.off + 0x28 + dotdot}
	more, err := d.entries(yield)
	if err != nil || !more {
		return err
	}
	d.b, d.off = data[len(n.block):], n.off+baseInodeSize
	_, err = d.entries(yield)
	return err
}
