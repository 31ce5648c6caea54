package fsys

import (
	"strconv"
	"strings"
)

// Printable returns a name or path fit for messages: as it is when every rune
// can be shown, else quoted with its control characters, invalid UTF-8 and
// invisible runes escaped, so that an image cannot write to the terminal. What
// begins with a quotation mark is quoted too, so that the two differ; a
// backslash by itself is no reason, as the paths of Windows are full of them.
func Printable(s string) string {
	if strings.HasPrefix(s, `"`) {
		return strconv.Quote(s)
	}
	for _, r := range s {
		if r == '\uFFFD' || !strconv.IsPrint(r) {
			return strconv.Quote(s)
		}
	}
	return s
}
