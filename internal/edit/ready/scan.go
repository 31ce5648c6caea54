package ready

import (
	"errors"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// problem is what a rule finds.
type problem struct {
	path, what string
	act        act
	severity   Severity     // of the rule unless set
	repair     func() error // nil when only the user can
}

// act says the same thing as advice and as report.
type act struct{ fix, done string }

var (
	removeIt  = act{"remove it", "removed"}
	maskIt    = act{"mask it", "masked"}
	emptyIt   = act{"empty it", "emptied"}
	commentIt = act{"comment it out", "commented out"}
)

// scan is one rule at work.
type scan struct {
	t        *tree.Tree
	o        *Options
	os       osinfo.Info
	problems []problem
	err      error // of the medium, not of the tree
}

func (s *scan) add(p problem) { s.problems = append(s.problems, p) }

// failed notes errors that are no answer: a missing file is one.
func (s *scan) failed(err error) bool {
	if err == nil {
		return false
	}
	if !errors.Is(err, tree.ErrNotExist) && !errors.Is(err, tree.ErrNotDir) && !errors.Is(err, tree.ErrLoop) {
		s.err = errors.Join(s.err, err)
	}
	return true
}

// maxText bounds the configuration files that rules read.
const maxText = 1 << 20

// read returns a file's text, "" where there is none.
func (s *scan) read(path string) string {
	b, err := s.t.ReadFile(path, maxText)
	if s.failed(err) {
		return ""
	}
	return string(b)
}

// lstat returns what is at path, nil where there is nothing.
func (s *scan) lstat(path string) *tree.Node {
	n, err := s.t.Lstat(path)
	if s.failed(err) {
		return nil
	}
	return n
}

// lookup is lstat that follows links.
func (s *scan) lookup(path string) *tree.Node {
	n, err := s.t.Lookup(path)
	if s.failed(err) {
		return nil
	}
	return n
}

// list returns the entries of a directory, none where there is none.
func (s *scan) list(path string) []tree.Entry {
	if n := s.lookup(path); n != nil {
		return slices.Clone(n.Entries())
	}
	return nil
}

// remove finds that path should not be there.
func (s *scan) remove(path, what string) {
	s.add(problem{path: path, what: what, act: removeIt, repair: func() error {
		_, err := s.t.Remove(path)
		return err
	}})
}

// write finds that the file at path should hold data.
func (s *scan) write(path string, data []byte, perm uint32, what string, a act) {
	s.add(problem{path: path, what: what, act: a, repair: func() error {
		return write(s.t, path, data, perm)
	}})
}

func write(t *tree.Tree, path string, data []byte, perm uint32) error {
	if _, err := t.MkdirAll(path[:strings.LastIndexByte(path, '/')], 0o755); err != nil {
		return err
	}
	_, err := t.Update(path, data, perm)
	return err
}

// note finds something that only the user can change.
func (s *scan) note(path, what, fix string) {
	s.add(problem{path: path, what: what, act: act{fix: fix}})
}

// conf is the image's wsl.conf.
func (s *scan) conf() *wslconf.File {
	f, err := wslconf.Load(s.t, wslconf.Path, wslconf.Keys)
	if s.failed(err) || f == nil {
		return wslconf.Parse(nil, wslconf.Keys)
	}
	return f
}

// setConf finds that wsl.conf should have key=value.
func (s *scan) setConf(key, value, what string) {
	s.add(problem{path: wslconf.Path, what: what, act: act{"set " + key + "=" + value, "set " + key + "=" + value}, repair: func() error {
		f := s.conf()
		f.Repair() // a line that ends the parse would swallow the setting
		if err := f.Set(key, value); err != nil {
			return err
		}
		return write(s.t, wslconf.Path, f.Bytes(), 0o644)
	}})
}

// unsetConf finds that wsl.conf should not have key.
func (s *scan) unsetConf(key, what string) {
	s.add(problem{path: wslconf.Path, what: what, act: act{"take " + key + " out", "took " + key + " out"}, repair: func() error {
		f := s.conf()
		f.Unset(key)
		return write(s.t, wslconf.Path, f.Bytes(), 0o644)
	}})
}
