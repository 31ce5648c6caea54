package wsl

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

// pipeSize is how many bytes may wait for wsl.exe: a piece of the archive.
const pipeSize = 1 << 20

// command is wsl.exe with args, its output to be read by parseError.
func (h *Host) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, h.Exe, args...)
	cmd.WaitDelay = outputGrace
	cmd.Env = append(os.Environ(), "WSL_UTF8=1")
	if h.guest {
		// variables reach Windows programs only if they are named here
		list := "WSL_UTF8"
		if old := h.world.getenv("WSLENV"); old != "" {
			list = old + ":" + list
		}
		cmd.Env = append(cmd.Env, "WSLENV="+list)
		if filepath.IsAbs(h.Exe) {
			cmd.Dir = filepath.Dir(h.Exe)
		}
	}
	return cmd
}

// run runs wsl.exe and returns what it wrote to its standard output.
func (h *Host) run(ctx context.Context, args ...string) (string, error) {
	cmd := h.command(ctx, args...)
	detach(cmd)
	var stdout, stderr tail
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	return stdout.String(), failure(args, err, &stdout, &stderr)
}

// failure makes an Error of how wsl.exe, which was given args, ended.
func failure(args []string, err error, stdout, stderr *tail) error {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay): // ended well
		return nil
	case errors.As(err, &exit):
		e := parseError(args[0], exit.ExitCode(), stdout.String(), stderr.String())
		if args[0] != "--list" {
			e.Name = args[1]
		}
		return e
	}
	return startError(fmt.Errorf("%w: %w", ErrWSL, err))
}

// List returns the names of all distributions, those included that are being
// installed or removed.
func (h *Host) List(ctx context.Context) ([]string, error) {
	out, err := h.run(ctx, "--list", "--all", "--quiet")
	var e *Error
	if errors.As(err, &e) && (e.Code == "" || e.Code == codeNoDistro) {
		return nil, nil // none; versions differ in whether that is an error, which then has no code
	}
	if err != nil {
		return nil, err
	}
	return strings.Fields(out), nil
}

// Registered tells whether a distribution of this name, in whatever case,
// exists, and how its name is written.
func (h *Host) Registered(ctx context.Context, name string) (string, bool, error) {
	names, err := h.List(ctx)
	for _, n := range names {
		if strings.EqualFold(n, name) {
			return n, true, nil
		}
	}
	return "", false, err
}

// InUse is the error for a name that a distribution has.
func InUse(name string) error { return &Error{Op: "--import", Name: name, Code: codeExists} }

// Unregister removes a distribution with all its files.
func (h *Host) Unregister(ctx context.Context, name string) error {
	_, err := h.run(ctx, "--unregister", name)
	return err
}

// SetDefault makes name the distribution that wsl.exe starts by itself.
func (h *Host) SetDefault(ctx context.Context, name string) error {
	_, err := h.run(ctx, "--set-default", name)
	return err
}

// SetDefaultUser makes user, who must be in its passwd, the one who gets the
// shell. It starts the distribution.
func (h *Host) SetDefaultUser(ctx context.Context, name, user string) error {
	_, err := h.run(ctx, "--manage", name, "--set-default-user", user)
	return err
}

// StartArgs are the arguments that open a shell in a distribution.
func StartArgs(name string) []string { return []string{"--distribution", name, "--cd", "~"} }

// Start opens a shell in a distribution on the console of this process and
// waits for its end. How the shell ended is no error.
func (h *Host) Start(name string) error {
	// Ctrl-C in that shell reaches this process too and is none of its business
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	defer signal.Stop(interrupts)
	cmd := h.command(context.Background(), StartArgs(name)...)
	cmd.Env = os.Environ() // what the user sees is in the encoding that the user set
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	if _, ok := errors.AsType[*exec.ExitError](err); ok {
		return nil
	}
	return failure(StartArgs(name), err, &tail{}, &tail{})
}
