package wsl

import (
	"runtime"

	"golang.org/x/sys/windows"
)

// Machine is the architecture of this machine in Go's names, also if this
// program is emulated on it.
func Machine() string {
	var process, native uint16
	if err := windows.IsWow64Process2(windows.CurrentProcess(), &process, &native); err != nil {
		return runtime.GOARCH // before Windows 10 1709: no emulation of amd64 either
	}
	// https://learn.microsoft.com/windows/win32/sysinfo/image-file-machine-constants
	switch native {
	case 0x8664:
		return "amd64"
	case 0xaa64:
		return "arm64"
	}
	return runtime.GOARCH
}
