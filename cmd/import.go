package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/edit/cloudinit"
	"github.com/wslimg/wslimg/internal/ui"
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

// register does the work, of which nothing is left after an error.
func (im *importer) register(ctx context.Context, source string) (err error) {
	in, err := im.open(ctx, source)
	if err != nil {
		return err
	}
	defer closing(in, &err)
	im.in = in
	if err = im.plan(ctx); err == nil && !im.dryRun {
		err = im.do(ctx)
	}
	im.res.Result = in.result()
	return err
}

// importer is one run of import.
type importer struct {
	*importFlags
	streams
	host     *wsl.Host // nil if there is none, in a dry run
	in       importSource
	progress ui.Progress
	edits    *editPlan
	res      importResult
	staged   []*wsl.Seed
}

// free fails if a distribution has the name; "" is free.
func (im *importer) free(ctx context.Context, name string) error {
	if name == "" || im.dryRun {
		return nil
	}
	old, found, err := im.host.Registered(ctx, name)
	if err == nil && found {
		err = wsl.InUse(old)
	}
	return err
}

// plan settles what is not given: name, folder and the files of the seed.
func (im *importer) plan(ctx context.Context) error {
	r := &im.res
	r.Name, r.Version, r.Location = im.name, im.version, im.location
	if r.Name == "" {
		r.Name = im.in.defaultName()
		if err := im.free(ctx, r.Name); err != nil {
			return err
		}
	}
	if im.host != nil { // else this is not the machine that it is for
		if err := wsl.CheckArch(im.in.arch(), wsl.Machine()); err != nil {
			return err
		}
	}
	for _, f := range im.edits.hostFiles(r.Name) {
		r.Seeds = append(r.Seeds, `%USERPROFILE%\.cloud-init\`+f.Name)
	}
	r.Start = wsl.CommandLine("wsl", "--distribution", r.Name)
	r.Remove = wsl.CommandLine("wsl", "--unregister", r.Name)
	var err error
	switch {
	case r.Location == "" && im.dryRun && (im.host == nil || im.host.Guest()): // asking Windows is running something
		r.Location = `%LOCALAPPDATA%\wslimg\` + r.Name
	case r.Location == "":
		r.Location, err = im.host.DefaultLocation(ctx, r.Name)
	case im.dryRun && r.Location[0] != '/': // else WSL's wslpath knows what it is
		r.Location, err = wsl.CleanLocation(r.Location)
	}
	return err
}

// do registers the distribution; after an error nothing of it is left.
func (im *importer) do(ctx context.Context) (err error) {
	r := &im.res
	place, err := im.host.Place(ctx, r.Location, im.location == "")
	if err != nil {
		return err
	}
	r.Location = place.Windows
	defer func() {
		if err != nil {
			place.Remove()
			for _, s := range im.staged {
				err = errors.Join(err, s.Discard())
			}
		}
	}()
	for _, f := range im.edits.hostFiles(r.Name) {
		s, err := im.host.Stage(ctx, f.Name, f.Data, im.force)
		if err != nil {
			return err
		}
		im.staged = append(im.staged, s)
	}
	reg := wsl.Registration{Name: r.Name, Location: r.Location, Version: r.Version}
	if im.viaFile {
		return im.fromFile(ctx, reg, place)
	}
	return im.host.Import(ctx, reg, func(ctx context.Context, w io.Writer) error { return im.in.write(ctx, w, im.progress) })
}

// finish does what is left for a registered distribution and tells about it.
func (im *importer) finish(ctx context.Context) error {
	r := &im.res
	if im.dryRun {
		return im.show()
	}
	r.Seeds = nil
	for _, s := range im.staged {
		if err := s.Commit(); err != nil {
			return im.unfinished("its cloud-init seed is not in place", err)
		}
		r.Seeds = append(r.Seeds, s.Path())
	}
	if im.edit.user != "" && r.Result == nil { // an archive is not edited
		if err := im.host.SetDefaultUser(ctx, r.Name, im.edit.user); err != nil {
			return im.unfinished("its default user is root", err)
		}
	}
	if im.setDefault {
		if err := im.host.SetDefault(ctx, r.Name); err != nil {
			return im.unfinished("it is not the default distribution", err)
		}
	}
	err := im.show()
	if im.start && (err == nil || errors.Is(err, errFindings)) {
		err = errors.Join(err, im.host.Start(r.Name))
	}
	return err
}

// unfinished is a failure that leaves the distribution in place.
func (im *importer) unfinished(what string, err error) error {
	return fmt.Errorf("%q is registered, but %s: %w", im.res.Name, what, err)
}
