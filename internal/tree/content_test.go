package tree

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/wslimg/wslimg/internal/fsys"
)

type memDevice []byte

func (d memDevice) Size() int64                             { return int64(len(d)) }
func (d memDevice) ReadAt(p []byte, off int64) (int, error) { return bytes.NewReader(d).ReadAt(p, off) }

func TestContentReadsRuns(t *testing.T) {
	c := &Content{Size: 14, Dev: memDevice("0123456789"), Runs: []fsys.Run{
		{Off: 0, Len: 3, Phys: 7}, {Off: 3, Len: 4, Phys: fsys.Hole}, {Off: 7, Len: 7, Phys: 0},
	}}
	if got, all := c.Stored(), Bytes(make([]byte, 5)).Stored(); got != 10 || all != 5 {
		t.Errorf("%d bytes stored besides a hole, %d in memory", got, all)
	}
	want := []byte("789\x00\x00\x00\x000123456")
	r, err := c.Open()
	if err != nil {
		t.Fatal(err)
	}
	for off := range int64(15) {
		for n := range int64(15) - off {
			got := bytes.Repeat([]byte{0xee}, int(n))
			if k, err := r.ReadAt(got, off); k != int(n) || err != nil || !bytes.Equal(got, want[off:off+n]) {
				t.Fatalf("%d bytes at %d: %q, %v", n, off, got[:k], err)
			}
		}
	}
	got := make([]byte, 5)
	if n, err := r.ReadAt(got, 12); n != 2 || err != io.EOF {
		t.Errorf("read over the end: %d bytes, %v", n, err)
	}
	if err := iotest.TestReader(io.NewSectionReader(r, 0, c.Size), want); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadAt(got, -1); err == nil {
		t.Error("read at a negative offset: no error")
	}
}

func TestContentBeyondTheDeviceIsNoZeros(t *testing.T) {
	c := &Content{Size: 8, Dev: memDevice("0123"), Runs: []fsys.Run{{Len: 8, Phys: 0}}}
	r, _ := c.Open()
	if n, err := r.ReadAt(make([]byte, 8), 0); n != 4 || !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("%d bytes, %v; want 4 and unexpected EOF", n, err)
	}
}

func TestContentFirstPhys(t *testing.T) {
	for want, c := range map[int64]*Content{
		-1: contentAt(0, fsys.Hole, fsys.Encoded),
		5:  contentAt(0, fsys.Hole, 70, 5, 6),
		0:  contentAt(0, 3, 0),
	} {
		if got := c.FirstPhys(); got != want {
			t.Errorf("first byte of %v at %d, want %d", c.Runs, got, want)
		}
	}
}
