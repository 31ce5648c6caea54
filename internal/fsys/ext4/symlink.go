package ext4

import (
	"bytes"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// target reads where a symlink points: from the inode itself (a fast symlink),
// from inline data, or from its first block.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#symbolic-links
func (fs *FS) target(n *inode) (string, error) {
	if n.has(flagEncrypt) {
		return "", encrypted("symlink")
	}
	if n.size == 0 || n.size > fsys.MaxTarget {
		return "", n.errorf(0, "symlink of %d bytes, want 1 to %d", n.size, fsys.MaxTarget)
	}
	var text []byte
	switch {
	case n.has(flagInline):
		data, err := fs.inlineData(n)
		if err != nil {
			return "", err
		}
		text = data[:min(n.size, int64(len(data)))]
	case fs.isFast(n):
		text = n.block[:min(n.size, int64(len(n.block)))]
		if n.size >= int64(len(n.block)) {
			return "", n.errorf(0, "symlink of %d bytes in the inode, at most %d", n.size, len(n.block)-1)
		}
	default:
		runs, err := fs.runs(n)
		if err != nil {
			return "", err
		}
		if n.size >= fs.sb.blockSize || runs[0].Phys < 0 {
			return "", n.errorf(0, "symlink of %d bytes has no block, or more than one of %d", n.size, fs.sb.blockSize)
		}
		text = make([]byte, n.size)
		if err := ondisk.ReadFull(fs.dev, text, runs[0].Phys, "symlink"); err != nil {
			return "", err
		}
	}
	if i := bytes.IndexByte(text, 0); i >= 0 || int64(len(text)) != n.size {
		return "", n.errorf(0, "symlink of %d bytes ends after %d", n.size, max(i, len(text)))
	}
	return string(text), nil
}

// isFast tells whether the target stands in i_block. As in the kernel, that is
// so if the inode owns no block but that of its attributes; where attributes can
// have inodes of their own, which count as its blocks too, the size decides.
func (fs *FS) isFast(n *inode) bool {
	if fs.sb.hasIncompat(incompatEAInode) {
		return n.size < int64(len(n.block))
	}
	own := n.sectors
	if n.xattrBlock != 0 {
		own -= uint64(fs.sb.clusterSize / 512)
	}
	return own == 0
}

func encrypted(what string) error {
	return ondisk.Encryptedf("encrypted %s", what)
}
