//go:build !linux

package hostfile

import "os"

// StartWriteback is a hint that this system has no call for.
func StartWriteback(f *os.File, off, n int64) {}

// Reserve is a hint that this system has no call for.
func Reserve(f *os.File, off, n int64) {}
