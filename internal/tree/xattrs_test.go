package tree

import (
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
)

// labelled is fakeFS whose inodes with an even number have one label, those
// with an odd number another.
type labelled struct{ fakeFS }

func (fs labelled) Inode(i fsys.Ino) (*fsys.Inode, error) {
	n, err := fs.fakeFS.Inode(i)
	if err == nil {
		list := make([]fsys.Xattr, 0, 4)
		n.Xattrs = append(list, fsys.Xattr{Name: "security.selinux", Value: []byte{byte(i % 2)}}, fsys.Xattr{Name: "user.x", Value: []byte{}})
	}
	return n, err
}

func TestLoadSharesXattrs(t *testing.T) {
	tr, err := Load(t.Context(), labelled{chain(1, 1, 4)}, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	dir := tr.Root.Child("d")
	for i, name := range []string{"0", "1", "2", "3"} { // inodes 3, 4, 5, 6
		n := dir.Child(name)
		if v, ok := n.Xattr("security.selinux"); !ok || v[0] != byte((i+1)%2) || len(n.Xattrs) != 2 {
			t.Errorf("%s has %v", name, n.Xattrs)
		}
	}
	a, b := dir.Child("0"), dir.Child("2")
	if &a.Xattrs[0] != &b.Xattrs[0] {
		t.Error("equal lists are not shared")
	}
	a.Xattrs = append(a.Xattrs, fsys.Xattr{Name: "user.y"})
	b.Xattrs = append(b.Xattrs, fsys.Xattr{Name: "user.z"})
	if a.Xattrs[2].Name != "user.y" {
		t.Error("what is appended to one list shows in another")
	}
}
