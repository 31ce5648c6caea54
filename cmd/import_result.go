package cmd

import (
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ui"
	"github.com/wslimg/wslimg/internal/wsl"
)

// importResult tells what was registered. It is the document that --json prints.
type importResult struct {
	*convert.Result          // nil, without fields, for an archive
	Name            string   `json:"name"`
	Location        string   `json:"location"`
	Version         int      `json:"wsl_version,omitempty"` // as asked for
	Seeds           []string `json:"seeds"`
	DataNotes       []string `json:"data_notes,omitempty"` // about user data for an archive
	Command         string   `json:"command,omitempty"`    // of a dry run
	Start           string   `json:"start"`
	Remove          string   `json:"remove"`
}

// show prints the result, or the plan of a dry run.
func (im *importer) show() error {
	r := &im.res
	archive := "-"
	if im.viaFile {
		if archive = im.in.path(); archive == "" {
			archive = `%LOCALAPPDATA%\wslimg\` + r.Name + ".tar.gz"
		}
	}
	if im.dryRun {
		program := im.wsl
		if program == "" {
			program = "wsl.exe"
		}
		r.Command = wsl.CommandLine(program, wsl.Registration{Name: r.Name, Location: r.Location, Version: r.Version}.Args(archive)...)
	}
	if im.report.json {
		if err := ui.JSON(im.out, r); err != nil {
			return err
		}
	} else if !im.report.quiet {
		im.text()
	}
	if r.Result != nil && (r.Lossy() || r.Failing()) {
		return errFindings
	}
	return nil
}

// text tells people.
func (im *importer) text() {
	r := &im.res
	if r.Result != nil {
		ui.Result(im.err, r.Result, im.report.verbose || im.dryRun)
	}
	var b strings.Builder
	line := func(name, value string) { fmt.Fprintf(&b, "%-9s %s\n", name+":", value) }
	if im.dryRun {
		b.WriteString("dry run: nothing is registered\n")
	} else {
		b.WriteString("registered\n")
	}
	line("name", r.Name)
	line("location", fsys.Printable(r.Location))
	for _, n := range r.DataNotes {
		line("note", n)
	}
	if im.edit.user != "" {
		line("user", im.edit.user)
	}
	for _, s := range r.Seeds {
		line("seed", fsys.Printable(s))
	}
	if im.dryRun {
		line("command", fsys.Printable(r.Command))
	}
	line("start", r.Start)
	line("remove", r.Remove)
	fmt.Fprint(im.err, b.String())
}
