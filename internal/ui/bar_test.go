package ui

import (
	"bytes"
	"strings"
	"sync"
	"testing"
	"time"
)

// locked is a writer that a bar's own goroutine, if it had one, could share.
type locked struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *locked) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *locked) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// A phase whose end is not known must not be drawn again once the next began.
func TestBarDrawsOnePhaseOnly(t *testing.T) {
	var w locked
	p, err := NewProgress("auto", &w, true)
	if err != nil {
		t.Fatal(err)
	}
	p.Phase("opening", 0)
	p.Phase("reading", 0)
	time.Sleep(250 * time.Millisecond) // two ticks of a clock that must not run
	p.Close()
	_, after, found := strings.Cut(w.String(), "reading")
	if !found || strings.Contains(after, "opening") {
		t.Errorf("drawn: %q", w.String())
	}
}
