package fakewsl

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// distro is a registration.
type distro struct {
	Name      string
	Location  string // as wsl.exe was given it
	Version   int
	Installed bool // else it is being installed
	User      string
}

func stateFile(elem string) string { return filepath.Join(os.Getenv("FAKEWSL_STATE"), elem) }

// distros are all registrations, those being installed included.
func distros() []distro {
	names, _ := filepath.Glob(stateFile("*.distro")) // the pattern is well-formed
	var all []distro
	for _, name := range names {
		b, err := os.ReadFile(name)
		var d distro
		if err == nil && json.Unmarshal(b, &d) == nil {
			all = append(all, d)
		}
	}
	return all
}

func find(name string, installing bool) (distro, error) {
	for _, d := range distros() {
		if strings.EqualFold(d.Name, name) && (installing || d.Installed) {
			return d, nil
		}
	}
	return distro{}, failure{"Service", "WSL_E_DISTRO_NOT_FOUND"}
}

func (d distro) file() string { return stateFile(strings.ToLower(d.Name) + ".distro") }

func (d distro) save() error {
	b, err := json.Marshal(d)
	if err != nil {
		return err
	}
	return os.WriteFile(d.file(), b, 0o600)
}

// remove deletes a registration and its files; the folder goes if it is then
// empty (_DeleteDistributionLockHeld).
func (d distro) remove() error {
	dir := hostPath(d.Location)
	err := errors.Join(os.RemoveAll(filepath.Join(dir, "rootfs")), os.RemoveAll(filepath.Join(dir, disk)), os.Remove(d.file()))
	_ = os.Remove(dir) // not empty: it stays
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// disk stands for the virtual disk: it holds the archive as it came.
const disk = "ext4.vhdx"

// hostPath turns the Windows path that wsl.exe got into one that this fake can
// use: on Linux, C:\ is FAKEWSL_DRIVE.
func hostPath(win string) string {
	drive := os.Getenv("FAKEWSL_DRIVE")
	if drive == "" {
		return win
	}
	for _, prefix := range []string{`\\?\`, `C:`, `\\wsl.localhost\fake`} {
		if rest, ok := strings.CutPrefix(win, prefix); ok {
			win = rest
			if prefix == `\\wsl.localhost\fake` {
				return strings.ReplaceAll(win, `\`, "/")
			}
		}
	}
	return filepath.Join(drive, strings.ReplaceAll(win, `\`, "/"))
}
