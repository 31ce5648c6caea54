//go:build oracle && linux

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The places that all tests share, set by TestMain.
var (
	wslimg  string // the command under test
	cache   string // where images are kept
	scripts string
	scratch = map[string]string{} // by type, a roomy filesystem to extract on
)

func TestMain(m *testing.M) {
	code, err := setUp(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		code = 1
	}
	os.Exit(code)
}

func setUp(m *testing.M) (code int, err error) {
	if os.Geteuid() != 0 {
		return 0, errors.New("loop mounts need root")
	}
	root, err := filepath.Abs("../..")
	if err != nil {
		return 0, err
	}
	scripts = filepath.Join(root, "scripts")
	cache = os.Getenv("WSLIMG_CACHE")
	if cache == "" {
		cache = filepath.Join(root, ".cache")
	}
	work, err := os.MkdirTemp(roomy(), "wslimg-e2e-")
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	wslimg = filepath.Join(work, "wslimg")
	if out, err := exec.Command("go", "build", "-o", wslimg, root).CombinedOutput(); err != nil {
		return 0, fmt.Errorf("go build: %w\n%s", err, out)
	}
	// What an image holds goes back to a filesystem of the same family: only
	// XFS keeps thousands of attributes, only ext4 symlinks of 4,095 bytes.
	for kind, mkfs := range map[string][]string{
		"ext4": {"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-I", "1024", "-N", "400000", "-O", "ea_inode,^has_journal"},
		"xfs":  {"mkfs.xfs", "-q", "-i", "size=512"},
	} {
		file := filepath.Join(work, kind+".img")
		if err := os.WriteFile(file, nil, 0o600); err != nil {
			return 0, err
		}
		if err := os.Truncate(file, 12<<30); err != nil {
			return 0, err
		}
		if out, err := exec.Command(mkfs[0], append(mkfs[1:], file)...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("%v: %w\n%s", mkfs, err, out)
		}
		dir := filepath.Join(work, kind)
		if err := os.Mkdir(dir, 0o700); err != nil {
			return 0, err
		}
		if err := mount(file, dir, ""); err != nil {
			return 0, err
		}
		defer func() { err = errors.Join(err, unmount(dir)) }()
		scratch[kind] = dir
	}
	return m.Run(), nil
}

// roomy is where gigabytes are written fastest: in memory, if there is enough.
func roomy() string {
	var fs syscall.Statfs_t
	if err := syscall.Statfs("/dev/shm", &fs); err == nil && fs.Bavail*uint64(fs.Bsize) > 8<<30 {
		return "/dev/shm"
	}
	return ""
}

func mount(file, dir, options string) error {
	args := []string{"-o", "loop"}
	if options != "" {
		args[1] += "," + options
	}
	out, err := exec.Command("mount", append(args, file, dir)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("mount %s: %w: %s", file, err, bytes.TrimSpace(out))
	}
	return nil
}

func unmount(dir string) error {
	out, err := exec.Command("umount", dir).CombinedOutput()
	if err != nil {
		return fmt.Errorf("umount %s: %w: %s", dir, err, bytes.TrimSpace(out))
	}
	return nil
}

// build runs one of scripts/, which makes what is missing in a folder of the cache.
func build(t *testing.T, script, folder string, args ...string) string {
	t.Helper()
	dir := filepath.Join(cache, folder)
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join(scripts, script), dir}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v\n%s", script, err, out)
	}
	return dir
}

// result is how a run of the command ended.
type result struct {
	code           int
	stdout, stderr string
	cpu            time.Duration
}

// run runs the command under test.
func run(t *testing.T, args ...string) result {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), wslimg, args...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	r := result{code: cmd.ProcessState.ExitCode(), stdout: stdout.String(), stderr: stderr.String()}
	r.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return r
}

// converts runs a conversion that must succeed, with or without losses.
func converts(t *testing.T, args ...string) result {
	t.Helper()
	r := run(t, append([]string{"convert"}, args...)...)
	if r.code != 0 && r.code != 3 {
		t.Fatalf("convert %s: exit code %d\n%s", strings.Join(args, " "), r.code, r.stderr)
	}
	return r
}

// folder makes an empty directory on the scratch filesystem of a type.
func folder(t *testing.T, kind string) string {
	t.Helper()
	dir, err := os.MkdirTemp(scratch[kind], "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// rm copes with paths longer than PATH_MAX.
		if out, err := exec.Command("rm", "-rf", dir).CombinedOutput(); err != nil {
			t.Errorf("rm: %v: %s", err, out)
		}
	})
	return dir
}
