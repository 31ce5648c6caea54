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

// Reserve has the filesystem set space aside for n bytes of f from byte off,
// in one piece where it can, which makes writing them cheaper. The size of f
// stays; Truncate gives back what was not used. It is only a hint.
func Reserve(f *os.File, off, n int64) {
	_ = unix.Fallocate(int(f.Fd()), unix.FALLOC_FL_KEEP_SIZE, off, n) // Write reports what there is no space for
}
