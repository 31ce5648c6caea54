package tarball

import (
	"context"
	"fmt"
	"hash/crc32"
	"io"
	"sync"

	"github.com/wslimg/wslimg/internal/deflate"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/sink"
)

// pipeline is what run needs to know.
type pipeline struct {
	jobs int
	// plan fills the tasks that next hands out, in stream order.
	plan  func(next func() (*task, error)) error
	codec codec
	// shared makes the workers read the devices themselves, which may remember
	// for all what they decode, and not each a view of its own.
	shared bool
	w      io.Writer
	done   sink.Progress // may be nil
}

// run plans, encodes and writes. It returns the first error in stream order,
// after all its goroutines have ended.
func run(ctx context.Context, p pipeline) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var wg sync.WaitGroup
	defer wg.Wait()
	defer cancel(nil)

	free := make(chan *task, p.jobs+1+p.codec.ahead)
	for range cap(free) {
		// The first tasks are headers alone: room for them at once, not by doubling.
		free <- &task{done: make(chan struct{}, 1), lit: make([]byte, 0, target)}
	}
	work := make(chan *task, cap(free))
	order := make(chan *task, cap(free))

	wg.Go(func() {
		defer close(work)
		defer close(order)
		if err := feed(ctx, p.plan, free, work, order); err != nil {
			cancel(err)
		}
	})
	for range p.jobs {
		wg.Go(func() { serve(ctx, p, work) })
	}
	return drain(ctx, p, order, free)
}

// feed hands each task that plan has filled to the workers and the writer. An
// error of plan travels behind the tasks before it.
func feed(ctx context.Context, plan func(func() (*task, error)) error, free <-chan *task, work, order chan<- *task) error {
	var cur *task
	send := func() {
		if cur != nil {
			order <- cur
			work <- cur
		}
	}
	next := func() (*task, error) {
		send()
		cur = nil
		select {
		case t := <-free:
			t.reset()
			cur = t
			return t, nil
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	err := plan(next)
	if err != nil && cur != nil {
		cur.err = err
	}
	send()
	if cur == nil {
		return err
	}
	return nil
}

// serve encodes tasks until there are no more.
func serve(ctx context.Context, p pipeline, work <-chan *task) {
	r := reader{shared: p.shared}
	defer r.close()
	var enc encoder
	for t := range work {
		switch {
		case t.err != nil:
		case ctx.Err() != nil:
			t.err = context.Cause(ctx)
		default:
			if enc == nil {
				enc = p.codec.encoder()
			}
			t.err = enc.encode(t, &r)
		}
		t.done <- struct{}{}
	}
}

// drain writes the results in order.
func drain(ctx context.Context, p pipeline, order <-chan *task, free chan<- *task) error {
	if err := writeAll(p.w, p.codec.head); err != nil {
		return err
	}
	sum, plain := uint32(0), int64(0)
	for t := range order {
		select {
		case <-t.done:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		if t.err != nil {
			return t.err
		}
		if err := writeAll(p.w, t.out); err != nil {
			return err
		}
		sum = deflate.CombineCRC32(sum, t.crc, int64(t.size))
		plain += int64(t.size)
		if p.done != nil {
			p.done(int64(t.size))
		}
		free <- t
	}
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if p.codec.tail == nil {
		return nil
	}
	return writeAll(p.w, p.codec.tail(sum, plain))
}

func writeAll(w io.Writer, b []byte) error {
	n, err := w.Write(b)
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	return err
}

// FileError is what is wrong with one file of the tree.
type FileError struct {
	Path string
	Err  error
}

func (e *FileError) Error() string { return fmt.Sprintf("%s: %v", fsys.Brief(e.Path), e.Err) }
func (e *FileError) Unwrap() error { return e.Err }

func fileError(path string, err error) error { return &FileError{path, err} }

func checksum(b []byte) uint32 { return crc32.ChecksumIEEE(b) }
