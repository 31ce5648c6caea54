package xfs

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"

	"github.com/wslimg/wslimg/internal/ondisk"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is XFS's CRC32c of b with the four bytes at off taken as zero.
func checksum(b []byte, off int) uint32 {
	var zero [4]byte
	sum := crc32.Update(0, castagnoli, b[:off])
	sum = crc32.Update(sum, castagnoli, zero[:])
	return crc32.Update(sum, castagnoli, b[off+4:])
}

// selfDescription says where a kind of version 5 metadata block keeps what
// identifies it.
type selfDescription struct{ crc, blkno, lsn, uuid, owner int }

var (
	dirSelf    = selfDescription{crc: 4, blkno: 8, lsn: 16, uuid: 24, owner: 40}   // xfs_dir3_blk_hdr
	daSelf     = selfDescription{crc: 12, blkno: 16, lsn: 24, uuid: 32, owner: 48} // xfs_da3_blkinfo
	remoteSelf = selfDescription{crc: 12, blkno: 40, lsn: 48, uuid: 16, owner: 32} // xfs_dsymlink_hdr, xfs_attr3_rmt_hdr
	longSelf   = selfDescription{crc: 64, blkno: 24, lsn: 32, uuid: 40, owner: 56} // xfs_btree_block, long form
)

// checkSelf verifies a version 5 metadata block read from byte off: checksum,
// filesystem, place and owning inode. what names the block. Nobody computes
// checksums of what the log has changed in memory, so there they are left out.
func (fs *FS) checkSelf(b []byte, off int64, at selfDescription, owner uint64, what string) error {
	if fs.unverified || fs.over.replayed(off, int64(len(b))) {
		return fs.checkOwner(b, off, at, owner, what)
	}
	if got, want := checksum(b, at.crc), binary.LittleEndian.Uint32(b[at.crc:]); got != want {
		return ondisk.Corruptf(off, "%s: checksum %#x, computed %#x", what, want, got)
	}
	return fs.checkOwner(b, off, at, owner, what)
}

// checkOwner verifies all but the checksum.
func (fs *FS) checkOwner(b []byte, off int64, at selfDescription, owner uint64, what string) error {
	sb := fs.sb
	if got := b[at.uuid : at.uuid+16]; !bytes.Equal(got, sb.metaUUID[:]) {
		return ondisk.Corruptf(off+int64(at.uuid), "%s: of filesystem %s, want %s", what, uuidString([16]byte(got)), uuidString(sb.metaUUID))
	}
	if got, want := be.Uint64(b[at.blkno:]), uint64(off)>>basicBlockLog; got != want {
		return ondisk.Corruptf(off+int64(at.blkno), "%s: says it is sector %#x, read from %#x", what, got, want)
	}
	if err := fs.checkLSN(lsn(be.Uint64(b[at.lsn:])), off+int64(at.lsn), what); err != nil {
		return err
	}
	if got := be.Uint64(b[at.owner:]); got != owner {
		return ondisk.Corruptf(off+int64(at.owner), "%s: belongs to inode %d, want %d", what, got, owner)
	}
	return nil
}

// checkLSN makes sure that the metadata at off was not written back before it
// was logged, by what the log holds now: then the log has lost its end, and
// with it changes.
func (fs *FS) checkLSN(l lsn, off int64, what string) error {
	if l == noLSN || fs.logEnd == 0 || uint64(l) <= uint64(fs.logEnd) {
		return nil
	}
	return ondisk.Corruptf(off, "%s: logged at %d:%d, the log ends at %d:%d", what,
		uint64(l)>>32, l.block(), uint64(fs.logEnd)>>32, fs.logEnd.block())
}
