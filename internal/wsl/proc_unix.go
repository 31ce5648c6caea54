//go:build unix

package wsl

import (
	"errors"
	"os/exec"
	"syscall"
)

// detach keeps the terminal's Ctrl-C away from a child: wslimg decides when
// and how it ends.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func isExecFormat(err error) bool { return errors.Is(err, syscall.ENOEXEC) }
