package hostfile

import (
	"os"

	"golang.org/x/sys/unix"
)

// StartWriteback has the system begin to bring n bytes of f, from byte off, to
// the disk, so that a later Sync has less to wait for. It is only a hint.
func StartWriteback(f *os.File, off, n int64) {
	_ = unix.SyncFileRange(int(f.Fd()), off, n, unix.SYNC_FILE_RANGE_WRITE) // Sync reports what cannot be written
}
