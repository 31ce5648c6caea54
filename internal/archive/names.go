package archive

import (
	"archive/tar"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// clean makes a rooted path of an entry's name, with ".." taken away, which no
// archive needs; false for a name that Linux cannot have.
func (l *loader) clean(name string) (string, bool) {
	if len(name) > maxPath {
		l.problem(name[:64]+"…", "has a path of %d bytes, Linux takes %d", len(name), maxPath)
		return "", false
	}
	var elems []string
	for elem := range strings.SplitSeq(name, "/") {
		switch {
		case elem == "" || elem == ".":
		case elem == "..":
			l.problem(name, `has ".." in its path: WSL's extraction refuses it`)
			if len(elems) > 0 {
				elems = elems[:len(elems)-1]
			}
		case len(elem) > fsys.MaxName:
			l.problem(name, "has a name of %d bytes, Linux takes %d", len(elem), fsys.MaxName)
			return "", false
		default:
			elems = append(elems, elem)
		}
	}
	return "/" + strings.Join(elems, "/"), true
}

// names: in the C locale bsdtar cannot convert pax names that are not ASCII,
// unless they are declared to be raw bytes.
func (l *loader) names(h *tar.Header) {
	if h.PAXRecords["hdrcharset"] == "BINARY" {
		return
	}
	for _, key := range []string{"path", "linkpath"} {
		for _, c := range []byte(h.PAXRecords[key]) {
			if c >= 0x80 {
				l.problem(h.Name, "has a pax %s that is not ASCII, without hdrcharset=BINARY: WSL's extraction fails", key)
				return
			}
		}
	}
}

// xattr: those of other namespaces than these fail the extraction.
func (l *loader) xattr(path, name string) {
	for _, space := range []string{"security.", "user.", "trusted.", "system."} {
		if strings.HasPrefix(name, space) {
			return
		}
	}
	l.problem(path, "has an attribute %s of no namespace that Linux knows: WSL's extraction fails", fsys.Printable(name))
}
