package hostfile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// zeroBlock is the smallest run of zeros that becomes a hole.
const zeroBlock = 4096

// Temp is a temporary sparse file that nobody else can open by name and that
// is gone when it is closed, also when the process is killed.
type Temp struct {
	f    *os.File
	size int64 // bytes written so far, holes included
}

// NewTemp makes one in dir, or in the usual folder for large temporary files
// if dir is "".
func NewTemp(dir string) (*Temp, error) {
	if dir == "" {
		dir = tempDir()
	}
	f, err := createTemp(dir)
	if err != nil {
		return nil, fmt.Errorf("temporary file: %w", err)
	}
	return &Temp{f: f}, nil
}

// Write appends p. Aligned blocks of zeros are left out as holes.
func (t *Temp) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, zero := likeRun(p[done:], t.size)
		if !zero {
			if m, err := t.f.WriteAt(p[done:done+n], t.size); err != nil {
				t.size += int64(m)
				return done + m, fmt.Errorf("temporary file: %w", err)
			}
		}
		t.size += int64(n)
		done += n
	}
	return done, nil
}

// likeRun returns the length of the run of blocks at the start of p, which
// lies at off, that are all zero or all not.
func likeRun(p []byte, off int64) (n int, zero bool) {
	for n < len(p) {
		block := p[n:min(len(p), n+zeroBlock-int(off%zeroBlock))]
		z := allZero(block)
		if n > 0 && z != zero {
			break
		}
		zero = z
		n += len(block)
		off += int64(len(block))
	}
	return n, zero
}

var zeros [zeroBlock]byte

func allZero(block []byte) bool { return bytes.Equal(block, zeros[:len(block)]) }

// File ends the writing and turns t into a File called name, which owns it.
func (t *Temp) File(name string) (*File, error) {
	if err := t.f.Truncate(t.size); err != nil {
		return nil, errors.Join(fmt.Errorf("temporary file: %w", err), t.f.Close())
	}
	f, err := newFile(t.f, name)
	if err != nil {
		return nil, errors.Join(err, t.f.Close())
	}
	return f, nil
}

// Size is the count of bytes written.
func (t *Temp) Size() int64 { return t.size }

// Close throws the file away; not for use after File.
func (t *Temp) Close() error { return t.f.Close() }

var _ io.WriteCloser = (*Temp)(nil)
