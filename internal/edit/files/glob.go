// Package files leaves paths out of a tree and adds files of the host to it.
package files

import (
	"fmt"
	"path"
	"strings"
)

// Glob is a compiled pattern over paths of the tree.
//
// Elements of a pattern are separated by slashes. In an element, * stands for
// any characters, ? for one, [abc], [a-z] and [^a] (or [!a]) for one of a
// set, and \ takes away the meaning of the next character. An element ** stands
// for any number of directories. A pattern matches from the root; one without
// a slash matches names at any depth; one with a slash at its end matches
// directories only.
type Glob struct {
	text    string
	elems   []string // "**" for any number
	dirOnly bool
}

const anyDirs = "**"

// Compile checks a pattern.
func Compile(pattern string) (*Glob, error) {
	g := &Glob{text: pattern}
	p, dir := strings.CutSuffix(pattern, "/")
	g.dirOnly = dir
	rooted := strings.Contains(p, "/")
	for e := range strings.SplitSeq(strings.TrimPrefix(p, "/"), "/") {
		if e == "" || e == "." || e == ".." {
			return nil, fmt.Errorf("pattern %q: has an empty element, \".\" or \"..\"", pattern)
		}
		e = strings.ReplaceAll(e, "[!", "[^")
		if _, err := path.Match(e, ""); err != nil {
			return nil, fmt.Errorf("pattern %q: %w", pattern, err)
		}
		if n := len(g.elems); e == anyDirs && n > 0 && g.elems[n-1] == anyDirs {
			continue
		}
		g.elems = append(g.elems, e)
	}
	if !rooted && g.elems[0] != anyDirs {
		g.elems = append([]string{anyDirs}, g.elems...)
	}
	return g, nil
}

// state is the set of elements that may come next, by index, on the way down.
type state []int

func (g *Glob) start() state { return g.closure(nil, 0) }

// closure adds index i, and what follows a ** that stands for nothing.
func (g *Glob) closure(s state, i int) state {
	s = append(s, i)
	if i < len(g.elems)-1 && g.elems[i] == anyDirs {
		s = append(s, i+1)
	}
	return s
}

// step goes down by a name; matched tells whether the whole pattern fits the
// path so far.
func (g *Glob) step(s state, name string) (next state, matched bool) {
	for _, i := range s {
		if g.elems[i] == anyDirs {
			matched = matched || i == len(g.elems)-1
			next = g.closure(next, i)
			continue
		}
		if ok, _ := path.Match(g.elems[i], name); !ok { // Compile has seen the error
			continue
		}
		if i == len(g.elems)-1 {
			matched = true
		} else {
			next = g.closure(next, i+1)
		}
	}
	return dedup(next), matched
}

// dedup keeps a state no larger than the pattern.
func dedup(s state) state {
	seen := map[int]bool{}
	out := s[:0]
	for _, i := range s {
		if !seen[i] {
			seen[i] = true
			out = append(out, i)
		}
	}
	return out
}
