// Package cmd is the command line: flags become options, results become text
// or JSON, errors become exit codes.
package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

// streams are what a command reads and writes besides files.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// gcPercent trades a little time for memory: what lives is a few pooled
// buffers and the tree, and the hot paths allocate nothing.
const gcPercent = 50

// Main runs one command line and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	debug.SetGCPercent(gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot(streams{stdin, stdout, stderr})
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if ctx.Err() != nil && err != nil {
		err = errors.Join(context.Canceled, err)
	}
	report(stderr, err)
	return exitCode(err)
}

// report prints an error and what to do about it.
func report(w io.Writer, err error) {
	switch {
	case err == nil || errors.Is(err, errFindings):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "wslimg: cancelled")
	default:
		fmt.Fprintf(w, "wslimg: error: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		if h := hint(err); h != "" {
			fmt.Fprintf(w, "wslimg: hint: %s\n", h)
		}
	}
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "wslimg",
		Short: "Turn virtual machine disk images into root filesystems for WSL",
		Example: `  wslimg convert image.qcow2 rootfs.tar.gz
  wslimg inspect image.qcow2
  wslimg cat image.qcow2 /etc/os-release`,
		SilenceErrors: true, SilenceUsage: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return usagef("unknown command %q", args[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newConvert(s), newImport(s), newInspect(s), newCheck(s), newLs(s), newCat(s), newVersion(s))
	return root
}

// args wraps cobra's argument checks so that their failures are usage errors.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if err := check(c, a); err != nil {
			return usageError{fmt.Errorf("%s: %w", c.CommandPath(), err)}
		}
		return nil
	}
}

// isTerminal tells whether w (or a reader) is a terminal.
func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits an int
}
