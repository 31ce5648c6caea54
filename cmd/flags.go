package cmd

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wslimg/wslimg/internal/convert"
	imageall "github.com/wslimg/wslimg/internal/image/all"
	"github.com/wslimg/wslimg/internal/sink/tarball"
	"github.com/wslimg/wslimg/internal/tree"
	"github.com/wslimg/wslimg/internal/ui"
)

// sourceFlags are those of every command that reads an image.
type sourceFlags struct {
	allowBacking bool
	ignoreLog    bool
	volume       string
	digest       string
}

func (f *sourceFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.allowBacking, "allow-backing-file", false, "follow a qcow2 backing file or external data file in the image's own folder")
	fs.BoolVar(&f.ignoreLog, "ignore-log", false, "read an XFS whose log cannot be recovered as it lies")
	fs.StringVar(&f.volume, "volume", "", "`VOLUME` that holds the root: number, label, UUID or vg/lv")
	fs.Func("digest", "digest that the image file must have, as `sha256:HEX`", func(s string) error {
		f.digest = s
		return imageall.CheckDigest(s)
	})
}

func (f *sourceFlags) options(s streams) convert.OpenOptions {
	return convert.OpenOptions{
		Image:     imageall.Options{AllowBacking: f.allowBacking, Stdin: s.in, Digest: f.digest},
		IgnoreLog: f.ignoreLog,
		Volume:    f.volume,
	}
}

// reportFlags say how a command talks.
type reportFlags struct {
	json     bool
	progress string
	quiet    bool
	verbose  bool
}

func (f *reportFlags) add(fs *pflag.FlagSet) {
	fs.BoolVar(&f.json, "json", false, "print the result as one JSON document on standard output")
	fs.StringVar(&f.progress, "progress", "auto", "`MODE` of progress on standard error: "+strings.Join(ui.Modes, ", "))
	fs.BoolVarP(&f.quiet, "quiet", "q", false, "print errors only")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "list every edit")
}

func (f *reportFlags) start(s streams) (ui.Progress, error) {
	mode := f.progress
	if f.quiet && mode == "auto" {
		mode = "none"
	}
	p, err := ui.NewProgress(mode, s.err, isTerminal(s.err))
	if err != nil {
		return nil, usageError{err}
	}
	return p, nil
}

// done prints the result of a conversion.
func (f *reportFlags) done(s streams, res *convert.Result) error {
	if f.json {
		if err := ui.JSON(s.out, res); err != nil {
			return err
		}
	} else if !f.quiet {
		ui.Result(s.err, res, f.verbose)
	}
	if res.Lossy() || res.Failing() {
		return errFindings
	}
	return nil
}

// archiveFlags say how an archive is written.
type archiveFlags struct {
	compression string
	order       string
	jobs        int
}

func (f *archiveFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.compression, "compression", "default", "`HOW` hard to compress .tar.gz and .tar.zst: fast, default or small")
	fs.StringVar(&f.order, "order", "disk", "`ORDER` of the entries: disk (fastest) or path")
	fs.IntVar(&f.jobs, "jobs", 0, "`N` workers (default: one for each processor)")
}

func (f *archiveFlags) options(format tarball.Format) (tarball.Options, error) {
	o := tarball.Options{Format: format, Jobs: f.jobs}
	switch f.compression {
	case "fast":
		o.Compression = tarball.Fast
	case "default":
		o.Compression = tarball.Default
	case "small":
		o.Compression = tarball.Small
	default:
		return o, usagef("--compression %q: want fast, default or small", f.compression)
	}
	switch f.order {
	case "disk":
		o.Order = tree.Disk
	case "path":
		o.Order = tree.Path
	default:
		return o, usagef("--order %q: want disk or path", f.order)
	}
	if f.jobs < 0 {
		return o, usagef("--jobs %d: want a positive number", f.jobs)
	}
	return o, nil
}

// formats are the archive formats by the endings of their names.
var formats = []struct {
	endings []string
	format  tarball.Format
}{
	{[]string{".tar"}, tarball.Tar},
	{[]string{".tar.gz", ".tgz", ".wsl"}, tarball.Gzip},
	{[]string{".tar.zst", ".tzst"}, tarball.Zstd},
	{[]string{".tar.xz", ".txz"}, tarball.Xz},
}

// cutEnding cuts the ending of a format, in any case, off the name of a file.
func cutEnding(name string) (stem string, format tarball.Format, ok bool) {
	for _, f := range formats {
		for _, ending := range f.endings {
			if n := len(name) - len(ending); n >= 0 && strings.EqualFold(name[n:], ending) {
				return name[:n], f.format, true
			}
		}
	}
	return name, 0, false
}

// stem is the base name of an archive without its ending.
func stem(path string) string {
	base := filepath.Base(path)
	if stem, _, ok := cutEnding(base); ok && stem != "" {
		return stem
	}
	return strings.TrimSuffix(base, filepath.Ext(base))
}

// formatOf chooses the format by --format, else by the name of the output.
// Standard output is plain tar unless told otherwise.
func formatOf(out, flag string) (tarball.Format, error) {
	var endings []string
	for _, f := range formats {
		if slices.Contains(f.endings, "."+flag) {
			return f.format, nil
		}
		endings = append(endings, f.endings...)
	}
	if flag != "" {
		return 0, usagef("--format %q: want one of the endings %s, without the first dot", flag, strings.Join(endings, " "))
	}
	if out == "-" {
		return tarball.Tar, nil
	}
	if _, format, ok := cutEnding(out); ok {
		return format, nil
	}
	return 0, usagef("output %q: the name must end in one of %s, or give --format", out, strings.Join(endings, " "))
}
