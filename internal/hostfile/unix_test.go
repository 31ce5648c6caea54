//go:build unix

package hostfile

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Opening a fifo that nobody writes to would wait for ever.
func TestFifo(t *testing.T) {
	dir := t.TempDir()
	fifo := filepath.Join(dir, "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	image := open(t, write(t, filepath.Join(dir, "disk"), []byte("image")))
	done := make(chan struct{})
	go func() {
		defer close(done)
		if _, err := Open(fifo); err == nil || !strings.Contains(err.Error(), "pipe") {
			t.Errorf("%v", err)
		}
		if _, err := image.Beside("fifo"); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%v", err)
		}
	}()
	select {
	case <-done:
	case <-time.After(10 * time.Second):
		t.Fatal("waits for a writer")
	}
}
