package convert

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// The space that is set aside while a file grows goes back when it is done.
func TestOutputKeepsNoReserve(t *testing.T) {
	path := filepath.Join(t.TempDir(), "out.tar")
	o, err := CreateOutput(path, OutputOptions{})
	if err != nil {
		t.Fatal(err)
	}
	const size = outputStep + 5000
	for _, n := range []int{100, outputStep - 200, 5100} {
		if _, err := o.Write(make([]byte, n)); err != nil {
			t.Fatal(err)
		}
	}
	if err := o.Commit(); err != nil {
		t.Fatal(err)
	}
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() != size {
		t.Errorf("%d bytes, want %d", st.Size(), size)
	}
	if used := st.Sys().(*syscall.Stat_t).Blocks * 512; used > size+1<<20 {
		t.Errorf("%d bytes of the disk for a file of %d", used, size)
	}
}
