package lvm

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
)

// Limits of what metadata may say.
const (
	maxExtents    = math.MaxUint32
	maxExtentSize = 1 << 32 / sector // in sectors; LVM allows 4 GiB
	maxStripes    = 128
	maxSegments   = 1 << 20
	nameSet       = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+_.-"
	maxSectors    = math.MaxInt64 / sector
	maxStripeSize = 1 << 21 // in sectors
	statusVisible = "VISIBLE"
	typeStriped   = "striped" // linear ones too: of one stripe
	maxNameLen    = 127
	maxGroups     = 64
	maxLogicals   = 4096
)

// group is a volume group, by its newest metadata.
type group struct {
	name  string
	seqno int64
	top   *section // what is in "name { … }"
}

// Read returns the logical volumes on the partitions in parts, in the order of
// the metadata; none if no part is a physical volume. A logical volume that
// cannot be read is there all the same, and fails with the reason when it is.
func Read(parts []volume.Volume) (found []volume.Volume, warnings []string, err error) {
	pvs := make(map[string]*pv)
	var groups []*group
	for _, part := range parts {
		p, err := readLabel(part.Device)
		if err != nil && !isFormat(err) {
			return nil, nil, err
		}
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("partition %d: %v", part.Number, err))
		}
		if p == nil {
			continue
		}
		pvs[p.id] = p
		g, err := p.group()
		if err != nil && !isFormat(err) {
			return nil, nil, err
		}
		if err != nil {
			warnings = append(warnings, fmt.Sprintf("partition %d: %v", part.Number, err))
		}
		if g == nil || len(groups) == maxGroups {
			continue
		}
		same := slices.IndexFunc(groups, func(other *group) bool { return other.name == g.name })
		switch {
		case same < 0:
			groups = append(groups, g)
		case groups[same].seqno < g.seqno:
			groups[same] = g
		}
	}
	for _, g := range groups {
		found = append(found, g.volumes(pvs, &warnings)...)
	}
	return found, warnings, nil
}

// isFormat tells a fault of the image from one of the host.
func isFormat(err error) bool {
	return errors.Is(err, ondisk.ErrCorrupt) || errors.Is(err, ondisk.ErrUnsupported)
}

// group reads the physical volume's metadata: the newest of its areas. Damaged
// ones are an error only if none is whole.
func (p *pv) group() (best *group, err error) {
	for _, a := range p.areas {
		text, textErr := p.readText(a)
		var g *group
		if textErr == nil && text != "" {
			g, textErr = parseGroup(text)
		}
		if textErr != nil && (err == nil || !isFormat(textErr)) {
			err = textErr
		}
		if g != nil && (best == nil || g.seqno > best.seqno) {
			best = g
		}
	}
	if best != nil && (err == nil || isFormat(err)) {
		return best, nil
	}
	return nil, err
}

func parseGroup(text string) (*group, error) {
	top, err := parse(text)
	if err != nil {
		return nil, err
	}
	if len(top.order) != 1 {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata of %d volume groups, want 1", len(top.order))
	}
	g := &group{name: top.order[0]}
	if err := checkName(g.name); err != nil {
		return nil, err
	}
	g.top = top.sections[g.name]
	if g.seqno, err = g.top.number("seqno", 0, math.MaxInt64); err != nil {
		return nil, err
	}
	return g, nil
}

// checkName accepts the names that LVM does.
func checkName(name string) error {
	if name == "" || name == "." || name == ".." || len(name) > maxNameLen || strings.Trim(name, nameSet) != "" || name[0] == '-' {
		return ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: name %q", name)
	}
	return nil
}

// volumes returns the visible logical volumes of the group.
func (g *group) volumes(pvs map[string]*pv, warnings *[]string) (found []volume.Volume) {
	all := g.top.sections["logical_volumes"]
	if all == nil {
		return nil
	}
	for _, name := range all.order {
		lv := all.sections[name]
		visible := slices.ContainsFunc(lv.values["status"].list, func(v value) bool { return v.text == statusVisible })
		if !visible {
			continue
		}
		if len(found) == maxLogicals {
			*warnings = append(*warnings, fmt.Sprintf("volume group %s has more than %d logical volumes; the rest is left out", g.name, maxLogicals))
			break
		}
		if err := checkName(name); err != nil {
			*warnings = append(*warnings, err.Error())
			continue
		}
		dev, err := g.device(lv, pvs)
		if err != nil {
			dev = unreadable{err}
		}
		full := g.name + "/" + name
		id, _ := lv.text("id")
		found = append(found, volume.Volume{Device: dev, Kind: "lvm", Name: full, Start: -1, PartUUID: id})
	}
	return found
}

// device assembles a logical volume of its segments.
func (g *group) device(lv *section, pvs map[string]*pv) (blockdev.Device, error) {
	extentSize, err := g.top.number("extent_size", 1, maxExtentSize)
	if err != nil {
		return nil, err
	}
	count, err := lv.number("segment_count", 1, maxSegments)
	if err != nil {
		return nil, err
	}
	var parts []blockdev.Device
	extents := int64(0)
	for i := range count {
		seg := lv.sections[fmt.Sprintf("segment%d", i+1)]
		if seg == nil {
			return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: segment %d of %d is missing", i+1, count)
		}
		if _, err := seg.number("start_extent", extents, extents); err != nil {
			return nil, err
		}
		n, err := seg.number("extent_count", 1, maxExtents)
		if err != nil {
			return nil, err
		}
		part, err := g.segment(seg, n, extentSize, pvs)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
		if extents += n; extents > maxSectors/extentSize {
			return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: %d extents of %d sectors", extents, extentSize)
		}
	}
	return blockdev.Concat(parts), nil
}

// segment returns the n extents of a segment.
func (g *group) segment(seg *section, n, extentSize int64, pvs map[string]*pv) (blockdev.Device, error) {
	kind, err := seg.text("type")
	if err != nil {
		return nil, err
	}
	if kind != typeStriped {
		return nil, ondisk.Unsupportedf("LVM2 segments of type %q", kind)
	}
	stripes, err := seg.number("stripe_count", 1, maxStripes)
	if err != nil {
		return nil, err
	}
	list := seg.values["stripes"].list
	if int64(len(list)) != 2*stripes || n%stripes != 0 {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: %d extents in %d stripes, of which %d places are told", n, stripes, len(list)/2)
	}
	var parts []blockdev.Device
	for i := range stripes {
		part, err := g.extents(list[2*i], list[2*i+1], n/stripes, extentSize, pvs)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part)
	}
	if stripes == 1 {
		return parts[0], nil
	}
	stripeSize, err := seg.number("stripe_size", 1, maxStripeSize)
	if err != nil {
		return nil, err
	}
	if parts[0].Size()%(stripeSize*sector) != 0 {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: stripes of %d bytes in chunks of %d", parts[0].Size(), stripeSize*sector)
	}
	return newStripes(parts, stripeSize*sector), nil
}

// extents returns n extents of a physical volume, which the metadata names by
// a name of its own, from number first on.
func (g *group) extents(name, first value, n, extentSize int64, pvs map[string]*pv) (blockdev.Device, error) {
	all := g.top.sections["physical_volumes"]
	if all == nil || name.kind != 's' || all.sections[name.text] == nil || first.kind != 'n' {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: stripe on %q, which is no physical volume", name.text)
	}
	meta := all.sections[name.text]
	id, err := meta.text("id")
	if err != nil {
		return nil, err
	}
	p := pvs[strings.ReplaceAll(id, "-", "")]
	if p == nil {
		return nil, ondisk.WithHint(ondisk.Unsupportedf("LVM2 physical volume %q is not in the image", id),
			"the volume group reaches over several disks; gather it on one (pvmove) and export that")
	}
	peStart, err := meta.number("pe_start", 0, maxSectors)
	if err != nil {
		return nil, err
	}
	peCount, err := meta.number("pe_count", 0, maxExtents)
	if err != nil {
		return nil, err
	}
	if first.num < 0 || first.num > peCount || n > peCount-first.num {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: extents %d to %d of a physical volume of %d", first.num, first.num+n, peCount)
	}
	if first.num+n > (maxSectors-peStart)/extentSize {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: extent %d of %d sectors", first.num+n, extentSize)
	}
	off, size := (peStart+first.num*extentSize)*sector, n*extentSize*sector
	if off+size > p.dev.Size() {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: extents up to byte %#x of a physical volume of %d bytes: is the image cut off?", off+size, p.dev.Size())
	}
	return blockdev.Section(p.dev, off, size)
}

// unreadable is a logical volume that fails with the reason why.
type unreadable struct{ err error }

// Size is not known; it only must not be zero, which would read as an end.
func (u unreadable) Size() int64                       { return sector }
func (u unreadable) ReadAt([]byte, int64) (int, error) { return 0, u.err }
