// Package manifest describes a tree of files entry by entry, so that the
// kernel's view of a filesystem, a reader's view of its image and what an
// archive was extracted to can be compared. It serves tests only.
//
// A manifest is stored as one JSON object a line, sorted by path.
package manifest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Entry is one name in the tree.
type Entry struct {
	Path   Raw    `json:"path"` // relative, "." for the top
	Mode   Mode   `json:"mode"` // raw st_mode
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Size   int64  `json:"size,omitempty"` // of regular files
	Sec    int64  `json:"sec"`            // mtime
	Nsec   uint32 `json:"nsec,omitempty"`
	Rdev   string `json:"rdev,omitempty"`   // "major:minor" of devices
	Link   Raw    `json:"link,omitempty"`   // the first path of the inode, where it has several
	Target Raw    `json:"target,omitempty"` // of symlinks
	Digest string `json:"digest,omitempty"` // of regular files, see Digest
	Xattrs []Attr `json:"xattrs,omitempty"` // sorted by name

	Inode  uint64 `json:"-"` // only to find hard links; Device as well
	Device uint64 `json:"-"`
	Nlink  uint32 `json:"-"`
	Blocks int64  `json:"-"` // bytes allocated, where known
}

// Attr is an extended attribute.
type Attr struct {
	Name  Raw    `json:"name"`
	Value []byte `json:"value"`
}

// Raw is a byte string that stays readable in JSON: what is not printable
// ASCII is escaped as in a Go string literal.
type Raw string

// MarshalText escapes r.
func (r Raw) MarshalText() ([]byte, error) {
	q := strconv.QuoteToASCII(string(r))
	// Within JSON the quotes need not be escaped twice.
	return []byte(strings.ReplaceAll(q[1:len(q)-1], `\"`, `"`)), nil
}

// UnmarshalText is the reverse of MarshalText.
func (r *Raw) UnmarshalText(text []byte) error {
	s, err := strconv.Unquote(`"` + strings.ReplaceAll(string(text), `"`, `\"`) + `"`)
	if err != nil {
		return fmt.Errorf("name %q: %w", text, err)
	}
	*r = Raw(s)
	return nil
}

// Mode is a raw st_mode, octal in JSON.
type Mode uint32

// MarshalText writes m in octal.
func (m Mode) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%06o", uint32(m)), nil }

// UnmarshalText is the reverse of MarshalText.
func (m *Mode) UnmarshalText(text []byte) error {
	v, err := strconv.ParseUint(string(text), 8, 32)
	*m = Mode(v)
	return err
}

// Is tells whether m is of one of fsys's types, such as fsys.ModeDir.
func (m Mode) Is(kind uint32) bool { return uint32(m)&fsys.ModeType == kind }

// Finish sorts entries by path and fills Link from Device, Inode and Nlink.
func Finish(entries []Entry) {
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Compare(a.Path, b.Path) })
	type inode struct{ device, number uint64 }
	first := make(map[inode]int)
	for i := range entries {
		e := &entries[i]
		if e.Mode.Is(fsys.ModeDir) || e.Nlink < 2 {
			continue
		}
		key := inode{e.Device, e.Inode}
		if k, seen := first[key]; seen {
			entries[k].Link = entries[k].Path
			e.Link = entries[k].Path
		} else {
			first[key] = i
		}
	}
}

// Write stores entries.
func Write(w io.Writer, entries []Entry) error {
	b := bufio.NewWriter(w)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	for i := range entries {
		if err := enc.Encode(&entries[i]); err != nil {
			return err
		}
	}
	return b.Flush()
}

// Read loads what Write stored.
func Read(r io.Reader) ([]Entry, error) {
	var entries []Entry
	dec := json.NewDecoder(r)
	for {
		var e Entry
		if err := dec.Decode(&e); err == io.EOF {
			return entries, nil
		} else if err != nil {
			return nil, fmt.Errorf("entry %d: %w", len(entries)+1, err)
		}
		entries = append(entries, e)
	}
}

// Options say what a comparison leaves out.
type Options struct {
	SkipEntry func(*Entry) bool      // neither missing nor extra
	SkipXattr func(name string) bool // not looked at
	SkipTimes bool                   // mtimes are not looked at
}

// Compare returns one line for each difference, none if the manifests are equal.
func Compare(want, got []Entry, opt Options) []string {
	var diffs []string
	add := func(path Raw, format string, args ...any) {
		diffs = append(diffs, fmt.Sprintf("%q: ", string(path))+fmt.Sprintf(format, args...))
	}
	skip := func(e *Entry) bool { return opt.SkipEntry != nil && opt.SkipEntry(e) }
	have := make(map[Raw]*Entry, len(got))
	for i := range got {
		if _, twice := have[got[i].Path]; twice {
			add(got[i].Path, "there twice")
		}
		have[got[i].Path] = &got[i]
	}
	for i := range want {
		w := &want[i]
		g := have[w.Path]
		delete(have, w.Path)
		switch {
		case skip(w):
		case g == nil:
			add(w.Path, "missing (mode %06o)", uint32(w.Mode))
		default:
			w.compare(g, opt, add)
		}
	}
	for i := range got {
		if g := &got[i]; have[g.Path] == g && !skip(g) {
			add(g.Path, "not in the original (mode %06o)", uint32(g.Mode))
		}
	}
	return diffs
}

func (w *Entry) compare(g *Entry, opt Options, add func(Raw, string, ...any)) {
	if w.Mode != g.Mode {
		add(w.Path, "mode %06o, want %06o", uint32(g.Mode), uint32(w.Mode))
	}
	if w.UID != g.UID || w.GID != g.GID {
		add(w.Path, "owner %d:%d, want %d:%d", g.UID, g.GID, w.UID, w.GID)
	}
	if w.Size != g.Size {
		add(w.Path, "size %d, want %d", g.Size, w.Size)
	}
	if !opt.SkipTimes && (w.Sec != g.Sec || w.Nsec != g.Nsec) {
		add(w.Path, "mtime %d s + %d ns, want %d s + %d ns", g.Sec, g.Nsec, w.Sec, w.Nsec)
	}
	if w.Rdev != g.Rdev {
		add(w.Path, "device %s, want %s", g.Rdev, w.Rdev)
	}
	if w.Link != g.Link {
		add(w.Path, "hard link of %q, want %q", string(g.Link), string(w.Link))
	}
	if w.Target != g.Target {
		add(w.Path, "symlink to %q, want %q", string(g.Target), string(w.Target))
	}
	if w.Digest != g.Digest {
		add(w.Path, "content %s, want %s", g.Digest, w.Digest)
	}
	values := make(map[Raw][]byte)
	for _, a := range g.Xattrs {
		values[a.Name] = a.Value
	}
	for _, a := range w.Xattrs {
		v, ok := values[a.Name]
		delete(values, a.Name)
		switch {
		case opt.SkipXattr != nil && opt.SkipXattr(string(a.Name)):
		case !ok:
			add(w.Path, "attribute %q missing", string(a.Name))
		case !bytes.Equal(v, a.Value):
			add(w.Path, "attribute %q is %.100q (%d bytes), want %.100q (%d bytes)", string(a.Name), v, len(v), a.Value, len(a.Value))
		}
	}
	for _, a := range g.Xattrs {
		if _, extra := values[a.Name]; extra && (opt.SkipXattr == nil || !opt.SkipXattr(string(a.Name))) {
			add(w.Path, "attribute %q not in the original", string(a.Name))
		}
	}
}
