package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/ready"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ui"
)

func newInspect(s streams) *cobra.Command {
	var source sourceFlags
	var asJSON bool
	c := &cobra.Command{
		Use:   "inspect IMAGE",
		Short: "Show what is in a disk image: format, volumes, filesystems, system",
		Example: `  wslimg inspect image.qcow2
  wslimg inspect --json image.qcow2`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, a []string) error {
			r, err := inspect(c.Context(), a[0], source.options(s))
			if err != nil {
				return err
			}
			if asJSON {
				return ui.JSON(s.out, r)
			}
			return printInspection(s.out, r)
		},
	}
	source.add(c.Flags())
	c.Flags().BoolVar(&asJSON, "json", false, "print one JSON document")
	return c
}

func inspect(ctx context.Context, name string, o convert.OpenOptions) (_ *convert.Inspection, err error) {
	src, err := convert.Open(ctx, name, o)
	if err != nil {
		return nil, err
	}
	defer closing(src, &err)
	r, err := src.Inspect(ctx)
	if err != nil || r.View == nil {
		return r, err
	}
	r.Findings, err = ready.Check(ctx, r.View.Tree, ready.Options{Profile: ready.Import})
	return r, err
}

// closing closes c when a function ends, and keeps its error if there is no other.
func closing(c io.Closer, err *error) {
	if cerr := c.Close(); *err == nil {
		*err = cerr
	}
}

func printInspection(w io.Writer, r *convert.Inspection) error {
	var b strings.Builder
	fmt.Fprintf(&b, "image:   %s, %s, %s virtual", fsys.Printable(r.Image.Path), r.Image.Format, ui.Bytes(r.Image.VirtualSize))
	if r.Image.Compression != "" {
		fmt.Fprintf(&b, ", compression type %s", r.Image.Compression)
	}
	fmt.Fprintf(&b, "\ntable:   %s\n", r.Image.Table)
	tw := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "volume\tstart\tsize\tfilesystem\tlabel\tuuid\tmounted")
	for _, v := range r.Volumes {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", v.Volume, place(v.Start), ui.Bytes(v.Size), ui.OrDash(v.Filesystem),
			ui.OrDash(fsys.Printable(v.Label)), ui.OrDash(v.UUID), ui.OrDash(fsys.Printable(v.Mounted)))
	}
	if err := tw.Flush(); err != nil {
		return err
	}
	if r.OS != nil {
		fmt.Fprintf(&b, "system:  %s (%s)\n", ui.OrDash(fsys.Printable(r.OS.Name)), ui.OrDash(r.OS.Arch))
	}
	for _, v := range r.Volumes {
		if v.Error != "" {
			fmt.Fprintf(&b, "volume %s: %s\n", v.Volume, v.Error)
		}
	}
	if r.View != nil {
		fmt.Fprintf(&b, "wsl:     %s\n", readiness(r.Findings))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note:    %s\n", n)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// readiness sums findings up; check lists them.
func readiness(list []edit.Finding) string {
	repaired, left := 0, 0
	for _, f := range list {
		switch {
		case f.Severity < edit.Warn:
		case f.Repaired:
			repaired++
		default:
			left++
		}
	}
	if repaired+left == 0 {
		return "ready"
	}
	return fmt.Sprintf("%d findings that convert repairs, %d that it leaves (wslimg check lists them)", repaired, left)
}

func place(off int64) string {
	if off < 0 {
		return "-"
	}
	return fmt.Sprintf("%#x", off)
}
