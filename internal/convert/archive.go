package convert

import (
	"bytes"
	"context"
	"errors"
	"io"
	"sync"

	"github.com/wslimg/wslimg/internal/archive"
	"github.com/wslimg/wslimg/internal/hostfile"
	imageall "github.com/wslimg/wslimg/internal/image/all"
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
		f, err := hostfile.Open(name)
		if err != nil {
			return nil, nil //nolint:nilerr // Open says what is wrong
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		in = io.NewSectionReader(f, 0, f.Size())
	}
	tee := &inputTee{r: in, seen: &seen}
	if opts.Image.Digest != "" {
		if tee.sum, err = imageall.NewDigest(opts.Image.Digest); err != nil {
			return nil, err
		}
	}
	plain, isTar, closer, err := wrap.Plain(tee)
	if err != nil || !isTar {
		if err == nil {
			closer()
		}
		opts.Image.Stdin = io.MultiReader(&seen, in)
		return nil, nil // Open says what is wrong
	}
	tee.forget()
	s := &Source{Name: name}
	t, problems, err := archive.Load(ctx, plain)
	closer() // it may have read ahead until here
	switch {
	case err != nil:
		return nil, s.wrap(err)
	case isRoot(t):
		if err := tee.check(); err != nil {
			return nil, s.wrap(err)
		}
		return &Loaded{Tree: t, OS: osinfo.Detect(t), Archive: true, Problems: problems}, nil
	case name != "-":
		return nil, nil // a disk image in a tar, perhaps
	}
	return nil, s.wrap(ondisk.NotFormatf("the archive holds no root filesystem (/etc, and /usr or /bin)"))
}

func isRoot(t *tree.Tree) bool {
	return t.Root.Child("etc") != nil && (t.Root.Child("usr") != nil || t.Root.Child("bin") != nil)
}

// inputTee keeps what is read until forget, for whoever has to begin again, and
// its digest. A decompressor may read it in a goroutine of its own.
type inputTee struct {
	r    io.Reader
	mu   sync.Mutex
	seen *bytes.Buffer
	sum  *imageall.Digest // nil without a digest to check
}

func (t *inputTee) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.seen != nil {
		t.seen.Write(p[:n])
	}
	if t.sum != nil {
		t.sum.Write(p[:n])
	}
	return n, err
}

func (t *inputTee) forget() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.seen = nil
}

// check reads what is left, and compares the digest.
func (t *inputTee) check() error {
	if t.sum == nil {
		return nil
	}
	if _, err := io.Copy(io.Discard, t); err != nil {
		return err
	}
	return t.sum.Check()
}
