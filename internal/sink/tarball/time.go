package tarball

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// decimal writes a time for a pax record.
//
// Before 1970 readers disagree about fractions: libarchive, in all its
// versions, adds the fraction to the signed whole seconds, everyone else reads
// a plain decimal number. As libarchive is what WSL extracts with, 1.75 s
// before 1970, which is -2 s and 0.25 s, is written "-2.25"; GNU tar and
// Python are up to a second early on such times.
func decimal(t fsys.Time) string {
	s := strconv.FormatInt(t.Sec, 10)
	if t.Nsec > 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", t.Nsec), "0")
	}
	return s
}
