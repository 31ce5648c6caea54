package cmd

import (
	"context"
	"errors"
	"io"
	"os"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/hostfile"
	imageall "github.com/wslimg/wslimg/internal/image/all"
	"github.com/wslimg/wslimg/internal/image/wrap"
	"github.com/wslimg/wslimg/internal/sink/tarball"
	"github.com/wslimg/wslimg/internal/wsl"
)

// importSource is what a distribution is made from.
type importSource interface {
	defaultName() string
	arch() string // "" if unknown
	// write writes the archive.
	write(ctx context.Context, w io.Writer, report convert.Reporter) error
	// path is the archive's file, "" if there is none yet.
	path() string
	// result tells of the conversion; nil if there is none.
	result() *convert.Result
	io.Closer
}

// open finds out by content, not by name, whether source is an archive.
func (im *importer) open(ctx context.Context, source string) (importSource, error) {
	if source != "-" {
		f, err := hostfile.Open(source)
		if err != nil {
			return nil, convert.NameError(source, err)
		}
		is, err := wrap.IsRootfs(io.NewSectionReader(f, 0, f.Size()))
		if err == nil && is {
			if err := im.acceptArchive(ctx, f); err != nil {
				return nil, errors.Join(err, f.Close())
			}
			return &archive{f}, nil
		}
		if err := errors.Join(err, f.Close()); err != nil {
			return nil, err
		}
	}
	format := tarball.Tar
	if im.viaFile {
		format = tarball.Gzip
	}
	o := convert.Options{Open: im.source.options(im.streams)}
	im.edits.apply(&o)
	var err error
	if o.Archive, err = im.importFlags.archive.options(format); err != nil {
		return nil, err
	}
	j, err := convert.Prepare(ctx, source, o, im.progress)
	if err != nil {
		return nil, err
	}
	return &image{j}, nil
}

// acceptArchive checks an archive that is to be registered as it is.
func (im *importer) acceptArchive(ctx context.Context, f *hostfile.File) error {
	flag := im.edit.onlyForImages()
	if im.source.volume != "" {
		flag = "--volume"
	}
	if flag != "" {
		return usagef("%s: %q is an archive, which is registered as it is", flag, f.Name())
	}
	o := im.source.options(im.streams)
	if err := imageall.Verify(ctx, f, o.Image); err != nil {
		return convert.NameError(f.Name(), err)
	}
	o.Image.Digest = "" // has been checked
	return im.lint(ctx, f.Name(), o)
}

// lint checks user data against an archive.
func (im *importer) lint(ctx context.Context, source string, o convert.OpenOptions) (err error) {
	if im.edits.seed == nil {
		return nil
	}
	l, err := convert.LoadTree(ctx, source, o)
	if err != nil {
		return err
	}
	defer closing(l, &err)
	if _, err := im.edits.seed.Apply(ctx, l.Tree); err != nil { // the tree is read for this alone
		return convert.NameError(source, err)
	}
	im.res.DataNotes = im.edits.seed.Notes()
	return nil
}

// image is a disk image that is converted.
type image struct{ *convert.Job }

func (i *image) defaultName() string {
	return wsl.DefaultName(i.Result().OS.ID, i.Result().OS.VersionID)
}
func (i *image) arch() string            { return i.Result().OS.Arch }
func (i *image) path() string            { return "" }
func (i *image) result() *convert.Result { return i.Result() }

func (i *image) write(ctx context.Context, w io.Writer, report convert.Reporter) error {
	_, err := i.Write(ctx, w, report)
	return err
}

// archive is a file that is registered as it is.
type archive struct{ *hostfile.File }

func (a *archive) defaultName() string     { return wsl.DefaultName(stem(a.Name()), "") }
func (a *archive) arch() string            { return "" }
func (a *archive) path() string            { return a.Name() }
func (a *archive) result() *convert.Result { return nil }

// write passes the file on. Whoever takes no more of it has enough, as an archive
// may be padded beyond its end, or has failed: wsl.exe tells which.
func (a *archive) write(ctx context.Context, w io.Writer, report convert.Reporter) error {
	report.Phase("writing", a.Size())
	const piece = 1 << 20
	buf := make([]byte, piece)
	for off := int64(0); off < a.Size() && ctx.Err() == nil; off += piece {
		n, err := a.ReadAt(buf, off)
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if _, err := w.Write(buf[:n]); err != nil {
			break
		}
		report.Add(int64(n))
	}
	return a.Changed()
}

// fromFile registers from a file: the archive itself, or a temporary one beside
// the folder of the distribution, on whose drive there must be room anyway.
func (im *importer) fromFile(ctx context.Context, reg wsl.Registration, place *wsl.Place) (err error) {
	name := im.in.path()
	if name == "" {
		f, err := os.CreateTemp(place.Parent(), reg.Name+"-*.tar.gz") // mode 0600
		if err != nil {
			return convert.OutputError(place.Parent(), err)
		}
		name = f.Name()
		defer func() { err = errors.Join(err, os.Remove(name)) }()
		if err := errors.Join(im.in.write(ctx, f, im.progress), f.Close()); err != nil {
			return err
		}
	}
	win, err := im.host.ToWindows(ctx, name)
	if err != nil {
		return err
	}
	im.progress.Phase("registering", 0)
	return im.host.ImportFile(ctx, reg, win)
}
