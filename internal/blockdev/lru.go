package blockdev

import (
	"container/list"
	"sync"
)

// LRU is a map of bounded weight that forgets what was used least recently.
// It is safe for concurrent use; what it hands out must not be changed.
type LRU[K comparable, V any] struct {
	mu    sync.Mutex
	limit int64
	used  int64
	items map[K]*list.Element
	order list.List // of *lruItem[K, V], most recently used first
}

type lruItem[K comparable, V any] struct {
	key    K
	value  V
	weight int64
}

// NewLRU makes an LRU that holds items of limit bytes in all.
func NewLRU[K comparable, V any](limit int64) *LRU[K, V] {
	return &LRU[K, V]{limit: limit, items: make(map[K]*list.Element)}
}

// Get returns the value of key, if it is still known.
func (c *LRU[K, V]) Get(key K) (value V, ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.get(key)
}

// get, add, makeRoom and drop want mu held.
func (c *LRU[K, V]) get(key K) (value V, ok bool) {
	e, ok := c.items[key]
	if !ok {
		return value, false
	}
	c.order.MoveToFront(e)
	return e.Value.(*lruItem[K, V]).value, true
}

// Add remembers value, which takes weight bytes, in the place of older ones.
// A value heavier than the limit is not kept.
func (c *LRU[K, V]) Add(key K, value V, weight int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(key, value, weight)
}

func (c *LRU[K, V]) add(key K, value V, weight int64) {
	if e, ok := c.items[key]; ok {
		c.drop(e)
	}
	if weight > c.limit {
		return
	}
	for c.used > c.limit-weight {
		c.drop(c.order.Back())
	}
	c.items[key] = c.order.PushFront(&lruItem[K, V]{key, value, weight})
	c.used += weight
}

// makeRoom forgets, if there is no room for weight bytes, what was used least
// recently, and returns it.
func (c *LRU[K, V]) makeRoom(weight int64) (value V, ok bool) {
	e := c.order.Back()
	if e == nil || c.used <= c.limit-weight {
		return value, false
	}
	c.drop(e)
	return e.Value.(*lruItem[K, V]).value, true
}

func (c *LRU[K, V]) drop(e *list.Element) {
	item := c.order.Remove(e).(*lruItem[K, V])
	delete(c.items, item.key)
	c.used -= item.weight
}

// Clear forgets everything.
func (c *LRU[K, V]) Clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.items)
	c.order.Init()
	c.used = 0
}
