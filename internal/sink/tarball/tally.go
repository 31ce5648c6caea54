package tarball

import (
	"cmp"
	"slices"

	"github.com/wslimg/wslimg/internal/sink"
)

// tally counts what goes into the archive and what cannot.
type tally struct {
	sink.Stats
	losses map[string]*sink.Loss
}

func newTally() *tally {
	return &tally{Stats: sink.Stats{Entries: map[string]int{}}, losses: map[string]*sink.Loss{}}
}

func (t *tally) lose(kind, path string, info bool) {
	l := t.losses[kind]
	if l == nil {
		l = &sink.Loss{Kind: kind, First: path, Info: info}
		t.losses[kind] = l
	}
	l.Count++
}

func (t *tally) result() sink.Stats {
	s := t.Stats
	for _, l := range t.losses {
		s.Losses = append(s.Losses, *l)
	}
	slices.SortFunc(s.Losses, func(a, b sink.Loss) int { return cmp.Compare(a.Kind, b.Kind) })
	return s
}
