package wsl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Place is a folder for a distribution.
type Place struct {
	Windows string   // its path for wsl.exe
	path    string   // its path for this process
	made    []string // folders that this process made, outermost first
	before  bool     // it was there already, empty
}

// DefaultLocation is the folder of a distribution for which none was chosen.
func (h *Host) DefaultLocation(ctx context.Context, name string) (string, error) {
	data, err := h.Variable(ctx, "LOCALAPPDATA")
	return data + `\wslimg\` + name, err
}

// Place checks the folder of a distribution: a Windows path or, inside a
// distribution, a path on a Windows drive. It must be new or empty; the folder
// that it lies in must exist, unless parents says that it may be made. Errors of
// the path are ErrLocation.
func (h *Host) Place(ctx context.Context, location string, parents bool) (*Place, error) {
	win, err := h.ToWindows(ctx, location)
	if err != nil {
		return nil, err
	}
	if win, err = CleanLocation(win); err != nil {
		return nil, err
	}
	parent, base := splitLast(win)
	p := &Place{Windows: win}
	if parents {
		if err := h.makeParent(ctx, p, parent); err != nil {
			return nil, err
		}
	}
	host, err := h.FromWindows(ctx, parent)
	if err != nil {
		return nil, errors.Join(locationErrorf(win, "%q does not exist", parent), err)
	}
	switch info, err := os.Stat(host); {
	case errors.Is(err, fs.ErrNotExist):
		return nil, locationErrorf(win, "%q does not exist", parent)
	case err != nil:
		return nil, fmt.Errorf("%q: %w: %w", win, ErrLocation, err)
	case !info.IsDir():
		return nil, locationErrorf(win, "%q is no folder", parent)
	}
	p.path = filepath.Join(host, base)
	return p, p.look()
}

// Parent is the folder that it lies in, for this process.
func (p *Place) Parent() string { return filepath.Dir(p.path) }

// look finds out whether the folder can be used.
func (p *Place) look() error {
	entries, err := os.ReadDir(p.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return fmt.Errorf("%q: %w: %w", p.Windows, ErrLocation, err)
	case len(entries) > 0:
		return locationErrorf(p.Windows, "it is not empty")
	}
	p.before = true
	return nil
}

// makeParent makes the folder of our own in which distributions lie by default.
func (h *Host) makeParent(ctx context.Context, p *Place, parent string) error {
	host, err := h.FromWindows(ctx, parent)
	if err != nil {
		return err
	}
	switch err := os.Mkdir(host, 0o755); {
	case err == nil:
		p.made = append(p.made, host)
	case !errors.Is(err, fs.ErrExist):
		return fmt.Errorf("%q: %w: %w", parent, ErrLocation, err)
	}
	return nil
}

// Remove takes back the folders that were not there before. They are removed
// only if they are empty, as unregistering leaves them.
func (p *Place) Remove() {
	if !p.before {
		_ = os.Remove(p.path) // not there, or not ours to empty
	}
	for _, dir := range p.made {
		_ = os.Remove(dir)
	}
}
