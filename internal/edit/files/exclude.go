package files

import (
	"context"
	"fmt"
	"slices"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// Exclude returns the edit that leaves out what the patterns match, with all
// that is below. What a symbolic link leads to is not touched.
func Exclude(patterns []string) (edit.Edit, error) {
	e := &exclude{}
	for _, p := range patterns {
		g, err := Compile(p)
		if err != nil {
			return nil, err
		}
		e.globs = append(e.globs, g)
	}
	return e, nil
}

type exclude struct {
	globs []*Glob
	notes []string
}

func (e *exclude) Name() string { return "exclude" }

// Notes names the patterns that matched nothing.
func (e *exclude) Notes() []string { return e.notes }

// hit counts what one pattern took out.
type hit struct {
	first string
	n     int
}

func (e *exclude) Apply(ctx context.Context, t *tree.Tree) ([]edit.Change, error) {
	type step struct {
		dir    *tree.Node
		path   string
		states []state
	}
	begin := step{dir: t.Root}
	for _, g := range e.globs {
		begin.states = append(begin.states, g.start())
	}
	hits := make([]hit, len(e.globs))
	for todo := []step{begin}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		for _, entry := range slices.Clone(s.dir.Entries()) {
			path := s.path + "/" + entry.Name
			below := step{dir: entry.Node, path: path, states: make([]state, len(e.globs))}
			gone, alive := false, false
			for i, g := range e.globs {
				var matched bool
				below.states[i], matched = g.step(s.states[i], entry.Name)
				if matched && (entry.Node.IsDir() || !g.dirOnly) {
					if hits[i].n++; hits[i].n == 1 {
						hits[i].first = path
					}
					gone = true
				}
				alive = alive || len(below.states[i]) > 0
			}
			if gone {
				if _, err := t.Remove(path); err != nil {
					return nil, err
				}
			} else if alive && entry.Node.IsDir() {
				todo = append(todo, below)
			}
		}
	}
	return e.report(hits), nil
}

func (e *exclude) report(hits []hit) []edit.Change {
	var changes []edit.Change
	e.notes = nil
	for i, h := range hits {
		if h.n == 0 {
			e.notes = append(e.notes, fmt.Sprintf("--exclude %s matched nothing", fsys.Printable(e.globs[i].text)))
			continue
		}
		what := "left out"
		if h.n > 1 {
			what = fmt.Sprintf("left out, and %d more that fit %s", h.n-1, fsys.Printable(e.globs[i].text))
		}
		changes = append(changes, edit.Change{Rule: e.Name(), Path: h.first, What: what})
	}
	return changes
}
