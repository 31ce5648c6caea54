package xfs

import (
	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// overlay is a volume with what log recovery writes kept in memory. It is safe
// for concurrent reading once recovery is done.
type overlay struct {
	blockdev.Device
	pages   map[int64]*page
	written int64 // bytes, those written again included
}

// maxWritten bounds the work that a log can ask for: most items write about
// what they hold, but one of 40 bytes makes 64 inodes.
const maxWritten = 32 << 30

// pageLog is the grain at which recovered bytes are kept.
const pageLog = 12

// page is a stretch of the volume with recovered bytes in it, told by sector.
type page struct {
	b        [1 << pageLog]byte
	replayed uint8
}

// ReadAt reads the volume as recovery leaves it.
func (o *overlay) ReadAt(p []byte, off int64) (int, error) {
	n, err := o.Device.ReadAt(p, off)
	for at := off; at < off+int64(n); {
		in := at & (1<<pageLog - 1)
		step := min(1<<pageLog-in, off+int64(n)-at)
		if pg := o.pages[at>>pageLog]; pg != nil {
			copy(p[at-off:][:step], pg.b[in:])
		}
		at += step
	}
	return n, err
}

// write keeps p as the bytes at off.
func (o *overlay) write(p []byte, off int64) error {
	if off < 0 || off > o.Size()-int64(len(p)) {
		return ondisk.Corruptf(off, "log item: %d bytes past the volume's end", len(p))
	}
	if o.written += int64(len(p)); o.written > maxWritten {
		return ondisk.Unsupportedf("xfs log that writes more than %d bytes", int64(maxWritten))
	}
	for len(p) > 0 {
		pg := o.pages[off>>pageLog]
		if pg == nil {
			if len(o.pages) >= maxLogMemory>>pageLog {
				return ondisk.Unsupportedf("xfs log that changes more than %d bytes", maxLogMemory)
			}
			pg = new(page)
			start := off &^ (1<<pageLog - 1)
			n := min(1<<pageLog, o.Size()-start)
			if err := ondisk.ReadFull(o.Device, pg.b[:n], start, "block of the log's"); err != nil {
				return err
			}
			o.pages[off>>pageLog] = pg
		}
		in := off & (1<<pageLog - 1)
		n := copy(pg.b[in:], p)
		pg.replayed |= sectors(in, in+int64(n))
		p, off = p[n:], off+int64(n)
	}
	return nil
}

// replayed tells whether recovery wrote into the n bytes at off, so that
// their checksum is not up to date.
func (o *overlay) replayed(off, n int64) bool {
	if o == nil {
		return false
	}
	for at := off >> pageLog; at<<pageLog < off+n; at++ {
		if pg := o.pages[at]; pg != nil {
			first := max(off, at<<pageLog) - at<<pageLog
			end := min(off+n, (at+1)<<pageLog) - at<<pageLog
			if pg.replayed&sectors(first, end) != 0 {
				return true
			}
		}
	}
	return false
}

// sectors is a bit for each sector that the bytes from..end of a page touch.
func sectors(from, end int64) uint8 {
	first, behind := from>>basicBlockLog, (end+basicBlock-1)>>basicBlockLog
	return uint8(int(1)<<behind - int(1)<<first)
}
