// Package xfs reads XFS filesystems, versions 4 and 5, as the Linux kernel
// shows them. A log that was not written back is replayed in memory, over the
// metadata alone: file data is never in it.
//
// Every byte offset in an error is on the volume. Version 5 metadata carries
// checksums and identity, and both are verified on every block that is read.
//
// Facts are from the "XFS Algorithms & Data Structures" document
// (https://docs.kernel.org/filesystems/xfs/) and from the headers
// xfs_format.h, xfs_da_format.h and xfs_log_format.h of Linux, whose field
// names are used here.
package xfs

import (
	"fmt"
	"sync"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Options say how to open a filesystem.
type Options struct {
	// IgnoreLog reads the filesystem as it lies, without replaying its log:
	// what was not written back is missing or torn. Info().Warnings says so.
	IgnoreLog bool

	// unverified passes over checksums, so that tests get damage past them.
	unverified bool
}

// FS is an open XFS filesystem. It is safe for concurrent use.
type FS struct {
	raw     blockdev.Device // the volume as it lies; file data is read from it
	dev     blockdev.Device // the same with what the log adds; metadata is read from it
	over    *overlay        // what the log adds, or nil
	reowned map[uint64]bool // inodes whose extent tree blocks may name another
	sb      *superblock
	info    fsys.Info
	intents intents
	logEnd  lsn // what metadata can have been logged at latest, 0 if that is not known

	unverified bool

	inodes  sync.Pool // of *dinode
	buffers sync.Pool // of *[]byte
}

var _ fsys.FS = (*FS)(nil)

// Open opens the filesystem on dev, and replays its log in memory unless told
// not to. It returns ErrNotFormat where dev has no XFS superblock.
func Open(dev blockdev.Device, opts Options) (*FS, error) {
	sb, err := readSuperblock(dev, opts.unverified)
	if err != nil {
		return nil, err
	}
	fs := &FS{raw: dev, dev: dev, sb: sb, unverified: opts.unverified}
	fs.inodes.New = func() any { return new(dinode) }
	fs.buffers.New = func() any { return new([]byte) }
	if err := fs.recover(opts); err != nil {
		return nil, err
	}
	if err := fs.checkRoot(); err != nil {
		return nil, fmt.Errorf("/: inode %d: %w", fs.sb.rootIno, err)
	}
	fs.info.Type, fs.info.Label, fs.info.UUID = "xfs", fs.sb.label, uuidString(fs.sb.uuid)
	fs.info.Features, fs.info.Block = fs.sb.feat.names(), fs.sb.blockSize
	fs.info.Size = int64(fs.sb.dataBlocks << fs.sb.blockLog)
	if fs.sb.feat.roCompat&roCompatReflink == 0 {
		fs.info.FileBytes = dev.Size() // the realtime section lies outside Size
	}
	return fs, nil
}

// checkRoot finds out early whether there is a tree at all.
func (fs *FS) checkRoot() error {
	root, err := fs.load(fs.sb.rootIno)
	if err != nil {
		return err
	}
	defer fs.drop(root)
	if root.mode&fsys.ModeType != fsys.ModeDir {
		return ondisk.Corruptf(root.off+2, "mode %#o, want a directory", root.mode)
	}
	return nil
}

// Info implements fsys.FS.
func (fs *FS) Info() fsys.Info { return fs.info }

// Root implements fsys.FS.
func (fs *FS) Root() fsys.Ino { return fsys.Ino(fs.sb.rootIno) }

// Inode implements fsys.FS.
func (fs *FS) Inode(ino fsys.Ino) (*fsys.Inode, error) {
	d, err := fs.load(uint64(ino))
	if err != nil {
		return nil, err
	}
	defer fs.drop(d)
	n := &fsys.Inode{
		Ino: ino, Mode: d.mode, UID: fsys.OwnerID(d.uid), GID: fsys.OwnerID(d.gid), Nlink: d.link,
		Size: d.size, Mtime: d.mt, Rdev: d.rdev(),
	}
	if d.mode&fsys.ModeType == fsys.ModeSymlink {
		if n.Target, err = fs.target(d); err != nil {
			return nil, err
		}
	}
	if n.Xattrs, err = fs.xattrs(d); err != nil {
		return nil, err
	}
	return n, nil
}

// buffer returns scratch memory of n bytes, which the superblock has bounded
// to 64 KiB; release gives it back.
func (fs *FS) buffer(n int64) *[]byte {
	b := fs.buffers.Get().(*[]byte)
	if int64(cap(*b)) < n {
		*b = make([]byte, n)
	}
	*b = (*b)[:n]
	return b
}

func (fs *FS) release(b *[]byte) { fs.buffers.Put(b) }
