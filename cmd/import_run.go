package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/ui"
	"github.com/wslimg/wslimg/internal/wsl"
)

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
	r.Name, r.Version, r.Location, r.Seeds = im.name, im.version, im.location, []string{}
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
	r.Seeds = []string{}
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
		err = errors.Join(err, im.host.Start(r.Name)) //nolint:contextcheck // ctx ends at Ctrl-C, which is for the shell that runs then
	}
	return err
}

// unfinished is a failure that leaves the distribution in place.
func (im *importer) unfinished(what string, err error) error {
	return fmt.Errorf("%q is registered, but %s: %w", im.res.Name, what, err)
}
