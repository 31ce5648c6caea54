//go:build oracle && linux

package cmd

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/rogpeppe/go-internal/testscript"
)

// TestWine runs the Windows program under Wine: the scripts of import, with the
// Windows stand-in for wsl.exe, and the tests of the packages that know Windows.
func TestWine(t *testing.T) {
	w := newWine(t)
	w.scripts(t)
	w.packages(t)
}

func (w *wine) scripts(t *testing.T) {
	t.Helper()
	scripts, err := filepath.Glob("../testdata/script/import*.txt")
	if err != nil || len(scripts) == 0 {
		t.Fatal("no scripts", err)
	}
	scripts = append(scripts, "../testdata/script/windows.txt")
	native, err := exec.LookPath("wslimg")
	if err != nil {
		t.Fatal(err)
	}
	for _, script := range scripts { // one after the other: they share a C:
		t.Run("", func(t *testing.T) {
			p := scriptParams(t)
			setup := p.Setup
			p.Dir, p.Files = "", []string{script}
			p.Setup = func(e *testscript.Env) error {
				for _, v := range w.env {
					name, value, _ := strings.Cut(v, "=")
					e.Setenv(name, value)
				}
				e.Setenv("PATH", w.bin+":"+os.Getenv("PATH"))
				e.Setenv("NATIVE", native)
				return setup(e)
			}
			p.Condition = func(cond string) (bool, error) {
				if cond == "wine" {
					return true, nil
				}
				return false, fmt.Errorf("unknown condition %q", cond)
			}
			p.Cmds["insidewsl"] = w.fresh
			testscript.Run(t, p)
		})
	}
}

// packages runs tests of packages as Windows programs. What the scripts go
// through as well and what Wine has no files for (holes) is left out.
func (w *wine) packages(t *testing.T) {
	t.Helper()
	for pkg, skip := range map[string]string{
		"wsl": "^(TestImportFaults|TestImportProducerFails|TestImportCancelled|TestUndoTellsWhatIsLeft)$", "hostfile": "^TestTemp$", "convert": "^$",
	} {
		t.Run(pkg, func(t *testing.T) {
			exe := filepath.Join(t.TempDir(), pkg+".test.exe")
			w.run(t, "go", "test", "-c", "-o", exe, "../internal/"+pkg)
			cmd := exec.Command(winePath(t, "wine64"), exe, "-test.timeout=60s", "-test.skip="+skip)
			cmd.Dir, cmd.Env = "../internal/"+pkg, append(os.Environ(), w.env...)
			out, err := cmd.Output()
			end := strings.TrimSpace(string(out))
			if rest := complaints(end); rest != "" || !strings.HasSuffix(end, "PASS") && !strings.HasSuffix(end, "FAIL") {
				t.Errorf("%v\n%s", err, rest)
			}
		})
	}
}

// complaints are what a test program says of failures, but for the testing
// package's own that Wine cannot delete the way os.RemoveAll does.
func complaints(out string) string {
	var kept []string
	for line := range strings.Lines(out) {
		at := strings.TrimSpace(line)
		if at != "FAIL" && at != "PASS" && !strings.HasPrefix(at, "--- FAIL: ") && !strings.Contains(at, "TempDir RemoveAll cleanup: ") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "")
}

// wine is a Windows without anything, but for our programs.
type wine struct {
	bin    string // holds wslimg, which runs wslimg.exe, and wsl.exe
	drive  string // C:
	system map[string]bool
	env    []string
	user   func() // makes the folders of the user known; the start of Windows undoes it
}

const wineUser = "Jürgen Müller"

func newWine(t *testing.T) *wine {
	t.Helper()
	dir := t.TempDir()
	w := &wine{bin: filepath.Join(dir, "bin"), drive: filepath.Join(dir, "prefix", "drive_c"), system: map[string]bool{}}
	w.env = []string{
		"WINEPREFIX=" + filepath.Dir(w.drive), "WINEDEBUG=-all", "LC_ALL=C.UTF-8", "HOME=" + dir,
		"TMPDIR=/tmp",                      // where Wine's processes meet
		"WINEDLLOVERRIDES=mscoree,mshtml=", // else it asks for downloads
		"WINEPATH=" + winName(w.bin),
	}
	program := winePath(t, "wine64")
	if err := os.Mkdir(filepath.Dir(w.drive), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(w.bin, 0o755); err != nil {
		t.Fatal(err)
	}
	w.run(t, "x86_64-w64-mingw32-gcc", "-shared", "-O2", "-o", filepath.Join(dir, "bcryptprimitives.dll"),
		"../scripts/wine/bcryptprimitives.c", "-ladvapi32")
	w.run(t, "go", "build", "-o", w.bin+"/", "..", "../internal/wsl/fakewsl/wsl")
	w.run(t, program, "wineboot", "-i")
	w.keep(t, program)
	dll, err := os.ReadFile(filepath.Join(dir, "bcryptprimitives.dll"))
	if err != nil {
		t.Fatal(err)
	}
	w.write(t, filepath.Join(w.drive, "windows", "system32", "bcryptprimitives.dll"), dll)
	w.write(t, filepath.Join(w.bin, "wslimg"),
		fmt.Appendf(nil, "#!/bin/sh\nexport TMPDIR=/tmp\nexec '%s' '%s/wslimg.exe' \"$@\"\n", program, w.bin))
	w.write(t, filepath.Join(dir, "user.reg"), wide("Windows Registry Editor Version 5.00\r\n\r\n"+
		"[HKEY_CURRENT_USER\\Volatile Environment]\r\n"+
		`"USERPROFILE"="C:\\Users\\`+wineUser+"\"\r\n"+
		`"LOCALAPPDATA"="C:\\Users\\`+wineUser+"\\\\AppData\\\\Local\"\r\n"))
	w.user = func() { w.run(t, program, "regedit", winName(filepath.Join(dir, "user.reg"))) }
	entries, err := os.ReadDir(w.drive)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		w.system[e.Name()] = true
	}
	return w
}

// winName is a Unix path as Wine knows it.
func winName(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

// keep keeps Windows running: without any process it would shut down, start anew
// for the next one, which takes seconds, and forget the user's folders.
func (w *wine) keep(t *testing.T, program string) {
	t.Helper()
	c := exec.Command(program, "cmd.exe") // waits for input
	c.Env = append(os.Environ(), w.env...)
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close() //nolint:errcheck // the end of the input ends it
		_ = c.Wait()
		w.run(t, winePath(t, "wineserver"), "-w") // until all is written
	})
}

// winePath finds a program of Wine, which Debian keeps off PATH.
func winePath(t *testing.T, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/lib/wine/" + name, "/usr/lib/wine/" + name + "64"} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed", name)
	return ""
}

func (w *wine) run(t *testing.T, program string, args ...string) {
	t.Helper()
	c := exec.Command(program, args...)
	c.Env = append(os.Environ(), w.env...)
	if program == "go" {
		c.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	}
	// A file, not a pipe: what goes on in the background would keep a pipe open.
	out, err := os.CreateTemp(t.TempDir(), "out")
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close() //nolint:errcheck // read below
	c.Stdout, c.Stderr = out, out
	err = c.Run()
	b, rerr := os.ReadFile(out.Name())
	if err != nil || rerr != nil {
		t.Fatalf("%s %q: %v\n%s", program, args, err, b)
	}
}

func (w *wine) write(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(name, b, 0o755); err != nil {
		t.Fatal(err)
	}
}

func wide(s string) []byte {
	b := bytes.NewBufferString("\xff\xfe")
	_ = binary.Write(b, binary.LittleEndian, utf16.Encode([]rune(s))) // a Buffer takes all
	return b.Bytes()
}

// fresh is insidewsl: a C: as after the installation, known as $WORK/c.
func (w *wine) fresh(ts *testscript.TestScript, _ bool, _ []string) {
	w.user()
	entries, err := os.ReadDir(w.drive)
	ts.Check(err)
	for _, e := range entries {
		if !w.system[e.Name()] {
			ts.Check(os.RemoveAll(filepath.Join(w.drive, e.Name())))
		}
	}
	home := filepath.Join(w.drive, "users", wineUser)
	ts.Check(os.RemoveAll(home))
	ts.Check(os.MkdirAll(filepath.Join(home, "AppData", "Local"), 0o755))
	ts.Check(os.MkdirAll(ts.MkAbs("state"), 0o755))
	if _, err := os.Lstat(ts.MkAbs("c")); err != nil {
		ts.Check(os.Symlink(w.drive, ts.MkAbs("c")))
	}
	ts.Setenv("FAKEWSL_STATE", ts.MkAbs("state"))
	ts.Setenv("HOME_C", home)
}
