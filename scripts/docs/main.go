// Command docs writes the man pages and shell completions that releases carry.
//
//	docs DIR
//
// $SOURCE_DATE_EPOCH dates the man pages.
package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra/doc"

	"github.com/wslimg/wslimg/cmd"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "docs:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 {
		return errors.New("usage: docs DIR")
	}
	man := filepath.Join(args[0], "man")
	completions := filepath.Join(args[0], "completions")
	for _, dir := range []string{man, completions} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	root := cmd.Root()
	root.DisableAutoGenTag = true
	return errors.Join(
		doc.GenManTree(root, &doc.GenManHeader{Section: "1", Source: "wslimg"}, man),
		root.GenBashCompletionFileV2(filepath.Join(completions, "wslimg.bash"), true),
		root.GenZshCompletionFile(filepath.Join(completions, "_wslimg")),
		root.GenFishCompletionFile(filepath.Join(completions, "wslimg.fish"), true),
		root.GenPowerShellCompletionFileWithDesc(filepath.Join(completions, "wslimg.ps1")),
	)
}
