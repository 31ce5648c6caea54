package cmd

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

func newCat(s streams) *cobra.Command {
	var source sourceFlags
	c := &cobra.Command{
		Use:   "cat IMAGE PATH...",
		Short: "Print files in a disk image",
		Example: `  wslimg cat image.qcow2 /etc/os-release
  wslimg cat image.qcow2 /etc/passwd /etc/group`,
		Args: args(cobra.MinimumNArgs(2)),
		RunE: func(c *cobra.Command, a []string) error {
			return withTree(c.Context(), a[0], source.options(s), func(t *tree.Tree) error {
				for _, path := range a[1:] {
					if err := printFile(s.out, t, path); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
	source.add(c.Flags())
	return c
}

func printFile(w io.Writer, t *tree.Tree, path string) error {
	n, err := t.Lookup(path)
	if err != nil {
		return err
	}
	switch {
	case !n.IsRegular():
		err = errors.New("is not a regular file")
	case n.Content != nil:
		var r io.ReaderAt
		if r, err = n.Content.Open(); err == nil {
			_, err = io.Copy(w, io.NewSectionReader(r, 0, n.Size()))
		}
	}
	if err == nil || errors.Is(err, convert.ErrOutput) { // not the file's fault
		return err
	}
	return fmt.Errorf("%s: %w", fsys.Printable(path), err)
}
