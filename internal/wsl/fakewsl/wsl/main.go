// Command wsl is the stand-in for wsl.exe as a program of its own, for tests
// that cannot use the test binary in its place. Under the names cmd.exe and
// wslpath it is those.
package main

import (
	"os"
	"path/filepath"

	"github.com/wslimg/wslimg/internal/wsl/fakewsl"
)

func main() {
	switch filepath.Base(os.Args[0]) {
	case "cmd.exe":
		os.Exit(fakewsl.CmdMain())
	case "wslpath":
		os.Exit(fakewsl.WslpathMain())
	}
	os.Exit(fakewsl.Main())
}
