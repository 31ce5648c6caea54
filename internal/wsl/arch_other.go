//go:build !linux && !windows

package wsl

import "runtime"

// Machine is the architecture of this machine in Go's names.
func Machine() string { return runtime.GOARCH }
