package manifest

import (
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/fsys"
)

// FromFS describes everything that fs holds. dev is the device that fs reads,
// which Layout's physical offsets refer to.
func FromFS(fs fsys.FS, dev io.ReaderAt) ([]Entry, error) {
	var entries []Entry
	type dir struct {
		path string
		ino  fsys.Ino
	}
	top, err := fromInode(fs, dev, fs.Root())
	if err != nil {
		return nil, err
	}
	top.Path = "."
	entries = append(entries, top)
	seen := map[fsys.Ino]bool{fs.Root(): true}
	for stack := []dir{{"", fs.Root()}}; len(stack) > 0; {
		d := stack[len(stack)-1]
		stack = stack[:len(stack)-1]
		for ent, err := range fs.ReadDir(d.ino) {
			if err != nil {
				return nil, fmt.Errorf("%q: %w", d.path, err)
			}
			path := d.path + ent.Name
			e, err := fromInode(fs, dev, ent.Ino)
			if err != nil {
				return nil, fmt.Errorf("%q: %w", path, err)
			}
			if ent.Type != 0 && !e.Mode.Is(ent.Type) {
				return nil, fmt.Errorf("%q: dirent type %06o, inode mode %06o", path, ent.Type, uint32(e.Mode))
			}
			e.Path = Raw(path)
			entries = append(entries, e)
			if e.Mode.Is(fsys.ModeDir) {
				if seen[ent.Ino] {
					return nil, fmt.Errorf("%q: inode %d is there twice", path, ent.Ino)
				}
				seen[ent.Ino] = true
				stack = append(stack, dir{path + "/", ent.Ino})
			}
		}
	}
	Finish(entries)
	return entries, nil
}

func fromInode(fs fsys.FS, dev io.ReaderAt, ino fsys.Ino) (Entry, error) {
	n, err := fs.Inode(ino)
	if err != nil {
		return Entry{}, err
	}
	e := Entry{
		Mode: Mode(n.Mode), UID: n.UID, GID: n.GID, Target: Raw(n.Target),
		Sec: n.Mtime.Sec, Nsec: n.Mtime.Nsec, Inode: uint64(n.Ino), Nlink: n.Nlink,
	}
	for _, a := range n.Xattrs {
		e.Xattrs = append(e.Xattrs, Attr{Raw(a.Name), a.Value})
	}
	switch n.Mode & fsys.ModeType {
	case fsys.ModeChar, fsys.ModeBlock:
		e.Rdev = fmt.Sprintf("%d:%d", n.Rdev.Major, n.Rdev.Minor)
	case fsys.ModeRegular:
		e.Size = n.Size
		runs, err := fs.Layout(ino)
		if err != nil {
			return Entry{}, err
		}
		r := io.ReaderAt(mapped{dev, runs})
		for _, run := range runs {
			if run.Phys == fsys.Encoded {
				if r, err = fs.Open(ino); err != nil {
					return Entry{}, err
				}
				break
			}
		}
		if e.Digest, err = Digest(r, n.Size, runs); err != nil {
			return Entry{}, err
		}
	}
	return e, nil
}

// mapped reads a file through its runs.
type mapped struct {
	dev  io.ReaderAt
	runs []fsys.Run
}

func (m mapped) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for _, run := range m.runs {
		if off < run.Off || off >= run.Off+run.Len {
			continue
		}
		n := int(min(int64(len(p)-done), run.Off+run.Len-off))
		part := p[done : done+n]
		if run.Phys == fsys.Hole {
			clear(part)
		} else if err := readFull(m.dev, part, run.Phys+off-run.Off); err != nil {
			return done, err
		}
		done += n
		off += int64(n)
		if done == len(p) {
			return done, nil
		}
	}
	return done, io.EOF
}
