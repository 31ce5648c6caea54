package wsl

import (
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/ondisk"
)

func TestFind(t *testing.T) {
	const enabled = "enabled\ninterpreter /init\n"
	for _, tt := range []struct {
		name, goos string
		env        map[string]string
		files      map[string]string // content; programs are empty
		override   string
		want, err  string
		hint       string
	}{
		{name: "System32 before PATH", goos: "windows", env: map[string]string{"SystemRoot": `C:\WINDOWS`},
			files: map[string]string{`C:\WINDOWS\System32\wsl.exe`: "", "wsl.exe": ""}, want: `C:\WINDOWS\System32\wsl.exe`},
		{name: "32-bit program", goos: "windows", files: map[string]string{`C:\Windows\Sysnative\wsl.exe`: "", `C:\Windows\System32\wsl.exe`: ""},
			want: `C:\Windows\Sysnative\wsl.exe`},
		{name: "Program Files", goos: "windows", env: map[string]string{"ProgramFiles": `C:\Program Files`},
			files: map[string]string{`C:\Program Files\WSL\wsl.exe`: ""}, want: `C:\Program Files\WSL\wsl.exe`},
		{name: "PATH", goos: "windows", files: map[string]string{"wsl.exe": ""}, want: "wsl.exe"},
		{name: "no WSL", goos: "windows", err: "wsl.exe is not found", hint: "wsl --install"},
		{name: "override", goos: "windows", files: map[string]string{`D:\wsl.exe`: ""}, override: `D:\wsl.exe`, want: `D:\wsl.exe`},
		{name: "bad override", goos: "windows", override: `D:\wsl.exe`, err: "not exist"},

		{name: "plain Linux", goos: "linux", files: map[string]string{"wsl.exe": "", "/proc/sys/kernel/osrelease": "6.1.0"}, err: "neither Windows", hint: "convert here"},
		{name: "macOS", goos: "darwin", err: "neither Windows"},
		{name: "inside", goos: "linux", files: map[string]string{"/proc/sys/kernel/osrelease": "6.6-microsoft-standard-WSL2",
			"/proc/sys/fs/binfmt_misc/WSLInterop": enabled, "wsl.exe": ""}, want: "wsl.exe"},
		{name: "no PATH, other root", goos: "linux", env: map[string]string{"WSL_DISTRO_NAME": "x"}, files: map[string]string{
			"/proc/sys/fs/binfmt_misc/WSLInterop-late": enabled,
			"/proc/self/mounts":                        "none / ext4 rw 0 0\nC:\\134 /win\\040dows/c 9p rw,aname=drvfs 0 0\n",
			"/win dows/c/Windows/System32/wsl.exe":     ""}, want: "/win dows/c/Windows/System32/wsl.exe"},
		{name: "WSL 1", goos: "linux", env: map[string]string{"WSL_INTEROP": "x"},
			files: map[string]string{"/proc/self/mounts": "D: /mnt/d drvfs rw 0 0\n", "/mnt/d/Windows/System32/wsl.exe": ""}, want: "/mnt/d/Windows/System32/wsl.exe"},
		{name: "default root", goos: "linux", env: map[string]string{"WSL_INTEROP": "x"},
			files: map[string]string{"/mnt/c/Program Files/WSL/wsl.exe": ""}, want: "/mnt/c/Program Files/WSL/wsl.exe"},
		{name: "no drive", goos: "linux", env: map[string]string{"WSL_INTEROP": "x"}, err: "not found", hint: "automount.enabled"},
		{name: "interop off", goos: "linux", env: map[string]string{"WSL_INTEROP": "x"},
			files: map[string]string{"/proc/sys/fs/binfmt_misc/WSLInterop": "disabled\n", "wsl.exe": ""}, err: "cannot start", hint: "[interop] enabled=true"},
		{name: "interop never on", goos: "linux", env: map[string]string{"WSL_DISTRO_NAME": "x"}, files: map[string]string{"wsl.exe": ""}, err: "cannot start"},
	} {
		w := world{
			goos:   tt.goos,
			getenv: func(name string) string { return tt.env[name] },
			lookPath: func(name string) (string, error) {
				if _, ok := tt.files[name]; !ok {
					return "", os.ErrNotExist
				}
				return name, nil
			},
			readFile: func(name string) ([]byte, error) {
				b, ok := tt.files[name]
				if !ok {
					return nil, os.ErrNotExist
				}
				return []byte(b), nil
			},
		}
		h, err := w.find(tt.override)
		switch {
		case tt.err == "" && (err != nil || h.Exe != tt.want || h.Guest() != (tt.goos != "windows")):
			t.Errorf("%s: %+v, %v", tt.name, h, err)
		case tt.err != "" && (err == nil || !errors.Is(err, ErrWSL) || !strings.Contains(err.Error(), tt.err) || !strings.Contains(ondisk.HintOf(err), tt.hint)):
			t.Errorf("%s: error %v, hint %q", tt.name, err, ondisk.HintOf(err))
		}
	}
}
