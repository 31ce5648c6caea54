package cmd

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/edit/cloudinit"
	"github.com/wslimg/wslimg/internal/wsl"
)

type importFlags struct {
	source  sourceFlags
	edit    editFlags
	archive archiveFlags
	report  reportFlags

	name, location string
	wsl            string
	version        int
	setDefault     bool
	start          bool
	viaFile        bool
	dryRun         bool
	force          bool
}

func newImport(s streams) *cobra.Command {
	var f importFlags
	c := &cobra.Command{
		Use:   "import IMAGE|ARCHIVE",
		Short: "Convert a disk image and register it with WSL",
		Long: `Convert the disk image IMAGE and register it as a distribution of WSL, while it
is converted. An ARCHIVE of a root filesystem (.wsl, .tar, .tar.gz, …) is
registered as it is.

It runs on Windows, or inside a distribution of WSL. If anything fails, and on
Ctrl-C, what was registered so far is removed again.`,
		Example: `  wslimg import noble-server-cloudimg-amd64.img --name noble
  wslimg import debian.qcow2 --user-data cloud-config.yaml --start
  wslimg import rootfs.wsl --location D:\wsl\dev --set-default
  wslimg import debian.qcow2 --dry-run`,
		Args: args(cobra.ExactArgs(1)),
		RunE: func(c *cobra.Command, a []string) error { return f.run(c.Context(), s, a[0]) },
	}
	f.source.add(c.Flags())
	f.edit.add(c.Flags(), cloudinit.Host)
	f.archive.add(c.Flags())
	f.report.add(c.Flags())
	fs := c.Flags()
	fs.StringVar(&f.name, "name", "", "`NAME` of the distribution (default: from the image's os-release)")
	fs.StringVar(&f.location, "location", "", "`FOLDER` for the distribution (default: %LOCALAPPDATA%\\wslimg\\ and its name)")
	fs.StringVar(&f.wsl, "wsl", "", "`PATH` of the wsl.exe to run")
	fs.IntVar(&f.version, "version", 0, "`VERSION` of WSL: 1 or 2 (default: WSL's own)")
	fs.BoolVar(&f.setDefault, "set-default", false, "make it the default distribution")
	fs.BoolVar(&f.start, "start", false, "open a shell in it")
	fs.BoolVar(&f.viaFile, "via-file", false, "convert to a temporary .tar.gz first instead of a pipe")
	fs.BoolVar(&f.dryRun, "dry-run", false, "print the plan and the command of WSL, run nothing")
	fs.BoolVar(&f.force, "force", false, "replace an existing cloud-init seed; take cloud-init data and a wsl.conf with errors")
	return c
}

// check is what can be said before anything is read or run.
func (f *importFlags) check(s streams, source string) error {
	if f.name != "" {
		if err := wsl.CheckName(f.name); err != nil {
			return fmt.Errorf("--name %w", err)
		}
	}
	switch {
	case f.version < 0 || f.version > 2:
		return usagef("--version %d: want 1 or 2", f.version)
	case f.start && f.report.json:
		return usagef("--json and --start both want standard output")
	case source == "-" && isTerminal(s.in):
		return usagef("standard input is a terminal: give a file, or a pipe")
	}
	return nil
}

func (f *importFlags) run(ctx context.Context, s streams, source string) error {
	if err := f.check(s, source); err != nil {
		return err
	}
	im := importer{importFlags: f, streams: s}
	var err error
	if im.edits, err = f.edit.plan("", f.force); err != nil {
		return err
	}
	if im.host, err = wsl.Find(f.wsl); err != nil && !f.dryRun {
		return err
	}
	if err := im.free(ctx, f.name); err != nil {
		return err // before the image is read
	}
	if im.progress, err = f.report.start(s); err != nil {
		return err
	}
	err = im.register(ctx, source)
	im.progress.Close()
	if err != nil {
		return err
	}
	return im.finish(ctx)
}
