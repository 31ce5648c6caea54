package manifest

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestFromDir(t *testing.T) {
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(filepath.Join(dir, "sub"), 0o755))
	must(os.WriteFile(filepath.Join(dir, "sub/\xff"), []byte("hello"), 0o640))
	must(os.Link(filepath.Join(dir, "sub/\xff"), filepath.Join(dir, "other")))
	must(os.Symlink("sub/\xff", filepath.Join(dir, "link")))
	must(os.Chtimes(filepath.Join(dir, "other"), time.Time{}, time.Unix(-5, 7)))
	got, err := FromDir(dir)
	must(err)
	if len(got) != 5 {
		t.Fatalf("%d entries, want 5: %+v", len(got), got)
	}
	if got[0].Path != "." || got[3].Path != "sub" || !got[3].Mode.Is(0o040000) {
		t.Errorf("directories: %+v, %+v", got[0], got[3])
	}
	if got[1].Target != "sub/\xff" {
		t.Errorf("symlink: %+v", got[1])
	}
	const digest = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
	for _, e := range []Entry{got[2], got[4]} {
		if e.Link != "other" || e.Sec != -5 || e.Nsec != 7 || e.Size != 5 || e.Digest != digest || e.Mode != 0o100640 {
			t.Errorf("file: %+v", e)
		}
	}
}
