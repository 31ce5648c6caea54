// Command wsl is the stand-in for wsl.exe as a program of its own, for tests
// that cannot use the test binary in its place.
package main

import (
	"os"

	"github.com/wslimg/wslimg/internal/wsl/fakewsl"
)

func main() { os.Exit(fakewsl.Main()) }
