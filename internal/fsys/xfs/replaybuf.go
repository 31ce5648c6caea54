package xfs

import (
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of struct xfs_buf_log_format. Its bitmap tells which 128-byte pieces
// of the buffer follow.
const (
	bufferFormat = 20 // bytes before the bitmap
	bufferChunk  = 128
	maxBitmap    = 64 // words; those of 64 KiB are 16

	bufferInodes = 1 << 0 // only the links of unlinked inodes count
	bufferCancel = 1 << 1 // the buffer is freed
	bufferUser   = 1 << 2 // quota
	bufferProj   = 1 << 3
	bufferGroup  = 1 << 4
)

// buffer is a decoded buffer item.
type buffer struct {
	id      bufferID
	flags   uint16
	bitmap  []byte
	regions [][]byte
}

func decodeBuffer(it *item) (buffer, error) {
	f := it.regions[0]
	if len(f) < bufferFormat {
		return buffer{}, ondisk.Corruptf(ondisk.NoOffset, "log buffer item of %d bytes", len(f))
	}
	words := le.Uint32(f[16:])
	if words > maxBitmap || int(words)*4 > len(f)-bufferFormat {
		return buffer{}, ondisk.Corruptf(ondisk.NoOffset, "log buffer item with %d words of bitmap in %d bytes", words, len(f))
	}
	b := buffer{
		id:      bufferID{int64(le.Uint64(f[8:])), int64(le.Uint16(f[6:]))},
		flags:   le.Uint16(f[4:]),
		bitmap:  f[bufferFormat:][:words*4],
		regions: it.regions[1:],
	}
	if b.id.sector < 0 || b.id.sector > 1<<54 {
		return buffer{}, ondisk.Corruptf(ondisk.NoOffset, "log buffer item for sector %#x", b.id.sector)
	}
	return b, nil
}

// buffer applies a buffer item, unless what lies there is newer or was freed.
func (r *replayer) buffer(b buffer) error {
	// Links of unlinked inodes and quota are nothing that a reader sees.
	if b.flags&(bufferInodes|bufferUser|bufferProj|bufferGroup) != 0 || r.cancelled[b.id] > 0 {
		return nil
	}
	off := b.id.sector << basicBlockLog
	if uint64(off)>>r.fs.sb.blockLog >= r.fs.sb.dataBlocks {
		return ondisk.Corruptf(off, "log buffer item: sector %#x is behind the filesystem's end", b.id.sector)
	}
	var first [basicBlock]byte
	if err := ondisk.ReadFull(r.fs.dev, first[:], off, "block of a log item"); err != nil {
		return err
	}
	if r.newer(first[:], r.lsn) {
		return nil
	}
	regions := b.regions
	for bit := 0; bit < len(b.bitmap)*8; {
		n := b.run(bit)
		if n == 0 {
			bit++
			continue
		}
		if len(regions) == 0 {
			return ondisk.Corruptf(off, "log buffer item: %d regions are too few", len(b.regions))
		}
		data := regions[0]
		regions = regions[1:]
		// A run may be cut in two regions where it crossed a page.
		n = min(n, len(data)/bufferChunk)
		if n == 0 || int64(bit+n)*bufferChunk > b.id.n<<basicBlockLog {
			return ondisk.Corruptf(off, "log buffer item: %d bytes for piece %d of %d sectors", len(data), bit, b.id.n)
		}
		if err := r.fs.over.write(data[:n*bufferChunk], off+int64(bit*bufferChunk)); err != nil {
			return err
		}
		bit += n
		r.pending[off] = true
	}
	if off == 0 {
		return r.superblock()
	}
	return nil
}

// run counts the bits set from bit on.
func (b buffer) run(bit int) int {
	n := 0
	for i := bit; i < len(b.bitmap)*8 && b.bitmap[i/8]&(1<<(i%8)) != 0; i++ {
		n++
	}
	return n
}

// superblock takes over a replayed superblock: the filesystem may have grown.
func (r *replayer) superblock() error {
	b := make([]byte, r.fs.sb.sectSize)
	if err := ondisk.ReadFull(r.fs.dev, b, 0, "superblock"); err != nil {
		return err
	}
	if be.Uint32(b) != sbMagic {
		return ondisk.Corruptf(0, "log replaces the superblock by magic %#x", be.Uint32(b))
	}
	sb, err := decodeSuperblock(b, true)
	if err != nil {
		return err
	}
	old := *r.fs.sb
	now := *sb
	now.dataBlocks, now.agCount, now.rt, now.label, now.feat = old.dataBlocks, old.agCount, old.rt, old.label, old.feat
	now.uuid, now.metaUUID, now.internals = old.uuid, old.metaUUID, old.internals
	if now != old || sb.agCount < old.agCount {
		return ondisk.Corruptf(0, "log changes the superblock's geometry")
	}
	r.fs.sb = sb
	return nil
}
