// Package ui renders progress and results for people and for programs. It
// writes only to the writers that it is given.
package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/schollz/progressbar/v3"
)

// Progress shows how the work goes on; see convert.Reporter. Close ends it.
type Progress interface {
	Phase(name string, total int64)
	Add(bytes int64)
	Close()
}

// Modes are the values of --progress.
var Modes = []string{"auto", "plain", "json", "none"}

// NewProgress makes the display for a mode: a bar, lines of text, lines of
// JSON, or nothing. auto is a bar on a terminal and nothing elsewhere.
func NewProgress(mode string, w io.Writer, terminal bool) (Progress, error) {
	switch {
	case mode == "none" || mode == "auto" && !terminal:
		return quiet{}, nil
	case mode == "auto":
		return &bar{w: w}, nil
	case mode == "plain":
		return &lines{every: 5 * time.Second, print: func(s step) { fmt.Fprintln(w, s.text()) }}, nil
	case mode == "json":
		enc := json.NewEncoder(w)
		return &lines{every: 250 * time.Millisecond, print: func(s step) { _ = enc.Encode(s) }}, nil
	}
	return nil, fmt.Errorf("--progress %q: want one of %s", mode, strings.Join(Modes, ", "))
}

type quiet struct{}

func (quiet) Phase(string, int64) {}
func (quiet) Add(int64)           {}
func (quiet) Close()              {}

// bar draws on a terminal.
type bar struct {
	w io.Writer
	b *progressbar.ProgressBar
}

func (p *bar) Phase(name string, total int64) {
	p.Close()
	if total <= 0 {
		total = -1 // a spinner
	}
	p.b = progressbar.NewOptions64(total,
		progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(name),
		progressbar.OptionShowBytes(true), progressbar.OptionShowCount(),
		progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionFullWidth(),
		progressbar.OptionSetPredictTime(true), progressbar.OptionClearOnFinish(),
		// no clock of its own, which would draw on beside the next phase
		progressbar.OptionSetSpinnerChangeInterval(0))
	_ = p.b.RenderBlank() // shows the phase before its first bytes
}

// Add passes over the bar's complaint about more bytes than the estimate.
func (p *bar) Add(n int64) { _ = p.b.Add64(n) }

func (p *bar) Close() {
	if p.b != nil {
		_ = p.b.Clear()
		p.b = nil
	}
}

// step is a line of progress.
type step struct {
	Phase   string  `json:"phase"`
	Bytes   int64   `json:"bytes"`
	Total   int64   `json:"total,omitempty"` // an estimate
	Seconds float64 `json:"seconds"`         // since the phase began
}

func (s step) text() string {
	if s.Total <= 0 {
		return s.Phase
	}
	return fmt.Sprintf("%s: %s of about %s", s.Phase, Bytes(s.Bytes), Bytes(s.Total))
}

// lines prints a step when a phase begins, ends, and now and then between.
type lines struct {
	every       time.Duration
	print       func(step)
	now         step
	begun, last time.Time
}

func (p *lines) Phase(name string, total int64) {
	p.Close()
	p.now, p.begun, p.last = step{Phase: name, Total: total}, time.Now(), time.Now()
	p.print(p.now)
}

func (p *lines) Add(n int64) {
	p.now.Bytes += n
	if t := time.Now(); t.Sub(p.last) >= p.every {
		p.last = t
		p.emit()
	}
}

func (p *lines) emit() {
	p.now.Seconds = time.Since(p.begun).Seconds()
	p.print(p.now)
}

// Close prints the last step of a phase that counted bytes.
func (p *lines) Close() {
	if p.now.Bytes > 0 {
		p.emit()
	}
	p.now = step{}
}
