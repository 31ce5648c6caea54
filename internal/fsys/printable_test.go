package fsys

import "testing"

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
