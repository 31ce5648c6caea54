package wsl

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Variable is the value of a variable of the Windows user's environment.
func (h *Host) Variable(ctx context.Context, name string) (string, error) {
	value := ""
	if !h.guest {
		value = h.world.getenv(name)
	} else {
		cmd, err := h.program("cmd.exe")
		if err != nil {
			return "", err
		}
		// "set" prints the value as it is; "echo %NAME%" would run an "&" in it.
		// /U: in UTF-16, or the console's code page would spoil other letters.
		out, err := h.output(ctx, cmd, "/D", "/U", "/C", "set "+name)
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(out) {
			if v, ok := cutPrefixFold(strings.TrimRight(line, "\r\n"), name+"="); ok {
				value = v
			}
		}
	}
	if value == "" {
		return "", fmt.Errorf("%w: Windows has no %%%s%%", ErrWSL, name)
	}
	return value, nil
}

// FromWindows turns a Windows path into one for this process. What does not
// exist yet must have a parent that does.
func (h *Host) FromWindows(ctx context.Context, path string) (string, error) {
	if !h.guest {
		return path, nil
	}
	out, err := h.wslpath(ctx, "-u", path)
	if err == nil {
		return out, nil
	}
	parent, base := splitLast(path)
	if out, err = h.wslpath(ctx, "-u", parent); err != nil {
		return "", err
	}
	return filepath.Join(out, base), nil
}

// ToWindows turns a path of this process into a Windows path. Windows paths
// pass as they are.
func (h *Host) ToWindows(ctx context.Context, path string) (string, error) {
	if !h.guest {
		return filepath.Abs(path)
	}
	if _, _, ok := splitRoot(strings.ReplaceAll(path, "/", `\`)); ok && !filepath.IsAbs(path) || strings.HasPrefix(path, `\\`) {
		return path, nil
	}
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	// wslpath wants what it names to exist; of a new folder that is the parent
	if _, err := os.Stat(path); err == nil {
		return h.wslpath(ctx, "-w", path)
	}
	parent, err := h.wslpath(ctx, "-w", filepath.Dir(path))
	return strings.TrimRight(parent, `\`) + `\` + filepath.Base(path), err
}

func (h *Host) wslpath(ctx context.Context, flag, path string) (string, error) {
	out, err := h.output(ctx, "wslpath", flag, path)
	if err != nil {
		return "", err
	}
	return strings.TrimRight(out, "\r\n"), nil
}

// output runs a helper program and returns what it printed.
func (h *Host) output(ctx context.Context, name string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	if filepath.IsAbs(name) {
		// cmd.exe complains of a working folder that has no drive letter
		cmd.Dir = filepath.Dir(name)
	}
	detach(cmd)
	var stderr tail
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if text := strings.TrimSpace(stderr.String()); text != "" {
			err = fmt.Errorf("%s: %w", text, err)
		}
		return "", startError(fmt.Errorf("%w: %s %q: %w", ErrWSL, filepath.Base(name), args, err))
	}
	return Decode(out), nil
}

// startError adds advice where Linux does not know how to start a Windows
// program although WSL says that interop is on.
func startError(err error) error {
	if isExecFormat(err) {
		return ondisk.WithHint(err, "the WSLInterop entry of binfmt_misc is lost: run wsl --shutdown on Windows")
	}
	return err
}
