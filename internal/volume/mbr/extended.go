package mbr

import (
	"errors"
	"fmt"

	"github.com/diskfs/go-diskfs/partition/mbr"

	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	firstLogical  = 5
	maxPartitions = 256 // as in Linux
	maxEmptyLinks = 100 // tables in a row without a partition, as in Linux
)

// isExtended tells the types that hold logical partitions: DOS, Windows, Linux.
func isExtended(t mbr.Type) bool { return t == 0x05 || t == 0x0f || t == 0x85 }

// extended adds the logical partitions in the extended partition of n sectors
// from LBA first on. Each lies behind a table of its own, which also points at
// the next table. go-diskfs knows no logical partitions.
func (r *reader) extended(first, n int64) error {
	this, size := first, n
	seen := make(map[int64]bool)
	for empty := 0; empty < maxEmptyLinks; empty++ {
		if seen[this] {
			r.warn("leads back to the table at byte %#x", this*sector)
			return nil
		}
		seen[this] = true
		b, err := readSector(r.dev, this*sector)
		if errors.Is(err, ondisk.ErrCorrupt) {
			r.warn("points at byte %#x, but the disk ends at %#x", this*sector, r.dev.Size())
			return nil
		}
		if err != nil {
			return err
		}
		if string(b[sector-2:]) != signature {
			if this != first {
				r.warn("has no signature at byte %#x", this*sector)
			}
			return nil
		}
		table, _, err := decode(b)
		if err != nil {
			r.warn("at byte %#x: %v", this*sector, err)
			return nil
		}
		var link *mbr.Partition
		for _, p := range table {
			start := this + int64(p.Start)
			switch {
			case p.Size == 0:
				continue
			case isExtended(p.Type):
				if link == nil {
					link = p
				}
				continue
			case p.Index > 2 && (int64(p.Start)+int64(p.Size) > size || start+int64(p.Size) > first+n):
				continue // what the last two entries hold is often garbage
			}
			if r.next > maxPartitions {
				r.warn("holds more than %d partitions", maxPartitions)
				return nil
			}
			if err := r.add(r.next, start, p); err != nil {
				return err
			}
			r.next++
			empty = 0
		}
		if link == nil {
			return nil
		}
		this, size = first+int64(link.Start), int64(link.Size)
	}
	r.warn("goes through %d tables without a partition", maxEmptyLinks)
	return nil
}

func (r *reader) warn(format string, args ...any) {
	r.table.Warnings = append(r.table.Warnings, "the chain of logical partitions "+fmt.Sprintf(format, args...))
}
