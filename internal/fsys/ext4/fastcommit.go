package ext4

import (
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Fast commits: changes to single inodes and names, logged behind the journal
// proper since its last transaction.
// https://docs.kernel.org/filesystems/ext4/journal.html#fast-commits
const (
	fcTagTail = 8
	fcTagHead = 9
	fcTagMost = 9

	fcTagHeader = 4 // bytes of a tag and of its value's length
)

// checkFastCommits refuses fast commits that the kernel would replay: those
// that follow transaction end-1. Leftovers of earlier times are passed over.
func (j *journal) checkFastCommits(end uint32) error {
	if !j.has(jbdIncompatFastCommit) || j.fastFirst >= j.total {
		return nil
	}
	buf := make([]byte, j.blockSize)
	off, err := j.read(buf, j.fastFirst)
	if err != nil {
		return err
	}
	if le.Uint16(buf) != fcTagHead {
		return nil
	}
	_ = off
	if fcTid := le.Uint32(buf[fcTagHeader+4:]); fcTid != end {
		return nil
	}
	return ondisk.Unsupportedf("a dirty journal with fast commits (fast_commit)")
}
