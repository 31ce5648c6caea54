package tarball

import (
	"fmt"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// maxPath is the longest name that extraction can use: PATH_MAX less its NUL.
const maxPath = 4095

// planner lays the tree out as a tar stream, entry by entry.
type planner struct {
	cutter
	bigXattrs bool
	stats     *tally
	buf       []byte // headers of the current entry
}

func (p *planner) run(items []*tree.Item, next func() (*task, error)) error {
	p.next = next
	// The root goes last: bsdtar finds it there already, and sets the time of
	// such a directory at once, not at the end as that of those it makes.
	for i := range items {
		if err := p.entry(items[(i+1)%len(items)]); err != nil {
			return err
		}
	}
	err := p.literal(make([]byte, 2*block)) // end of archive
	p.stats.Plain = p.plain
	return err
}

// entry plans the member of one name.
func (p *planner) entry(it *tree.Item) error {
	n, path := it.Node, it.Path()
	h := header{
		name: member(path, n.IsDir()),
		mode: n.Mode & fsys.ModePerm, uid: n.UID, gid: n.GID, mtime: n.Mtime,
	}
	if len(h.name) > maxPath {
		return fileError(path, ondisk.Unsupportedf("path of %d bytes, at most %d can be extracted; leave it out", len(path), maxPath-1))
	}
	kind := ""
	switch n.Mode & fsys.ModeType {
	case fsys.ModeRegular:
		h.typ, kind = typeFile, "file"
	case fsys.ModeDir:
		h.typ, kind = typeDir, "dir"
	case fsys.ModeSymlink:
		h.typ, kind, h.link = typeSymlink, "symlink", n.Target
	case fsys.ModeChar:
		h.typ, kind, h.dev = typeChar, "char", n.Rdev
	case fsys.ModeBlock:
		h.typ, kind, h.dev = typeBlock, "block", n.Rdev
	case fsys.ModeFifo:
		h.typ, kind = typeFifo, "fifo"
	case fsys.ModeSocket:
		p.stats.lose("socket", path, true)
		return nil
	default:
		return fileError(path, ondisk.Corruptf(ondisk.NoOffset, "mode %#o is of no known file type", n.Mode))
	}
	if it.Target != nil {
		h.typ, kind, h.link, h.dev = typeLink, "link", member(it.Target.Path(), false), fsys.Rdev{}
		p.stats.Entries[kind]++
		return p.member(path, &h, nil, nil)
	}
	p.stats.Entries[kind]++
	var err error
	if h.pax, err = xattrRecords(n, p.bigXattrs, func(kind string) { p.stats.lose(kind, path, false) }); err != nil {
		return fileError(path, err)
	}
	if n.IsRegular() && n.Size() > 0 {
		return p.file(path, &h, n.Content)
	}
	return p.member(path, &h, nil, nil)
}

// member is a rooted path as the archive names it: relative, "./" the root,
// a slash behind directories.
func member(path string, dir bool) string {
	if dir && path != "/" {
		return "." + path + "/"
	}
	return "." + path
}

// file plans a regular file with content.
func (p *planner) file(path string, h *header, c *tree.Content) error {
	if err := checkRuns(c); err != nil {
		return fileError(path, err)
	}
	segs, sparse := segments(c)
	for _, s := range segs {
		h.size += s.len
	}
	p.stats.Content += h.size
	var smap []byte
	if sparse {
		smap = sparseMap(segs, c.Size)
		h.size += int64(len(smap))
		h.makeSparse(c.Size)
	}
	return p.member(path, h, smap, func() error {
		run := 0
		for _, s := range segs {
			var err error
			if run, err = p.segment(path, c, s, run); err != nil {
				return err
			}
		}
		return nil
	})
}

// member plans header, head and content of one member.
func (p *planner) member(path string, h *header, head []byte, content func() error) error {
	var err error
	if p.buf, err = h.append(p.buf[:0]); err != nil {
		return fileError(path, err)
	}
	if err := p.literal(append(p.buf, head...)); err != nil {
		return err
	}
	if content != nil {
		if err := content(); err != nil {
			return err
		}
	}
	return p.stretch(piece{path: path}, int64(padding(h.size)))
}

// segment plans the bytes of s; run is the first that may hold some of them.
// It returns the run that holds the byte after them.
func (p *planner) segment(path string, c *tree.Content, s segment, run int) (int, error) {
	if c.Runs == nil {
		return 0, p.stretch(piece{path: path, file: c, off: s.off}, s.len)
	}
	for ; run < len(c.Runs) && c.Runs[run].Off < s.end(); run++ {
		r := c.Runs[run]
		from, to := max(s.off, r.Off), min(s.end(), r.Off+r.Len)
		pc := piece{path: path}
		switch {
		case r.Phys >= 0:
			pc.dev, pc.phys = c.Dev, r.Phys+from-r.Off
		case r.Phys == fsys.Encoded:
			pc.file, pc.off = c, from
		}
		if err := p.stretch(pc, to-from); err != nil {
			return run, err
		}
		if r.Off+r.Len > s.end() {
			break
		}
	}
	return run, nil
}

// checkRuns makes sure that the runs cover the file, so that header and data agree.
func checkRuns(c *tree.Content) error {
	if c.Runs == nil {
		if !c.Encoded() {
			return fmt.Errorf("%d bytes without a place", c.Size)
		}
		return nil
	}
	at := int64(0)
	for _, r := range c.Runs {
		if r.Off != at || r.Len <= 0 || r.Len > c.Size-at {
			return fmt.Errorf("run of %d bytes at file offset %d, want one at %d within %d bytes", r.Len, r.Off, at, c.Size)
		}
		if r.Phys < fsys.Encoded || r.Phys == fsys.Encoded && !c.Encoded() || r.Phys >= 0 && r.Phys > c.Dev.Size()-r.Len {
			return ondisk.Corruptf(max(r.Phys, ondisk.NoOffset), "%d bytes beyond the end of the volume", r.Len)
		}
		at += r.Len
	}
	if at != c.Size {
		return fmt.Errorf("runs of %d bytes in a file of %d", at, c.Size)
	}
	return nil
}
