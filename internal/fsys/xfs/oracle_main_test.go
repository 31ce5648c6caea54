//go:build oracle && linux

package xfs

import (
	"fmt"
	"math/rand"
	"os"
	"testing"

	"github.com/klauspost/compress/zstd"
	"golang.org/x/sys/unix"

	"github.com/wslimg/wslimg/internal/fsys/fsystest"
)

// TestMain also makes the test binary a tool for kernels that the test cannot
// mount with itself, such as a user-mode one with support for version 4:
//
//	xfs.test fill DIR       makes the diverse tree below DIR
//	xfs.test golden DIR     makes a smaller one that compresses well
//	xfs.test busy DIR SEED  makes changes, and stops in the middle of them
//	xfs.test small DIR SEED makes fewer, which compress well
//	xfs.test manifest DIR   prints what the kernel shows below DIR
//	xfs.test pack FILE OUT  compresses a file of testdata
//	xfs.test compare IMAGE MANIFEST  holds the reader's view against a manifest
func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1][0] == '-' {
		os.Exit(m.Run())
	}
	testing.Init()
	os.Exit(tool(os.Args[1], os.Args[2], os.Args[3:]))
}

func tool(what, dir string, args []string) int {
	if what == "compare" {
		return compareTool(dir, args[0])
	}
	if what == "pack" {
		return pack(dir, args[0])
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	switch what {
	case "fill", "golden":
		f := &filler{t: fatal{}, root: dir, block: int(st.Bsize), rng: newRand(), plain: what == "golden"}
		if f.plain {
			f.fill(1200)
		} else {
			f.fill(30000)
		}
	case "busy", "small":
		var seed int64
		fmt.Sscan(args[0], &seed)
		b := &busy{fatal{}, dir, rand.New(rand.NewSource(seed)), what == "small"}
		b.run(map[bool]int{false: 4000, true: 2500}[b.plain])
	case "manifest":
		lines, err := fsystest.Kernel(dir)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		for _, line := range lines {
			fmt.Println(line)
		}
	}
	return 0
}

func compareTool(image, manifest string) int {
	want, err := os.ReadFile(manifest)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	f, err := os.Open(image)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	st, err := f.Stat()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	dev := device{f, st.Size()}
	fs, err := Open(dev, Options{})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	got, err := fsystest.Manifest(dev, fs)
	if err != nil {
		fmt.Println(err)
	}
	d := fsystest.Diff(got, fsystest.Parse(string(want)))
	for i, line := range d {
		if i < 20 {
			fmt.Printf("%.300s\n", line)
		}
	}
	fmt.Printf("%d entries, %d lines differ, dirty %t, %s\n", len(got), len(d), fs.info.Dirty, fs.sb.feat.names())
	if len(d) > 0 || err != nil {
		return 1
	}
	return 0
}

func pack(file, out string) int {
	b, err := os.ReadFile(file)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithWindowSize(zstd.MaxWindowSize>>4))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	if err := os.WriteFile(out, enc.EncodeAll(b, nil), 0o644); err != nil {
		fmt.Println(err)
		return 1
	}
	return 0
}

// failer is what filling needs of a test.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}

// fatal is a failer that ends the process.
type fatal struct{}

func (fatal) Helper() {}

func (fatal) Fatal(args ...any) {
	fmt.Fprintln(os.Stderr, args...)
	os.Exit(1)
}

func (f fatal) Fatalf(format string, args ...any) { f.Fatal(fmt.Sprintf(format, args...)) }
