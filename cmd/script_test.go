package cmd

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMain(m *testing.M) {
	programs := map[string]func(){
		"wslimg": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
	}
	maps.Copy(programs, windows)
	testscript.Main(m, programs)
}

// TestScript runs the command as users do: testdata/script holds a script a
// behaviour, $IMAGES the small images.
func TestScript(t *testing.T) { testscript.Run(t, scriptParams(t)) }

func scriptParams(t *testing.T) testscript.Params {
	t.Helper()
	images, err := filepath.Abs("../testdata/images")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Dir: "../testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("IMAGES", images)
			// A program with the race detector in it waits a second before it ends.
			e.Setenv("GORACE", "atexit_sleep_ms=0")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			if cond == "wine" {
				return false, nil
			}
			return false, fmt.Errorf("unknown condition %q", cond)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "insidewsl": insideWSL, "waitfor": waitFor, "shellfor": shellFor,
		},
	}
}

// exits CODE COMMAND...: the command ends with just this exit code; its output
// can be matched with stdout and stderr as after exec.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND [ARG...]")
	}
	want := args[0]
	err := ts.Exec(args[1], args[2:]...)
	got := "0"
	if err != nil {
		got = exitStatus(err)
	}
	if got != want {
		ts.Fatalf("exit code %s, want %s", got, want)
	}
}

// exitStatus is the code behind the error of a finished process.
func exitStatus(err error) string {
	var exit interface{ ExitCode() int }
	if errors.As(err, &exit) {
		return strconv.Itoa(exit.ExitCode())
	}
	return err.Error()
}
