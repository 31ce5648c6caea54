package fsys

import (
	"strings"
	"testing"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"/usr/bin/größe": "/usr/bin/größe",
		`C:\Users\me\x`:  `C:\Users\me\x`,
		`a\nb`:           `a\nb`,
		"a\nb":           `"a\nb"`,
		`"a\nb"`:         `"\"a\\nb\""`,
		"\x1b[2J":        `"\x1b[2J"`,
		"a\xffb":         `"a\xffb"`,
		"a\u202eb":       `"a\u202eb"`,
		"":               "",
	} {
		if got := Printable(in); got != want {
			t.Errorf("%q: %s, want %s", in, got, want)
		}
	}
}

func TestBrief(t *testing.T) {
	for in, want := range map[string]string{
		"/usr":                   "/usr",
		strings.Repeat("x", 512): strings.Repeat("x", 512),
		"/a" + strings.Repeat("/ü", 5000) + "/b": "/a" + strings.Repeat("/ü", 84) + "/…ü" + strings.Repeat("/ü", 84) + "/b",
		strings.Repeat("\x1b", 600):              `"` + strings.Repeat(`\x1b`, 256) + "…" + strings.Repeat(`\x1b`, 256) + `"`,
		strings.Repeat("\x80", 600):              "",
	} {
		got := Brief(in)
		if want != "" && got != want {
			t.Errorf("%.40q…: %s, want %s", in, got, want)
		}
		if len(got) > 4*maxBrief+10 || want == "" && !strings.HasPrefix(got, `"\x80`) {
			t.Errorf("%.40q…: %d bytes: %.40s", in, len(got), got)
		}
	}
}

func TestOwnerID(t *testing.T) {
	for stored, want := range map[uint32]uint32{0: 0, 1000: 1000, 1<<32 - 2: 1<<32 - 2, 1<<32 - 1: 65534} {
		if got := OwnerID(stored); got != want {
			t.Errorf("%d: %d, want %d", stored, got, want)
		}
	}
}
