package xfs

import (
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

func TestRemap(t *testing.T) {
	old := []extent{{0, 100, 10, false}, {20, 200, 10, false}, {30, 300, 10, true}}
	for _, c := range []struct {
		name string
		maps []mapIntent
		want []extent
	}{
		{"nothing", nil, old},
		{"another fork", []mapIntent{{extent: extent{off: 0, n: 10}, unmap: true, attr: true}}, old},
		{"whole extent", []mapIntent{{extent: extent{off: 20, n: 10}, unmap: true}}, []extent{old[0], old[2]}},
		{"middle", []mapIntent{{extent: extent{off: 3, n: 4}, unmap: true}},
			[]extent{{0, 100, 3, false}, {7, 107, 3, false}, old[1], old[2]}},
		{"across", []mapIntent{{extent: extent{off: 5, n: 30}, unmap: true}},
			[]extent{{0, 100, 5, false}, {35, 305, 5, true}}},
		{"hole", []mapIntent{{extent: extent{off: 12, n: 5}, unmap: true}}, old},
		{"put", []mapIntent{{extent: extent{12, 500, 5, false}}},
			[]extent{old[0], {12, 500, 5, false}, old[1], old[2]}},
		{"put behind", []mapIntent{{extent: extent{50, 500, 5, true}}},
			[]extent{old[0], old[1], old[2], {50, 500, 5, true}}},
		{"copy on write", []mapIntent{{extent: extent{off: 22, n: 2}, unmap: true}, {extent: extent{22, 600, 2, false}}},
			[]extent{old[0], {20, 200, 2, false}, {22, 600, 2, false}, {24, 204, 6, false}, old[2]}},
		{"put over", []mapIntent{{extent: extent{5, 500, 5, false}}}, nil},
		{"put outside", []mapIntent{{extent: extent{12, 5000, 5, false}}}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := intents{maps: map[uint64][]mapIntent{7: c.maps}}
			before := fmt.Sprint(old)
			got, err := in.remap(old, geometry(), &dinode{ino: 7}, &fork{})
			if (err != nil) != (c.want == nil) || err == nil && !reflect.DeepEqual(got, c.want) {
				t.Errorf("got  %v, %v\nwant %v", got, err, c.want)
			}
			if fmt.Sprint(old) != before {
				t.Error("changes what it was given")
			}
			if got, err := in.remap(old, geometry(), &dinode{ino: 8}, &fork{}); err != nil || !reflect.DeepEqual(got, old) {
				t.Errorf("changes another inode: %v, %v", got, err)
			}
		})
	}
}

// padded returns a region of s, which has whole words.
func padded(s string) []byte { return append([]byte(s), make([]byte, -len(s)&3)...) }

// attrItem is struct xfs_attri_log_format with its name and value.
func attrItem(op uint32, flags byte, name, value string) *item {
	f := make([]byte, 40)
	le.PutUint16(f, itemATTRI)
	le.PutUint64(f[8:], 77)
	le.PutUint64(f[16:], 128)
	le.PutUint32(f[24:], op)
	le.PutUint32(f[28:], uint32(len(name)))
	le.PutUint32(f[32:], uint32(len(value)))
	f[36] = flags
	it := &item{regions: [][]byte{f, padded(name)}}
	if value != "" {
		it.regions = append(it.regions, padded(value))
	}
	return it
}

func TestPromisedAttributes(t *testing.T) {
	for _, c := range []struct {
		name  string
		items []*item
		want  string
	}{
		{"set", []*item{attrItem(attrSet, 0, "n", "v")}, "[user.n=v user.old=x]"},
		{"replace", []*item{attrItem(attrReplace, 0, "old", "v")}, "[user.old=v]"},
		{"remove", []*item{attrItem(attrRemove, 0, "old", "")}, "[]"},
		{"remove an ACL", []*item{attrItem(attrRemove, attrRoot, "SGI_ACL_FILE", "")}, "[user.old=x]"},
		{"other namespace", []*item{attrItem(attrSet, attrSecure, "old", "v")}, "[security.old=v user.old=x]"},
		{"parent pointer", []*item{attrItem(4, attrParent, "n", "v")}, "[user.old=x]"},
		{"done", []*item{attrItem(attrSet, 0, "n", "v"), {regions: [][]byte{append([]byte{0x47, 0x12, 1, 0, 0, 0, 0, 0, 77}, make([]byte, 7)...)}}}, "[user.old=x]"},
		{"unknown", []*item{attrItem(9, 0, "n", "v")}, "xfs log with an unfinished attribute change of type 9: mount and unmount the filesystem"},
		{"exchange", []*item{{regions: [][]byte{append([]byte{0x48, 0x12}, make([]byte, 86)...)}}}, "xfs log with an unfinished exchange of two files' contents: mount and unmount the filesystem"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplayer(&FS{sb: geometry()})
			for _, it := range c.items {
				if err := r.other(it); err != nil {
					t.Fatal(err)
				}
			}
			err := r.finish()
			fs := &FS{sb: geometry(), intents: r.fs.intents}
			list, err2 := fs.xattrs(&dinode{ino: 128, attr: fork{format: formatLocal, b: []byte{0, 11, 1, 0, 3, 1, 0, 'o', 'l', 'd', 'x'}}})
			got := ""
			switch {
			case err != nil:
				got = err.Error()
			case err2 != nil:
				got = err2.Error()
			default:
				got = show(list)
			}
			if got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func show(list []fsys.Xattr) string {
	var s []string
	for _, x := range list {
		s = append(s, x.Name+"="+string(x.Value))
	}
	return fmt.Sprint(s)
}

// spaceItem is an intent about space with one extent of size bytes, whose
// block and count lie at start and at count.
func spaceItem(kind uint16, size, start, count int, fsb uint64, n uint32) *item {
	f := make([]byte, 16+size)
	le.PutUint16(f, kind)
	le.PutUint32(f[4:], 1)
	le.PutUint64(f[8:], 77)
	le.PutUint64(f[16+start:], fsb)
	le.PutUint32(f[16+count:], n)
	return &item{regions: [][]byte{f}}
}

// mapItem is a mapping intent.
func mapItem(ino, fsb, off uint64, n, flags uint32) *item {
	f := make([]byte, mapIntentSize)
	le.PutUint16(f, itemBUI)
	le.PutUint32(f[4:], 1)
	le.PutUint64(f[8:], 77)
	le.PutUint64(f[16:], ino)
	le.PutUint64(f[24:], fsb)
	le.PutUint64(f[32:], off)
	le.PutUint32(f[40:], n)
	le.PutUint32(f[44:], flags)
	return &item{regions: [][]byte{f}}
}

// doneItem takes back the intents above.
func doneItem(kind uint16, more int) *item {
	f := make([]byte, 16+more)
	le.PutUint16(f, kind)
	le.PutUint64(f[8:], 77)
	return &item{regions: [][]byte{f}}
}

// TestBrokenPromises has intents that no kernel would carry out, and for each
// one that differs in little and is all right.
func TestBrokenPromises(t *testing.T) {
	cut := func(it *item) *item { it.regions[0] = it.regions[0][:len(it.regions[0])-4]; return it }
	count := func(it *item) *item { it.regions[0][4]++; return it }
	more := func(it *item, b ...byte) *item { it.regions = append(it.regions, b); return it }
	incomplete := byte(attrIncomplete)
	for _, c := range []struct {
		name  string
		items []*item
		want  string // "" if it is all right
	}{
		{"map", []*item{mapItem(128, 100, 5, 3, mapMap)}, ""},
		{"unmap", []*item{mapItem(128, 100, 5, 3, mapUnmap|mapAttr|mapUnwritten)}, ""},
		{"map of a realtime file", []*item{mapItem(128, 1<<40, 5, 3, mapMap|mapRealtime)}, ""},
		{"map: no blocks", []*item{mapItem(128, 100, 5, 0, mapMap)}, "log mapping intent for blocks 0x5+0 of inode 128 at 0x64"},
		{"map: outside", []*item{mapItem(128, 1000, 5, 3, mapMap)}, "log mapping intent for blocks"},
		{"unmap: outside", []*item{mapItem(128, 1000, 5, 3, mapUnmap)}, "log mapping intent for blocks"},
		{"map: inode", []*item{mapItem(7, 100, 5, 3, mapMap)}, "log mapping intent for blocks"},
		{"map: flag", []*item{mapItem(128, 100, 5, 3, mapMap|1<<8)}, "log mapping intent with flags 0x101"},
		{"map: operation", []*item{mapItem(128, 100, 5, 3, 3)}, "log mapping intent with flags 0x3"},
		{"map: outside, but done", []*item{mapItem(7, 1000, 5, 0, 3), doneItem(itemBUD, 0)}, ""},
		{"map: size", []*item{cut(mapItem(128, 100, 5, 3, mapMap))}, "log mapping intent of 44 bytes with 1 extents"},
		{"map: count", []*item{count(mapItem(128, 100, 5, 3, mapMap))}, "log mapping intent of 48 bytes with 2 extents"},
		{"done: size", []*item{doneItem(itemBUD, 4)}, "log intent done of kind 0x1245 with 20 bytes"},

		{"free", []*item{spaceItem(itemEFI, 16, 0, 8, 100, 3)}, ""},
		{"free, of 32 bits", []*item{spaceItem(itemEFI, 12, 0, 8, 100, 3)}, ""},
		{"free: outside", []*item{spaceItem(itemEFI, 16, 0, 8, 998, 3)}, "log intent of kind 0x1236 for blocks outside"},
		{"free: outside, of 32 bits", []*item{spaceItem(itemEFI, 12, 0, 8, 998, 3)}, "log intent of kind 0x1236 for blocks outside"},
		{"free: outside, but done", []*item{spaceItem(itemEFI, 16, 0, 8, 998, 3), doneItem(itemEFD, 16)}, ""},
		{"free: size", []*item{cut(cut(spaceItem(itemEFI, 16, 0, 8, 100, 3)))}, "log intent of kind 0x1236 with 1 extents in 24 bytes"},
		{"owner", []*item{spaceItem(itemRUI, 32, 8, 24, 100, 3)}, ""},
		{"owner: outside", []*item{spaceItem(itemRUI, 32, 8, 24, 998, 3)}, "log intent of kind 0x1240 for blocks outside"},
		{"owner: count", []*item{count(spaceItem(itemRUI, 32, 8, 24, 100, 3))}, "log intent of kind 0x1240 with 2 extents in 48 bytes"},
		{"references", []*item{spaceItem(itemCUI, 16, 0, 8, 100, 3)}, ""},
		{"references: outside", []*item{spaceItem(itemCUI, 16, 0, 8, 1<<40, 3)}, "log intent of kind 0x1242 for blocks outside"},

		{"attribute", []*item{attrItem(attrSet, incomplete, "name", "v")}, ""},
		{"attribute: no name", []*item{attrItem(attrSet, 0, "", "v")}, "log attribute intent 1 of 3 regions: name of 0 bytes, value of 1, flags 0x0, inode 128"},
		{"attribute: more regions", []*item{more(attrItem(attrSet, 0, "n", "v"), 0)}, "log attribute intent 1 of 4 regions"},
		{"attribute: flag", []*item{attrItem(attrSet, 1<<4, "n", "v")}, "log attribute intent 1 of 3 regions"},
		{"attribute: removed value", []*item{attrItem(attrRemove, 0, "n", "v")}, "log attribute intent 2 of 3 regions"},
		{"attribute: size", []*item{cut(attrItem(attrSet, 0, "n", "v"))}, "log attribute intent of 36 bytes"},
		{"attribute: bad, and done", []*item{attrItem(attrSet, 0, "", "v"), doneItem(itemATTRD, 0)}, "log attribute intent 1 of 3 regions"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newReplayer(&FS{sb: geometry()})
			var err error
			for _, it := range c.items {
				if err == nil {
					err = r.other(it)
				}
			}
			if err == nil {
				err = r.finish()
			}
			if c.want == "" && err != nil || c.want != "" && (!errors.Is(err, ondisk.ErrCorrupt) || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}
