package convert

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	fsysall "github.com/wslimg/wslimg/internal/fsys/all"
	"github.com/wslimg/wslimg/internal/image"
	imageall "github.com/wslimg/wslimg/internal/image/all"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
	volumeall "github.com/wslimg/wslimg/internal/volume/all"
)

// OpenOptions say how an image is read.
type OpenOptions struct {
	Image     imageall.Options
	IgnoreLog bool   // read XFS as it lies, without log recovery
	Volume    string // which volume holds the root; "" finds it
}

// Source is an opened disk image and the volumes on it.
type Source struct {
	Name    string // as the user gave it
	Image   *image.Image
	Table   *volume.Table
	Volumes []*Volume
	opts    OpenOptions
}

// Volume is a volume with what is known of its filesystem.
type Volume struct {
	volume.Volume
	Index int     // place in Source.Volumes
	Kind  string  // filesystem type by signature, "" if none is known
	UUID  string  // of the filesystem, where it is known
	FS    fsys.FS // nil where the filesystem is not read; Err says why
	Err   error
	cache *blockdev.Cache // that FS reads through
	Root  bool            // looks like the root of a Linux system
}

// Open opens an image file, or standard input for "-", and looks at every
// volume on it. A volume that cannot be read is no error here.
func Open(ctx context.Context, name string, opts OpenOptions) (*Source, error) {
	img, err := imageall.Open(ctx, name, opts.Image)
	if err != nil {
		return nil, NameError(name, err)
	}
	s := &Source{Name: name, Image: img, opts: opts}
	if err := s.scan(ctx); err != nil {
		return nil, errors.Join(s.wrap(err), img.Close())
	}
	return s, nil
}

// NameError puts the name of a host file before err, once, and without the
// system call or the temporary name that the system was asked by.
func NameError(name string, err error) error {
	switch e := err.(type) { //nolint:errorlint // text that wraps one of these is kept
	case *fs.PathError:
		err = e.Err
	case *os.LinkError:
		err = e.Err
	}
	return fmt.Errorf("%s: %w", shown(name), err)
}

// shown is the name of an image file for messages.
func shown(name string) string {
	if name == "-" {
		return "standard input"
	}
	return fsys.Printable(name)
}

// Close closes the image file.
func (s *Source) Close() error { return s.Image.Close() }

func (s *Source) wrap(err error) error {
	return fmt.Errorf("%s: %w", shown(s.Name), err)
}

func (s *Source) scan(ctx context.Context) error {
	table, err := volumeall.Read(s.Image.Device)
	if err != nil {
		return err
	}
	s.Table = table
	for i, v := range table.Volumes {
		if err := ctx.Err(); err != nil {
			return err
		}
		found := &Volume{Volume: v, Index: i, Kind: fsysall.Probe(v)}
		found.cache = blockdev.NewCache(v, blockdev.CacheBlock, blockdev.CacheBytes)
		found.FS, found.Err = fsysall.Open(found.cache, fsysall.Options{IgnoreLog: s.opts.IgnoreLog})
		found.UUID = fsysall.FATSerial(v, found.Kind)
		if found.FS != nil {
			found.Kind, found.UUID = found.FS.Info().Type, found.FS.Info().UUID
			found.Root, found.Err = looksLikeRoot(found.FS)
		}
		s.Volumes = append(s.Volumes, found)
	}
	if table.Kind == "none" && s.Image.Format == "raw" && s.Volumes[0].Kind == "" {
		return ondisk.WithHint(ondisk.Unsupportedf("no disk image: neither a partition table nor a filesystem was found"),
			"give a qcow2 or raw disk image; other formats: qemu-img convert -O qcow2")
	}
	return nil
}

// looksLikeRoot tells whether a filesystem holds a Linux tree: /etc, and /usr or /bin.
func looksLikeRoot(fs fsys.FS) (bool, error) {
	names := map[string]bool{}
	for e, err := range fs.ReadDir(fs.Root()) {
		if err != nil {
			return false, fmt.Errorf("/: inode %d: %w", fs.Root(), err)
		}
		names[e.Name] = true
	}
	return names["etc"] && (names["usr"] || names["bin"]), nil
}

// ID is what --volume calls it: a number, vg/lv, or "disk" for the whole disk.
func (v *Volume) ID() string {
	switch {
	case v.Name != "":
		return v.Name
	case v.Number > 0:
		return strconv.Itoa(v.Number)
	}
	return "disk"
}

// String names the volume in messages: number, filesystem and label.
func (v *Volume) String() string {
	name := "volume " + v.ID()
	if v.ID() == "disk" {
		name = "whole disk"
	}
	kind := v.Kind
	if kind == "" {
		kind = "unknown"
	}
	if v.FS != nil && v.FS.Info().Label != "" {
		return fmt.Sprintf("%s (%s %q)", name, kind, v.FS.Info().Label)
	}
	return fmt.Sprintf("%s (%s)", name, kind)
}

func (v *Volume) wrap(err error) error { return fmt.Errorf("%s: %w", v, err) }
