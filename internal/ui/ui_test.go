package ui

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/sink"
)

func TestBytes(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 kB", 1_500_000: "1.5 MB", 2_000_000_000: "2.0 GB", 1 << 62: "4.6 EB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

func TestProgressJSON(t *testing.T) {
	var b bytes.Buffer
	p, err := NewProgress("json", &b, false)
	if err != nil {
		t.Fatal(err)
	}
	p.Phase("opening", 0)
	p.Phase("writing", 100)
	p.Add(60)
	p.Add(40)
	p.Close()
	var got []string
	for line := range strings.Lines(b.String()) {
		var s struct {
			Phase        string
			Bytes, Total int64
		}
		if err := json.Unmarshal([]byte(line), &s); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		got = append(got, s.Phase)
		if s.Phase == "writing" && s.Total != 100 {
			t.Errorf("total %d, want 100", s.Total)
		}
	}
	if want := "opening writing writing"; strings.Join(got, " ") != want {
		t.Errorf("phases %v, want %s", got, want)
	}
	if !strings.Contains(b.String(), `"bytes":100`) {
		t.Errorf("the last line does not tell all bytes:\n%s", b.String())
	}
}

func TestProgressAuto(t *testing.T) {
	var b bytes.Buffer
	p, err := NewProgress("auto", &b, false)
	if err != nil {
		t.Fatal(err)
	}
	p.Phase("writing", 10)
	p.Add(10)
	p.Close()
	if b.Len() != 0 {
		t.Errorf("a pipe was given %q", b.String())
	}
	if p, err = NewProgress("auto", &b, true); err != nil {
		t.Fatal(err)
	}
	p.Phase("writing", 10)
	p.Add(20) // more than the estimate
	p.Close()
	if !strings.Contains(b.String(), "writing") {
		t.Errorf("a terminal was given %q", b.String())
	}
	if _, err := NewProgress("loud", &b, true); err == nil {
		t.Error("an unknown mode was taken")
	}
}

func TestResultEscapes(t *testing.T) {
	var b bytes.Buffer
	Result(&b, &convert.Result{
		Image:   convert.ImageInfo{Path: "disk.raw", Format: "raw"},
		Entries: map[string]int{"file": 2, "dir": 1},
		Changes: []edit.Change{{Rule: "FSTAB", Path: "/etc/\x1b[31m", What: "removed"}},
		Losses:  []sink.Loss{{Kind: "socket", Count: 3, First: "/run/\nx", Info: true}},
	}, true)
	for _, want := range []string{
		"disk.raw: unknown system (-), raw", "2 files, 1 directory",
		`edit FSTAB: "/etc/\x1b[31m": removed`, `left out: 3 × socket, first "/run/\nx"`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "\x1b") {
		t.Error("an escape sequence came through")
	}
}

func TestJSON(t *testing.T) {
	const name = "größe <&> \x1b[2J\n\x7f\u009b31m\u202e\u2028\U000e0001🐧 \""
	var b bytes.Buffer
	if err := JSON(&b, map[string]string{"path": name}); err != nil {
		t.Fatal(err)
	}
	const want = `{
  "path": "größe <&> \u001b[2J\n\u007f\u009b31m\u202e\u2028\udb40\udc01🐧 \""
}
`
	if b.String() != want {
		t.Errorf("got  %q\nwant %q", b.String(), want)
	}
	var back map[string]string
	if err := json.Unmarshal(b.Bytes(), &back); err != nil || back["path"] != name {
		t.Errorf("reads back as %q, %v", back["path"], err)
	}
}
