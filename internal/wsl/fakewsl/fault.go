package fakewsl

import (
	"os"
	"strconv"
	"strings"
)

// fault is an entry of FAKEWSL_FAULT, a comma-separated list of NAME or NAME:N:
//
//	component, platform, virtualisation, access, host-disk-full, vm-crash
//	             that failure, at the place where the real one has it
//	race         another distribution of the same name appears during --import
//	disk-full:N  the disk of the distribution has room for N bytes of archive
//	dies:N       service and wsl.exe vanish after N bytes
//	client:N     wsl.exe alone vanishes after N bytes
//	hangs:N      nothing is read after N bytes, until wsl.exe is gone
//	slow:N       N ms pass for each 64 KiB
//	late:N       N ms pass before the extraction is reported
//	busy:N       the first N calls of --unregister find it in use
//	list         --list fails
//	user         --manage fails
type fault struct {
	name string
	n    int64
}

func faults() []fault {
	var all []fault
	for f := range strings.SplitSeq(os.Getenv("FAKEWSL_FAULT"), ",") {
		name, count, _ := strings.Cut(f, ":")
		n, _ := strconv.ParseInt(count, 10, 64) // none: 0
		all = append(all, fault{name, n})
	}
	return all
}

// has returns the number of a fault that shall happen.
func has(name string) (int64, bool) {
	for _, f := range faults() {
		if f.name == name {
			return f.n, true
		}
	}
	return 0, false
}

func wanted(name string) bool {
	_, ok := has(name)
	return ok
}
