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

// Item is one name to be emitted. LinkTo is set on every name of a hard-linked
// inode but its first by path, and the one with LinkTo comes later.
type Item struct {
	Path   string
	Node   *Node
	LinkTo string
}

// Items lists every name once, parents before what is in them.
func (t *Tree) Items(o Order) []Item {
	var items []Item
	first := map[*Node]string{}
	_ = t.Walk(func(path string, n *Node) error { // visit never fails
		it := Item{Path: path, Node: n}
		if n.Links > 1 && !n.IsDir() {
			if to, ok := first[n]; ok {
				it.LinkTo = to
			} else {
				first[n] = path
			}
		}
		items = append(items, it)
		return nil
	})
	if o == Disk {
		slices.SortStableFunc(items, func(a, b Item) int { return diskPlace(a).compare(diskPlace(b)) })
	}
	return items
}

// place is where an item belongs in disk order.
type place struct {
	class, volume int
	phys          int64
}

func diskPlace(it Item) place {
	n := it.Node
	switch {
	case it.LinkTo != "":
		return place{class: 3}
	case n.IsDir():
		return place{class: 0}
	case n.IsRegular() && n.Content != nil && n.Content.FirstPhys() >= 0:
		return place{class: 1, volume: n.Content.Volume, phys: n.Content.FirstPhys()}
	}
	return place{class: 2}
}

func (a place) compare(b place) int {
	return cmp.Or(cmp.Compare(a.class, b.class), cmp.Compare(a.volume, b.volume), cmp.Compare(a.phys, b.phys))
}
