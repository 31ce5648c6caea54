package wsl

import (
	"os"

	"golang.org/x/sys/unix"
)

// pipe makes a pipe that holds pipeSize bytes if the system allows as much.
func pipe() (r, w *os.File, err error) {
	if r, w, err = os.Pipe(); err != nil {
		return nil, nil, err
	}
	raw, err := w.SyscallConn()
	if err == nil {
		// an unprivileged user may be over the system's limit: then it stays small
		err = raw.Control(func(fd uintptr) { _, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeSize) })
	}
	return r, w, err
}
