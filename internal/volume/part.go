package volume

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// Add adds v, which takes n bytes of the disk from v.Start on, to the table.
// As in Linux, one that ends behind the disk is cut to it, and one that begins
// there is left out; both with a warning, since the other volumes may be whole.
func (t *Table) Add(disk blockdev.Device, v Volume, n int64) error {
	have := disk.Size() - v.Start
	if have <= 0 || n > have {
		t.Warnings = append(t.Warnings, fmt.Sprintf("partition %d of %d bytes begins at byte %#x, but the disk ends at %#x: is the image cut off?",
			v.Number, n, v.Start, disk.Size()))
	}
	if have <= 0 {
		return nil
	}
	var err error
	if v.Device, err = blockdev.Section(disk, v.Start, min(n, have)); err != nil {
		return err
	}
	t.Volumes = append(t.Volumes, v)
	return nil
}

// Finish sorts the volumes by number and warns of those that share bytes.
func (t *Table) Finish() {
	byStart := slices.Clone(t.Volumes)
	slices.SortStableFunc(byStart, func(a, b Volume) int { return cmp.Compare(a.Start, b.Start) })
	for i := 1; i < len(byStart); i++ {
		if a, b := byStart[i-1], byStart[i]; a.Start+a.Size() > b.Start {
			t.Warnings = append(t.Warnings, fmt.Sprintf("partitions %d and %d overlap at byte %#x", a.Number, b.Number, b.Start))
		}
	}
	slices.SortStableFunc(t.Volumes, func(a, b Volume) int { return cmp.Compare(a.Number, b.Number) })
}
