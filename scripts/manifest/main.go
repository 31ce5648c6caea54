//go:build linux

// Command manifest writes the manifest of a mounted tree to standard output,
// or with a second argument compares the two: each is a directory or a file
// that holds a manifest.
//
//	manifest DIR|FILE [DIR|FILE]
package main

import (
	"fmt"
	"os"

	"github.com/wslimg/wslimg/internal/manifest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	if len(args) != 1 && len(args) != 2 {
		return fmt.Errorf("usage: manifest DIR|FILE [DIR|FILE]")
	}
	first, err := load(args[0])
	if err != nil {
		return err
	}
	if len(args) == 1 {
		return manifest.Write(os.Stdout, first)
	}
	second, err := load(args[1])
	if err != nil {
		return err
	}
	diffs := manifest.Compare(first, second, manifest.Options{})
	for _, d := range diffs {
		fmt.Println(d)
	}
	if len(diffs) > 0 {
		return fmt.Errorf("%d differences", len(diffs))
	}
	return nil
}

func load(path string) ([]manifest.Entry, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil {
		return nil, err
	} else if st.IsDir() {
		return manifest.FromDir(path)
	}
	return manifest.Read(f)
}
