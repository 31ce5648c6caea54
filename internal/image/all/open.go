// Package all opens disk images of every container format that is read.
package all

import (
	"context"
	"errors"
	"io"

	"github.com/wslimg/wslimg/internal/hostfile"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/image/wrap"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Options says how Open may open an image; the zero value is safe.
type Options struct {
	// AllowBacking lets the image refer to a backing file or an external data
	// file in its own folder.
	AllowBacking bool
	// Stdin is what "-" stands for.
	Stdin io.Reader
	// TempDir is where wrapped images and standard input are spooled; "" is
	// the system's own folder for it.
	TempDir string
	// MaxSpool bounds the bytes of a spooled image, holes included; 0 is 16 TiB.
	MaxSpool int64
	// Progress is told, while the file is hashed or spooled, how many of its
	// bytes are done; total is 0 for standard input. It may be nil.
	Progress func(done, total int64)
	// Digest is what the image file must hash to, such as "sha256:…"; "" for
	// no check.
	Digest string
}

// Open opens the image in the file at path, or that opts.Stdin delivers if path
// is "-". The caller closes it. Errors are of the ondisk classes or the host's.
func Open(ctx context.Context, path string, opts Options) (*image.Image, error) {
	img := &image.Image{Name: path}
	err := open(ctx, img, path, opts)
	if err == nil {
		return img, nil
	}
	if closeErr := img.Close(); closeErr != nil {
		err = errors.Join(err, closeErr)
	}
	return nil, err
}

func open(ctx context.Context, img *image.Image, path string, opts Options) error {
	file, err := openFile(ctx, img, path, opts)
	if err != nil {
		return err
	}
	img.Files = append(img.Files, file)
	img.FileSize = file.Size()
	o := opener{img: img, allow: opts.AllowBacking}
	if err := o.top(file); err != nil {
		return err
	}
	img.Details.VirtualSize = img.Device.Size()
	return nil
}

// openFile opens the image file itself, or what it is spooled to.
func openFile(ctx context.Context, img *image.Image, path string, opts Options) (*hostfile.File, error) {
	if path == "-" {
		if opts.Stdin == nil {
			return nil, errors.New("no standard input to read the image from")
		}
		return spool(ctx, img, opts.Stdin, 0, opts)
	}
	file, err := hostfile.Open(path)
	if err != nil {
		return nil, err
	}
	wrapped, err := examine(ctx, file, opts)
	if err == nil && !wrapped {
		return file, nil
	}
	var spooled *hostfile.File
	if err == nil {
		opts.Digest = "" // has been checked
		spooled, err = spool(ctx, img, io.NewSectionReader(file, 0, file.Size()), file.Size(), opts)
	}
	if err == nil {
		err = file.Changed()
	}
	err = errors.Join(err, file.Close())
	if err != nil && spooled != nil {
		err = errors.Join(err, spooled.Close())
		spooled = nil
	}
	return spooled, err
}

// Verify checks the digest of file, if opts want one.
func Verify(ctx context.Context, file *hostfile.File, opts Options) error {
	if opts.Digest == "" {
		return nil
	}
	sum, err := NewDigest(opts.Digest)
	if err != nil {
		return err
	}
	source := &source{ctx: ctx, r: io.NewSectionReader(file, 0, file.Size()), total: file.Size(), progress: opts.Progress}
	if _, err := io.CopyBuffer(sum, struct{ io.Reader }{source}, make([]byte, copyBuffer)); err != nil {
		return err
	}
	return sum.Check()
}

// examine checks the digest of file, and tells whether it is wrapped.
func examine(ctx context.Context, file *hostfile.File, opts Options) (wrapped bool, err error) {
	if err := Verify(ctx, file, opts); err != nil {
		return false, err
	}
	head := make([]byte, min(wrap.PeekLen, file.Size()))
	if err := ondisk.ReadFull(file, head, 0, "start of the file"); err != nil {
		return false, err
	}
	return wrap.Detect(head) != "", nil
}
