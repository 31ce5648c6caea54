package fakewsl

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// service is RegisterDistribution after its checks: it extracts standard input
// and says how that went: "ok" or where and code of the failure.
func service() int {
	d, err := find(os.Getenv("FAKEWSL_NAME"), true)
	if err != nil {
		return 99
	}
	busy := d.file() + ".busy"
	if err := os.WriteFile(busy, []byte(strconv.Itoa(os.Getpid())), 0o600); err != nil {
		return 99
	}
	err = install(d)
	_ = os.WriteFile(stateFile("extracted"), nil, 0o600) // for tests that wait for this moment
	if n, ok := has("late"); ok {
		time.Sleep(time.Duration(n) * time.Millisecond)
	}
	answer := "ok"
	if f, ok := errors.AsType[failure](err); ok {
		answer = f.where + " " + f.code
	} else if err != nil {
		fmt.Fprintln(os.Stderr, "fakewsl:", err)
		answer = "Service/RegisterDistro E_UNEXPECTED"
	}
	if err != nil {
		err = d.remove()
	} else {
		d.Installed = true
		err = d.save()
	}
	err = errors.Join(err, os.Remove(busy))
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakewsl:", err)
	}
	_, _ = io.WriteString(os.Stdout, answer) // the client may be gone
	return 0
}

// serving tells whether a service works on d.
func serving(d distro) bool {
	b, err := os.ReadFile(d.file() + ".busy")
	if err != nil {
		return false
	}
	pid, err := strconv.Atoi(string(b))
	return err == nil && running(pid)
}

func install(d distro) error {
	const where = "Service/RegisterDistro"
	switch {
	case wanted("platform"):
		return failure{where + "/CreateVm", "WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED"}
	case wanted("host-disk-full"):
		return failure{where, "ERROR_DISK_FULL"}
	case wanted("virtualisation"):
		return failure{where + "/CreateVm/HCS", "HCS_E_HYPERV_NOT_INSTALLED"}
	}
	if err := os.WriteFile(filepath.Join(hostPath(d.Location), disk), nil, 0o600); err != nil {
		return err
	}
	in := io.Reader(os.Stdin)
	if os.Getenv("FAKEWSL_FAULT") != "" {
		in = &faultyReader{r: os.Stdin}
	}
	valid, err := extract(in, hostPath(d.Location))
	switch {
	case errors.Is(err, errNoRoom):
		fmt.Fprintln(os.Stderr, "./usr/bin/bash: Write failed: No space left on device")
		return failure{where, "WSL_E_IMPORT_FAILED"}
	case err != nil:
		fmt.Fprintln(os.Stderr, "bsdtar:", err)
		return failure{where, "WSL_E_IMPORT_FAILED"}
	case wanted("vm-crash"):
		return failure{where, "WSL_E_VM_CRASHED"}
	case !valid:
		return failure{where, "WSL_E_NOT_A_LINUX_DISTRO"}
	}
	return nil
}

var errNoRoom = errors.New("no room")

// faultyReader is standard input under the faults that happen while reading.
type faultyReader struct {
	r io.Reader
	n int64
}

func (f *faultyReader) Read(p []byte) (int, error) {
	if ms, ok := has("slow"); ok {
		p = p[:min(len(p), 64<<10)]
		time.Sleep(time.Duration(ms) * time.Millisecond)
	}
	n, err := f.r.Read(p)
	f.n += int64(n)
	after := func(name string) bool {
		limit, ok := has(name)
		return ok && f.n > limit
	}
	switch {
	case after("disk-full"):
		return 0, errNoRoom
	case after("client"):
		killParent()
	case after("dies"):
		killParent()
		_ = os.Remove(stateFile(strings.ToLower(os.Getenv("FAKEWSL_NAME")) + ".distro.busy")) // it is no more
		os.Exit(98)
	case after("hangs"):
		for parent := os.Getppid(); os.Getppid() == parent && running(parent); {
			time.Sleep(10 * time.Millisecond)
		}
		return 0, io.ErrClosedPipe
	}
	return n, err
}
