package cmd

import (
	"bytes"
	"errors"
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
