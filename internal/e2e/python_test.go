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
	report(t, manifest.Compare(want, linked(members), manifest.Options{
		SkipXattr: func(string) bool { return true },
		SkipEntry: func(e *manifest.Entry) bool { return e.Path == "lost+found" },
	}))
}

// linked turns the members of an archive, of which hard links only name another
// member, into entries of a tree.
func linked(members []manifest.Entry) []manifest.Entry {
	byPath := make(map[manifest.Raw]int)
	for i, m := range members {
		byPath[m.Path] = i
	}
	for i := range members {
		m := &members[i]
		m.Inode, m.Nlink = uint64(i)+1, 1
	}
	for i := range members {
		m := &members[i]
		if m.Link == "" {
			continue
		}
		target := &members[byPath[m.Link]]
		target.Nlink = 2
		path := m.Path
		*m = *target
		m.Path = path
	}
	for i := range members {
		members[i].Link = ""
	}
	manifest.Finish(members)
	return members
}
