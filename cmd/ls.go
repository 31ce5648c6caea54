package cmd

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

type lsFlags struct {
	source          sourceFlags
	long, recursive bool
}

func newLs(s streams) *cobra.Command {
	var f lsFlags
	c := &cobra.Command{
		Use:   "ls IMAGE [PATH]",
		Short: "List files in a disk image",
		Long: `List files in a disk image: a directory, / if there is no PATH, or one file.
Links are shown, or followed to a directory without -l; times are in UTC.`,
		Example: `  wslimg ls image.qcow2
  wslimg ls -l image.qcow2 /etc
  wslimg ls -R image.qcow2 /boot`,
		Args: args(cobra.RangeArgs(1, 2)),
		RunE: func(c *cobra.Command, a []string) error {
			path := "/"
			if len(a) > 1 {
				path = a[1]
			}
			return withTree(c.Context(), a[0], f.source.options(s), func(t *tree.Tree) error {
				return f.list(s.out, t, path)
			})
		},
	}
	f.source.add(c.Flags())
	c.Flags().BoolVarP(&f.long, "long", "l", false, "with mode, links, owner, size and time")
	c.Flags().BoolVarP(&f.recursive, "recursive", "R", false, "with everything below, as paths")
	return c
}

// withTree opens an image and hands out its tree.
func withTree(ctx context.Context, name string, o convert.OpenOptions, use func(*tree.Tree) error) (err error) {
	src, err := convert.Open(ctx, name, o)
	if err != nil {
		return err
	}
	defer closing(src, &err)
	root, err := src.Root()
	if err != nil {
		return convert.NameError(name, err)
	}
	view, err := src.Load(ctx, root)
	if err != nil {
		return err
	}
	err = use(view.Tree)
	if err == nil || errors.Is(err, convert.ErrOutput) { // not the image's fault
		return err
	}
	return convert.NameError(name, err)
}

func (f *lsFlags) list(w io.Writer, t *tree.Tree, path string) error {
	n, err := t.Lstat(path)
	if err != nil {
		return err
	}
	if n.IsSymlink() && !f.long { // as ls does: show a link, or list where it leads
		if to, err := t.Lookup(path); err == nil && to.IsDir() {
			n = to
		}
	}
	out := bufio.NewWriter(w)
	switch {
	case !n.IsDir():
		f.line(out, path, n)
	case f.recursive:
		base, err := t.Canonical(path)
		if err != nil {
			return err
		}
		sub := tree.Tree{Root: n}
		_ = sub.Walk(func(p string, n *tree.Node) error {
			f.line(out, strings.TrimSuffix(base, "/")+strings.TrimSuffix(p, "/"), n)
			return nil
		})
	default:
		for _, e := range n.Entries() {
			f.line(out, e.Name, e.Node)
		}
	}
	return out.Flush()
}

func (f *lsFlags) line(w io.Writer, name string, n *tree.Node) {
	if name == "" {
		name = "/"
	}
	name = fsys.Printable(name)
	if !f.long {
		fmt.Fprintln(w, name)
		return
	}
	size := fmt.Sprint(n.Size())
	switch n.Mode & fsys.ModeType {
	case fsys.ModeChar, fsys.ModeBlock:
		size = fmt.Sprintf("%d,%d", n.Rdev.Major, n.Rdev.Minor)
	case fsys.ModeSymlink:
		size = fmt.Sprint(len(n.Target))
		name += " -> " + fsys.Printable(n.Target)
	}
	when := time.Unix(n.Mtime.Sec, int64(n.Mtime.Nsec)).UTC().Format("2006-01-02 15:04:05")
	fmt.Fprintf(w, "%s %3d %5d %5d %12s %s %s\n", modeString(n.Mode), n.Links, n.UID, n.GID, size, when, name)
}

// modeString is the mode as ls -l shows it.
func modeString(mode uint32) string {
	b := []byte("?rwxrwxrwx")
	for _, t := range []struct {
		bits uint32
		char byte
	}{
		{fsys.ModeRegular, '-'}, {fsys.ModeDir, 'd'}, {fsys.ModeSymlink, 'l'}, {fsys.ModeChar, 'c'},
		{fsys.ModeBlock, 'b'}, {fsys.ModeFifo, 'p'}, {fsys.ModeSocket, 's'},
	} {
		if mode&fsys.ModeType == t.bits {
			b[0] = t.char
		}
	}
	for i := range 9 {
		if mode&(1<<(8-i)) == 0 {
			b[1+i] = '-'
		}
	}
	for _, t := range []struct {
		bit     uint32
		at      int
		set, no byte
	}{{0o4000, 3, 's', 'S'}, {0o2000, 6, 's', 'S'}, {0o1000, 9, 't', 'T'}} {
		if mode&t.bit == 0 {
			continue
		}
		if b[t.at] == '-' {
			b[t.at] = t.no
		} else {
			b[t.at] = t.set
		}
	}
	return string(b)
}
