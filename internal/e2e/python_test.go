//go:build oracle && linux

package e2e

import (
	"bytes"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/wslimg/wslimg/internal/manifest"
)

// checkPython holds what Python's tarfile reads from an archive against what
// was to be in it; it knows no attributes.
func checkPython(t *testing.T, archive string, want []manifest.Entry) {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "python3", filepath.Join(scripts, "tarlist.py"), archive)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("tarlist.py: %v\n%s", err, &stderr)
	}
	members, err := manifest.Read(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	report(t, manifest.Compare(want, linked(t, members), manifest.Options{
		SkipXattr: func(string) bool { return true },
		SkipEntry: func(e *manifest.Entry) bool { return e.Path == "lost+found" },
	}))
}
