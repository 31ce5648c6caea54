package fsys

import (
	"strconv"
	"strings"
	"unicode/utf8"
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

// maxBrief is how many bytes of a path a message shows.
const maxBrief = 512

// Brief is Printable for messages, which leaves out the middle of what is
// longer than a line can be: an image may hold paths of many kilobytes.
func Brief(s string) string {
	if len(s) <= maxBrief {
		return Printable(s)
	}
	head, tail := maxBrief/2, len(s)-maxBrief/2
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(s[head]); i++ {
		head--
	}
	for i := 0; i < utf8.UTFMax && !utf8.RuneStart(s[tail]); i++ {
		tail++
	}
	return Printable(s[:head] + "…" + s[tail:])
}
