// Package fsystest is the conformance suite that every filesystem reader
// passes. It knows the contract of fsys and no filesystem:
//
//	fs, err := ext4.Open(dev, ext4.Options{})
//	fsystest.Run(t, dev, fs, golden)      // contract and expected tree
//	fsystest.Mutate(t, fsystest.Damage{…}) // damaged copies end in an error, in time
//
// A tree is written down as a manifest, one line an entry, so that a golden
// file, a mounted kernel view (Kernel, with the oracle tag) and a reader's
// view compare as text.
package fsystest

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
)

// Run checks that fs, which lies on dev, keeps the contract of fsys, and that
// its manifest is want. An empty want leaves the tree unchecked.
func Run(t *testing.T, dev blockdev.Device, fs fsys.FS, want string) {
	t.Helper()
	first, err := Manifest(dev, fs)
	if err != nil {
		t.Fatal(err)
	}
	if want != "" {
		t.Run("tree", func(t *testing.T) { Compare(t, first, Parse(want)) })
	}
	t.Run("concurrent", func(t *testing.T) {
		// Each walk lists every directory again, so this is also the check
		// that reading does not change what is read.
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				again, err := Manifest(dev, fs)
				if err != nil {
					t.Error(err)
				} else if !slices.Equal(again, first) {
					t.Errorf("a walk beside others differs:\n%s", strings.Join(Diff(again, first), "\n"))
				}
			})
		}
		wg.Wait()
	})
	t.Run("early stop", func(t *testing.T) { earlyStop(t, fs) })
	t.Run("wrong type", func(t *testing.T) { wrongType(t, fs) })
	t.Run("no such inode", func(t *testing.T) {
		for _, ino := range []fsys.Ino{0, 1<<32 - 1, 1<<32 + 2, 1<<63 + 1, 1<<64 - 1} {
			if n, err := fs.Inode(ino); err == nil {
				t.Errorf("inode %d: mode %#o, want an error", ino, n.Mode)
			}
			for _, err := range fs.ReadDir(ino) {
				if err == nil {
					t.Errorf("inode %d: lists as a directory", ino)
				}
				break
			}
			if _, err := fs.Layout(ino); err == nil {
				t.Errorf("inode %d: has a layout", ino)
			}
			if _, err := fs.Open(ino); err == nil {
				t.Errorf("inode %d: opens", ino)
			}
		}
	})
}

// Compare fails t with the lines in which two manifests differ.
func Compare(t testing.TB, got, want []string) {
	t.Helper()
	if d := Diff(got, want); len(d) > 0 {
		const most = 40
		if len(d) > most {
			d = append(d[:most], "…")
		}
		t.Errorf("trees differ (- want, + got):\n%s", strings.Join(d, "\n"))
	}
}

func earlyStop(t *testing.T, fs fsys.FS) {
	for _, err := range fs.ReadDir(fs.Root()) {
		if err != nil {
			t.Error(err)
		}
		break // range panics if the iterator goes on
	}
}

// wrongType asks for the content of directories and the entries of files.
func wrongType(t *testing.T, fs fsys.FS) {
	if _, err := fs.Layout(fs.Root()); err == nil {
		t.Error("the root directory has a layout")
	}
	if _, err := fs.Open(fs.Root()); err == nil {
		t.Error("the root directory opens as a file")
	}
	for d, err := range fs.ReadDir(fs.Root()) {
		if err != nil {
			t.Fatal(err)
		}
		n, err := fs.Inode(d.Ino)
		if err != nil {
			t.Fatal(err)
		}
		if n.IsDir() {
			continue
		}
		for e, err := range fs.ReadDir(d.Ino) {
			if err == nil {
				t.Errorf("%q lists %q, but is no directory", d.Name, e.Name)
			}
			break
		}
		if n.IsRegular() {
			continue
		}
		if _, err := fs.Layout(d.Ino); err == nil {
			t.Errorf("%q has a layout, but is no regular file", d.Name)
		}
	}
}
