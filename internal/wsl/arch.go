package wsl

import (
	"errors"
	"fmt"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// ErrArch is an image for another processor.
var ErrArch = errors.New("wrong architecture")

// CheckArch compares the architecture of an image with that of the machine, in
// Go's names. An unknown one ("") passes. WSL's kernels run the 32-bit programs
// of x86, and of ARM where the processor can.
func CheckArch(image, machine string) error {
	switch {
	case image == "" || machine == "" || image == machine:
		return nil
	case image == "386" && machine == "amd64", image == "arm" && machine == "arm64":
		return nil
	}
	return ondisk.WithHint(fmt.Errorf("%w: the image is for %s, this machine is %s", ErrArch, image, machine),
		fmt.Sprintf("get the %s image; none of this one's programs would start", machine))
}
