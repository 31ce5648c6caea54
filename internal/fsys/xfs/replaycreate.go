package xfs

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// createInodes applies an ICREATE item, struct xfs_icreate_log: a chunk of new
// inodes, all free.
func (r *replayer) createInodes(it *item) error {
	f := it.regions[0]
	if len(f) < 28 {
		return ondisk.Corruptf(ondisk.NoOffset, "log inode chunk item of %d bytes", len(f))
	}
	sb := r.fs.sb
	agno, agbno := uint64(be.Uint32(f[4:])), uint64(be.Uint32(f[8:]))
	count, size, blocks := uint64(be.Uint32(f[12:])), be.Uint32(f[16:]), uint64(be.Uint32(f[20:]))
	fsb := agno<<sb.agBlockLog | agbno
	if agno >= sb.agCount || agbno >= 1<<sb.agBlockLog || sb.checkBlocks(fsb, blocks) != nil ||
		int64(size) != sb.inodeSize || count>>sb.inopbLog != blocks || blocks != sb.chunkBlocks() && blocks != sb.sparseAlign {
		return ondisk.Corruptf(ondisk.NoOffset, "log inode chunk item: %d inodes of %d bytes in blocks %#x+%d", count, size, fsb, blocks)
	}
	off := sb.blockOffset(fsb)
	cluster := sb.inodeCluster()
	for at := uint64(0); at < blocks; at += cluster {
		id := bufferID{off>>basicBlockLog + int64(at<<(sb.blockLog-basicBlockLog)), int64(cluster << (sb.blockLog - basicBlockLog))}
		if r.cancelled[id] > 0 {
			return nil
		}
	}
	b := make([]byte, sb.inodeSize)
	for i := range blocks << sb.inopbLog {
		sb.freshInode(b, fsb<<sb.inopbLog+i, f[24:28])
		if err := r.fs.over.write(b, off+int64(i<<sb.inodeLog)); err != nil {
			return err
		}
	}
	return nil
}

// chunkBlocks returns the filesystem blocks of one chunk of inodes.
func (sb *superblock) chunkBlocks() uint64 {
	return max(1, uint64(inodesPerChunk)>>sb.inopbLog)
}

// inodeCluster returns the filesystem blocks of one buffer of inodes.
func (sb *superblock) inodeCluster() uint64 {
	size := uint64(8 << 10)
	if sb.v5 {
		if big := size * uint64(sb.inodeSize) / 256; sb.inodeAlign >= big>>sb.blockLog {
			size = big
		}
	}
	return max(1, size>>sb.blockLog)
}

// freshInode makes b the free inode ino.
func (sb *superblock) freshInode(b []byte, ino uint64, gen []byte) {
	clear(b)
	be.PutUint16(b, inodeMagic)
	b[4] = 2
	copy(b[92:96], gen)
	be.PutUint32(b[96:], noInode)
	if sb.v5 {
		b[4] = 3
		be.PutUint64(b[152:], ino)
		copy(b[160:176], sb.metaUUID[:])
		binary.LittleEndian.PutUint32(b[inodeCRC:], checksum(b, inodeCRC))
	}
}
