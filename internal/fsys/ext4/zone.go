package ext4

import (
	"cmp"
	"fmt"
	"slices"
	"sort"
)

// zone is what nothing that has a name may own: the blocks that hold the
// superblock, group descriptors, bitmaps, inode tables and the journal. Files
// and directories that reach into it are corrupt to the kernel
// ("block_validity") as well.
type zone []span // sorted, without overlaps

// span is the blocks from first to end-1.
type span struct{ first, end uint64 }

// overlaps tells whether one of count blocks from block is in the zone.
func (z zone) overlaps(block, count uint64) bool {
	i := sort.Search(len(z), func(i int) bool { return z[i].end > block })
	return i < len(z) && z[i].first < block+count
}

// grow adds count blocks from block, to the last span if they follow it.
func grow(spans []span, block, count uint64) []span {
	if k := len(spans) - 1; k >= 0 && spans[k].end == block {
		spans[k].end += count
		return spans
	}
	return append(spans, span{block, block + count})
}

// merge makes a zone of spans in any order.
func merge(spans []span) zone {
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	z := spans[:0]
	for _, s := range spans {
		if k := len(z) - 1; k >= 0 && s.first <= z[k].end {
			z[k].end = max(z[k].end, s.end)
		} else {
			z = append(z, s)
		}
	}
	return slices.Clip(z)
}

// protect keeps the blocks of the groups' metadata, and of the journal, from
// being anything else. A journal of another inode is a file with a name:
// "tune2fs -j" on a mounted filesystem makes /.journal.
func (fs *FS) protect(metadata []span) error {
	if fs.sb.hasCompat(compatHasJournal) && fs.sb.journalIno == journalIno {
		buf := fs.inodeBufs.Get().(*[]byte)
		defer fs.inodeBufs.Put(buf)
		_, runs, err := fs.journalInode(*buf)
		if err != nil {
			return fmt.Errorf("journal: %w", err)
		}
		for _, r := range runs {
			if r.Phys >= 0 {
				metadata = grow(metadata, uint64(r.Phys/fs.sb.blockSize), uint64((r.Len+fs.sb.blockSize-1)/fs.sb.blockSize))
			}
		}
	}
	fs.zone = merge(metadata)
	return nil
}
