// Package ext4 reads ext2, ext3 and ext4 filesystems as the Linux kernel would
// show them, a journal that was left dirty replayed in memory.
//
// Of what the kernel does at a mount, only the replay shows: inodes that were
// being deleted have no name any more, and those that were being truncated
// have their new size already. So the lists of orphans are not read.
//
// The format is described in [the kernel's documentation]; where that is
// silent, the kernel's behaviour counts. Every checksum that covers what is
// read is verified, and no length, block number, depth or count is used before
// it has been checked.
//
// [the kernel's documentation]: https://docs.kernel.org/filesystems/ext4/
package ext4

import (
	"encoding/binary"
	"fmt"
	"io"
	"sync"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

var le = binary.LittleEndian

// FS is one opened filesystem.
type FS struct {
	sb       superblock
	dev      io.ReaderAt // the volume, seen through the replayed journal
	overlay  *overlay    // nil if nothing was replayed
	groups   []uint64    // inode table's first block of each group
	zone     zone
	dirty    bool
	warnings []string
	opts     Options

	inodeBufs, blockBufs sync.Pool // *[]byte of the inode and the block size
	inodes               sync.Pool // *ownInode
}

// Options change how a filesystem is read. The zero value is right for all but
// this package's own tests.
type Options struct {
	// unverified passes over checksums, so that tests get damage past them.
	unverified bool
}

// Open reads the superblock and the group descriptors of the filesystem on dev
// and replays its journal. It returns an ErrNotFormat if there is no ext
// superblock, and an ErrUnsupported that names the features if some cannot be
// read. dev should have a cache of its own: small structures are read one by
// one.
func Open(dev blockdev.Device, opts Options) (*FS, error) {
	fs := &FS{dev: dev, opts: opts}
	metadata, err := fs.load(dev.Size())
	if err != nil {
		return nil, err
	}
	replayed, err := fs.replay(dev)
	if err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if replayed {
		if metadata, err = fs.load(dev.Size()); err != nil {
			return nil, fmt.Errorf("after journal replay: %w", err)
		}
	}
	if err := fs.protect(metadata); err != nil {
		return nil, err
	}
	if err := fs.checkRoot(); err != nil {
		return nil, err
	}
	fs.warn()
	return fs, nil
}

// checkRoot finds out early whether there is a tree at all.
func (fs *FS) checkRoot() error {
	buf := fs.inodeBufs.Get().(*[]byte)
	defer fs.inodeBufs.Put(buf)
	n, err := fs.namedInode(rootIno, *buf)
	if err == nil && !n.isType(fsys.ModeDir) {
		err = n.errorf(0, "mode %#o is no directory", n.mode)
	}
	if err != nil {
		return fmt.Errorf("/: inode %d: %w", rootIno, err)
	}
	return nil
}

// load reads what must be known before any inode can be found, and returns
// the blocks that hold it or are described by it.
func (fs *FS) load(devSize int64) ([]span, error) {
	sb, err := readSuperblock(fs.dev, devSize, fs.opts)
	if err != nil {
		return nil, err
	}
	fs.sb = *sb
	fs.inodeBufs.New = newBuffer(int(sb.inodeSize))
	fs.blockBufs.New = newBuffer(int(sb.blockSize))
	fs.inodes.New = func() any { return &ownInode{buf: make([]byte, sb.inodeSize)} }
	return fs.readGroups()
}

func newBuffer(n int) func() any {
	return func() any {
		b := make([]byte, n)
		return &b
	}
}

// warn collects what the user should know about how the tree was read.
func (fs *FS) warn() {
	if fs.sb.state&stateErrors != 0 || fs.sb.errorCount > 0 {
		fs.warnings = append(fs.warnings, "the kernel has recorded errors in this filesystem; e2fsck was not run since")
	}
	if unknown := fs.sb.unknownReadOnly(); unknown != "" {
		fs.warnings = append(fs.warnings, "features that do not matter for reading are not known: "+unknown)
	}
}

// Info describes the filesystem.
func (fs *FS) Info() fsys.Info {
	size := int64(fs.sb.blocks) * fs.sb.blockSize
	files := size
	if fs.sb.hasRoCompat(roCompatSharedBlocks) {
		files = 0
	}
	return fsys.Info{
		Type:      fs.sb.kind(),
		Label:     fs.sb.label,
		UUID:      formatUUID(fs.sb.uuid),
		Features:  fs.sb.featureNames(),
		Block:     fs.sb.blockSize,
		Size:      size,
		FileBytes: files,
		Dirty:     fs.dirty,
		Warnings:  fs.warnings,
	}
}

// Root is the root directory's inode number.
func (fs *FS) Root() fsys.Ino { return rootIno }

// blockOff is the byte offset of a block that has been found to lie in the filesystem.
func (fs *FS) blockOff(block uint64) int64 { return int64(block) * fs.sb.blockSize }

// validBlocks tells whether count blocks from block may hold what an inode
// points to: the kernel excludes the superblock's own block, all before it, and
// the zone.
func (fs *FS) validBlocks(block, count uint64) bool {
	return block > fs.sb.firstDataBlock && count <= fs.sb.blocks && block <= fs.sb.blocks-count &&
		!fs.zone.overlaps(block, count)
}

// borrowBlock returns a buffer of one block; give it back with releaseBlock.
func (fs *FS) borrowBlock() *[]byte   { return fs.blockBufs.Get().(*[]byte) }
func (fs *FS) releaseBlock(b *[]byte) { fs.blockBufs.Put(b) }

// readBlock fills buf with a block that validBlocks has passed.
func (fs *FS) readBlock(buf []byte, block uint64, what string) error {
	return ondisk.ReadFull(fs.dev, buf, fs.blockOff(block), what)
}

func formatUUID(u [16]byte) string {
	return fmt.Sprintf("%x-%x-%x-%x-%x", u[0:4], u[4:6], u[6:8], u[8:10], u[10:16])
}
