package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"unicode/utf16"
)

// JSON prints v as one indented document. Control characters and invisible
// runes are escaped, also those that JSON lets stand: names come from the
// image, and the document may end on a terminal.
func JSON(w io.Writer, v any) error {
	var plain, escaped bytes.Buffer
	enc := json.NewEncoder(&plain)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	for _, r := range plain.String() {
		switch { // what is not ASCII stands in strings only
		case r == '\n' || strconv.IsPrint(r):
			escaped.WriteRune(r)
		case r > 0xffff:
			high, low := utf16.EncodeRune(r)
			fmt.Fprintf(&escaped, `\u%04x\u%04x`, high, low)
		default:
			fmt.Fprintf(&escaped, `\u%04x`, r)
		}
	}
	_, err := w.Write(escaped.Bytes())
	return err
}
