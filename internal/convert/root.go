package convert

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// ErrRoot: the image holds no Linux root, several, or not the one asked for.
var ErrRoot = errors.New("no single root volume")

// rootError lists what there is to choose from.
type rootError struct {
	what string
	list []string
}

func (e *rootError) Error() string {
	return e.what + "; the image holds " + strings.Join(e.list, ", ")
}

func (e *rootError) Unwrap() error { return ErrRoot }

func (s *Source) rootError(format string, args ...any) error {
	e := &rootError{what: fmt.Sprintf(format, args...)}
	for _, v := range s.Volumes {
		e.list = append(e.list, v.String())
	}
	if len(e.list) == 0 {
		e.list = []string{"no volumes"}
	}
	e.list = append(e.list, s.Table.Warnings...) // they may tell why
	if len(s.Volumes) == 0 {
		return ondisk.WithHint(e, "compare the size and checksum of the image: it may be cut off")
	}
	return ondisk.WithHint(e, "choose one with --volume NUMBER|LABEL|UUID")
}

// Root returns the volume that the options name, or else the only one that
// holds a Linux tree.
func (s *Source) Root() (*Volume, error) {
	if s.opts.Volume != "" {
		return s.selected(s.opts.Volume)
	}
	var roots []*Volume
	for _, v := range s.Volumes {
		if v.Root {
			roots = append(roots, v)
		}
	}
	switch len(roots) {
	case 1:
		return roots[0], nil
	case 0:
		return nil, s.noRoot()
	}
	return nil, s.rootError("%d volumes hold a Linux root", len(roots))
}

// noRoot blames a volume that could have been the root but is not readable.
func (s *Source) noRoot() error {
	for _, class := range []error{ondisk.ErrCorrupt, ondisk.ErrEncrypted, ondisk.ErrUnsupported} {
		for _, v := range s.Volumes {
			if errors.Is(v.Err, class) && maybeRoot(v) {
				return v.wrap(v.Err)
			}
		}
	}
	for _, v := range s.Volumes {
		if v.Err != nil && !errors.Is(v.Err, ondisk.ErrNotFormat) && maybeRoot(v) {
			return v.wrap(v.Err)
		}
	}
	return s.rootError("no volume holds a Linux root (/etc, and /usr or /bin)")
}

// notRoots are what a volume can hold that is never a Linux root: an LVM2
// member is no volume of its own, what is on it is listed beside it.
var notRoots = map[string]bool{
	"": true, "vfat": true, "exfat": true, "ntfs": true, "swap": true, "iso9660": true, "LVM2_member": true,
}

func maybeRoot(v *Volume) bool { return !notRoots[v.Kind] }

// selected finds the volume that sel names.
func (s *Source) selected(sel string) (*Volume, error) {
	if strings.HasPrefix(sel, "subvol=") {
		return nil, ondisk.Unsupportedf("--volume %s: btrfs subvolumes are not read", sel)
	}
	var match []*Volume
	for _, v := range s.Volumes {
		if v.matches(sel) {
			match = append(match, v)
		}
	}
	switch {
	case len(match) > 1:
		return nil, s.rootError("--volume %q fits %d volumes", sel, len(match))
	case len(match) == 0:
		return nil, s.rootError("--volume %q fits none", sel)
	case match[0].FS == nil:
		return nil, match[0].wrap(match[0].Err)
	}
	return match[0], nil
}

func (v *Volume) matches(sel string) bool {
	if n, err := strconv.Atoi(sel); err == nil {
		return v.Number == n && v.Name == ""
	}
	if v.ID() == sel || strings.EqualFold(v.PartUUID, sel) || v.PartLabel == sel {
		return true
	}
	return strings.EqualFold(v.UUID, sel) || v.FS != nil && v.FS.Info().Label == sel
}
