// Command wslimg turns virtual machine disk images into root filesystems for WSL.
package main

import (
	"os"

	"github.com/wslimg/wslimg/cmd"
)

func main() {
	os.Exit(cmd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
