package wsl

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/wsl/fakewsl"
)

// The test binary plays the programs of the other side under their names.
func TestMain(m *testing.M) {
	switch name, _, _ := strings.Cut(filepath.Base(os.Args[0]), "."); name {
	case "wsl":
		if filepath.Base(os.Args[0]) == "wsl.exe" || len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-test.") {
			os.Exit(fakewsl.Main())
		}
	case "wslpath":
		os.Exit(fakewsl.WslpathMain())
	case "cmd":
		os.Exit(fakewsl.CmdMain())
	}
	os.Setenv("GORACE", "atexit_sleep_ms=0") // else a program under the race detector waits a second before it ends
	busyGrace, busyRetry = 20*time.Second, 10*time.Millisecond
	os.Exit(m.Run())
}

// fake is a Windows with WSL in a temporary folder.
type fake struct {
	*Host
	t     *testing.T
	drive string // what C:\ is
}

// newFake makes one; vars are NAME=value of fakewsl's environment.
func newFake(t *testing.T, vars ...string) *fake {
	t.Helper()
	dir := t.TempDir()
	f := &fake{t: t, drive: dir}
	bin := filepath.Join(dir, "bin")
	user := filepath.Join(dir, "Users", "Jürgen Müller")
	for _, d := range []string{bin, filepath.Join(dir, "state"), filepath.Join(user, "AppData", "Local")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"wsl.exe", "cmd.exe", "wslpath"} {
		place(t, self, filepath.Join(bin, name))
	}
	t.Setenv("PATH", bin+string(os.PathListSeparator)+os.Getenv("PATH"))
	t.Setenv("FAKEWSL_STATE", filepath.Join(dir, "state"))
	if runtime.GOOS == "windows" {
		t.Setenv("USERPROFILE", user)
		t.Setenv("LOCALAPPDATA", filepath.Join(user, "AppData", "Local"))
	} else {
		t.Setenv("FAKEWSL_DRIVE", dir)
		t.Setenv("FAKEWSL_USERPROFILE", `C:\Users\Jürgen Müller`)
		t.Setenv("FAKEWSL_LOCALAPPDATA", `C:\Users\Jürgen Müller\AppData\Local`)
	}
	for _, v := range vars {
		name, value, _ := strings.Cut(v, "=")
		t.Setenv(name, value)
	}
	if f.Host, err = Find(filepath.Join(bin, "wsl.exe")); err != nil {
		t.Fatal(err)
	}
	return f
}

// place makes the test binary known under another name.
func place(t *testing.T, self, name string) {
	t.Helper()
	if runtime.GOOS != "windows" {
		if err := os.Symlink(self, name); err != nil {
			t.Fatal(err)
		}
		return
	}
	b, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(name, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// win is the Windows path of a place on the drive.
func (f *fake) win(elem ...string) string {
	if runtime.GOOS == "windows" {
		return filepath.Join(append([]string{f.drive}, elem...)...)
	}
	return `C:\` + strings.Join(elem, `\`)
}

func (f *fake) path(elem ...string) string {
	return filepath.Join(append([]string{f.drive}, elem...)...)
}

func (f *fake) names() []string {
	f.t.Helper()
	names, err := f.List(context.Background())
	if err != nil {
		f.t.Fatal(err)
	}
	return names
}

func (f *fake) log() string {
	b, err := os.ReadFile(f.path("state", "log"))
	if err != nil {
		f.t.Fatal(err)
	}
	return string(b)
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// rootfs is a small archive with a large file at its end.
func rootfs(t *testing.T, size int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range []tar.Header{
		{Name: "./", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./etc/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "./empty", Typeflag: tar.TypeReg, Mode: 0o644},
		{Name: "./big", Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(size)},
	} {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(w, zeros{}, h.Size); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'z'
	}
	return len(p), nil
}

// writeIn is a producer that writes b in pieces of n bytes.
func writeIn(b []byte, n int) Produce {
	return func(ctx context.Context, w io.Writer) error {
		for rest := b; len(rest) > 0; {
			if err := ctx.Err(); err != nil {
				return err
			}
			k := min(n, len(rest))
			if _, err := w.Write(rest[:k]); err != nil {
				return err
			}
			rest = rest[k:]
		}
		return nil
	}
}
