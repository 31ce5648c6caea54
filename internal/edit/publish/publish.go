// Package publish holds what a distribution file for others contains beside
// the root filesystem: the first-start script, icon and terminal profile that
// /etc/wsl-distribution.conf names, and the entry of a catalogue.
package publish

import (
	_ "embed"
	"encoding/binary"
	"fmt"
	"regexp"

	"github.com/wslimg/wslimg/internal/osinfo"
)

// Where the files go; WSL's validator wants them below /usr/lib/wsl.
const (
	OOBEPath     = "/usr/lib/wsl/oobe.sh"
	IconPath     = "/usr/lib/wsl/icon.ico"
	TerminalPath = "/usr/lib/wsl/terminal-profile.json"
)

// The files that are used unless others are given.
var (
	//go:embed oobe.sh
	OOBE []byte
	//go:embed icon.ico
	Icon []byte
	//go:embed terminal-profile.json
	Terminal []byte
)

// MaxFile is what WSL reads of an icon or profile template, in bytes
// (microsoft/WSL at 3e27a6a, src/linux/init/main.cpp, UtilReadFileRaw).
const MaxFile = 1 << 20

// CheckIcon says what is wrong with a Windows icon file.
// https://learn.microsoft.com/en-us/previous-versions/ms997538(v=msdn.10)
func CheckIcon(b []byte) error {
	const header, entry = 6, 16
	if len(b) > MaxFile {
		return fmt.Errorf("icon has %d bytes, WSL reads at most %d", len(b), MaxFile)
	}
	if len(b) < header || binary.LittleEndian.Uint16(b) != 0 || binary.LittleEndian.Uint16(b[2:]) != 1 {
		return fmt.Errorf("the icon is no Windows icon (.ico)")
	}
	idCount := int(binary.LittleEndian.Uint16(b[4:]))
	if idCount == 0 || len(b) < header+idCount*entry {
		return fmt.Errorf("icon with %d images is cut off", idCount)
	}
	for i := range idCount {
		e := b[header+i*entry:]
		dwBytesInRes, dwImageOffset := uint64(binary.LittleEndian.Uint32(e[8:])), uint64(binary.LittleEndian.Uint32(e[12:]))
		if dwBytesInRes == 0 || dwImageOffset+dwBytesInRes > uint64(len(b)) {
			return fmt.Errorf("image %d of the icon lies outside the file", i+1)
		}
	}
	return nil
}

// nameOf is what WSL takes as the name of a distribution
// (src/windows/service/exe/LxssUserSession.cpp:4211).
var nameOf = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,256}$`)

// CheckName says what is wrong with a distribution's name.
func CheckName(name string) error {
	if !nameOf.MatchString(name) || name == "Legacy" {
		return fmt.Errorf("%q is no name for a distribution: it has 1 to 256 letters, digits, dots, dashes and underscores", name)
	}
	return nil
}

// DefaultName makes a name from what the image says of itself.
func DefaultName(o osinfo.Info) string {
	name := o.ID
	if o.VersionID != "" {
		name += "-" + o.VersionID
	}
	if CheckName(name) != nil {
		return "linux"
	}
	return name
}
