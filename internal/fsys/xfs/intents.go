package xfs

import (
	"bytes"
	"maps"
	"math"
	"slices"
	"sort"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// An intent is logged with a change that needs more than one transaction, and
// taken back by a "done" item in the last. What is left of them when the log
// ends would be carried out by the kernel after recovery; those that a reader
// can see are carried out here when the inode is read.

// intent is a logged promise. All kinds have their id at the same place.
type intent struct {
	intentID
	seq     int // in the log
	regions [][]byte
}

// intentID tells intents apart that are open at the same time.
type intentID struct {
	kind uint16
	id   uint64
}

// Limits of what can be open: an inode is locked for as long as something was
// promised for it.
const (
	maxIntents      = 1 << 14
	maxInodeIntents = 64
)

// promise notes an intent.
func (r *replayer) promise(it *item) error {
	if len(it.regions[0]) < 16 {
		return ondisk.Corruptf(ondisk.NoOffset, "log intent of kind %#x with %d bytes", it.kind(), len(it.regions[0]))
	}
	if len(r.intents) >= maxIntents {
		return ondisk.Unsupportedf("xfs log with more than %d unfinished changes", maxIntents)
	}
	switch b := it.regions[0]; it.kind() {
	case itemBUI:
		if len(b) != mapIntentSize || le.Uint32(b[4:]) != 1 {
			return ondisk.Corruptf(ondisk.NoOffset, "log mapping intent of %d bytes with %d extents", len(b), le.Uint32(b[4:]))
		}
	case itemATTRI:
		if err := checkAttr(it.regions, r.fs.sb); err != nil {
			return err
		}
	}
	id := intentID{it.kind(), le.Uint64(it.regions[0][8:])}
	in := &intent{intentID: id, seq: r.promises}
	for _, b := range it.regions {
		in.regions = append(in.regions, bytes.Clone(b)) // lets the record go
	}
	r.promises++
	r.intents[id] = in
	return nil
}

// done takes back the intent that a done item names; done items have the next
// kind, and the id at the same place.
func (r *replayer) done(it *item) error {
	if n := len(it.regions[0]); n < 16 || n > 16 && it.kind() != itemEFD {
		return ondisk.Corruptf(ondisk.NoOffset, "log intent done of kind %#x with %d bytes", it.kind(), len(it.regions[0]))
	}
	delete(r.intents, intentID{it.kind() - 1, le.Uint64(it.regions[0][8:])})
	return nil
}

// intents is what is left to do, by inode.
type intents struct {
	maps  map[uint64][]mapIntent
	attrs map[uint64][]attrIntent
}

// mapIntent adds or takes away one extent of a fork.
type mapIntent struct {
	extent
	unmap, attr bool
}

// attrIntent sets or removes one attribute.
type attrIntent struct {
	flags       byte
	name, value []byte
	remove      bool
}

// Facts of mapping intents, struct xfs_bui_log_format and xfs_map_extent.
const (
	mapIntentSize = 48 // with its one extent

	mapMap       = 1
	mapUnmap     = 2
	mapAttr      = 1 << 31
	mapUnwritten = 1 << 30
	mapRealtime  = 1 << 29
)

// take decodes what is left of the intents at the log's end.
func (in *intents) take(open map[intentID]*intent, sb *superblock) error {
	list := slices.SortedFunc(maps.Values(open), func(a, b *intent) int { return a.seq - b.seq })
	in.maps, in.attrs = map[uint64][]mapIntent{}, map[uint64][]attrIntent{}
	for _, it := range list {
		var err error
		switch it.kind {
		case itemBUI:
			err = in.takeMap(it.regions[0], sb)
		case itemATTRI:
			err = in.takeAttr(it.regions)
		case itemEFI, itemRUI, itemCUI: // of those, only what cannot be done is here
			err = ondisk.Corruptf(ondisk.NoOffset, "log intent of kind %#x for blocks outside the allocation groups", it.kind)
		default:
			err = ondisk.Unsupportedf("xfs log with an unfinished exchange of two files' contents: mount and unmount the filesystem")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// takeMap takes struct xfs_bui_log_format.
func (in *intents) takeMap(b []byte, sb *superblock) error {
	ino, m, err := decodeMap(b, sb)
	if err != nil {
		return err
	}
	if len(in.maps[ino]) >= maxInodeIntents {
		return ondisk.Corruptf(ondisk.NoOffset, "log with more than %d mapping intents for inode %d", maxInodeIntents, ino)
	}
	in.maps[ino] = append(in.maps[ino], m)
	return nil
}

// decodeMap decodes a mapping intent and checks it as the kernel does
// (xfs_bui_validate).
func decodeMap(b []byte, sb *superblock) (ino uint64, m mapIntent, err error) {
	ino, flags := le.Uint64(b[16:]), le.Uint32(b[44:])
	m = mapIntent{
		extent: extent{
			start: le.Uint64(b[24:]), off: le.Uint64(b[32:]), n: uint64(le.Uint32(b[40:])),
			unwritten: flags&mapUnwritten != 0,
		},
		attr: flags&mapAttr != 0,
	}
	switch flags &^ (mapAttr | mapUnwritten | mapRealtime) {
	case mapMap:
	case mapUnmap:
		m.unmap = true
	default:
		return 0, m, ondisk.Corruptf(ondisk.NoOffset, "log mapping intent with flags %#x", flags)
	}
	if m.n == 0 || m.off >= 1<<54 || sb.checkInode(ino) != nil || flags&mapRealtime == 0 && sb.checkBlocks(m.start, m.n) != nil {
		return 0, m, ondisk.Corruptf(ondisk.NoOffset, "log mapping intent for blocks %#x+%d of inode %d at %#x", m.off, m.n, ino, m.start)
	}
	return ino, m, nil
}

// Operations of attribute intents. Those on parent pointers do not show.
const (
	attrSet     = 1
	attrRemove  = 2
	attrReplace = 3
)

// attrIntentSize is the size of struct xfs_attri_log_format.
const attrIntentSize = 40

// checkAttr checks an attribute intent as the kernel does (xfs_attri_validate
// and what comes of it): name and, but for a removal, a value, in regions that
// are padded to whole words.
func checkAttr(regions [][]byte, sb *superblock) error {
	f := regions[0]
	if len(f) != attrIntentSize {
		return ondisk.Corruptf(ondisk.NoOffset, "log attribute intent of %d bytes", len(f))
	}
	op, nameLen, valueLen, flags := le.Uint32(f[24:]), le.Uint32(f[28:]), le.Uint32(f[32:]), le.Uint32(f[36:])
	if flags&attrParent != 0 || op < attrSet || op > attrReplace {
		return nil
	}
	want := []uint32{attrIntentSize, nameLen}
	if valueLen > 0 {
		want = append(want, valueLen)
	}
	ok := nameLen >= 1 && nameLen <= math.MaxUint8 && valueLen <= fsys.MaxXattr && (valueLen == 0 || op != attrRemove) &&
		flags&^(attrNamespace|attrIncomplete) == 0 && sb.checkInode(le.Uint64(f[16:])) == nil && len(regions) == len(want)
	for i := 0; ok && i < len(want); i++ {
		ok = uint32(len(regions[i])) == (want[i]+3)&^3
	}
	if !ok {
		return ondisk.Corruptf(ondisk.NoOffset, "log attribute intent %d of %d regions: name of %d bytes, value of %d, flags %#x, inode %d",
			op, len(regions), nameLen, valueLen, flags, le.Uint64(f[16:]))
	}
	return nil
}

// takeAttr takes struct xfs_attri_log_format and what follows it, checked.
func (in *intents) takeAttr(regions [][]byte) error {
	f := regions[0]
	ino, op, flags := le.Uint64(f[16:]), le.Uint32(f[24:]), byte(le.Uint32(f[36:]))
	if flags&attrParent != 0 {
		return nil
	}
	if op < attrSet || op > attrReplace {
		return ondisk.Unsupportedf("xfs log with an unfinished attribute change of type %d: mount and unmount the filesystem", op)
	}
	if len(in.attrs[ino]) >= maxInodeIntents {
		return ondisk.Corruptf(ondisk.NoOffset, "log with more than %d attribute intents for inode %d", maxInodeIntents, ino)
	}
	a := attrIntent{flags: flags & attrNamespace, remove: op == attrRemove, name: regions[1][:le.Uint32(f[28:])]}
	if n := le.Uint32(f[32:]); n > 0 {
		a.value = regions[2][:n]
	}
	in.attrs[ino] = append(in.attrs[ino], a)
	return nil
}

// remap carries out what was promised for a fork's mapping.
func (in *intents) remap(list []extent, sb *superblock, d *dinode, f *fork) ([]extent, error) {
	for _, m := range in.maps[d.ino] {
		if m.attr != f.isAttr {
			continue
		}
		first := sort.Search(len(list), func(i int) bool { return list[i].end() > m.off })
		last := sort.Search(len(list), func(i int) bool { return list[i].off >= m.off+m.n })
		var put []extent
		if !m.unmap {
			if first != last {
				return nil, ondisk.Corruptf(d.off, "log maps blocks %#x+%d of a file where it has others", m.off, m.n)
			}
			if !d.rt || f.isAttr {
				if err := sb.checkBlocks(m.start, m.n); err != nil {
					return nil, ondisk.At(err, d.off)
				}
			}
			put = []extent{m.extent}
		} else if first < last {
			if e := list[first]; e.off < m.off {
				e.n = m.off - e.off
				put = append(put, e)
			}
			if e := list[last-1]; e.end() > m.off+m.n {
				cut := m.off + m.n - e.off
				put = append(put, extent{e.off + cut, e.start + cut, e.n - cut, e.unwritten})
			}
		}
		now := make([]extent, 0, len(list)+2)
		now = append(append(append(now, list[:first]...), put...), list[last:]...)
		list = now
	}
	return list, nil
}

// setAttrs carries out what was promised for an inode's attributes.
func (in *intents) setAttrs(l *attrList) error {
	for _, a := range in.attrs[l.d.ino] {
		full, acl := attrName(a.flags, a.name)
		l.list = slices.DeleteFunc(l.list, func(x fsys.Xattr) bool { return x.Name == full || x.Name == acl })
		if a.remove {
			continue
		}
		if err := l.add(a.flags, a.name, a.value, l.d.off); err != nil {
			return err
		}
	}
	return nil
}
