package tree

import (
	"bytes"
	"hash/maphash"
	"slices"
	"sync"

	"github.com/wslimg/wslimg/internal/fsys"
)

// xattrSets keeps one of the many equal lists of attributes that the inodes of
// a system have: with SELinux, all have a label, and there are few of those.
type xattrSets struct {
	seed maphash.Seed
	mu   sync.Mutex
	sets map[uint64][]fsys.Xattr // by hash; of those that share one, the first
}

// shared returns list, or one that equals it.
func (s *xattrSets) shared(list []fsys.Xattr) []fsys.Xattr {
	if len(list) == 0 {
		return nil
	}
	var h maphash.Hash
	h.SetSeed(s.seed)
	for _, x := range list {
		_, _ = h.WriteString(x.Name)
		_, _ = h.Write(x.Value) // neither fails
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	known, ok := s.sets[h.Sum64()]
	if ok && slices.EqualFunc(known, list, equalXattrs) {
		return known
	}
	list = slices.Clip(list) // what is appended goes elsewhere
	if !ok {
		s.sets[h.Sum64()] = list
	}
	return list
}

func equalXattrs(a, b fsys.Xattr) bool { return a.Name == b.Name && bytes.Equal(a.Value, b.Value) }
