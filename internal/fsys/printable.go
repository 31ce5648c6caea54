package fsys

import "strconv"

// Printable returns a name or path fit for messages: as it is when every rune
// can be shown, else quoted with its control characters, invalid UTF-8 and
// invisible runes escaped, so that an image cannot write to the terminal.
func Printable(s string) string {
	for _, r := range s {
		if r == '\uFFFD' || r == '\\' || !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
