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
	"runtime"
	"runtime/debug"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// streams are what a command reads and writes besides files.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

const (
	// gcPercent trades a little time for memory: what lives is a few pooled
	// buffers and the tree, and the hot paths allocate nothing.
	gcPercent = 40
	// gcFirst is gcPercent until the first collection, which the runtime begins
	// at 4 MiB * gcFirst/100. Before 24 MiB, which most conversions need anyway,
	// collecting saves nothing.
	gcFirst = 600
)

// Main runs one command line and returns its exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	debug.SetGCPercent(gcFirst)
	runtime.AddCleanup(new([64]byte), func(percent int) { debug.SetGCPercent(percent) }, gcPercent)
	ctx, stop := signal.NotifyContext(context.Background(), stopSignals()...)
	defer stop()
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	root := newRoot(streams{stdin, output{stdout}, stderr})
	root.SetArgs(args)
	c, err := root.ExecuteContextC(ctx)
	if ctx.Err() != nil && err != nil {
		err = errors.Join(context.Canceled, err)
	}
	report(stderr, err, c.CommandPath())
	return exitCode(err)
}

// stopSignals are those after which a command tidies up and ends. Where a closed
// terminal is to be survived (nohup), it is.
func stopSignals() []os.Signal {
	list := []os.Signal{os.Interrupt, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) {
		list = append(list, syscall.SIGHUP)
	}
	return list
}

// report prints an error of command and what to do about it.
func report(w io.Writer, err error, command string) {
	switch {
	case err == nil || errors.Is(err, errFindings):
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(w, "wslimg: cancelled")
	default:
		fmt.Fprintf(w, "wslimg: error: %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		if h := hint(err, command); h != "" {
			fmt.Fprintf(w, "wslimg: hint: %s\n", h)
		}
	}
}

func newRoot(s streams) *cobra.Command {
	root := &cobra.Command{
		Use:   "wslimg",
		Short: "Turn virtual machine disk images into root filesystems for WSL",
		Long: `Turn virtual machine disk images into root filesystems for WSL.

Exit codes: 0 done, 1 other errors, 3 done with losses or findings,
10 unsupported, 11 corrupt, 12 no Linux root or several, 13 encrypted,
14 output, 15 wsl.exe, 64 usage, 130 cancelled.`,
		Example: `  wslimg inspect image.qcow2
  wslimg convert image.qcow2 rootfs.tar.gz
  wslimg import image.qcow2 --name debian`,
		Version:       version(),
		SilenceErrors: true, SilenceUsage: true,
		SuggestionsMinimumDistance: 2,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			err := usagef("unknown command %q", args[0])
			if like := c.SuggestionsFor(args[0]); len(like) > 0 {
				err = ondisk.WithHint(err, "did you mean "+strings.Join(like, " or ")+"?")
			}
			return err
		},
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.Flags().Bool("version", false, "print the version") // else cobra's own, with a -v that is --verbose elsewhere
	root.SetVersionTemplate(versionText())
	root.SetIn(s.in)
	root.SetOut(s.out)
	root.SetErr(s.err)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	root.AddCommand(newConvert(s), newImport(s), newInspect(s), newCheck(s), newLs(s), newCat(s), newVersion(s))
	root.InitDefaultCompletionCmd()
	if c, _, err := root.Find([]string{"completion"}); err == nil { // cobra's own, which takes any word for a call for help
		c.Use = "completion SHELL"
		c.RunE = func(c *cobra.Command, _ []string) error { return c.Help() }
		for _, c := range append(c.Commands(), c) {
			c.Args = args(cobra.NoArgs)
		}
	}
	return root
}

// args makes the failures of cobra's argument checks usage errors that say what
// the arguments are.
func args(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(c *cobra.Command, a []string) error {
		if check(c, a) != nil {
			_, operands, _ := strings.Cut(c.Use, " ")
			return usagef("usage: %s (arguments given: %d)", strings.TrimSpace(c.CommandPath()+" "+operands), len(a))
		}
		return nil
	}
}

// output is standard output; its failures are ErrOutput.
type output struct{ io.Writer }

func (o output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if err != nil {
		err = convert.OutputError("standard output", err)
	}
	return n, err
}

// isTerminal tells whether w (or a reader) is a terminal.
func isTerminal(w any) bool {
	if o, ok := w.(output); ok {
		w = o.Writer
	}
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd())) //nolint:gosec // a file descriptor fits an int
}
