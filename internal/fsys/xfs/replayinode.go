package xfs

import (
	"fmt"

	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Bits of ilf_fields: what of an inode an item brings.
const (
	logData      = 0x002
	logExtents   = 0x004
	logRoot      = 0x008
	logDev       = 0x010
	logAttrData  = 0x040
	logAttrExt   = 0x080
	logAttrRoot  = 0x100
	logOwner     = 0x200
	logAttrOwner = 0x400
	logDataFork  = logData | logExtents | logRoot
	logAttrFork  = logAttrData | logAttrExt | logAttrRoot

	maxFlush = 0xffff // of di_flushiter, after which it begins anew
)

// inodeItem is a decoded struct xfs_inode_log_format.
type inodeItem struct {
	fields  uint32
	ino     uint64
	rdev    uint32
	buffer  bufferID
	inode   int64 // byte offset within the buffer
	regions [][]byte
}

func decodeInodeItem(it *item) (inodeItem, error) {
	f := it.regions[0]
	var at int
	switch len(f) {
	case 56:
		at = 16
	case 52: // as 32-bit machines write it
		at = 12
	default:
		return inodeItem{}, ondisk.Corruptf(ondisk.NoOffset, "log inode item of %d bytes", len(f))
	}
	if len(it.regions) < 2 {
		return inodeItem{}, ondisk.Corruptf(ondisk.NoOffset, "log inode item without an inode")
	}
	return inodeItem{
		fields:  le.Uint32(f[4:]),
		ino:     le.Uint64(f[at:]),
		rdev:    le.Uint32(f[at+8:]),
		buffer:  bufferID{int64(le.Uint64(f[at+24:])), int64(int32(le.Uint32(f[at+32:])))},
		inode:   int64(int32(le.Uint32(f[at+36:]))),
		regions: it.regions[1:],
	}, nil
}

// inode applies an inode item: the core, and what it brings of the forks.
func (r *replayer) inode(raw *item) error {
	it, err := decodeInodeItem(raw)
	if err != nil || r.cancelled[it.buffer] > 0 {
		return err
	}
	sb := r.fs.sb
	if err := sb.checkInode(it.ino); err != nil {
		return fmt.Errorf("log item for inode %d: %w", it.ino, err)
	}
	off := sb.inodeOffset(it.ino)
	if it.buffer.sector<<basicBlockLog+it.inode != off {
		return ondisk.Corruptf(off, "log item puts inode %d at sector %#x + %#x", it.ino, it.buffer.sector, it.inode)
	}
	b := make([]byte, sb.inodeSize)
	if err := ondisk.ReadFull(r.fs.dev, b, off, "inode of a log item"); err != nil {
		return err
	}
	core := it.regions[0]
	size := inodeCore - 4 // the log keeps no di_next_unlinked of old inodes
	if sb.v5 {
		size = inodeCoreV3
	}
	if got := be.Uint16(b); got != inodeMagic {
		return ondisk.Corruptf(off, "log item for inode %d, magic there is %#x", it.ino, got)
	}
	if len(core) != size || le.Uint16(core) != inodeMagic {
		return ondisk.Corruptf(off, "log item for inode %d of %d bytes, want %d", it.ino, len(core), size)
	}
	skip := false
	if sb.v5 {
		have := lsn(be.Uint64(b[112:]))
		skip = have != 0 && have != -1 && have > r.lsn
	} else {
		// Old inodes count their flushes instead; the count wraps.
		logged, have := le.Uint16(core[30:]), be.Uint16(b[30:])
		skip = logged < have && (have != maxFlush || logged >= maxFlush/2)
	}
	if !skip {
		if err := checkCore(core, sb.v5, off); err != nil {
			return err
		}
		putCore(b, core[:size], r.lsn, sb.v5)
		if err := it.putForks(b, sb, off); err != nil {
			return err
		}
		if sb.v5 {
			binary.LittleEndian.PutUint32(b[inodeCRC:], checksum(b, inodeCRC))
		}
		r.check.ino, r.check.off = it.ino, off
		if err := r.check.decode(sb, b, true); err != nil {
			return fmt.Errorf("log item for inode %d: %w", it.ino, err)
		}
		if err := r.fs.over.write(b, off); err != nil {
			return err
		}
	}
	if it.fields&(logOwner|logAttrOwner) != 0 {
		// Two files swapped their extent trees. The kernel now writes the
		// new owner into every block of it; here the name is not asked.
		r.fs.reowned[it.ino] = true
	}
	return nil
}

// checkCore checks what the form of the volume would not tell any more: the
// padding of old inodes' counts, which putCore clears.
func checkCore(core []byte, v5 bool, off int64) error {
	if !v5 || le.Uint64(core[120:])&flag2Nrext64 != 0 {
		return nil
	}
	if pad := le.Uint64(core[24:]); pad != 0 {
		return ondisk.Corruptf(off+24, "log inode item: padding %#x, want 0", pad)
	}
	return nil
}

// coreFields are the widths of struct xfs_log_dinode's members, in order: it
// has those of struct xfs_dinode, in the host's byte order.
var coreFields = []int{
	2, 2, 1, 1, 2, 4, 4, 4, 2, 2, // magic … projid_hi
	8, 8, 8, 8, 8, 8, 4, // big_nextents or flushiter, three times, size, nblocks, extsize
	4, 2, 1, 1, 4, 2, 2, 4, // nextents … gen
	4, 4, 8, 8, 8, 4, 12, 8, 8, 16, // next_unlinked, crc, changecount, lsn, flags2, cowextsize, pad, crtime, ino, uuid
}

// putCore turns the logged core into the form of the volume.
func putCore(b, core []byte, l lsn, v5 bool) {
	nextUnlinked := [4]byte(b[96:100])
	at := 0
	for _, n := range coreFields {
		if at >= len(core) {
			break
		}
		for i := range n {
			b[at+i] = core[at+n-1-i]
		}
		at += n
	}
	flags2 := uint64(0)
	if v5 {
		flags2 = be.Uint64(b[120:])
		copy(b[160:176], core[160:176]) // the UUID is bytes
		clear(b[132:144])
		be.PutUint64(b[112:], uint64(l))
	}
	if flags2&flag2Bigtime == 0 {
		// Old times are two words, each in the host's order.
		for _, at := range []int{32, 40, 48, 144} {
			if at < len(core) {
				be.PutUint32(b[at:], le.Uint32(core[at:]))
				be.PutUint32(b[at+4:], le.Uint32(core[at+4:]))
			}
		}
	}
	if flags2&flag2Nrext64 == 0 {
		clear(b[24:32]) // padding; an old inode's count of flushes begins anew
	}
	copy(b[96:100], nextUnlinked[:])
}

// putForks copies the logged content of the forks into inode b.
func (it inodeItem) putForks(b []byte, sb *superblock, off int64) error {
	core := inodeCore
	if sb.v5 {
		core = inodeCoreV3
	}
	data, attr := b[core:], []byte(nil)
	if forkOff := int(b[82]) << 3; forkOff != 0 {
		if forkOff >= len(data) {
			return ondisk.Corruptf(off+82, "log inode item: attribute fork at %d of %d bytes", forkOff, len(data))
		}
		data, attr = data[:forkOff], data[forkOff:]
	}
	if it.fields&logDev != 0 {
		be.PutUint32(data, it.rdev)
	}
	regions := it.regions[1:]
	for _, f := range []struct {
		have, root uint32
		fork       []byte
	}{
		{it.fields & logDataFork, logRoot, data},
		{it.fields & logAttrFork, logAttrRoot, attr},
	} {
		if f.have == 0 {
			continue
		}
		if len(regions) == 0 {
			return ondisk.Corruptf(off, "log inode item without the fork it announces")
		}
		src := regions[0]
		regions = regions[1:]
		if f.have == f.root {
			if err := putRoot(f.fork, src, sb.v5, off); err != nil {
				return err
			}
			continue
		}
		if len(src) > len(f.fork) {
			return ondisk.Corruptf(off, "log inode item: %d bytes for a fork of %d", len(src), len(f.fork))
		}
		copy(f.fork, src)
	}
	return nil
}

// putRoot makes the root of an extent tree, logged as a whole block, the root
// within the inode.
func putRoot(fork, src []byte, v5 bool, off int64) error {
	header := btreeHeader
	if v5 {
		header = btreeHeaderV5
	}
	if len(src) < header || len(fork) < rootHeader {
		return ondisk.Corruptf(off, "log inode item: extent tree root of %d bytes for a fork of %d", len(src), len(fork))
	}
	n, from, to := int(be.Uint16(src[6:])), (len(src)-header)/16, (len(fork)-rootHeader)/16
	if n > from || n > to {
		return ondisk.Corruptf(off, "log inode item: extent tree root with %d children", n)
	}
	copy(fork, src[4:8]) // level and count
	copy(fork[rootHeader:], src[header:header+n*8])
	copy(fork[rootHeader+to*8:], src[header+from*8:][:n*8])
	return nil
}
