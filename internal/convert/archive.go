package convert

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"

	"github.com/wslimg/wslimg/internal/archive"
	"github.com/wslimg/wslimg/internal/image/wrap"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// Loaded is the tree of a disk image or of a root filesystem archive.
type Loaded struct {
	Tree     *tree.Tree
	OS       osinfo.Info
	Archive  bool
	Problems []archive.Problem // of an archive
	src      *Source
}

// Close closes the image behind the tree.
func (l *Loaded) Close() error {
	if l.src == nil {
		return nil
	}
	return l.src.Close()
}

// LoadTree reads the tree of name, a disk image or an archive of a root
// filesystem; "-" is standard input.
func LoadTree(ctx context.Context, name string, opts OpenOptions) (*Loaded, error) {
	l, err := loadArchive(ctx, name, &opts)
	if l != nil || err != nil {
		return l, err
	}
	src, err := Open(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	root, err := src.Root()
	if err != nil {
		return nil, errors.Join(src.wrap(err), src.Close())
	}
	view, err := src.Load(ctx, root)
	if err != nil {
		return nil, errors.Join(err, src.Close())
	}
	return &Loaded{Tree: view.Tree, OS: osinfo.Detect(view.Tree), src: src}, nil
}

// loadArchive returns nil if name is no archive of a root. What it has read of
// standard input is put back in front of it.
func loadArchive(ctx context.Context, name string, opts *OpenOptions) (l *Loaded, err error) {
	var seen bytes.Buffer
	in := opts.Image.Stdin
	if name != "-" {
		if st, err := os.Stat(name); err != nil || !st.Mode().IsRegular() {
			return nil, nil // Open says what is wrong
		}
		f, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = f
	}
	tee := &switchTee{r: in, w: &seen}
	plain, isTar, closer, err := wrap.Plain(tee)
	if err == nil {
		defer closer()
	}
	if err != nil || !isTar {
		opts.Image.Stdin = io.MultiReader(&seen, in)
		return nil, nil // Open says what is wrong
	}
	tee.w = nil
	seen = bytes.Buffer{}
	s := &Source{Name: name}
	t, problems, err := archive.Load(ctx, plain)
	if err != nil {
		return nil, s.wrap(err)
	}
	if !isRoot(t) {
		if name != "-" {
			return nil, nil // a disk image in a tar, perhaps
		}
		return nil, s.wrap(ondisk.NotFormatf("the archive holds no root filesystem (/etc, and /usr or /bin)"))
	}
	return &Loaded{Tree: t, OS: osinfo.Detect(t), Archive: true, Problems: problems}, nil
}

func isRoot(t *tree.Tree) bool {
	return t.Root.Child("etc") != nil && (t.Root.Child("usr") != nil || t.Root.Child("bin") != nil)
}

// switchTee copies what is read to w as long as there is one.
type switchTee struct {
	r io.Reader
	w io.Writer
}

func (t *switchTee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if t.w != nil && n > 0 {
		_, _ = t.w.Write(p[:n]) // a bytes.Buffer does not fail
	}
	return n, err
}
