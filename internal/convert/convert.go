package convert

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/sink"
	"github.com/wslimg/wslimg/internal/sink/tarball"
	"github.com/wslimg/wslimg/internal/tree"
)

// Options say what is made of an image.
type Options struct {
	Open    OpenOptions
	Edits   []edit.Edit
	Archive tarball.Options
	// Accept, if set, may refuse the tree before anything is written.
	Accept func(*tree.Tree, osinfo.Info) error
	// Review, if set, looks at the edited tree; what it finds goes into the result.
	Review func(context.Context, *tree.Tree) ([]edit.Finding, error)
}

// Reporter is told how the work goes on. Its methods are called by one
// goroutine at a time.
type Reporter interface {
	// Phase begins a step of total bytes; 0 if that is not known.
	Phase(name string, total int64)
	// Add counts bytes of the step.
	Add(bytes int64)
}

// Run converts the image file name ("-" is standard input) and writes the
// archive to w. The result is valid only without an error; what w was given
// until then is no whole archive.
func Run(ctx context.Context, name string, o Options, w io.Writer, report Reporter) (res *Result, err error) {
	j, err := Prepare(ctx, name, o, report)
	if err != nil {
		return nil, err
	}
	defer func() {
		if cerr := j.Close(); err == nil && cerr != nil {
			res, err = nil, cerr
		}
	}()
	return j.Write(ctx, w, report)
}

// Job is a conversion that is ready to be written: its tree is read and edited.
type Job struct {
	src   *Source
	tree  *tree.Tree
	res   *Result
	o     Options
	start time.Time
}

// Prepare does all of Run that comes before the first byte of the archive. The
// caller closes the job.
func Prepare(ctx context.Context, name string, o Options, report Reporter) (*Job, error) {
	j := &Job{o: o, start: time.Now()}
	report.Phase("opening", 0)
	o.Open.Image.Progress = spooling(report)
	var err error
	if j.src, err = Open(ctx, name, o.Open); err != nil {
		return nil, err
	}
	if err := j.prepare(ctx, report); err != nil {
		return nil, errors.Join(err, j.Close())
	}
	return j, nil
}

func (j *Job) prepare(ctx context.Context, report Reporter) error {
	root, err := j.src.Root()
	if err != nil {
		return j.src.wrap(err)
	}
	report.Phase("reading metadata", 0)
	view, err := j.src.Load(ctx, root)
	if err != nil {
		return err
	}
	j.tree, j.res = view.Tree, j.src.result(view)
	if j.o.Accept != nil {
		if err := j.o.Accept(view.Tree, j.res.OS); err != nil {
			return j.src.wrap(err)
		}
	}
	changes, err := edit.Run(ctx, view.Tree, j.o.Edits)
	if err != nil {
		return j.src.wrap(err)
	}
	j.res.Changes = append(j.res.Changes, changes...)
	for _, e := range j.o.Edits {
		if n, ok := e.(edit.Noter); ok {
			j.res.Notes = append(j.res.Notes, n.Notes()...)
		}
	}
	if j.o.Review == nil {
		return nil
	}
	found, err := j.o.Review(ctx, view.Tree)
	j.res.Findings = append(j.res.Findings, found...)
	return err
}

// Result is what is known before the archive is written: all but its counts.
func (j *Job) Result() *Result { return j.res }

// Write writes the archive to w and completes the result.
func (j *Job) Write(ctx context.Context, w io.Writer, report Reporter) (*Result, error) {
	report.Phase("writing", estimate(j.tree))
	// The writer's buffers take the room of what was read for the tree alone,
	// instead of coming on top of it.
	runtime.GC()
	stats, err := write(ctx, j.tree, j.o.Archive, w, report)
	if errors.Is(err, ErrOutput) {
		return nil, err // not the image's fault
	}
	if err != nil {
		return nil, j.src.wrap(j.located(err))
	}
	if err := j.src.Image.Changed(); err != nil {
		return nil, j.src.wrap(err)
	}
	res := j.res
	res.Entries, res.Plain, res.Content = stats.Entries, stats.Plain, stats.Content
	res.Losses = append(res.Losses, stats.Losses...)
	res.Seconds = time.Since(j.start).Seconds()
	return res, nil
}

// located puts before an error about a file of the tree which volume holds the
// file's content.
func (j *Job) located(err error) error {
	var file *tarball.FileError
	if !errors.As(err, &file) {
		return err
	}
	n, lookup := j.tree.Lookup(file.Path)
	if lookup != nil || n.Content == nil || n.Content.Dev == nil { // an edit's content has no Dev
		return err
	}
	return j.src.Volumes[n.Content.Volume].wrap(err)
}

// Close closes the image.
func (j *Job) Close() error { return j.src.Close() }

// spooling reports the bytes of a wrapped image as it is unpacked.
func spooling(report Reporter) func(done, total int64) {
	last := int64(-1)
	return func(done, total int64) {
		if last < 0 {
			report.Phase("unpacking", total)
			last = 0
		}
		report.Add(done - last)
		last = done
	}
}

func write(ctx context.Context, t *tree.Tree, o tarball.Options, w io.Writer, report Reporter) (sink.Stats, error) {
	s, err := tarball.New(w, o)
	if err != nil {
		return sink.Stats{}, err
	}
	return s.Write(ctx, t, report.Add)
}

// result says where a view came from.
func (s *Source) result(v *View) *Result {
	res := &Result{
		Image: s.info(), OS: osinfo.Detect(v.Tree), Notes: s.Notes(),
		Entries: map[string]int{}, Changes: []edit.Change{}, Findings: []edit.Finding{}, Losses: []sink.Loss{}, // [] and {} in JSON, not null
	}
	for _, m := range v.Mounts {
		res.Mounts = append(res.Mounts, m.info())
		if m.Volume.FS.Info().Stale {
			res.Losses = append(res.Losses, sink.Loss{Kind: "filesystem without what its log holds", Count: 1, First: m.Path})
		}
		for _, w := range m.Volume.FS.Info().Warnings {
			res.Notes = append(res.Notes, fmt.Sprintf("%s: %s", m.Volume, w))
		}
	}
	res.Notes = append(res.Notes, v.Notes...)
	if len(v.Missing) > 0 {
		res.Losses = append(res.Losses, sink.Loss{Kind: "volume that /etc/fstab mounts", Count: len(v.Missing), First: v.Missing[0]})
	}
	return res
}

// Notes are the warnings of the image and its partition table.
func (s *Source) Notes() []string {
	return append(append([]string{}, s.Image.Warnings...), s.Table.Warnings...)
}

// estimate is about how many bytes of tar the tree will make, for progress.
func estimate(t *tree.Tree) int64 {
	const perEntry = 1024 // header and padding
	var total int64
	// No Walk, which makes paths.
	for todo := [][]tree.Entry{{{Node: t.Root}}}; len(todo) > 0; {
		entries := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range entries {
			total += perEntry
			if c := e.Node.Content; c != nil {
				total += c.Stored() / int64(max(e.Node.Links, 1)) // of all names, once
			}
			if below := e.Node.Entries(); len(below) > 0 {
				todo = append(todo, below)
			}
		}
	}
	return total
}
