//go:build unix

package fakewsl

import (
	"os"
	"os/exec"
	"syscall"
)

func ownGroup(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

func killParent() { _ = syscall.Kill(os.Getppid(), syscall.SIGKILL) }

func running(pid int) bool { return syscall.Kill(pid, 0) == nil }
