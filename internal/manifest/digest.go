package manifest

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"io"

	"github.com/wslimg/wslimg/internal/fsys"
)

// plainLimit is the size in bytes up to which a digest is simply the SHA-256
// of the content.
const plainLimit = 64 << 20

const page = 4096

// Digest identifies the content of r: its SHA-256 in hex up to plainLimit, and
// above it "sparse:" and the SHA-256 of the offset and content of every page
// of 4 KiB that is not all zeros, so that a terabyte of hole costs nothing.
// Bytes outside of runs that lie somewhere are zeros and are not read.
func Digest(r io.ReaderAt, size int64, runs []fsys.Run) (string, error) {
	if size <= plainLimit {
		data := make([]byte, size)
		for _, run := range runs {
			if run.Phys == fsys.Hole {
				continue
			}
			if err := readFull(r, data[run.Off:run.Off+run.Len], run.Off); err != nil {
				return "", err
			}
		}
		sum := sha256.Sum256(data)
		return hex.EncodeToString(sum[:]), nil
	}
	h := sha256.New()
	buf := make([]byte, 1<<20)
	zero := make([]byte, page)
	next := int64(0) // pages below this are done
	for _, run := range runs {
		if run.Phys == fsys.Hole {
			continue
		}
		end := run.Off + run.Len
		for off := max(next, run.Off/page*page); off < end; {
			n := min(int64(len(buf)), size-off, (end-off+page-1)/page*page)
			if err := readFull(r, buf[:n], off); err != nil {
				return "", err
			}
			for i := int64(0); i < n; i += page {
				p := buf[i:min(i+page, n)]
				if bytes.Equal(p, zero[:len(p)]) {
					continue
				}
				var at [8]byte
				binary.LittleEndian.PutUint64(at[:], uint64(off+i))
				h.Write(at[:])
				h.Write(p)
			}
			off += n
			next = off
		}
	}
	return "sparse:" + hex.EncodeToString(h.Sum(nil)), nil
}

// readFull reads all of p; io.EOF together with all of it is no error.
func readFull(r io.ReaderAt, p []byte, off int64) error {
	if len(p) == 0 {
		return nil
	}
	n, err := r.ReadAt(p, off)
	if n == len(p) {
		return nil
	}
	if err == nil || err == io.EOF {
		err = io.ErrUnexpectedEOF
	}
	return err
}
