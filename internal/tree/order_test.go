package tree

import (
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
)

func contentAt(volume int, phys ...int64) *Content {
	c := &Content{Volume: volume}
	for _, p := range phys {
		c.Runs = append(c.Runs, fsys.Run{Off: c.Size, Len: 10, Phys: p})
		c.Size += 10
	}
	return c
}

// orderTree has a name for each of the classes that Disk tells apart.
func orderTree() *Tree {
	dir := func() *Node { return &Node{Mode: fsys.ModeDir} }
	file := func(c *Content) *Node { return &Node{Mode: fsys.ModeRegular, Content: c} }
	root, a, z := dir(), dir(), dir()
	root.Links = 1
	root.Set("z", z)
	root.Set("a", a)
	root.Set("a-b", file(contentAt(0, 300)))
	shared := file(contentAt(0, 200))
	a.Set("shared", shared)
	root.Set("Shared", shared)
	z.Set("late", file(contentAt(0, fsys.Hole, 900, 50)))
	z.Set("other volume", file(contentAt(1, 10)))
	z.Set("empty", file(nil))
	z.Set("hole", file(contentAt(0, fsys.Hole)))
	z.Set("inline", file(contentAt(0, fsys.Encoded)))
	z.Set("memory", file(Bytes([]byte("x"))))
	fifo := &Node{Mode: fsys.ModeFifo}
	a.Set("fifo", fifo)
	z.Set("fifo", fifo)
	return &Tree{Root: root}
}

func list(items []*Item) (paths []string) {
	for _, it := range items {
		p := it.Path()
		if it.Target != nil {
			p += " -> " + it.Target.Path()
		}
		paths = append(paths, p)
	}
	return paths
}

func TestItems(t *testing.T) {
	for o, want := range map[Order][]string{
		Path: {
			"/", "/Shared", "/a", "/a/fifo", "/a/shared -> /Shared", "/a-b", "/z", "/z/empty", "/z/fifo -> /a/fifo",
			"/z/hole", "/z/inline", "/z/late", "/z/memory", "/z/other volume",
		},
		Disk: {
			"/", "/a", "/z",
			"/z/late", "/Shared", "/a-b", "/z/other volume",
			"/a/fifo", "/z/empty", "/z/hole", "/z/inline", "/z/memory",
			"/a/shared -> /Shared", "/z/fifo -> /a/fifo",
		},
	} {
		if got := list(orderTree().Items(o)); !slices.Equal(got, want) {
			t.Errorf("order %d:\n got %q\nwant %q", o, got, want)
		}
	}
}

// A chain of directories has paths of a total length that is the square of its
// depth; listing it must not need that much.
func TestItemsOfADeepTree(t *testing.T) {
	const depth = 20_000
	root := &Node{Mode: fsys.ModeDir}
	for n := range depth {
		up := &Node{Mode: fsys.ModeDir}
		up.Set(strings.Repeat("n", 200+n%50), root)
		root = up
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	items := (&Tree{Root: root}).Items(Disk)
	runtime.ReadMemStats(&after)
	if len(items) != depth+1 {
		t.Errorf("%d items, want %d", len(items), depth+1)
	}
	if allocated := after.TotalAlloc - before.TotalAlloc; allocated > depth*1000 {
		t.Errorf("%d bytes allocated for %d items", allocated, depth)
	}
	want := 0
	for n := range depth {
		want += 1 + 200 + n%50
	}
	if got := len(items[depth].Path()); got != want {
		t.Errorf("the last path has %d bytes, want %d", got, want)
	}
}
