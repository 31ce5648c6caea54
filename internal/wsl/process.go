package wsl

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// endGrace is how long wsl.exe may take to end by itself once its archive was
// cut off, before it is killed.
var endGrace = 30 * time.Second

// outputGrace is how long after the end of wsl.exe its output is waited for:
// WSL's service has copies of its handles and may keep them.
const outputGrace = 2 * time.Second

// process is a wsl.exe that reads an archive from its standard input.
type process struct {
	ctx            context.Context //nolint:containedctx // of this one run: ends with the caller's or with the process
	stop           context.CancelFunc
	cmd            *exec.Cmd
	in             *os.File
	exited         chan error
	stdout, stderr tail
}

// start starts wsl.exe. It is not killed when ctx ends: the archive is cut off
// first, so that WSL's service, which reads it, ends the extraction.
func (h *Host) start(ctx context.Context, args ...string) (*process, error) {
	r, w, err := pipe()
	if err != nil {
		return nil, err
	}
	p := &process{in: w, exited: make(chan error, 1)}
	p.cmd = h.command(context.WithoutCancel(ctx), args...)
	p.cmd.Stdin, p.cmd.Stdout, p.cmd.Stderr = r, &p.stdout, &p.stderr
	detach(p.cmd)
	err = p.cmd.Start()
	r.Close() //nolint:errcheck // wsl.exe has its own copy
	if err != nil {
		w.Close() //nolint:errcheck // nothing was written
		return nil, failure(args, err, &p.stdout, &p.stderr)
	}
	p.ctx, p.stop = context.WithCancel(ctx)
	go func() {
		p.exited <- p.cmd.Wait()
		p.stop() // nobody reads any more
	}()
	return p, nil
}

// fed is how feeding a process went.
type fed struct {
	produced error // by the producer; nil: the archive is whole
	refused  bool  // the process took no more before that
}

// feed gives the process what produce writes, whole or cut off, and waits
// until it has taken it. A process that takes nothing is killed endGrace after
// the end of p.ctx.
func (p *process) feed(produce Produce) fed {
	done := make(chan fed, 1)
	go func() {
		c := &cutter{w: p.in}
		err := produce(p.ctx, c)
		f := fed{err, c.err != nil}
		if err == nil && p.ctx.Err() == nil {
			_ = c.finish() // the exit code tells whether enough arrived
		} else {
			p.stop()
			c.cut()
		}
		_ = p.in.Close() // as above
		done <- f
	}()
	select {
	case f := <-done:
		return f
	case <-p.ctx.Done():
	}
	for range 2 {
		select {
		case f := <-done:
			return f
		case <-time.After(endGrace):
			_ = p.cmd.Process.Kill() // if it has ended: all the better
		}
	}
	return fed{fmt.Errorf("%w: it neither reads nor ends", ErrWSL), false}
}

// wait waits for the end of the process and says how it went. A process whose
// archive was cut off is killed after endGrace.
func (p *process) wait() error {
	var err error
	select {
	case err = <-p.exited:
	case <-p.ctx.Done():
		select {
		case err = <-p.exited:
		case <-time.After(endGrace):
			_ = p.cmd.Process.Kill() // else it has just ended
			err = <-p.exited
		}
	}
	return failure(p.cmd.Args[1:], err, &p.stdout, &p.stderr)
}
