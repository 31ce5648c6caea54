package tarball

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

const block = 512

// Type flags of the ustar and pax interchange formats,
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html.
const (
	typeFile    = '0'
	typeLink    = '1'
	typeSymlink = '2'
	typeChar    = '3'
	typeBlock   = '4'
	typeDir     = '5'
	typeFifo    = '6'
	typePax     = 'x'
)

// header is what one archive member's ustar block and pax records are made from.
type header struct {
	name  string // raw bytes, relative
	typ   byte
	mode  uint32 // permission bits
	uid   uint32
	gid   uint32
	size  int64 // of what follows in the archive
	mtime fsys.Time
	link  string // raw bytes
	dev   fsys.Rdev
	pax   []record // beyond what the fields above need

	sparse bool // pax holds the real name; name may be cut short
}

// record is a pax record.
type record struct{ key, value string }

// Largest values of the octal fields.
const (
	maxOctal7  = 1<<21 - 1
	maxOctal11 = 1<<33 - 1
)

// nobody stands in the ustar field for an id that only the pax record can
// hold, so that a reader without pax does not give the file to root.
const nobody = 65534

// append encodes h behind b: the pax header if one is needed, then the ustar block.
func (h *header) append(b []byte) ([]byte, error) {
	u := ustar{typ: h.typ, mode: h.mode, size: h.size, dev: h.dev}
	pax := slices.Clone(h.pax)
	need := func(key, value string) { pax = append(pax, record{key, value}) }

	var fits bool
	if u.prefix, u.name, fits = splitName(h.name); !fits && !h.sparse {
		need("path", h.name)
	}
	if u.link = h.link; len(h.link) > len(ustarLink{}) {
		u.link = h.link[:len(ustarLink{})]
		need("linkpath", h.link)
	}
	if u.uid = h.uid; h.uid > maxOctal7 {
		u.uid = nobody
		need("uid", strconv.FormatUint(uint64(h.uid), 10))
	}
	if u.gid = h.gid; h.gid > maxOctal7 {
		u.gid = nobody
		need("gid", strconv.FormatUint(uint64(h.gid), 10))
	}
	if h.size > maxOctal11 {
		u.size = 0
		need("size", strconv.FormatInt(h.size, 10))
	}
	if u.mtime = min(max(h.mtime.Sec, 0), maxOctal11); u.mtime != h.mtime.Sec || h.mtime.Nsec != 0 {
		need("mtime", decimal(h.mtime))
	}
	if h.dev.Major > maxOctal7 {
		u.dev.Major = 0
		need("SCHILY.devmajor", strconv.FormatUint(uint64(h.dev.Major), 10))
	}
	if h.dev.Minor > maxOctal7 {
		u.dev.Minor = 0
		need("SCHILY.devminor", strconv.FormatUint(uint64(h.dev.Minor), 10))
	}
	if len(pax) > 0 {
		body := encodePax(pax)
		if len(body) > maxPax {
			return nil, fmt.Errorf("archive header of %d bytes, at most %d are read by tar programs", len(body), maxPax)
		}
		x := ustar{name: "././@PaxHeader", typ: typePax, mode: 0o644, size: int64(len(body))}
		b = x.append(b)
		b = append(b, body...)
		b = append(b, make([]byte, padding(int64(len(body))))...)
	}
	return u.append(b), nil
}

// maxPax is the largest pax header that libarchive and Go read.
const maxPax = 1 << 20

func padding(n int64) int { return int(-n & (block - 1)) }

// encodePax orders the records by key. hdrcharset comes first: it tells that
// the names after it are raw bytes; without it libarchive wants UTF-8, and
// cannot convert even that in the C locale that WSL extracts in.
func encodePax(pax []record) []byte {
	slices.SortFunc(pax, func(a, b record) int { return strings.Compare(a.key, b.key) })
	var body []byte
	if slices.ContainsFunc(pax, func(r record) bool { return isName(r.key) && !isASCII(r.value) }) {
		body = record{"hdrcharset", "BINARY"}.append(body)
	}
	for _, r := range pax {
		body = r.append(body)
	}
	return body
}

func isName(key string) bool { return key == "path" || key == "linkpath" || key == sparseName }

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= 0x80 {
			return false
		}
	}
	return true
}

// append encodes "LENGTH KEY=VALUE\n", where LENGTH counts itself.
func (r record) append(b []byte) []byte {
	rest := len(r.key) + len(r.value) + 3
	n := rest + len(strconv.Itoa(rest))
	if more := rest + len(strconv.Itoa(n)); more > n {
		n = more
	}
	b = strconv.AppendInt(b, int64(n), 10)
	b = append(b, ' ')
	b = append(b, r.key...)
	b = append(b, '=')
	b = append(b, r.value...)
	return append(b, '\n')
}

// splitName spreads a name over ustar's prefix and name fields. Where it does
// not fit, it returns the head of the name for readers without pax.
func splitName(s string) (prefix, name string, fits bool) {
	if len(s) <= len(ustarName{}) {
		return "", s, true
	}
	from := len(s) - len(ustarName{}) - 1 // the first place where a '/' leaves a name that fits
	if n := strings.IndexByte(s[from:], '/'); n >= 0 && from+n <= len(ustarPrefix{}) && from+n < len(s)-1 {
		return s[:from+n], s[from+n+1:], true
	}
	return "", s[:len(ustarName{})], false
}
