package ext4

import (
	"github.com/wslimg/wslimg/internal/ondisk"
)

// checkFastCommits refuses fast commits: changes to single inodes and names
// since the log's last transaction, end-1, which are kept behind it and which
// this package does not replay. Leftovers of earlier times are passed over.
// https://docs.kernel.org/filesystems/ext4/journal.html#fast-commits
func (j *journal) checkFastCommits(end uint32) error {
	if !j.has(jbdIncompatFastCommit) || j.fastFirst >= j.total {
		return nil
	}
	const (
		fcTagHead = 9
		tagHeader = 4 // the tag and its value's length, then features and transaction number
	)
	buf := make([]byte, j.blockSize)
	if _, err := j.read(buf, j.fastFirst); err != nil {
		return err
	}
	if fcTid := le.Uint32(buf[tagHeader+4:]); le.Uint16(buf) != fcTagHead || fcTid != end {
		return nil
	}
	return ondisk.Unsupportedf("a dirty journal with fast commits (fast_commit)")
}
