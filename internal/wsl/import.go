package wsl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Registration is a distribution that shall be.
type Registration struct {
	Name     string // as CheckName takes it
	Location string // Windows folder, as Host.Place gives it
	Version  int    // of WSL: 1, 2 or 0 for the user's default
}

// Args are the arguments with which wsl.exe registers it from an archive:
// "-" is standard input.
func (r Registration) Args(archive string) []string {
	args := []string{"--import", r.Name, argument(r.Location), archive}
	if r.Version != 0 {
		args = append(args, "--version", strconv.Itoa(r.Version))
	}
	return args
}

// Produce writes an archive. Each error of the writer ends it.
type Produce func(context.Context, io.Writer) error

// Import registers a distribution from the archive that produce writes, while
// it writes it. If produce fails, wsl.exe fails or ctx ends, the archive is cut
// off such that its extraction fails, and what was registered is unregistered:
// then nothing is left. The first cause is returned; an error of wsl.exe is
// ErrWSL.
func (h *Host) Import(ctx context.Context, r Registration, produce Produce) error {
	p, err := h.start(ctx, r.Args("-")...)
	if err != nil {
		return err
	}
	defer p.stop()
	f := p.feed(produce)
	werr := p.wait()
	switch {
	case ctx.Err() != nil:
		err = context.Cause(ctx)
	case f.produced == nil && werr == nil:
		return nil // what wsl.exe did not read of the end does not matter to it
	case f.produced == nil || f.refused || errors.Is(f.produced, context.Canceled):
		err = werr // wsl.exe was first
		if err == nil {
			err = fmt.Errorf("%w: it ended well before it had the whole archive", ErrWSL)
		}
	default:
		err = f.produced
	}
	return h.undo(ctx, r.Name, werr, err)
}

// ImportFile registers a distribution from an archive in a file, a Windows
// path. When ctx ends, wsl.exe is killed and what was registered is
// unregistered.
func (h *Host) ImportFile(ctx context.Context, r Registration, archive string) error {
	_, err := h.run(ctx, r.Args(archive)...)
	if err == nil {
		return nil
	}
	return h.undo(ctx, r.Name, err, err)
}

// Times for undo.
var (
	busyGrace = time.Minute // for WSL's service, which works on when wsl.exe is gone
	busyRetry = 500 * time.Millisecond
)

// undo unregisters what a failed import left and returns the reason, with what
// could not be undone. werr is how wsl.exe ended.
func (h *Host) undo(ctx context.Context, name string, werr, reason error) error {
	switch codeOf(werr) {
	case codeExists, codeFolderExists, codeBusy, codeInvalid:
		return reason // refused at the door: what has the name is not ours
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), busyGrace)
	defer cancel()
	for {
		_, found, err := h.Registered(ctx, name)
		if err == nil && found {
			err = h.Unregister(ctx, name)
		}
		code := codeOf(err)
		if err == nil || code == codeNotFound {
			return reason
		}
		if code == codeBusy && sleep(ctx, busyRetry) == nil {
			continue // the service has not yet noticed that the archive ended
		}
		return ondisk.WithHint(fmt.Errorf("%w; and %q may be left half made: %w", reason, name, err),
			"remove it: wsl --unregister "+name)
	}
}

func codeOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Code
	}
	return ""
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
