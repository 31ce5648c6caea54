package xfs

import (
	"encoding/binary"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Facts of struct xlog_op_header. A record is a sequence of operations; those
// of one transaction share an id and may spread over many records, mixed with
// others'.
const (
	opHeader    = 12
	opStart     = 0x01
	opCommit    = 0x02
	opContinue  = 0x04 // the region goes on in the next record
	opWasCont   = 0x08 // this is the rest of one
	opEnd       = 0x10
	opUnmount   = 0x20
	clientTrans = 0x69
	clientLog   = 0xaa

	transMagic   = 0x5452414e // "TRAN", in the host's byte order
	transHeader  = 16
	maxRegions   = 1 << 12 // of an item; the kernel's limit is lower
	maxLogMemory = 1 << 30 // bytes of uncommitted regions, and of recovered blocks
	formatLinux  = 1       // h_fmt: a little-endian Linux
)

// le is the byte order of what lies inside the operations.
var le = binary.LittleEndian

// item is one change of a transaction: a description and what it describes.
type item struct {
	regions [][]byte
	total   int // regions it will have
}

func (it *item) kind() uint16 { return le.Uint16(it.regions[0]) }

// transaction collects the items of one transaction until it is committed.
type transaction struct {
	lsn    lsn
	header []byte // struct xfs_trans_header, as far as it has come
	items  []*item
	bytes  int64 // of memory held
}

// transactions takes records in order and hands on what was committed.
type transactions struct {
	j      *journal
	open   map[uint32]*transaction
	bytes  int64 // held by open transactions
	commit func(t *transaction) error
}

// record takes the operations of one record. data is unpacked and kept.
func (ts *transactions) record(r record, data []byte) error {
	if format := be.Uint32(r.header[300:]); format != formatLinux {
		return ondisk.Unsupportedf("xfs log written by a machine of format %d (2: big-endian Linux): mount and unmount it there", format)
	}
	if uuid := [16]byte(r.header[304:320]); uuid != ts.j.uuid {
		return ondisk.Corruptf(ts.j.place(r.block)+304, "log record: of filesystem %s, want %s", uuidString(uuid), uuidString(ts.j.uuid))
	}
	at := ts.j.place(r.block)
	for n := r.ops; n > 0 && len(data) > 0; n-- {
		if len(data) < opHeader {
			return ondisk.Corruptf(at, "log record: operation cut off")
		}
		tid, length := be.Uint32(data), be.Uint32(data[4:])
		client, flags := data[8], data[9]
		if client != clientTrans && client != clientLog {
			return ondisk.Corruptf(at, "log operation of client %#x", client)
		}
		if uint64(length) > uint64(len(data)-opHeader) {
			return ondisk.Corruptf(at, "log operation of %d bytes, %d left", length, len(data)-opHeader)
		}
		body := data[opHeader:][:length:length]
		data = data[opHeader+length:]
		if err := ts.operation(r, tid, flags, body, at); err != nil {
			return err
		}
	}
	return nil
}

func (ts *transactions) operation(r record, tid uint32, flags byte, body []byte, at int64) error {
	t := ts.open[tid]
	if t == nil {
		// Operations of a transaction that began before the tail are
		// passed over.
		if flags&opStart == 0 {
			return nil
		}
		t = &transaction{lsn: r.lsn}
		ts.open[tid] = t
		return ts.hold(t, 0)
	}
	flags &^= opEnd
	if flags&opWasCont != 0 {
		flags &^= opContinue
	}
	if err := ts.hold(t, len(body)); err != nil {
		return err
	}
	switch flags {
	case 0, opContinue:
		return t.add(body, at)
	case opWasCont:
		return t.extend(body, at)
	case opCommit:
		delete(ts.open, tid)
		ts.bytes -= t.bytes
		return ondisk.At(ts.commit(t), at)
	case opUnmount:
		delete(ts.open, tid)
		ts.bytes -= t.bytes
		return nil
	}
	return ondisk.Corruptf(at, "log operation with flags %#x", flags)
}

// hold accounts for n more bytes of t, and for what goes with them.
func (ts *transactions) hold(t *transaction, n int) error {
	const overhead = 128
	t.bytes += int64(n) + overhead
	ts.bytes += int64(n) + overhead
	if ts.bytes > maxLogMemory {
		return ondisk.Unsupportedf("xfs log with open transactions of more than %d bytes", maxLogMemory)
	}
	return nil
}

// add takes the next region of a transaction: its header, the first of an item
// (which tells how many it has), or one more of it.
func (t *transaction) add(b []byte, at int64) error {
	if len(b) == 0 {
		return nil
	}
	if len(t.header) < transHeader {
		if len(t.header) == 0 && (len(b) < 4 || le.Uint32(b) != transMagic) || len(t.header)+len(b) > transHeader {
			return ondisk.Corruptf(at, "log transaction without a header")
		}
		t.header = append(t.header, b...)
		return nil
	}
	if n := len(t.items); n > 0 && len(t.items[n-1].regions) < t.items[n-1].total {
		t.items[n-1].regions = append(t.items[n-1].regions, b)
		return nil
	}
	if len(b) < 4 {
		return ondisk.Corruptf(at, "log item of %d bytes", len(b))
	}
	total := int(le.Uint16(b[2:]))
	if total == 0 || total > maxRegions {
		return ondisk.Corruptf(at, "log item of %d regions", total)
	}
	t.items = append(t.items, &item{regions: [][]byte{b}, total: total})
	return nil
}

// extend takes the rest of a region that a record's end has cut.
func (t *transaction) extend(b []byte, at int64) error {
	if len(t.items) == 0 {
		if len(t.header)+len(b) > transHeader {
			return ondisk.Corruptf(at, "log transaction without a header")
		}
		t.header = append(t.header, b...)
		return nil
	}
	regions := t.items[len(t.items)-1].regions
	regions[len(regions)-1] = append(regions[len(regions)-1], b...)
	return nil
}
