package wsl

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"runtime"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Host is the Windows whose WSL is driven.
type Host struct {
	Exe   string // path of wsl.exe, as this system starts it
	guest bool   // this process runs inside a distribution, not on Windows
	world world
}

// Guest tells whether Windows is reached from inside a distribution.
func (h *Host) Guest() bool { return h.guest }

// world is what Find asks of the system; tests put their own in its place.
type world struct {
	goos     string
	getenv   func(string) string
	lookPath func(string) (string, error)
	readFile func(string) ([]byte, error)
}

var system = world{runtime.GOOS, os.Getenv, exec.LookPath, os.ReadFile}

// Find looks for wsl.exe: on Windows in System32, in WSL's own folder and on
// PATH; inside a distribution on PATH, which holds the Windows folders unless
// interop.appendWindowsPath is off, and on the drives that are mounted. A path
// that the user gave is taken as it is. Errors are ErrWSL.
func Find(override string) (*Host, error) { return system.find(override) }

func (w world) find(override string) (*Host, error) {
	h := &Host{Exe: override, guest: w.goos != "windows", world: w}
	if override != "" {
		exe, err := w.lookPath(override)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrWSL, err)
		}
		h.Exe = exe
		return h, nil
	}
	if h.guest {
		if err := w.interop(); err != nil {
			return nil, err
		}
	}
	var err error
	h.Exe, err = h.program("wsl.exe")
	return h, err
}

// program finds a program of Windows.
func (h *Host) program(name string) (string, error) {
	for _, candidate := range h.candidates(name) {
		if found, err := h.world.lookPath(candidate); err == nil {
			return found, nil
		}
	}
	hint := "install WSL: run wsl --install --no-distribution as administrator"
	if h.guest {
		hint = "the Windows drive must be mounted: see automount.enabled in /etc/wsl.conf; or name the program with --wsl"
	}
	return "", ondisk.WithHint(fmt.Errorf("%w: %s is not found", ErrWSL, name), hint)
}

func (h *Host) candidates(name string) []string {
	w := h.world
	if h.guest {
		all := []string{name}
		if h.Exe != "" {
			all = append([]string{path.Join(path.Dir(h.Exe), name)}, all...)
		}
		for _, mount := range append(w.mounts(), "/mnt/c") {
			all = append(all, path.Join(mount, "Windows/System32", name), path.Join(mount, "Program Files/WSL", name))
		}
		return all
	}
	root := w.getenv("SystemRoot")
	if root == "" {
		root = `C:\Windows`
	}
	all := []string{
		root + `\Sysnative\` + name, // System32, for a 32-bit process on 64-bit Windows
		root + `\System32\` + name,
	}
	if files := w.getenv("ProgramFiles"); files != "" {
		all = append(all, files+`\WSL\`+name)
	}
	return append(all, name)
}

// interop tells whether Windows programs can be started from here.
func (w world) interop() error {
	kernel, _ := w.readFile("/proc/sys/kernel/osrelease") // absent: not Linux
	if w.getenv("WSL_DISTRO_NAME") == "" && w.getenv("WSL_INTEROP") == "" &&
		!strings.Contains(strings.ToLower(string(kernel)), "microsoft") {
		return ondisk.WithHint(fmt.Errorf("%w: this is neither Windows nor a distribution of WSL", ErrWSL),
			"convert here and import there: wslimg convert IMAGE NAME.wsl, then wsl --install --from-file NAME.wsl; --dry-run shows the plan")
	}
	off := ondisk.WithHint(fmt.Errorf("%w: this distribution cannot start Windows programs", ErrWSL),
		"set [interop] enabled=true in /etc/wsl.conf and run wsl --shutdown on Windows")
	for _, name := range []string{"WSLInterop", "WSLInterop-late"} {
		state, err := w.readFile("/proc/sys/fs/binfmt_misc/" + name)
		switch {
		case errors.Is(err, os.ErrNotExist):
			continue
		case err == nil && strings.HasPrefix(string(state), "disabled"):
			return off
		}
		return nil
	}
	if w.getenv("WSL_INTEROP") == "" {
		return off
	}
	return nil
}

// mounts are the places where a filesystem of Windows is mounted: drvfs (WSL 1),
// 9p or virtiofs (WSL 2).
func (w world) mounts() []string {
	b, err := w.readFile("/proc/self/mounts")
	if err != nil {
		return nil
	}
	var found []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 2 && (f[2] == "drvfs" || f[2] == "9p" || f[2] == "virtiofs") {
			found = append(found, strings.NewReplacer(`\040`, " ", `\134`, `\`).Replace(f[1]))
		}
	}
	return found
}
