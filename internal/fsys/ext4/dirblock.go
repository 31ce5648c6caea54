package ext4

import (
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

const (
	direntHeader = 8  // bytes before the name
	direntMin    = 12 // bytes of an entry with a name of 1 to 4 bytes
	tailSize     = 12 // bytes of the entry that holds a leaf's checksum
	tailType     = 0xde
)

// direntTypes are the file types of directory entries.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#directory-entries
var direntTypes = [...]uint32{
	1: fsys.ModeRegular, 2: fsys.ModeDir, 3: fsys.ModeChar, 4: fsys.ModeBlock,
	5: fsys.ModeFifo, 6: fsys.ModeSocket, 7: fsys.ModeSymlink,
}

// dirBlock is one block of a directory, or the space of inline entries.
type dirBlock struct {
	fs    *FS
	n     *inode
	b     []byte
	off   int64 // byte offset of b on the volume
	first bool  // begins with "." and ".."
	index *dirIndex
	block uint32 // number within the directory
}

// read yields the entries; more is false once yield has returned false.
func (d *dirBlock) read(yield func(fsys.Dirent) bool) (more bool, err error) {
	if err := d.verify(); err != nil {
		return false, err
	}
	return d.entries(yield)
}

// entries yields what stands in the block, which must be filled by entries.
func (d *dirBlock) entries(yield func(fsys.Dirent) bool) (more bool, err error) {
	index := 0
	for pos := 0; pos < len(d.b); index++ {
		length, err := d.check(pos)
		if err != nil {
			return false, err
		}
		e := d.b[pos : pos+length]
		at := d.off + int64(pos)
		pos += length
		ino := le.Uint32(e)
		isDot := d.first && index < 2
		if ino == 0 && !isDot {
			continue // unused, a checksum, or the fake entry over a hash index
		}
		name := string(e[direntHeader : direntHeader+int(e[6])])
		if isDot {
			if want := ".."[:index+1]; name != want {
				return false, d.n.errorf(at, "directory entry %d is %q, want %q", index, name, want)
			}
			if index == 0 && ino != d.n.ino {
				return false, d.n.errorf(at, "%q is inode %d", ".", ino)
			}
			continue
		}
		if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") {
			return false, d.n.errorf(at, "directory entry %q", name)
		}
		if d.index != nil && !d.index.leads(e[direntHeader:direntHeader+int(e[6])], d.block) {
			return false, d.n.errorf(at, "the hash index does not lead to directory entry %q", name)
		}
		entry := fsys.Dirent{Name: name, Ino: fsys.Ino(ino), Off: at}
		if d.fs.sb.hasIncompat(incompatFiletype) && int(e[7]) < len(direntTypes) {
			entry.Type = direntTypes[e[7]]
		}
		if !yield(entry) {
			return false, nil
		}
	}
	if d.first && index < 2 {
		return false, d.n.errorf(d.off, "directory lacks %q", "..")
	}
	return true, nil
}

// check returns the length of the entry at pos after the kernel's own checks.
func (d *dirBlock) check(pos int) (int, error) {
	at := d.off + int64(pos)
	left := len(d.b) - pos
	if left < direntMin {
		return 0, d.n.errorf(at, "%d bytes left for a directory entry, at least %d", left, direntMin)
	}
	e := d.b[pos:]
	length, nameLen := recLen(e, len(d.b)), int(e[6])
	need := (direntHeader + nameLen + 3) &^ 3
	switch {
	case length < direntMin || length%4 != 0 || length < need:
		return 0, d.n.errorf(at, "directory entry of %d bytes for a name of %d", length, nameLen)
	case length > left || length != left && left-length < direntMin:
		return 0, d.n.errorf(at, "directory entry of %d bytes, %d are left", length, left)
	}
	if ino := le.Uint32(e); ino > d.fs.sb.inodes {
		return 0, d.n.errorf(at, "directory entry of inode %d, filesystem has %d", ino, d.fs.sb.inodes)
	}
	return length, nil
}

// recLen is an entry's length; 64 KiB does not fit the field and is written 65535 or 0.
func recLen(e []byte, space int) int {
	const most = 1 << 16
	n := int(le.Uint16(e[4:]))
	if space == most && (n == 0 || n == most-1) {
		return most
	}
	return n
}

// verify checks the checksum of a leaf or of a hash index block.
// https://docs.kernel.org/filesystems/ext4/dynamic.html#hash-tree-directories
func (d *dirBlock) verify() error {
	if !d.fs.sb.checksummed() || d.fs.opts.unverified {
		return nil
	}
	if d.n.has(flagIndex) {
		if d.first {
			return d.verifyIndex(0x20) // after ".", ".." and 8 bytes of root info
		}
		if le.Uint32(d.b) == 0 && recLen(d.b, len(d.b)) == len(d.b) {
			return d.verifyIndex(direntHeader)
		}
	}
	tail := len(d.b) - tailSize
	t := d.b[tail:]
	if le.Uint32(t) != 0 || le.Uint16(t[4:]) != tailSize || t[6] != 0 || t[7] != tailType {
		return d.n.errorf(d.off+int64(tail), "directory block has no place for its checksum")
	}
	if got, want := le.Uint32(t[8:]), crc32c(d.n.seed, d.b[:tail]); got != want {
		return d.n.errorf(d.off, "directory block checksum %#08x, want %#08x", got, want)
	}
	return nil
}

// verifyIndex checks a hash index block whose entries begin at pos.
func (d *dirBlock) verifyIndex(pos int) error {
	const entrySize, dxTail = 8, 8
	limit, count := int(le.Uint16(d.b[pos:])), int(le.Uint16(d.b[pos+2:]))
	tail := pos + limit*entrySize
	if count > limit || tail+dxTail > len(d.b) {
		return d.n.errorf(d.off+int64(pos), "hash index of %d entries, room for %d", count, limit)
	}
	want := crc32c(d.n.seed, d.b[:pos+count*entrySize])
	want = crc32c(want, d.b[tail:tail+4])
	want = crc32cZeros(want, 4)
	if got := le.Uint32(d.b[tail+4:]); got != want {
		return d.n.errorf(d.off, "hash index checksum %#08x, want %#08x", got, want)
	}
	return nil
}
