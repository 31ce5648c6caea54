package ext4

import (
	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// overlay stands for the blocks that a journal replay would write.
type overlay struct{}

func (o *overlay) split(runs []fsys.Run) []fsys.Run { return runs }

// replay applies a dirty journal.
func (fs *FS) replay(blockdev.Device) (bool, error) {
	if fs.sb.hasIncompat(incompatRecover) {
		return false, ondisk.Unsupportedf("dirty ext4 journal")
	}
	return false, nil
}
