package xfs

import (
	"math/bits"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// realtime says where the blocks of realtime files lie. They are on a device
// of their own, unless the filesystem has an internal realtime section (today
// that is what zoned filesystems on one disk have): then start is not 0.
// Realtime block numbers have gaps when groups are no power of two, like those
// of allocation groups.
type realtime struct {
	start, blocks uint64 // filesystem blocks from the volume's begin; count
	groupLog      uint8  // bits of a block number within a group, 0: no groups
	groupBlocks   uint64
	gaps          bool // the gaps of the numbering exist on the device, too
}

// decodeRealtime reads the realtime geometry of superblock sector b.
func (sb *superblock) decodeRealtime(b []byte) error {
	rt := realtime{blocks: be.Uint64(b[16:])}
	if rt.blocks >= 1<<(62-sb.blockLog) {
		return ondisk.Corruptf(16, "superblock: %d realtime blocks", rt.blocks)
	}
	if sb.feat.incompat&incompatMetadir != 0 {
		rextsize, rgextents := uint64(be.Uint32(b[80:])), uint64(be.Uint32(b[276:]))
		rt.groupBlocks = rextsize * rgextents
		rt.gaps = sb.feat.incompat&incompatZoneGaps != 0
		if rt.blocks > 0 {
			if rt.groupBlocks == 0 || rt.groupBlocks >= 1<<maxRealtimeGroupBlocksBits {
				return ondisk.Corruptf(276, "superblock: realtime group of %d blocks", rt.groupBlocks)
			}
			rt.groupLog = b[280]
			if int(rt.groupLog) != bits.Len64(rt.groupBlocks-1) {
				return ondisk.Corruptf(280, "superblock: log2 of %d realtime group blocks is %d", rt.groupBlocks, rt.groupLog)
			}
		}
	}
	if sb.feat.incompat&incompatZoned != 0 {
		rt.start = be.Uint64(b[288:])
		if rt.start != 0 && (rt.start < sb.dataBlocks || rt.start >= 1<<(62-sb.blockLog)) {
			return ondisk.Corruptf(288, "superblock: realtime section at block %#x, the data section has %d blocks", rt.start, sb.dataBlocks)
		}
	}
	sb.rt = rt
	return nil
}

// realtimeOffset returns the byte offset on the volume of n realtime blocks.
func (sb *superblock) realtimeOffset(rtb, n uint64) (int64, error) {
	rt := sb.rt
	if rt.start == 0 {
		return 0, ondisk.Unsupportedf("file on the xfs realtime device, which is not in the image")
	}
	block := rtb
	if rt.groupLog != 0 {
		group, in := rtb>>rt.groupLog, rtb&(1<<rt.groupLog-1)
		if in >= rt.groupBlocks || n > rt.groupBlocks-in || group > rt.blocks/rt.groupBlocks {
			return 0, ondisk.Corruptf(ondisk.NoOffset, "realtime blocks %#x+%d cross a group of %d blocks", rtb, n, rt.groupBlocks)
		}
		linear := group*rt.groupBlocks + in
		if linear >= rt.blocks || n > rt.blocks-linear {
			return 0, ondisk.Corruptf(ondisk.NoOffset, "realtime blocks %#x+%d are past the %d realtime blocks", rtb, n, rt.blocks)
		}
		if !rt.gaps {
			block = linear
		}
	} else if rtb >= rt.blocks || n > rt.blocks-rtb {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "realtime blocks %#x+%d are past the %d realtime blocks", rtb, n, rt.blocks)
	}
	if block >= 1<<(62-sb.blockLog)-rt.start {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "realtime block %#x overflows", rtb)
	}
	return int64((rt.start + block) << sb.blockLog), nil
}
