package cmd

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit/cloudinit"
	"github.com/wslimg/wslimg/internal/edit/ready"
	"github.com/wslimg/wslimg/internal/ui"
)

type convertFlags struct {
	source  sourceFlags
	edit    editFlags
	archive archiveFlags
	report  reportFlags
	beside  besideFlags
	format  string
	force   bool
}

func newConvert(s streams) *cobra.Command {
	var f convertFlags
	c := &cobra.Command{
		Use:   "convert IMAGE OUT",
		Short: "Convert a disk image to a root filesystem archive",
		Long: `Convert the disk image IMAGE to the archive OUT.

IMAGE is a qcow2 or raw disk image, also compressed (.gz .xz .zst .bz2) or alone
in a tar; "-" is standard input. OUT ends in .tar, .tar.gz, .tgz, .wsl, .tar.zst
or .tar.xz; "-" is standard output.`,
		Example: `  wslimg convert debian-13-genericcloud-amd64.qcow2 debian.tar.gz
  wslimg convert image.qcow2 dev.tar.gz --user me --exclude '/usr/share/doc/**'
  curl -L URL | wslimg convert - rootfs.tar.gz
  wslimg convert image.qcow2 - | bsdtar -C rootfs -xpf -`,
		Args: args(cobra.ExactArgs(2)),
		RunE: func(c *cobra.Command, a []string) error { return f.run(c.Context(), s, a[0], a[1]) },
	}
	f.source.add(c.Flags())
	f.edit.add(c.Flags(), cloudinit.Rootfs)
	f.beside.add(c.Flags())
	f.archive.add(c.Flags())
	f.report.add(c.Flags())
	c.Flags().StringVar(&f.format, "format", "", "archive `FORMAT`, whatever the name says: tar, tar.gz, tar.zst, tar.xz")
	c.Flags().BoolVar(&f.force, "force", false, "replace an existing OUT; take cloud-init data and a wsl.conf with errors")
	return c
}

func (f *convertFlags) run(ctx context.Context, s streams, name, out string) error {
	o, err := f.options(s, name, out)
	if err != nil {
		return err
	}
	plan, err := f.edit.plan(out, f.force)
	if err != nil {
		return err
	}
	plan.apply(&o)
	beside, err := f.beside.start(out, f.edit.defaultName, plan, f.force)
	if err != nil {
		return err
	}
	o.Accept = beside.accept
	p, err := f.report.start(s)
	if err != nil {
		return errors.Join(err, beside.discard())
	}
	res, err := f.convert(ctx, s, name, out, o, p)
	p.Close()
	if err != nil {
		return errors.Join(err, beside.discard())
	}
	if err := beside.commit(res); err != nil {
		return err
	}
	return f.report.done(s, res)
}

func (f *convertFlags) options(s streams, name, out string) (convert.Options, error) {
	o := convert.Options{Open: f.source.options(s)}
	format, err := formatOf(out, f.format)
	if err != nil {
		return o, err
	}
	if o.Archive, err = f.archive.options(format); err != nil {
		return o, err
	}
	switch {
	case out == "-" && f.report.json:
		return o, usagef("--json and OUT \"-\" both want standard output")
	case out == "-" && isTerminal(s.out):
		return o, usagef("standard output is a terminal: give a file, or a pipe")
	case name == "-" && isTerminal(s.in):
		return o, usagef("standard input is a terminal: give a file, or a pipe")
	case f.edit.profile == string(ready.Lima) && strings.EqualFold(filepath.Ext(out), ".wsl"):
		return o, usagef("--profile lima: Lima takes no .wsl file; name OUT %s.tar.gz", stem(out))
	case sameFile(name, out):
		return o, usagef("OUT %q is the image itself", out)
	}
	return o, nil
}

// sameFile tells whether two names lead to one file; those of which there is
// none are told about by others.
func sameFile(a, b string) bool {
	sa, err := os.Stat(a)
	if err != nil {
		return false
	}
	sb, err := os.Stat(b)
	return err == nil && sa.Mode().IsRegular() && os.SameFile(sa, sb)
}

func (f *convertFlags) convert(ctx context.Context, s streams, name, out string, o convert.Options, p ui.Progress) (*convert.Result, error) {
	if out != "-" {
		// The archive holds what the seed holds, passwords and keys perhaps.
		private := f.edit.userData != "" && f.edit.seed == string(cloudinit.Rootfs)
		return convert.ToFile(ctx, name, o, out, convert.OutputOptions{Force: f.force, Private: private}, p)
	}
	m := convert.NewMeter(s.out)
	res, err := convert.Run(ctx, name, o, m, p)
	if err == nil {
		res.Output = m.Info(out)
	}
	return res, err
}
