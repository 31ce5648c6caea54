package deflate

import (
	"bytes"
	"testing"
)

// Data without structure is stored, but repetitions of it are found.
func TestDense(t *testing.T) {
	random := plainSamples()["random"][:64<<10]
	for level := LevelFast; level <= LevelSmall; level++ {
		e := NewEncoder(level)
		piece := e.Encode(nil, random)
		if n := len(piece); n > len(random)+64 {
			t.Errorf("level %d: %d random bytes take %d", level, len(random), n)
		}
		decodeBoth(t, append(piece, Final...), random)
		for _, period := range []int{10007, 20000, 32000} {
			plain := bytes.Repeat(random[:period], 8)
			piece := e.Encode(nil, plain)
			if n := len(piece); n > period*5/4+4000 {
				t.Errorf("level %d: %d bytes of period %d take %d", level, len(plain), period, n)
			}
			decodeBoth(t, append(piece, Final...), plain)
		}
	}
	var f denseFinder
	text := plainSamples()["text"]
	for at := 0; at+denseChunk <= len(text); at += denseChunk {
		if dense, _ := f.judge(text, at); dense {
			t.Fatalf("text at %d is called dense", at)
		}
	}
}
