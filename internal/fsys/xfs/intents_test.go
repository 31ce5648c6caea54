package xfs

import (
	"fmt"
	"reflect"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
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

// attrItem is struct xfs_attri_log_format with its name and value.
func attrItem(op uint32, flags byte, name, value string) *item {
	f := make([]byte, 40)
	le.PutUint16(f, itemATTRI)
	le.PutUint64(f[8:], 77)
	le.PutUint64(f[16:], 7)
	le.PutUint32(f[24:], op)
	le.PutUint32(f[28:], uint32(len(name)))
	le.PutUint32(f[32:], uint32(len(value)))
	f[36] = flags
	// Regions are padded to whole words.
	return &item{regions: [][]byte{f, []byte(name + "\x00\x00"), []byte(value + "\x00")}}
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
			r := newReplayer(&FS{})
			for _, it := range c.items {
				if err := r.other(it); err != nil {
					t.Fatal(err)
				}
			}
			err := r.finish()
			fs := &FS{intents: r.fs.intents}
			list, err2 := fs.xattrs(&dinode{ino: 7, attr: fork{format: formatLocal, b: []byte{0, 11, 1, 0, 3, 1, 0, 'o', 'l', 'd', 'x'}}})
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
