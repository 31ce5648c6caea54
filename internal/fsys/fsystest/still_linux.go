//go:build oracle && linux

package fsystest

import (
	"context"
	"fmt"
	"os/exec"
	"time"
)

// CopyStill copies the file that a mounted filesystem lies in, as it was at one
// moment: a copy that the file still equals afterwards holds nothing newer than
// its end and nothing older. A filesystem that is left alone comes to rest.
func CopyStill(ctx context.Context, file, copied string) error {
	for range 100 {
		if out, err := exec.CommandContext(ctx, "cp", "--sparse=always", file, copied).CombinedOutput(); err != nil {
			return fmt.Errorf("cp: %w: %s", err, out)
		}
		if exec.CommandContext(ctx, "cmp", "-s", file, copied).Run() == nil {
			return nil
		}
		time.Sleep(50 * time.Millisecond)
	}
	return fmt.Errorf("%s is always being written to", file)
}
