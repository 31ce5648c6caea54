package tarball

import (
	"fmt"

	"github.com/wslimg/wslimg/internal/fsys"
)

// Fields of a ustar header block,
// https://pubs.opengroup.org/onlinepubs/9799919799/utilities/pax.html#tag_20_94_13_06.
type (
	ustarName   [100]byte
	ustarLink   [100]byte
	ustarPrefix [155]byte
)

// ustar is a header block; every value fits its field.
type ustar struct {
	prefix, name, link string
	typ                byte
	mode, uid, gid     uint32
	size, mtime        int64
	dev                fsys.Rdev
}

// append encodes u behind b. Owner names stay empty: the ids are the truth.
func (u *ustar) append(b []byte) []byte {
	var h [block]byte
	copy(h[0:100], u.name)
	octal(h[100:108], int64(u.mode))
	octal(h[108:116], int64(u.uid))
	octal(h[116:124], int64(u.gid))
	octal(h[124:136], u.size)
	octal(h[136:148], u.mtime)
	h[156] = u.typ
	copy(h[157:257], u.link)
	copy(h[257:265], "ustar\x0000")
	octal(h[329:337], int64(u.dev.Major))
	octal(h[337:345], int64(u.dev.Minor))
	copy(h[345:500], u.prefix)

	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return append(b, h[:]...)
}

// octal fills a field with digits and a final NUL.
func octal(field []byte, v int64) {
	for i := len(field) - 2; i >= 0; i-- {
		field[i] = '0' + byte(v&7)
		v >>= 3
	}
}
