package wsl

import (
	"bytes"
	"errors"
	"testing"
)

// What a cutter lets through is the whole archive, or no multiple of a block
// and nothing of the end.
func TestCutter(t *testing.T) {
	whole := make([]byte, 3*holdBack+1000)
	for i := range whole {
		whole[i] = byte(i * 7)
	}
	for _, piece := range []int{1, 511, 512, holdBack - 1, holdBack, holdBack + 1, 2 * holdBack, len(whole)} {
		for _, n := range []int{0, 1, 512, holdBack, holdBack + 512, 2*holdBack + 1, len(whole)} {
			var got bytes.Buffer
			c := &cutter{w: &got}
			for rest := whole[:n]; len(rest) > 0; {
				k := min(piece, len(rest))
				if m, err := c.Write(rest[:k]); m != k || err != nil {
					t.Fatal(m, err)
				}
				rest = rest[k:]
			}
			passed := got.Len()
			c.cut()
			if got.Len()%tarBlock == 0 || got.Len() > max(tarBlock, n-holdBack+tarBlock) || passed > max(0, n-holdBack) {
				t.Errorf("pieces of %d, %d bytes: %d passed, %d after the cut", piece, n, passed, got.Len())
			}
			got.Truncate(passed)
			if err := c.finish(); err != nil || !bytes.Equal(got.Bytes(), whole[:n]) {
				t.Errorf("pieces of %d, %d bytes: %d arrived, %v", piece, n, got.Len(), err)
			}
		}
	}
}

func TestCutterRemembersTheFailure(t *testing.T) {
	gone := errors.New("broken pipe")
	c := &cutter{w: failing{gone}}
	if _, err := c.Write(make([]byte, 2*holdBack)); !errors.Is(err, gone) {
		t.Error(err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, gone) || !errors.Is(c.finish(), gone) {
		t.Error(err)
	}
}

type failing struct{ err error }

func (f failing) Write([]byte) (int, error) { return 0, f.err }
