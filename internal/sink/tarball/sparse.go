package tarball

import (
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

// GNU sparse format 1.0,
// https://www.gnu.org/software/tar/manual/html_section/Sparse-Formats.html:
// the member's data start with a map of where the bytes after it belong.
const (
	sparseMajor    = "GNU.sparse.major"
	sparseMinor    = "GNU.sparse.minor"
	sparseName     = "GNU.sparse.name"
	sparseRealsize = "GNU.sparse.realsize"
)

const (
	// minHole is the smallest hole that the map tells: less frees no block.
	minHole = 4096
	// minSparse is how many bytes of holes make a file worth the sparse form,
	// which readers that do not know it show under another name.
	minSparse = 64 << 10
)

// segment is a stretch of a file's bytes.
type segment struct{ off, len int64 }

func (s segment) end() int64 { return s.off + s.len }

// segments lists the parts of a file that are stored, and tells whether what
// lies between them goes as holes. If not, it is one segment: everything.
// Segments but the last are whole blocks: GNU tar reads each from a new block.
func segments(c *tree.Content) ([]segment, bool) {
	var segs []segment
	holes, end := int64(0), int64(0) // end of the last hole
	for _, r := range c.Runs {
		if r.Phys != fsys.Hole {
			continue
		}
		from, to := r.Off+int64(padding(r.Off)), r.Off+r.Len
		if to < c.Size {
			to -= to % block
		}
		if to-from < minHole {
			continue
		}
		if from > end {
			segs = append(segs, segment{end, from - end})
		}
		holes += to - from
		end = to
	}
	if holes < minSparse {
		return []segment{{0, c.Size}}, false
	}
	if end < c.Size {
		segs = append(segs, segment{end, c.Size - end})
	}
	return segs, true
}

// sparseMap encodes the map: the number of segments, then offset and length of
// each, a line each, filled up to a whole block.
func sparseMap(segs []segment, size int64) []byte {
	if n := len(segs); n == 0 || segs[n-1].end() < size {
		segs = append(segs, segment{size, 0}) // so that readers extend the file over its last hole
	}
	b := strconv.AppendInt(nil, int64(len(segs)), 10)
	b = append(b, '\n')
	for _, s := range segs {
		b = strconv.AppendInt(b, s.off, 10)
		b = append(b, '\n')
		b = strconv.AppendInt(b, s.len, 10)
		b = append(b, '\n')
	}
	return append(b, make([]byte, padding(int64(len(b))))...)
}

// makeSparse turns h into the header of a sparse member of the real size.
func (h *header) makeSparse(size int64) {
	h.pax = append(h.pax,
		record{sparseMajor, "1"},
		record{sparseMinor, "0"},
		record{sparseName, h.name},
		record{sparseRealsize, strconv.FormatInt(size, 10)},
	)
	// The name that readers without this extension show. It may be cut short:
	// a path record would take the place of the real name in some of the others.
	i := strings.LastIndexByte(h.name, '/') + 1
	h.name = h.name[:i] + "GNUSparseFile.0/" + h.name[i:]
	h.sparse = true
}
