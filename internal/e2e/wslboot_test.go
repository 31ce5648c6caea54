//go:build oracle && linux

package e2e

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// guest is a root filesystem whose systemd runs and believes to be under WSL.
type guest struct {
	init int // process id
	dir  string
}

// boot starts the systemd of a root filesystem (scripts/wslboot.sh) and waits
// until it is up. The further arguments are the distribution's name and the
// folder that it sees as the drive C:.
func boot(t *testing.T, dir string, drive ...string) *guest {
	t.Helper()
	group, err := os.MkdirTemp(cgroup2(t), "wslimg-")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(group, 0o755); err != nil { // users have groups in it
		t.Fatal(err)
	}
	fd, err := os.Open(group)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	console, err := os.Create(filepath.Join(t.TempDir(), "console"))
	if err != nil {
		t.Fatal(err)
	}
	defer console.Close()
	script := filepath.Join(scripts, "wslboot.sh")
	// Nothing inside may load modules or set the clock of the machine.
	//nolint:noctx // it outlives no test: Cleanup kills it, and Pdeathsig if that is not reached
	cmd := exec.Command("setpriv", append([]string{"--bounding-set=-sys_module,-sys_time", "bash", script, dir}, drive...)...)
	cmd.Stdout, cmd.Stderr = console, console
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS | syscall.CLONE_NEWIPC | syscall.CLONE_NEWNET | syscall.CLONE_NEWCGROUP,
		UseCgroupFD: true, CgroupFD: int(fd.Fd()), Pdeathsig: syscall.SIGKILL,
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := cmd.Process.Kill() // and all of its namespace
		_ = cmd.Wait()            // killed
		if err := errors.Join(err, removeGroup(group)); err != nil {
			t.Error(err)
		}
	})
	g := &guest{init: cmd.Process.Pid, dir: dir}
	// Until systemd listens, systemctl fails at once; then it waits.
	var state string
	for deadline := time.Now().Add(3 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		state, err = g.try(t, "systemctl", "is-system-running", "--wait")
		if state == "running" || state == "degraded" {
			break
		}
		if time.Now().After(deadline) {
			said, _ := os.ReadFile(console.Name())
			t.Fatalf("not up: %s, %v\n%s", state, err, said)
		}
	}
	if virt := g.run(t, "systemd-detect-virt"); virt != "wsl" {
		t.Errorf("systemd runs under %s, want wsl", virt)
	}
	return g
}

// cgroup2 is where the unified hierarchy is mounted; if it is nowhere, it is
// mounted for the test.
func cgroup2(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "findmnt", "--noheadings", "--first-only", "--output", "TARGET", "--types", "cgroup2").Output()
	if err == nil {
		return strings.TrimSpace(string(out))
	}
	dir := t.TempDir()
	if err := syscall.Mount("cgroup2", dir, "cgroup2", 0, ""); err != nil {
		t.Fatalf("no cgroup2 filesystem, which systemd needs, is mounted, nor can one be: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// removeGroup removes a control group and those in it, whose last processes
// may still be dying.
func removeGroup(dir string) error {
	var err error
	for range 50 {
		var groups []string
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				groups = append(groups, path)
			}
			return err
		})
		for _, g := range slices.Backward(groups) {
			err = errors.Join(err, syscall.Rmdir(g))
		}
		if err == nil {
			return nil
		}
		time.Sleep(100 * time.Millisecond)
	}
	return fmt.Errorf("%s: %w", dir, err)
}

// try runs a command inside and returns what it prints, without the last line feed.
func (g *guest) try(t *testing.T, args ...string) (string, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	inside := []string{"--target", strconv.Itoa(g.init), "--all", "--root", "--wd", "env", "-i", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8"}
	out, err := exec.CommandContext(ctx, "nsenter", append(inside, args...)...).CombinedOutput()
	return strings.TrimSuffix(string(out), "\n"), err
}

// run is try for a command that must succeed.
func (g *guest) run(t *testing.T, args ...string) string {
	t.Helper()
	out, err := g.try(t, args...)
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// units are the names that systemctl lists.
func (g *guest) units(t *testing.T, args ...string) []string {
	t.Helper()
	var names []string
	for line := range strings.Lines(g.run(t, append([]string{"systemctl", "--plain", "--no-legend", "--no-pager"}, args...)...)) {
		names = append(names, strings.Fields(line)[0])
	}
	return names
}
