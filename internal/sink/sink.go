// Package sink is the contract of what writes a tree out.
package sink

import (
	"context"

	"github.com/wslimg/wslimg/internal/tree"
)

// Progress is told the bytes of the plain output done since the last call. It
// is called by one goroutine at a time.
type Progress func(bytes int64)

// Loss is something of the tree that the output cannot carry.
type Loss struct {
	Kind  string `json:"kind"` // "socket", "trusted xattr", …
	Count int    `json:"count"`
	First string `json:"first"` // path of the first one
	Info  bool   `json:"info"`  // expected and harmless, such as a socket: no loss in the exit code
}

// Stats tells what was written.
type Stats struct {
	Entries map[string]int `json:"entries"` // by type: "dir", "file", "symlink", "link", "char", "block", "fifo"
	Plain   int64          `json:"plain"`   // bytes of the uncompressed output
	Content int64          `json:"content"` // bytes of file content in it
	Losses  []Loss         `json:"losses"`
}

// Sink writes a tree. It returns when all is written or on the first error;
// ctx is checked between pieces of about 1 MiB.
type Sink interface {
	Write(ctx context.Context, t *tree.Tree, p Progress) (Stats, error)
}
