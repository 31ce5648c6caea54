//go:build unix

package hostfile

import (
	"errors"
	"os"
)

// tempDir prefers /var/tmp: /tmp is often kept in memory.
func tempDir() string {
	if os.Getenv("TMPDIR") == "" {
		if info, err := os.Stat("/var/tmp"); err == nil && info.IsDir() {
			return "/var/tmp"
		}
	}
	return os.TempDir()
}

// createTemp makes a file of mode 0600 and takes its name away at once.
func createTemp(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "wslimg-*.tmp")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(f.Name()); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
