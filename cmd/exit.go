package cmd

import (
	"context"
	"errors"
	"fmt"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/wsl"
)

// The exit codes. 2 is what a crash of the Go runtime gives and never ours.
const (
	exitOK          = 0
	exitOther       = 1
	exitFindings    = 3
	exitUnsupported = 10
	exitCorrupt     = 11
	exitRoot        = 12
	exitEncrypted   = 13
	exitOutput      = 14
	exitWSL         = 15
	exitUsage       = 64
	exitCancelled   = 130
)

// errUsage marks a command line that cannot be carried out.
var errUsage = errors.New("usage")

type usageError struct{ error }

func (e usageError) Unwrap() []error { return []error{errUsage, e.error} }

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// errFindings ends a command that did its work and has something to complain of.
var errFindings = errors.New("findings")

// codes maps what errors are to exit codes; the first that fits wins.
var codes = []struct {
	is   error
	code int
}{
	{context.Canceled, exitCancelled},
	{errUsage, exitUsage},
	{errFindings, exitFindings},
	{wsl.ErrName, exitUsage},
	{wsl.ErrWSL, exitWSL},
	{wsl.ErrLocation, exitOutput},
	{wsl.ErrSeedExists, exitOutput},
	{wsl.ErrArch, exitUnsupported},
	{convert.ErrOutput, exitOutput},
	{convert.ErrRoot, exitRoot},
	{ondisk.ErrEncrypted, exitEncrypted},
	{ondisk.ErrCorrupt, exitCorrupt},
	{ondisk.ErrUnsupported, exitUnsupported},
	{ondisk.ErrNotFormat, exitUnsupported},
}

func exitCode(err error) int {
	if err == nil {
		return exitOK
	}
	for _, c := range codes {
		if errors.Is(err, c.is) {
			return c.code
		}
	}
	return exitOther
}

// hint is what the user can do about err, which command ended with.
func hint(err error, command string) string {
	switch h := ondisk.HintOf(err); {
	case h != "":
		return h
	case errors.Is(err, errUsage):
		return "see " + command + " --help"
	case errors.Is(err, wsl.ErrSeedExists):
		return "replace it with --force"
	case errors.Is(err, ondisk.ErrCorrupt):
		return "the image is damaged: compare its checksum, or repair the filesystem inside the VM and export it again"
	case errors.Is(err, ondisk.ErrEncrypted):
		return "decrypt the disk inside the VM and export it again"
	}
	return ""
}
