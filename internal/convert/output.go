package convert

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/hostfile"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// ErrOutput: the place for the output cannot be written.
var ErrOutput = errors.New("output")

type outputError struct{ error }

func (e outputError) Unwrap() []error { return []error{ErrOutput, e.error} }

// OutputError makes err, met in writing name, an ErrOutput.
func OutputError(name string, err error) error { return outputError{NameError(name, err)} }

// Output is a file that appears under its name only when it is complete: it
// is written beside it under a temporary name, synced and renamed.
type Output struct {
	file *os.File
	path string
	temp string // "" for a device or pipe, which is written in place

	// In bytes: what was written, what of it is on its way to the disk, and what
	// there is space set aside for.
	written, started, reserved int64
}

// outputStep is how many bytes space is set aside for at a time, and how many
// are collected before they are sent on to the disk.
const outputStep = 16 << 20

// OutputOptions say how a file is made.
type OutputOptions struct {
	Force   bool // replace an existing file
	Private bool // readable by the owner alone, for content with secrets
}

// CreateOutput starts the file path. It must end in Commit or Discard.
func CreateOutput(path string, opts OutputOptions) (*Output, error) {
	fail := func(err error) (*Output, error) {
		return nil, OutputError(path, err)
	}
	if err := checkHostName(path); err != nil {
		return fail(err)
	}
	switch st, err := os.Stat(path); {
	case err == nil && st.IsDir():
		return fail(errors.New("is a directory"))
	case err == nil && isBlockDevice(st.Mode()) && !opts.Force:
		return fail(ondisk.WithHint(errors.New("is a block device"), "write over what is on it with --force"))
	case err == nil && !st.Mode().IsRegular():
		f, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return fail(err)
		}
		return &Output{file: f, path: path}, nil
	case err == nil && !opts.Force:
		return fail(ondisk.WithHint(errors.New("exists"), "replace it with --force"))
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fail(err)
	}
	f, err := createTemp(path, opts)
	if _, serr := os.Stat(filepath.Dir(path)); errors.Is(err, fs.ErrNotExist) && errors.Is(serr, fs.ErrNotExist) {
		return fail(ondisk.WithHint(fmt.Errorf("there is no folder %s", fsys.Printable(filepath.Dir(path))), "create it first"))
	}
	if err != nil {
		return fail(err)
	}
	return &Output{file: f, path: path, temp: f.Name()}, nil
}

func isBlockDevice(mode fs.FileMode) bool {
	return mode&fs.ModeDevice != 0 && mode&fs.ModeCharDevice == 0
}

// createTemp makes a new file beside path. os.CreateTemp would fix the mode
// at 0600; here the user's umask decides, unless the content is private.
func createTemp(path string, opts OutputOptions) (*os.File, error) {
	perm := os.FileMode(0o666)
	if opts.Private {
		perm = 0o600
	}
	dir, base := filepath.Split(path)
	for n := os.Getpid(); ; n++ {
		temp := filepath.Join(dir, fmt.Sprintf(".%s.%d.tmp", base, n))
		f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// Commit gives the file its name. On failure nothing is left.
func (o *Output) Commit() error {
	var err error
	if o.reserved > o.written {
		err = o.file.Truncate(o.written)
	}
	if o.temp != "" && err == nil {
		err = o.file.Sync()
	}
	if cerr := o.file.Close(); err == nil {
		err = cerr
	}
	if err == nil && o.temp != "" {
		err = os.Rename(o.temp, o.path)
	}
	if err != nil {
		if o.temp != "" {
			if rerr := os.Remove(o.temp); rerr != nil {
				err = errors.Join(err, rerr)
			}
		}
		return OutputError(o.path, err)
	}
	return nil
}

// Discard removes what was written.
func (o *Output) Discard() error {
	err := o.file.Close()
	if o.temp != "" {
		err = errors.Join(err, os.Remove(o.temp))
	}
	return err
}

// Write makes failures of the medium ErrOutput.
func (o *Output) Write(p []byte) (int, error) {
	if end := o.written + int64(len(p)); o.temp != "" && end > o.reserved {
		step := max(end-o.reserved, outputStep)
		hostfile.Reserve(o.file, o.reserved, step)
		o.reserved += step
	}
	n, err := o.file.Write(p)
	if o.written += int64(n); o.temp != "" && o.written-o.started >= outputStep {
		hostfile.StartWriteback(o.file, o.started, o.written-o.started)
		o.started = o.written
	}
	if err != nil {
		err = OutputError(o.path, err)
	}
	return n, err
}

// checkHostName refuses names that Windows takes for something else than the
// file that the user sees.
func checkHostName(path string) error {
	if filepath.Separator != '\\' {
		return nil
	}
	return checkWindowsName(strings.TrimPrefix(path, filepath.VolumeName(path)))
}

// checkWindowsName refuses alternate data streams, devices and endings that
// Windows drops. NUL alone is fine: what is written to it is meant to be lost.
// See https://learn.microsoft.com/windows/win32/fileio/naming-a-file.
func checkWindowsName(path string) error {
	base := path[strings.LastIndexAny(path, `\/`)+1:]
	device := hostfile.WindowsDevice(base)
	switch {
	case strings.Contains(path, ":"):
		return errors.New("a colon in the name would write an alternate data stream")
	case strings.TrimRight(base, ". ") != base:
		return errors.New("the name ends in a dot or a blank, which Windows drops")
	case device != "" && !strings.EqualFold(base, "NUL"):
		return fmt.Errorf("%s is a device of Windows", device)
	}
	return nil
}
