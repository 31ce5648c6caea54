package convert

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// maxFstab bounds /etc/fstab; the real ones have a few hundred bytes.
const maxFstab = 1 << 20

// Mounted is a volume that takes part in the tree.
type Mounted struct {
	Path   string
	Volume *Volume
}

// View is the tree that a running system would show, with where it came from.
type View struct {
	Tree   *tree.Tree
	Mounts []Mounted // the root first
	Notes  []string  // what was left out or done on the way, for the user
	// Missing are the places of volumes that the system cannot do without and
	// that were not found or cannot be read: what they hold is not in the tree.
	Missing []string

	unread []*Volume // that /etc/fstab mounts
}

// leaveOut tells why what e mounts is not in the tree.
func (v *View) leaveOut(e mountEntry, format string, args ...any) {
	v.note(e, format, args...)
	if !e.has("nofail") {
		v.Missing = append(v.Missing, e.file)
	}
}

func (v *View) note(e mountEntry, format string, args ...any) {
	v.Notes = append(v.Notes, fsys.Brief(e.file)+": "+fmt.Sprintf(format, args...))
}

// Load reads the tree of root and mounts what its /etc/fstab puts below it.
func (s *Source) Load(ctx context.Context, root *Volume) (*View, error) {
	t, err := s.load(ctx, root)
	if err != nil {
		return nil, err
	}
	v := &View{Tree: t, Mounts: []Mounted{{"/", root}}}
	fstab, err := readFstab(t)
	if err != nil {
		return nil, s.wrap(root.wrap(err))
	}
	entries := slices.DeleteFunc(parseFstab(fstab), func(e mountEntry) bool { return !e.onDisk() })
	slices.SortStableFunc(entries, func(a, b mountEntry) int { // parents first
		return cmp.Compare(strings.Count(a.file, "/"), strings.Count(b.file, "/"))
	})
	for _, e := range entries {
		if err := s.mount(ctx, v, e); err != nil {
			return nil, err
		}
	}
	s.noteRest(v)
	return v, nil
}

// readFstab reads /etc/fstab. What is no file there mounts nothing.
func readFstab(t *tree.Tree) ([]byte, error) {
	const path = "/etc/fstab"
	n, err := t.Lookup(path)
	switch {
	case errors.Is(err, tree.ErrNotExist), errors.Is(err, tree.ErrNotDir), errors.Is(err, tree.ErrLoop), err == nil && !n.IsRegular():
		return nil, nil
	case err != nil:
		return nil, err
	}
	return t.ReadFile(path, maxFstab)
}

// noteRest names the volumes that may hold files and are no part of the view.
func (s *Source) noteRest(view *View) {
	for _, v := range s.Volumes {
		mounted := slices.ContainsFunc(view.Mounts, func(m Mounted) bool { return m.Volume == v })
		if !mounted && !slices.Contains(view.unread, v) && !notRoots[v.Kind] {
			view.Notes = append(view.Notes, fmt.Sprintf("%s is left out: /etc/fstab does not mount it", v))
		}
	}
}

func (s *Source) load(ctx context.Context, v *Volume) (*tree.Tree, error) {
	if v.FS == nil {
		return nil, s.wrap(v.wrap(v.Err))
	}
	t, err := tree.Load(ctx, v.FS, v.Device, v.Index)
	v.cache.Drop() // contents are read past it
	if err != nil {
		return nil, s.wrap(v.wrap(err))
	}
	return t, nil
}

// foreign tells whether the volume holds something else than a filesystem that
// is read here, sound as it may be.
func (v *Volume) foreign() bool {
	return v.FS == nil && (errors.Is(v.Err, ondisk.ErrUnsupported) || errors.Is(v.Err, ondisk.ErrEncrypted) || errors.Is(v.Err, ondisk.ErrNotFormat))
}

func (s *Source) mount(ctx context.Context, view *View, e mountEntry) error {
	var found *Volume
	for _, v := range s.Volumes {
		if v.named(e.spec) {
			found = v
			break
		}
	}
	switch {
	case found == nil && e.kind == "vfat": // whose labels are not read
		view.note(e, "%s (vfat) is not merged: WSL boots without it", fsys.Brief(e.spec))
		return nil
	case found == nil:
		view.leaveOut(e, "%s of /etc/fstab is not in this image, or not in a form that is read", fsys.Brief(e.spec))
		return nil
	case slices.ContainsFunc(view.Mounts, func(m Mounted) bool { return m.Volume == found }):
		view.note(e, "%s is part of the tree already, and is not mounted twice", found)
		return nil
	case found.Kind == "vfat":
		view.note(e, "%s is not merged: WSL boots without it", found)
		return nil
	case found.foreign():
		view.leaveOut(e, "%s is left out: %v", found, found.Err)
		view.unread = append(view.unread, found)
		return nil
	}
	sub, err := s.load(ctx, found)
	if err != nil {
		return fmt.Errorf("%w (mounted at %s by /etc/fstab)", err, fsys.Brief(e.file))
	}
	if _, err := view.Tree.MkdirAll(e.file, 0o755); err != nil {
		return s.wrap(fmt.Errorf("mount point of %s: %w", found, err))
	}
	if err := view.Tree.Mount(e.file, sub); err != nil {
		return s.wrap(fmt.Errorf("mount point of %s: %w", found, err))
	}
	view.Mounts = append(view.Mounts, Mounted{e.file, found})
	return nil
}
