// Package fsys is the contract of the filesystem readers: a read-only,
// inode-addressed view that equals what the Linux kernel would show.
package fsys

import (
	"io"
	"iter"
)

// Ino is an inode number.
type Ino uint64

// File type bits of Inode.Mode and Dirent.Type, as in Linux's st_mode.
const (
	ModeType    = 0o170000
	ModeSocket  = 0o140000
	ModeSymlink = 0o120000
	ModeRegular = 0o100000
	ModeBlock   = 0o060000
	ModeDir     = 0o040000
	ModeChar    = 0o020000
	ModeFifo    = 0o010000
	ModePerm    = 0o007777 // permission, setuid, setgid and sticky bits
)

// Limits of the Linux VFS that readers enforce on what an image states.
const (
	MaxName      = 255   // bytes of a directory entry's name
	MaxTarget    = 4095  // bytes of a symlink target
	MaxXattrName = 255   // bytes, prefix included
	MaxXattr     = 65536 // bytes of one value
)

// Info describes a mounted-as-is filesystem.
type Info struct {
	Type     string // "ext4", "xfs", …: the name that mount(8) would take
	Label    string
	UUID     string   // lower-case, 8-4-4-4-12
	Features []string // feature names as the field's own tools print them
	Block    int64    // block size in bytes
	Size     int64    // bytes that the superblock claims
	// FileBytes is the most that all files together can have stored, or 0
	// where they may share blocks, so that there is no such bound.
	FileBytes int64
	Dirty     bool     // a journal or log was replayed in memory
	Stale     bool     // a journal or log that may hold changes was left as it is
	Warnings  []string // what the reader did that the user should know
}

// FS reads one filesystem. All methods are safe for concurrent use. Errors are
// of the ondisk classes and carry the byte offset on the volume; the caller
// adds volume, path and the number of the inode it asked for.
type FS interface {
	Info() Info
	Root() Ino
	// Inode returns everything but names and content.
	Inode(Ino) (*Inode, error)
	// ReadDir yields the entries of a directory without "." and "..", in any
	// order. A yielded error is final.
	ReadDir(Ino) iter.Seq2[Dirent, error]
	// Layout returns where a regular file's bytes lie: sorted, adjacent runs
	// that cover exactly [0, Inode.Size). Holes and unwritten extents are Hole.
	Layout(Ino) ([]Run, error)
	// Open reads a regular file's content; needed only where Layout says Encoded.
	Open(Ino) (io.ReaderAt, error)
}

// Special values of Run.Phys.
const (
	Hole    = -1 // reads as zeros
	Encoded = -2 // no plain bytes on the volume (inline data): read through Open
)

// Run is a stretch of a file's bytes: Len bytes from file offset Off lie at
// byte Phys of the volume.
type Run struct{ Off, Len, Phys int64 }

// Time is a point in time as Linux keeps it; Nsec is in [0, 1e9) also before 1970.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Rdev is a device number, decoded as the kernel's major(3) and minor(3).
type Rdev struct{ Major, Minor uint32 }

// overflowID is what Linux shows for an owner that is none
// (/proc/sys/kernel/overflowuid).
const overflowID = 65534

// OwnerID is a stored user or group number as stat(2) shows it: -1 is no id,
// and to chown(2) it means "leave as is".
func OwnerID(stored uint32) uint32 {
	if stored == 1<<32-1 {
		return overflowID
	}
	return stored
}

// Xattr is an extended attribute by its full name, such as "user.x". ACLs are
// in the kernel's form (system.posix_acl_access, linux/posix_acl_xattr.h), not
// the filesystem's own.
type Xattr struct {
	Name  string
	Value []byte // never nil-versus-empty: an empty value is kept
}

// Inode is what stat(2), readlink(2) and listxattr(2) tell.
type Inode struct {
	Ino      Ino
	Mode     uint32 // raw st_mode: type and permission bits
	UID, GID uint32
	Nlink    uint32
	Size     int64
	Mtime    Time
	Rdev     Rdev    // of character and block devices
	Target   string  // of symlinks, raw bytes
	Xattrs   []Xattr // sorted by name
}

// IsDir tells whether the inode is a directory.
func (n *Inode) IsDir() bool { return n.Mode&ModeType == ModeDir }

// IsRegular tells whether the inode is a regular file.
func (n *Inode) IsRegular() bool { return n.Mode&ModeType == ModeRegular }

// Dirent is a name in a directory. Name holds the raw bytes, never "", "." or
// "..", no '/' and no NUL: readers refuse those as corrupt.
type Dirent struct {
	Name string
	Ino  Ino
	Type uint32 // ModeDir …; 0 where the directory does not tell
	Off  int64  // byte of the volume where the entry is, for messages
}
