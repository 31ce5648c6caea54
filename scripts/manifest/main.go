//go:build oracle && linux

// Command manifest writes what Linux shows of a mounted tree.
//
//	manifest DIR            as JSON lines (package manifest), for comparing archives
//	manifest golden DIR     with inode numbers (package fsystest), for comparing readers
//	manifest diff A B       compares two of the first kind: directories or files
package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/manifest"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "manifest:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1:
		entries, err := manifest.FromDir(args[0])
		if err != nil {
			return err
		}
		return manifest.Write(os.Stdout, entries)
	case len(args) == 2 && args[0] == "golden":
		lines, err := fsystest.Kernel(args[1])
		if err != nil {
			return err
		}
		w := bufio.NewWriter(os.Stdout)
		for _, line := range lines {
			fmt.Fprintln(w, line)
		}
		return w.Flush()
	case len(args) == 3 && args[0] == "diff":
		return diff(args[1], args[2])
	}
	return errors.New("usage: manifest DIR | golden DIR | diff A B")
}

func diff(a, b string) error {
	want, err := load(a)
	if err != nil {
		return err
	}
	got, err := load(b)
	if err != nil {
		return err
	}
	diffs := manifest.Compare(want, got, manifest.Options{})
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
