package tarball

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// decimal writes a time as pax does: seconds since 1970 with as many decimals
// as it has, "-1.25" for 1.25 s before.
func decimal(t fsys.Time) string {
	sec, nsec, sign := t.Sec, t.Nsec, ""
	if sec < 0 {
		sign = "-"
		if nsec > 0 {
			sec, nsec = sec+1, 1e9-nsec
		}
		sec = -sec
	}
	s := sign + strconv.FormatInt(sec, 10)
	if nsec > 0 {
		s += strings.TrimRight(fmt.Sprintf(".%09d", nsec), "0")
	}
	return s
}
