package wsl

import (
	"encoding/binary"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"
)

func utf16le(s string) string {
	b, _ := binary.Append(nil, binary.LittleEndian, utf16.Encode([]rune(s))) // of fixed size: cannot fail
	return string(b)
}

func TestDecode(t *testing.T) {
	for _, tt := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"utf-8", "Größe\r\nzwei\r\n", "Größe\nzwei\n"},
		{"utf-8 with mark", "\xef\xbb\xbfa\r\n", "a\n"},
		{"utf-16", utf16le("Größe\r\nzwei\r\n"), "Größe\nzwei\n"},
		{"utf-16 with mark", "\xff\xfe" + utf16le("a\r\n"), "a\n"},
		{"no newline", utf16le("debian"), "debian"},
		{"half a unit", utf16le("debian") + "x", "debian"},
		{"one unit", "a\x00", "a"},
		{"letters with the byte of a newline", utf16le("上海\r\n不能\r\n"), "上海\n不能\n"},
		{"outside the plane", utf16le("😀\n"), "😀\n"},
		{"mixture", utf16le("Import.\r\n") + "bsdtar: ./ü: full\n" + utf16le("Fehlercode: Wsl/X_Y\r\n"), "Import.\nbsdtar: ./ü: full\nFehlercode: Wsl/X_Y\n"},
		{"no text", "a\xff\n", "a\uFFFD\n"},
	} {
		if got := Decode([]byte(tt.in)); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, got, tt.want)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(utf16le("a\r\n") + "b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.ValidString(Decode(b)) {
			t.Error("not UTF-8")
		}
	})
}

// The last output is what counts, however much there is and however it comes.
func TestTail(t *testing.T) {
	text := utf16le(strings.Repeat("0123456789\r\n", 100000) + "Fehlercode: Wsl/Service/E_FAIL\r\n")
	for _, n := range []int{1000, 1001, 4097} {
		var w tail
		for rest := text; rest != ""; {
			k := min(n, len(rest))
			if _, err := w.Write([]byte(rest[:k])); err != nil {
				t.Fatal(err)
			}
			rest = rest[k:]
		}
		got := w.String()
		if !strings.HasSuffix(got, "\n0123456789\nFehlercode: Wsl/Service/E_FAIL\n") || len(got) > 2*maxOutput || strings.ContainsRune(got, '\uFFFD') {
			t.Errorf("pieces of %d: %d bytes, ending in %q", n, len(got), got[max(0, len(got)-60):])
		}
	}
}
