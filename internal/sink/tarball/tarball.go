// Package tarball writes a tree as a tar archive, plain or compressed, that
// WSL's own extraction restores entry for entry.
//
// The archive is planned and written as a stream of tasks:
//
//	tree.Items → planner (headers, lazily) → tasks of about 1 MiB of plain tar
//	           → workers (read, checksum, encode; each with its own views of
//	             the devices, its own buffers and encoder)
//	           → one writer, in order
//
// Every task is encoded independently of all others, and where the stream is
// cut depends on the tree and the options alone, so the bytes do not depend on
// the number of workers or their timing. At most one or two tasks more than there
// are workers exist at a time: memory does not grow with the image.
package tarball

import (
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/wslimg/wslimg/internal/sink"
	"github.com/wslimg/wslimg/internal/tree"
)

// Format is the coding around the tar stream.
type Format int

// The formats.
const (
	Tar Format = iota
	Gzip
	Zstd
	Xz
)

// Compression is how hard to compress.
type Compression int

// The levels. Fast and Default may reuse the image's own compressed data, so
// that their bytes depend on its container; Small's depend on the content alone.
const (
	Default Compression = iota
	Fast
	Small
)

// Options of New. The zero value is a plain tar in disk order.
type Options struct {
	Format      Format
	Compression Compression
	Order       tree.Order
	Jobs        int // workers; 0 means one a processor
	// BigXattrs keeps attributes that ext4, as WSL formats it, has no room
	// for: WSL's import fails on them, other filesystems may hold them.
	BigXattrs bool
}

// New returns a sink that writes to w. The sink does not close w.
func New(w io.Writer, o Options) (sink.Sink, error) {
	if o.Compression < Default || o.Compression > Small {
		return nil, fmt.Errorf("compression %d is none of the known ones", o.Compression)
	}
	if o.Jobs < 0 {
		return nil, fmt.Errorf("%d jobs", o.Jobs)
	}
	c, err := codecFor(o.Format, o.Compression)
	if err != nil {
		return nil, err
	}
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	o.Jobs = min(o.Jobs, c.most)
	return &archive{w: w, o: o, codec: c}, nil
}

type archive struct {
	w     io.Writer
	o     Options
	codec codec
}

// Write implements sink.Sink.
func (a *archive) Write(ctx context.Context, t *tree.Tree, p sink.Progress) (sink.Stats, error) {
	pl := &planner{
		cutter:    cutter{atClusters: a.o.Compression != Small || a.o.Format == Tar},
		bigXattrs: a.o.BigXattrs,
		stats:     newTally(),
	}
	err := run(ctx, pipeline{
		jobs:  a.o.Jobs,
		plan:  func(next func() (*task, error)) error { return pl.run(t.Items(a.o.Order), next) },
		codec: a.codec,
		// In path order a cluster is needed again after many others.
		shared: a.o.Order == tree.Path,
		w:      a.w,
		done:   p,
	})
	return pl.stats.result(), err
}
