package fsystest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
)

// file is a regular file as its runs say it lies on the device.
type file struct {
	dev  blockdev.Device
	runs []fsys.Run
	size int64
	open io.ReaderAt
}

// openFile gets a file's layout and holds it to the contract.
func openFile(dev blockdev.Device, fs fsys.FS, n *fsys.Inode) (*file, error) {
	runs, err := fs.Layout(n.Ino)
	if err != nil {
		return nil, err
	}
	f := &file{dev: dev, runs: runs, size: n.Size}
	off := int64(0)
	for _, r := range runs {
		switch {
		case r.Off != off || r.Len <= 0:
			return nil, fmt.Errorf("contract: run %+v at file offset %d", r, off)
		case r.Phys < fsys.Encoded:
			return nil, fmt.Errorf("contract: run %+v", r)
		case r.Phys >= 0 && (r.Len > dev.Size() || r.Phys > dev.Size()-r.Len):
			return nil, fmt.Errorf("contract: run %+v on a device of %d bytes", r, dev.Size())
		}
		off += r.Len
	}
	if off != n.Size {
		return nil, fmt.Errorf("contract: runs end at %d, size is %d", off, n.Size)
	}
	if f.open, err = fs.Open(n.Ino); err != nil {
		return nil, err
	}
	return f, nil
}

// ReadAt reads by the runs.
func (f *file) ReadAt(p []byte, off int64) (int, error) {
	done := 0
	for _, r := range f.runs {
		if done == len(p) {
			return done, nil
		}
		pos := off + int64(done)
		if pos >= r.Off+r.Len {
			continue
		}
		part := p[done:min(int64(len(p)), int64(done)+r.Off+r.Len-pos)]
		var err error
		switch r.Phys {
		case fsys.Hole:
			clear(part)
		case fsys.Encoded:
			err = readFull(f.open, part, pos)
		default:
			err = readFull(f.dev, part, r.Phys+pos-r.Off)
		}
		if err != nil {
			return done, err
		}
		done += len(part)
	}
	if done < len(p) {
		return done, io.EOF
	}
	return done, nil
}

func readFull(r io.ReaderAt, p []byte, off int64) error {
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil {
		return errors.New("contract: short read without an error")
	}
	return err
}

// data is the next stretch at or after off that is no hole.
func (f *file) data(off int64) (start, end int64) {
	for _, r := range f.runs {
		if r.Phys != fsys.Hole && r.Off+r.Len > off {
			return max(off, r.Off), r.Off + r.Len
		}
	}
	return f.size, f.size
}

// small files are also read as a whole through Open, holes included.
const small = 4 << 20

// digest is Digest of the file by its runs, once Open has been seen to agree.
func (f *file) digest() (string, error) {
	sum, err := Digest(f, f.size, f.data)
	if err != nil {
		return "", err
	}
	next := f.data
	if f.size <= small {
		next = func(off int64) (int64, int64) { return off, f.size }
	}
	opened, err := Digest(f.open, f.size, next)
	if err != nil {
		return "", fmt.Errorf("open: %w", err)
	}
	if opened != sum {
		return "", errors.New("contract: open and layout disagree on the content")
	}
	if n, err := f.open.ReadAt(make([]byte, 1), f.size); n != 0 || err == nil {
		return "", fmt.Errorf("contract: reads %d bytes at the end, error: %t", n, err != nil)
	}
	return sum, nil
}

// probe reads a few bytes at the edges, as one may of a damaged image.
func (f *file) probe() error {
	var p [5]byte
	for i, r := range f.runs {
		if i > 8 && i < len(f.runs)-8 {
			continue
		}
		for _, off := range []int64{r.Off, max(r.Off, r.Off+r.Len-int64(len(p)))} {
			if _, err := f.open.ReadAt(p[:], off); err != nil && !errors.Is(err, io.EOF) {
				return err
			}
		}
	}
	return nil
}

const (
	digestBlock = 4096 // the grain at which Digest passes over zeros
	digestBytes = 16   // of the SHA-256, which is enough to tell files apart
)

// Digest identifies a file's content at a cost that holes do not add to: it is
// the SHA-256, cut to 16 bytes, of each 4096-byte block that is not all zeros (the last one may
// be short), each after its offset as eight big-endian bytes. next gives the
// next stretch of data at or after an offset, or size.
func Digest(r io.ReaderAt, size int64, next func(off int64) (start, end int64)) (string, error) {
	var zero [digestBlock]byte
	h := sha256.New()
	buf := make([]byte, 64*digestBlock)
	for off := int64(0); off < size; {
		start, end := next(off)
		off = max(off, start/digestBlock*digestBlock)
		if off >= size || start >= end {
			break
		}
		for off < min(end, size) {
			p := buf[:min(int64(len(buf)), size-off, (end-off+digestBlock-1)/digestBlock*digestBlock)]
			if err := readFull(r, p, off); err != nil {
				return "", err
			}
			for i := 0; i < len(p); i += digestBlock {
				block := p[i:min(len(p), i+digestBlock)]
				if !bytes.Equal(block, zero[:len(block)]) {
					var at [8]byte
					binary.BigEndian.PutUint64(at[:], uint64(off)+uint64(i))
					h.Write(at[:])
					h.Write(block)
				}
			}
			off += int64(len(p))
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:digestBytes]), nil
}
