package xfs

import "github.com/wslimg/wslimg/internal/ondisk"

// promiseSpace checks an intent about free space, owners or reference counts,
// struct xfs_efi_log_format, xfs_rui_log_format or xfs_cui_log_format. Nothing
// that is read hangs on it. But a kernel that is to carry out one for blocks
// that do not exist mounts nothing; so only such ones are noted.
func (r *replayer) promiseSpace(it *item) error {
	const header = 16
	b := it.regions[0]
	if len(b) < header {
		return ondisk.Corruptf(ondisk.NoOffset, "log intent of kind %#x with %d bytes", it.kind(), len(b))
	}
	n, size := uint64(le.Uint32(b[4:])), uint64(16)
	start, count := 0, 8 // where in an extent they lie
	switch it.kind() {
	case itemRUI:
		size, start, count = 32, 8, 24
	case itemEFI:
		if uint64(len(b)) == header+12*n { // as 32-bit machines write it
			size = 12
		}
	}
	if uint64(len(b)) != header+size*n {
		return ondisk.Corruptf(ondisk.NoOffset, "log intent of kind %#x with %d extents in %d bytes", it.kind(), n, len(b))
	}
	for b = b[header:]; len(b) > 0; b = b[size:] {
		if r.fs.sb.checkBlocks(le.Uint64(b[start:]), uint64(le.Uint32(b[count:]))) != nil {
			return r.promise(it)
		}
	}
	return nil
}
