// Package edit is the contract of the changes that are made to a tree between
// reading and writing.
package edit

import (
	"context"
	"fmt"

	"github.com/wslimg/wslimg/internal/tree"
)

// Change is one thing that an edit did, for the report.
type Change struct {
	Rule string `json:"rule"` // id of the readiness rule, or the flag that asked for it
	Path string `json:"path"` // in the tree, raw bytes
	What string `json:"what"` // "removed", "masked", …: what was done, in a few words
}

// Edit changes a tree. Apply is idempotent: a second run reports no change.
type Edit interface {
	Name() string
	Apply(ctx context.Context, t *tree.Tree) ([]Change, error)
}

// Run applies edits in order and gathers their changes.
func Run(ctx context.Context, t *tree.Tree, edits []Edit) ([]Change, error) {
	var all []Change
	for _, e := range edits {
		if err := ctx.Err(); err != nil {
			return all, err
		}
		c, err := e.Apply(ctx, t)
		if err != nil {
			return all, fmt.Errorf("%s: %w", e.Name(), err)
		}
		all = append(all, c...)
	}
	return all, nil
}

// Noter is an Edit that also has something to say that is no change. Notes
// speaks of the last Apply.
type Noter interface {
	Edit
	Notes() []string
}
