package ondisk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestFormatError(t *testing.T) {
	err := fmt.Errorf("inode 131: %w", Corruptf(0x4003000, "extent magic %#x, want %#x", 0, 0xf30a))
	if got, want := err.Error(), "inode 131: extent magic 0x0, want 0xf30a, at byte 0x4003000"; got != want {
		t.Errorf("got %q\nwant %q", got, want)
	}
	if !errors.Is(err, ErrCorrupt) || errors.Is(err, ErrUnsupported) {
		t.Error("class is not ErrCorrupt alone")
	}
	if got := At(fmt.Errorf("x: %w", Corruptf(NoOffset, "bad")), 16).Error(); got != "x: bad, at byte 0x10" {
		t.Errorf("placed: %q", got)
	}
	if got := At(Corruptf(1, "bad"), 16).Error(); got != "bad, at byte 0x1" {
		t.Errorf("placed twice: %q", got)
	}
	if got := Unsupportedf("feature %q", "x").Error(); got != `feature "x"` {
		t.Errorf("without a place: %q", got)
	}
}

func TestHint(t *testing.T) {
	err := fmt.Errorf("outer: %w", WithHint(Corruptf(NoOffset, "bad"), "do this"))
	if HintOf(err) != "do this" || !errors.Is(err, ErrCorrupt) || err.Error() != "outer: bad" {
		t.Errorf("hint %q, error %q", HintOf(err), err)
	}
	if WithHint(nil, "x") != nil || HintOf(io.EOF) != "" {
		t.Error("a hint without an error, or an error with a hint that nobody gave")
	}
}

// endless has no end, so that only the limit can stop a read.
type endless struct{ read int64 }

func (e *endless) ReadAt(p []byte, _ int64) (int, error) {
	e.read += int64(len(p))
	return len(p), nil
}

func TestReadAt(t *testing.T) {
	data := bytes.Repeat([]byte("0123456789"), 300_000) // more than one step
	got, err := ReadAt(bytes.NewReader(data), 7, 2_500_000, 1<<30, "table")
	if err != nil || !bytes.Equal(got, data[7:2_500_007]) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	for _, c := range []struct{ off, n, limit int64 }{
		{-1, 1, 10}, {0, -1, 10}, {0, 11, 10}, {2_999_999, 2, 10}, {1 << 62, 5, 10},
	} {
		if _, err := ReadAt(bytes.NewReader(data), c.off, c.n, c.limit, "table"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%+v: %v, want ErrCorrupt", c, err)
		}
	}
	var e endless
	if _, err := ReadAt(&e, 0, 1<<40, 1<<20, "table"); err == nil || e.read != 0 {
		t.Errorf("over the limit: %v after %d bytes", err, e.read)
	}
}

func TestReadAtDoesNotTrustTheLength(t *testing.T) {
	small := bytes.NewReader(make([]byte, 100))
	allocated := testing.AllocsPerRun(1, func() {
		if _, err := ReadAt(small, 0, 1<<40, 1<<41, "table"); !errors.Is(err, ErrCorrupt) {
			t.Errorf("%v, want ErrCorrupt", err)
		}
	})
	if allocated > 20 { // a terabyte would have ended the test already
		t.Errorf("%v allocations", allocated)
	}
}

// failing has an I/O error.
type failing struct{}

var errMedium = errors.New("medium")

func (failing) ReadAt([]byte, int64) (int, error) { return 0, errMedium }

func TestReadFullKeepsIOErrors(t *testing.T) {
	err := ReadFull(failing{}, make([]byte, 1), 0, "x")
	if !errors.Is(err, errMedium) || errors.Is(err, ErrCorrupt) {
		t.Errorf("%v, want the medium's own error", err)
	}
}
