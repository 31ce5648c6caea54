package wsl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/hostfile"
)

// maxName is the longest distribution name in characters (LX_INIT_DISTRO_NAME_MAX).
const maxName = 256

// ErrName is the class of names that WSL or Windows would not take.
var ErrName = errors.New("no valid distribution name")

// CheckName tells whether WSL takes name (s_ValidateDistroName), whether it is
// safe as an argument, and whether Windows takes it as the name of a folder and
// of a seed file. The error is ErrName.
func CheckName(name string) error {
	why := ""
	switch {
	case name == "":
		why = "it is empty"
	case len(name) > maxName:
		why = fmt.Sprintf("it has %d characters, at most %d are allowed", len(name), maxName)
	case strings.TrimLeft(name, nameBytes) != "":
		why = "only letters, digits, '.', '_' and '-' are allowed"
	case name[0] == '-':
		why = "it begins with '-', as an option of wsl.exe does"
	case strings.EqualFold(name, "Legacy"):
		why = "WSL keeps it for itself"
	case hostfile.WindowsDevice(name) != "":
		why = "Windows keeps it for a device"
	case strings.HasSuffix(name, "."):
		why = "Windows takes no folder whose name ends with '.'"
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%q: %w: %s", name, ErrName, why)
}

const nameBytes = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"

// DefaultName makes a valid name from os-release's ID and VERSION_ID, such as
// "debian-12"; "linux" if the image does not tell.
func DefaultName(id, version string) string {
	name := clean(id)
	if name == "" {
		name = "linux"
	}
	if v := clean(version); v != "" {
		name += "-" + v
	}
	if len(name) > 64 {
		name = strings.TrimRight(name[:64], "-._")
	}
	if CheckName(name) != nil {
		name = "linux-" + name
	}
	return name
}

// clean keeps the bytes that a name may have; others become '-'.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if strings.ContainsRune(nameBytes, r) {
			return r
		}
		return '-'
	}, s)
	return strings.Trim(s, "-._")
}
