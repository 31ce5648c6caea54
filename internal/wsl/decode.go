package wsl

import (
	"bytes"
	"encoding/binary"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// Decode turns what wsl.exe or cmd.exe wrote into text with plain newlines. It
// is UTF-16LE unless WSL_UTF8=1 is understood (0.64.0 and later) and reached
// wsl.exe; the bytes decide, not the wish. The output of Linux programs that
// wsl.exe passes on is UTF-8 in either case, so each line is looked at by itself.
func Decode(b []byte) string {
	b = bytes.TrimPrefix(b, []byte("\xef\xbb\xbf"))
	var text strings.Builder
	for len(b) > 0 {
		if n := narrowLine(b); n > 0 {
			text.WriteString(strings.ToValidUTF8(string(b[:n]), "\uFFFD"))
			b = b[n:]
		} else {
			n := wideLine(b)
			text.WriteString(decodeWide(b[:n]))
			b = b[n:]
		}
	}
	return strings.ReplaceAll(text.String(), "\r\n", "\n")
}

// narrowLine is the length of the first line of b, or 0 if it is UTF-16LE: it
// has a byte order mark or zero bytes, or makes no sense where some of b is wide.
func narrowLine(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	if n == 0 {
		n = len(b)
	}
	switch {
	case bytes.HasPrefix(b, []byte("\xff\xfe")), bytes.IndexByte(b[:n], 0) >= 0, n < len(b) && b[n] == 0:
		return 0
	case bytes.IndexByte(b[n:], 0) >= 0 && !printable(bytes.TrimRight(b[:n], "\r\n")):
		return 0
	}
	return n
}

// printable tells whether b is a line that a program would print: half of
// UTF-16 text may have the bytes of a newline too, but hardly a line before it.
func printable(b []byte) bool {
	return len(b) > 0 && utf8.Valid(b) && bytes.IndexFunc(b, unicode.IsControl) < 0
}

// wideLine is the length of the first line of UTF-16LE text.
func wideLine(b []byte) int {
	for i := 0; i+1 < len(b); i += 2 {
		if b[i] == '\n' && b[i+1] == 0 {
			return i + 2
		}
	}
	return len(b)
}

// decodeWide decodes UTF-16LE; half a unit at the end is dropped.
func decodeWide(b []byte) string {
	units := make([]uint16, 0, len(b)/2)
	for ; len(b) >= 2; b = b[2:] {
		units = append(units, binary.LittleEndian.Uint16(b))
	}
	return strings.TrimPrefix(string(utf16.Decode(units)), "\uFEFF")
}
