package tree

import (
	"cmp"
	"slices"
)

// Order is the order in which a sink emits the tree.
type Order int

// The orders.
const (
	Disk Order = iota // directories, then regular files by first physical byte, then the rest
	Path              // sorted by path
)

// Item is one name to be emitted.
type Item struct {
	Node *Node
	// Target is set on every name of a hard-linked inode but the first in path
	// order: that one, which is emitted earlier.
	Target *Item

	dir   *Item  // nil for the root
	entry *Entry // in dir
}

// Path returns the rooted path. It is put together on each call: the paths of
// a tree may need far more memory than the tree.
func (it *Item) Path() string {
	if it.dir == nil {
		return "/"
	}
	n := 0
	for i := it; i.dir != nil; i = i.dir {
		n += 1 + len(i.entry.Name)
	}
	path := make([]byte, n)
	for i := it; i.dir != nil; i = i.dir {
		n -= len(i.entry.Name)
		copy(path[n:], i.entry.Name)
		n--
		path[n] = '/'
	}
	return string(path)
}

// Items lists every name once, parents before what is in them. They are good
// for as long as the tree does not change.
func (t *Tree) Items(o Order) []*Item {
	var items []*Item
	first := map[*Node]*Item{}
	add := func(dir *Item, e *Entry) *Item {
		it := &Item{Node: e.Node, dir: dir, entry: e}
		if e.Node.Links > 1 && !e.Node.IsDir() {
			if it.Target = first[e.Node]; it.Target == nil {
				first[e.Node] = it
			}
		}
		items = append(items, it)
		return it
	}
	type step struct {
		dir  *Item
		next int // entry to go on with
	}
	stack := []step{{dir: add(nil, &Entry{Node: t.Root})}}
	for len(stack) > 0 {
		s := &stack[len(stack)-1]
		entries := s.dir.Node.Entries()
		if s.next == len(entries) {
			stack = stack[:len(stack)-1]
			continue
		}
		e := &entries[s.next]
		s.next++
		if it := add(s.dir, e); e.Node.IsDir() {
			stack = append(stack, step{dir: it})
		}
	}
	if o == Disk {
		sortByPlace(items)
	}
	return items
}

func sortByPlace(items []*Item) {
	type placed struct {
		place
		i  int // keeps the order of items that share a place
		it *Item
	}
	all := make([]placed, len(items))
	for i, it := range items {
		all[i] = placed{diskPlace(it), i, it}
	}
	slices.SortFunc(all, func(a, b placed) int {
		switch {
		case a.class != b.class:
			return cmp.Compare(a.class, b.class)
		case a.volume != b.volume:
			return cmp.Compare(a.volume, b.volume)
		case a.phys != b.phys:
			return cmp.Compare(a.phys, b.phys)
		}
		return a.i - b.i
	})
	for i := range all {
		items[i] = all[i].it
	}
}

// place is where an item belongs in disk order.
type place struct {
	class  uint32
	volume uint32
	phys   int64
}

func diskPlace(it *Item) place {
	n := it.Node
	switch {
	case it.Target != nil:
		return place{class: 3}
	case n.IsDir():
		return place{class: 0}
	case n.IsRegular() && n.Content != nil:
		if phys := n.Content.FirstPhys(); phys >= 0 {
			return place{class: 1, volume: uint32(n.Content.Volume), phys: phys} //nolint:gosec // a small number
		}
	}
	return place{class: 2}
}
