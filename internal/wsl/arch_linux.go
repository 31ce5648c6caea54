package wsl

import (
	"runtime"

	"golang.org/x/sys/unix"
)

// Machine is the architecture of this machine in Go's names, also if this
// program is a 32-bit one.
func Machine() string {
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		switch unix.ByteSliceToString(u.Machine[:]) {
		case "x86_64":
			return "amd64"
		case "aarch64":
			return "arm64"
		}
	}
	return runtime.GOARCH
}
