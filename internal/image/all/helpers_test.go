//go:build oracle && linux

package all

import (
	"bytes"
	"compress/flate"
	"io"
	"testing"
)

// inflateAll returns the n bytes that a raw deflate stream begins with.
func inflateAll(t *testing.T, stored []byte, n int64) []byte {
	t.Helper()
	plain := make([]byte, n)
	if _, err := io.ReadFull(flate.NewReader(bytes.NewReader(stored)), plain); err != nil {
		t.Fatal(err)
	}
	return plain
}
