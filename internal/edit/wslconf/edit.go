package wslconf

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// MaxSize bounds what is read of a configuration file; real ones have a few
// hundred bytes.
const MaxSize = 256 << 10

// Load reads the file at path (Path or DistPath); a missing one is empty.
func Load(t *tree.Tree, path string, keys []Key) (*File, error) {
	b, err := t.ReadFile(path, MaxSize)
	if err != nil && !errors.Is(err, tree.ErrNotExist) {
		return nil, err
	}
	return Parse(b, keys), nil
}

// Setting is a key and the value that it is to have.
type Setting struct{ Key, Value string }

// ParseSetting reads "section.key=value".
func ParseSetting(s string) (Setting, error) {
	key, value, ok := strings.Cut(s, "=")
	if !ok || !strings.Contains(key, ".") {
		return Setting{}, fmt.Errorf("%q is not of the form section.key=value", s)
	}
	return Setting{strings.TrimSpace(key), value}, nil
}

// Options say what /etc/wsl.conf shall be.
type Options struct {
	Base     []byte // takes the place of the image's file unless nil
	BaseName string // what Base is called in messages
	Settings []Setting
	Force    bool // take a Base that WSL would not take as written
}

// New checks the options and returns the edit that they ask for.
func New(o Options) (edit.Edit, error) {
	f := Parse(o.Base, Keys)
	var ignored []string
	for _, i := range f.Issues() {
		if i.Level > Trap {
			ignored = append(ignored, i.String())
		}
	}
	if ignored != nil && !o.Force {
		return nil, ondisk.WithHint(fmt.Errorf("%s: %s", o.BaseName, strings.Join(ignored, "; ")), "correct what WSL would ignore, or convert anyway with --force")
	}
	f.Repair()
	for _, s := range o.Settings {
		if err := f.Set(s.Key, s.Value); err != nil {
			return nil, err
		}
	}
	return &confEdit{o}, nil
}

type confEdit struct{ Options }

func (e *confEdit) Name() string { return "wsl.conf" }

func (e *confEdit) Apply(_ context.Context, t *tree.Tree) ([]edit.Change, error) {
	f, err := Load(t, Path, Keys)
	if err != nil {
		return nil, err
	}
	var what []string
	before := string(f.Bytes())
	if e.Base != nil {
		f = Parse(e.Base, Keys)
		if e.BaseName != "" && string(e.Base) != before {
			what = append(what, "taken from "+e.BaseName)
		}
	}
	if len(e.Settings) > 0 {
		for _, i := range f.Repair() {
			what = append(what, "made harmless: "+i.String())
		}
	}
	for _, s := range e.Settings {
		if have, _, ok := f.Get(s.Key); ok && have == s.Value {
			continue
		}
		if err := f.Set(s.Key, s.Value); err != nil {
			return nil, err
		}
		what = append(what, s.Key+"="+s.Value)
	}
	if string(f.Bytes()) == before {
		return nil, nil
	}
	if _, err := t.Update(Path, f.Bytes(), 0o644); err != nil {
		return nil, err
	}
	return []edit.Change{{Rule: "wsl-conf", Path: Path, What: strings.Join(what, "; ")}}, nil
}
