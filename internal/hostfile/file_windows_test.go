package hostfile

import (
	"path/filepath"
	"testing"
)

// Each view has a handle of its own, of files and of temporary ones.
func TestForkHandle(t *testing.T) {
	f := open(t, write(t, filepath.Join(t.TempDir(), "disk"), noise(100)))
	temp, err := NewTemp(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	g, err := temp.File("-")
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	for _, f := range []*File{f, g} {
		v := f.Fork().(view)
		if !v.own || v.handle == f.f {
			t.Errorf("%q: shares its handle", f.name)
		}
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
}
