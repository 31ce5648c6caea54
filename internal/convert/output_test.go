package convert

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// names lists a directory.
func names(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	return got
}

func TestOutputAppearsWhenCommitted(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tar")
	o, err := CreateOutput(path, OutputOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write([]byte("archive")); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("stat before Commit: %v, want not exist", err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	if got := names(t, dir); len(got) != 1 || got[0] != "out.tar" {
		t.Errorf("files %v, want out.tar alone", got)
	}
	if b, _ := os.ReadFile(path); string(b) != "archive" {
		t.Errorf("content %q", b)
	}
}

func TestOutputDiscardKeepsOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.tar")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := CreateOutput(path, OutputOptions{})
	if !errors.Is(err, ErrOutput) || ondisk.HintOf(err) == "" {
		t.Errorf("existing file without force: %v (hint %q), want ErrOutput with a hint", err, ondisk.HintOf(err))
	}
	o, err := CreateOutput(path, OutputOptions{Force: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Write([]byte("new")); err != nil {
		t.Fatal(err)
	}
	if err := o.Discard(); err != nil {
		t.Fatal(err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" || len(names(t, dir)) != 1 {
		t.Errorf("after Discard: %q in %v, want the old file alone", b, names(t, dir))
	}
}

func TestOutputRefusesDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, path := range []string{dir, filepath.Join(dir, "missing", "out.tar")} {
		if _, err := CreateOutput(path, OutputOptions{Force: true}); !errors.Is(err, ErrOutput) {
			t.Errorf("%s: %v, want ErrOutput", path, err)
		}
	}
}

func TestPrivateOutput(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.tar")
	o, err := CreateOutput(path, OutputOptions{Private: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if filepath.Separator == '/' && st.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, want 0600", st.Mode())
	}
}

func TestCheckWindowsName(t *testing.T) {
	for _, name := range []string{"out.tar", `\a\b c\out.tar`, "/a/.hidden", "nul", "NUL", "nulx.tar", "com.tar", "com10.tar", "lpt.tar", "console.tar"} {
		if err := checkWindowsName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"a.tar:b.tar", `\a:b\c.tar`, "nul.tar", "CON", "con.tar", "aux .tar", "COM1", `\x\com9.tar.gz`, "lpt0.tar", "com¹.tar", "conin$",
		"x.", "x ", `\a\x.tar.`,
	} {
		if checkWindowsName(name) == nil {
			t.Errorf("%q is taken", name)
		}
	}
}

func TestBlockDevice(t *testing.T) {
	for mode, want := range map[fs.FileMode]bool{
		fs.ModeDevice | 0o600: true, fs.ModeDevice | fs.ModeCharDevice | 0o666: false, fs.ModeNamedPipe: false, 0o644: false,
	} {
		if got := isBlockDevice(mode); got != want {
			t.Errorf("%v: %v, want %v", mode, got, want)
		}
	}
}
