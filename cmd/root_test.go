package cmd

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// full is an output without room.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no room") }

func TestFullStandardOutput(t *testing.T) {
	const image = "../testdata/images/demo.qcow2"
	for _, args := range [][]string{
		{"version"}, {"ls", image}, {"cat", image, "/etc/os-release"}, {"inspect", image}, {"check", image},
		{"check", "--list"}, {"check", "--list", "--json"}, {"convert", image, "-"}, {"import", "--dry-run", "--json", image},
	} {
		var stderr bytes.Buffer
		if code := Main(args, strings.NewReader(""), full{}, &stderr); code != exitOutput {
			t.Errorf("%v: exit code %d, want %d", args, code, exitOutput)
		}
		if want := "wslimg: error: standard output: no room\n"; stderr.String() != want {
			t.Errorf("%v: %q, want %q", args, &stderr, want)
		}
	}
}

// An archive must have the digest that is asked for, as an image must.
func TestArchiveDigest(t *testing.T) {
	const image = "../testdata/images/demo.qcow2"
	wrong := "sha256:" + strings.Repeat("0", 2*sha256.Size)
	for _, name := range []string{"a.tar", "a.tar.gz", "a.tar.zst", "a.tar.xz"} {
		path := filepath.Join(t.TempDir(), name)
		if code := Main([]string{"convert", "-q", image, path}, nil, io.Discard, io.Discard); code != exitOK {
			t.Fatalf("%s: exit code %d", name, code)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for digest, want := range map[string]int{fmt.Sprintf("sha256:%x", sha256.Sum256(data)): exitOK, wrong: exitOther} {
			for _, args := range [][]string{{"check", path}, {"check", "-"}, {"import", "--dry-run", path}} {
				var stderr bytes.Buffer
				code := Main(append(args, "--digest", digest), bytes.NewReader(data), io.Discard, &stderr)
				if code != want || strings.Contains(stderr.String(), "want "+wrong) != (want != exitOK) {
					t.Errorf("%s: %v: exit code %d, want %d: %s", name, args, code, want, &stderr)
				}
			}
		}
	}
}
