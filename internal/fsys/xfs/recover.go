package xfs

import (
	"errors"
	"fmt"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// recover looks whether the log holds changes that were not written back, and
// replays them in memory.
func (fs *FS) recover(opts Options) error {
	err := fs.recoverLog(opts)
	if errors.Is(err, ondisk.ErrCorrupt) || errors.Is(err, ondisk.ErrUnsupported) {
		err = ondisk.WithHint(err, "mount and unmount the disk in the VM once and shut it down; or --ignore-log reads it as it lies, without its newest changes")
	}
	return err
}

func (fs *FS) recoverLog(opts Options) error {
	if fs.sb.logStart == 0 {
		if !opts.IgnoreLog {
			return ondisk.Unsupportedf("xfs log on another device")
		}
		fs.warn("the log is on another device; changes that are only there are missing")
		return nil
	}
	j := newJournal(fs.raw, fs.sb, fs.unverified)
	s, err := j.find()
	switch {
	case err != nil && opts.IgnoreLog && errors.Is(err, ondisk.ErrCorrupt):
		fs.warn(fmt.Sprintf("the log is damaged and was ignored: %v", err))
		return nil
	case err != nil:
		return err
	}
	if fs.sb.v5 && !opts.IgnoreLog {
		fs.logEnd = s.end
		if err := fs.checkLSN(fs.sb.lsn, sbLSN, "superblock"); err != nil {
			return err
		}
	}
	switch {
	case s.clean || s.head == s.tail:
		return nil
	case opts.IgnoreLog:
		fs.warn("the log was not replayed; recent changes are missing or torn")
		return nil
	}
	if unknown := fs.sb.feat.logIncompat &^ logIncompatXattrs; unknown != 0 {
		return ondisk.Unsupportedf("xfs incompatible log features %#x: mount and unmount with a newer kernel", unknown)
	}
	fs.info.Dirty = true
	return fs.replay(j, s)
}

func (fs *FS) warn(text string) {
	fs.info.Stale = true
	fs.info.Warnings = append(fs.info.Warnings, text)
}

// replay reads the log twice, as cancelled buffers are known only at its end.
func (fs *FS) replay(j *journal, s span) error {
	fs.over = &overlay{Device: fs.raw, pages: map[int64]*page{}}
	fs.dev, fs.reowned = fs.over, map[uint64]bool{}
	r := newReplayer(fs)
	for _, commit := range []func(*transaction) error{r.noteCancelled, r.apply} {
		ts := transactions{j: j, open: map[uint32]*transaction{}, commit: commit}
		var bad int64
		err := j.records(s.tail, s.head, &bad, func(rec record, data []byte) error {
			if stated, ok := rec.sums(j.v2, data); !ok && j.crc {
				return ondisk.Corruptf(j.place(rec.block), "log record: checksum %#x is wrong", stated)
			}
			rec.unpack(data)
			return ts.record(rec, data)
		})
		if err != nil {
			return fmt.Errorf("log recovery: %w", err)
		}
	}
	return ondisk.At(r.finish(), j.place(s.tail))
}
