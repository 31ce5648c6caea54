package ext4

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	logBlock  = 1024
	logBlocks = 40   // of the log, without the superblock
	logPlace  = 1000 // filesystem block where the journal file lies
)

// logWriter writes a journal of blocks of 1 KiB as jbd2 would.
type logWriter struct {
	*journal
	volume []byte
	next   uint32
	tid    uint32
	time   uint64
	sum    uint32 // v1
}

func newLog(compat, incompat uint32) *logWriter {
	w := &logWriter{volume: make([]byte, (logPlace+logBlocks+1)*logBlock), tid: 7, next: 1, time: 100, sum: ^uint32(0)}
	w.journal = &journal{
		dev: bytes.NewReader(w.volume), runs: []fsys.Run{{Len: (logBlocks + 1) * logBlock, Phys: logPlace * logBlock}},
		blockSize: logBlock, total: logBlocks + 1, first: 1, last: logBlocks + 1, start: 1, sequence: 7,
		compat: compat, incompat: incompat, seed: 0x1234567,
	}
	return w
}

// block returns the next block of the log, to be filled.
func (w *logWriter) block(kind uint32) []byte {
	b := w.volume[(logPlace+int(w.next))*logBlock:][:logBlock]
	clear(b)
	if kind != 0 {
		be.PutUint32(b, jbdMagic)
		be.PutUint32(b[4:], kind)
		be.PutUint32(b[8:], w.tid)
	}
	w.next = w.after(w.next, 1)
	return b
}

func (w *logWriter) tail(b []byte) {
	if w.summed() {
		be.PutUint32(b[logBlock-4:], crc32c(w.seed, b))
	}
}

// data writes a descriptor and its blocks: block numbers with the byte that
// fills each.
func (w *logWriter) data(content ...[2]int) {
	d := w.block(jbdDescriptor)
	pos := jbdHeader
	var copies [][]byte
	for i, c := range content {
		b := w.block(0)
		for k := range b {
			b[k] = byte(c[1])
		}
		flags := uint16(0)
		if c[1] == 0xc0 { // stands for a block that begins with the magic
			flags |= tagEscaped
			clear(b[:4])
		}
		if i > 0 {
			flags |= tagSameUUID
		}
		if i == len(content)-1 {
			flags |= tagLast
		}
		var seq [4]byte
		be.PutUint32(seq[:], w.tid)
		sum := crc32c(crc32c(w.seed, seq[:]), b)
		be.PutUint32(d[pos:], uint32(c[0]))
		be.PutUint16(d[pos+6:], flags)
		if w.has(jbdIncompatCsumV2) {
			be.PutUint16(d[pos+4:], uint16(sum))
		}
		if w.has(jbdIncompatCsumV3) {
			be.PutUint32(d[pos+12:], sum)
		}
		pos += w.tagSize()
		if flags&tagSameUUID == 0 {
			pos += 16
		}
		copies = append(copies, b)
	}
	w.tail(d)
	w.sum = crc32be(w.sum, d)
	for _, b := range copies {
		w.sum = crc32be(w.sum, b)
	}
}

func (w *logWriter) revoke(blocks ...int) []byte {
	b := w.block(jbdRevoke)
	pos := 16
	for _, n := range blocks {
		if w.has(jbdIncompat64Bit) {
			be.PutUint64(b[pos:], uint64(n))
			pos += 8
		} else {
			be.PutUint32(b[pos:], uint32(n))
			pos += 4
		}
	}
	be.PutUint32(b[12:], uint32(pos))
	w.tail(b)
	return b
}

func (w *logWriter) commit() []byte {
	b := w.block(jbdCommit)
	w.time++
	be.PutUint64(b[0x30:], w.time)
	switch {
	case w.summed():
		be.PutUint32(b[0x10:], crc32c(w.seed, b))
	case w.compat&jbdCompatChecksum != 0:
		b[0xc], b[0xd] = 1, 4
		be.PutUint32(b[0x10:], w.sum)
	}
	w.sum = ^uint32(0)
	w.tid++
	return b
}

// flip damages the block that was written n blocks ago.
func (w *logWriter) flip(n uint32) {
	ring := w.last - w.first
	block := w.after(w.next, ring-n)
	w.volume[(logPlace+int(block))*logBlock+500] ^= 1
}

// replayed tells which byte each block of the overlay shows, or the error.
func (w *logWriter) replayed() string {
	log, err := w.scan()
	if err != nil {
		return err.Error()
	}
	o, err := w.recover(log, logPlace)
	if err != nil {
		return err.Error()
	}
	var out []string
	for _, r := range o.blocks {
		b := make([]byte, logBlock)
		if n, err := o.ReadAt(b, int64(r.block)*logBlock); n != logBlock || err != nil {
			return fmt.Sprint(n, err)
		}
		s := fmt.Sprintf("%d:%x", r.block, b[4])
		if be.Uint32(b) == jbdMagic {
			s += "!"
		}
		out = append(out, s)
	}
	return strings.Join(out, " ")
}

// Every form of the log that jbd2 has written over the years.
var logForms = []struct {
	name             string
	compat, incompat uint32
}{
	{"plain", 0, 1},
	{"64bit", 0, jbdIncompat64Bit},
	{"v1", jbdCompatChecksum, 0},
	{"v1-64bit", jbdCompatChecksum, jbdIncompat64Bit},
	{"v2", 0, jbdIncompatCsumV2},
	{"v2-64bit", 0, jbdIncompatCsumV2 | jbdIncompat64Bit},
	{"v3", 0, jbdIncompatCsumV3},
	{"v3-64bit", 0, jbdIncompatCsumV3 | jbdIncompat64Bit},
}

func TestReplay(t *testing.T) {
	for _, f := range logForms {
		t.Run(f.name, func(t *testing.T) {
			for _, c := range []struct {
				name  string
				write func(w *logWriter)
				want  string
			}{
				{"nothing", func(w *logWriter) {}, ""},
				{"one", func(w *logWriter) { w.data([2]int{5, 1}, [2]int{3, 2}, [2]int{9, 3}); w.commit() }, "3:2 5:1 9:3"},
				{"no commit", func(w *logWriter) { w.data([2]int{5, 1}) }, ""},
				{"two", func(w *logWriter) {
					w.data([2]int{5, 1}, [2]int{6, 1})
					w.commit()
					w.data([2]int{5, 2})
					w.data([2]int{7, 2})
					w.commit()
					w.data([2]int{6, 3})
				}, "5:2 6:1 7:2"},
				{"twice in one", func(w *logWriter) { w.data([2]int{5, 1}); w.data([2]int{5, 2}); w.commit() }, "5:2"},
				{"escape", func(w *logWriter) { w.data([2]int{5, 0xc0}, [2]int{6, 1}); w.commit() }, "5:c0! 6:1"},
				{"revoked", func(w *logWriter) {
					w.data([2]int{5, 1}, [2]int{6, 1})
					w.commit()
					w.revoke(5, 99)
					w.commit()
				}, "6:1"},
				{"revoked by its own", func(w *logWriter) { w.revoke(5); w.data([2]int{5, 1}, [2]int{6, 1}); w.commit() }, "6:1"},
				{"written again", func(w *logWriter) {
					w.data([2]int{5, 1})
					w.commit()
					w.revoke(5)
					w.commit()
					w.data([2]int{5, 3})
					w.commit()
				}, "5:3"},
				{"revoked without commit", func(w *logWriter) { w.data([2]int{5, 1}); w.commit(); w.revoke(5) }, "5:1"},
				{"revoked twice", func(w *logWriter) {
					w.data([2]int{5, 1})
					w.commit()
					w.revoke(5)
					w.commit()
					w.data([2]int{5, 2})
					w.commit()
					w.revoke(5)
					w.commit()
				}, ""},
				{"wraps", func(w *logWriter) {
					w.start, w.next = logBlocks-1, logBlocks-1
					w.data([2]int{5, 1}, [2]int{6, 2}, [2]int{7, 3})
					w.commit()
					w.data([2]int{8, 4})
					w.commit()
				}, "5:1 6:2 7:3 8:4"},
				{"number wraps", func(w *logWriter) {
					w.sequence, w.tid = 1<<32-2, 1<<32-2
					for i := range 4 {
						w.data([2]int{5, i + 1})
						w.commit()
					}
					w.revoke(5)
					w.commit()
					w.data([2]int{6, 9})
					w.commit()
				}, "6:9"},
				{"leftover", func(w *logWriter) {
					w.tid = 8 // of the log's last round
					w.data([2]int{5, 1})
					w.commit()
				}, ""},
				{"outside", func(w *logWriter) { w.data([2]int{logPlace, 1}); w.commit() }, "transaction 7 writes block 1000, filesystem has 1000"},
				{"revoke count", func(w *logWriter) {
					b := w.revoke(5)
					be.PutUint32(b[12:], 2000)
					clear(b[logBlock-4:])
					w.tail(b)
					w.commit()
				}, "revoke block of 2000 bytes"},
				{"round and round", func(w *logWriter) {
					for range logBlocks / 2 {
						w.data([2]int{5, 1})
					}
				}, "goes round the whole log"},
			} {
				w := newLog(f.compat, f.incompat)
				c.write(w)
				if got := w.replayed(); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
					t.Errorf("%s: %q, want %q", c.name, got, c.want)
				}
			}
		})
	}
}

// Damage ends the log where it may be a leftover, and is an error elsewhere.
func TestReplayDamaged(t *testing.T) {
	const async = jbdIncompatAsync
	two := func(w *logWriter) {
		w.data([2]int{5, 1})
		w.commit()
		w.data([2]int{5, 2}, [2]int{6, 2})
		w.commit()
	}
	for _, c := range []struct {
		name             string
		compat, incompat uint32
		write            func(w *logWriter)
		want             string
	}{
		{"v1 data", jbdCompatChecksum, 0, func(w *logWriter) { two(w); w.flip(2) }, "transaction 8 has a bad checksum"},
		{"v1 data, old", jbdCompatChecksum, 0, func(w *logWriter) {
			w.data([2]int{5, 1})
			w.commit()
			w.time = 10
			w.data([2]int{5, 2})
			w.commit()
			w.flip(2)
		}, "5:1"},
		{"v1 async", jbdCompatChecksum, async, func(w *logWriter) { two(w); w.flip(2) }, "5:1"},
		{"v1 async, not the last", jbdCompatChecksum, async, func(w *logWriter) {
			two(w)
			w.flip(2)
			w.data([2]int{7, 3})
			w.commit()
		}, "transaction 8 has a bad checksum and is not the last"},
		{"v1 unused", jbdCompatChecksum, 0, func(w *logWriter) {
			w.data([2]int{5, 1})
			clear(w.commit()[0xc:0x14])
		}, "5:1"},
		{"v3 data", 0, jbdIncompatCsumV3, func(w *logWriter) { two(w); w.flip(2) }, "copy of block 6 in transaction 8 has a bad checksum"},
		{"v2 data", 0, jbdIncompatCsumV2, func(w *logWriter) { two(w); w.flip(2) }, "copy of block 6 in transaction 8 has a bad checksum"},
		{"v3 revoked data", 0, jbdIncompatCsumV3, func(w *logWriter) {
			w.data([2]int{5, 1}, [2]int{6, 1})
			w.flip(1)
			w.commit()
			w.revoke(6)
			w.commit()
		}, "5:1"},
		{"v3 descriptor", 0, jbdIncompatCsumV3, func(w *logWriter) { two(w); w.flip(4) }, "transaction 8 has a control block with a bad checksum"},
		{"v3 descriptor, old", 0, jbdIncompatCsumV3, func(w *logWriter) {
			w.data([2]int{5, 1})
			w.commit()
			w.time = 10
			w.data([2]int{5, 2})
			w.flip(2)
			w.commit()
		}, "5:1"},
		{"v3 commit", 0, jbdIncompatCsumV3, func(w *logWriter) {
			two(w)
			w.volume[(logPlace+int(w.next)-1)*logBlock+0x10] ^= 1
		}, "transaction 8 has a bad checksum"},
		{"v3 commit cut off", 0, jbdIncompatCsumV3, func(w *logWriter) {
			w.data([2]int{5, 1})
			b := w.commit()
			for i := 512; i < len(b); i++ {
				b[i] = 0xff // the sectors behind never arrived
			}
		}, "5:1"},
		{"v3 commit async", 0, jbdIncompatCsumV3 | async, func(w *logWriter) {
			two(w)
			w.volume[(logPlace+int(w.next)-1)*logBlock+0x10] ^= 1
		}, "5:1"},
		{"v3 revoke", 0, jbdIncompatCsumV3, func(w *logWriter) {
			w.data([2]int{5, 1})
			w.commit()
			w.revoke(5)
			w.flip(1)
			w.commit()
		}, "control block with a bad checksum"},
		{"over itself", 0, 0, func(w *logWriter) {
			w.data([2]int{500, 1})
			w.commit()
			w.runs[0].Phys = 500 * logBlock // as if the journal lay there
			copy(w.volume[500*logBlock:], w.volume[logPlace*logBlock:])
		}, "writes over the journal"},
		{"hole", 0, 0, func(w *logWriter) { two(w); w.runs[0].Len = 3 * logBlock }, "block 3 is a hole or behind the end"},
	} {
		w := newLog(c.compat, c.incompat)
		c.write(w)
		if got := w.replayed(); got != c.want && !strings.Contains(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

// A rest of the log that only damage can leave is told from one that a power
// failure leaves.
func TestReplayTellsDamage(t *testing.T) {
	w := newLog(0, jbdIncompatCsumV3)
	for i := range 4 {
		w.data([2]int{5, i}, [2]int{6, i})
		w.commit()
	}
	if log, err := w.scan(); err != nil || log.later || log.end != 11 {
		t.Errorf("sound log: %+v, %v", log, err)
	}
	w.volume[(logPlace+5)*logBlock+5] ^= 1 // the type of the second descriptor
	if log, err := w.scan(); err != nil || !log.later || log.end != 8 {
		t.Errorf("damaged log: %+v, %v", log, err)
	}
	clear(w.volume[(logPlace+8)*logBlock:]) // nothing follows any more
	if log, err := w.scan(); err != nil || log.later || log.end != 8 {
		t.Errorf("cut off log: %+v, %v", log, err)
	}
}

func TestJournalSuperblock(t *testing.T) {
	good := func() []byte {
		b := make([]byte, jbdSuperBytes)
		for off, v := range map[int]uint32{0: jbdMagic, 4: jbdSuperV2, 0xc: 1024, 0x10: 2000, 0x14: 1, 0x18: 9, 0x1c: 5} {
			be.PutUint32(b[off:], v)
		}
		return b
	}
	for _, c := range []struct {
		name  string
		set   map[int]uint32
		class error
		want  string
	}{
		{"good", nil, nil, ""},
		{"magic", map[int]uint32{0: 1}, ondisk.ErrCorrupt, "magic 0x1"},
		{"type", map[int]uint32{4: 1}, ondisk.ErrCorrupt, "type 1"},
		{"block size", map[int]uint32{0xc: 4096}, ondisk.ErrCorrupt, "block size 4096"},
		{"longer than the file", map[int]uint32{0x10: 2001}, ondisk.ErrCorrupt, "2001 blocks"},
		{"short", map[int]uint32{0x10: 1023}, ondisk.ErrCorrupt, "1023 blocks"},
		{"first", map[int]uint32{0x14: 0}, ondisk.ErrCorrupt, "from block 0"},
		{"start", map[int]uint32{0x1c: 2000}, ondisk.ErrCorrupt, "starts at 2000"},
		{"features", map[int]uint32{0x28: 0x41}, ondisk.ErrUnsupported, "FEATURE_I6"},
		{"read-only features", map[int]uint32{0x2c: 2}, ondisk.ErrUnsupported, "FEATURE_R1"},
		{"old version has none", map[int]uint32{4: jbdSuperV1, 0x28: 0x41}, nil, ""},
		{"two kinds", map[int]uint32{0x28: jbdIncompatCsumV2 | jbdIncompatCsumV3}, ondisk.ErrCorrupt, "more than one kind"},
		{"checksum type", map[int]uint32{0x28: jbdIncompatCsumV3}, ondisk.ErrUnsupported, "checksum type 0"},
		{"checksum", map[int]uint32{0x28: jbdIncompatCsumV3, 0x50: 4 << 24}, ondisk.ErrCorrupt, "superblock checksum 0x00000000"},
		{"fast commits", map[int]uint32{0x28: jbdIncompatFastCommit, 0x54: 1000}, ondisk.ErrCorrupt, "1000 blocks of fast commits"},
	} {
		b := good()
		for off, v := range c.set {
			be.PutUint32(b[off:], v)
		}
		j := &journal{blockSize: 1024, total: 2000}
		err := j.decodeSuper(b, 0x8000)
		if (err == nil) != (c.class == nil) || err != nil && (!errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q of class %v", c.name, err, c.want, c.class)
		}
	}
}

// The overlay's ReadAt against a plain copy, at all offsets.
func TestOverlayReadAt(t *testing.T) {
	const bs = 8
	volume := make([]byte, 10*bs)
	for i := range volume {
		volume[i] = byte(i)
	}
	o := &overlay{dev: bytes.NewReader(volume), blockSize: bs, blocks: []replayed{{1, 7 * bs, false}, {2, 9 * bs, true}, {4, 8 * bs, false}}}
	want := bytes.Clone(volume)
	copy(want[1*bs:], volume[7*bs:8*bs])
	copy(want[2*bs:], volume[9*bs:10*bs])
	be.PutUint32(want[2*bs:], jbdMagic)
	copy(want[4*bs:], volume[8*bs:9*bs])
	for off := range want {
		for n := 1; off+n <= len(want); n++ {
			p := make([]byte, n)
			if got, err := o.ReadAt(p, int64(off)); got != n || err != nil || !bytes.Equal(p, want[off:off+n]) {
				t.Fatalf("%d bytes at %d: %x, %v, want %x", got, off, p, err, want[off:off+n])
			}
		}
	}
	runs := o.split([]fsys.Run{{Off: 0, Len: 20, Phys: 4}, {Off: 20, Len: 5, Phys: fsys.Hole}, {Off: 25, Len: 20, Phys: 28}, {Off: 45, Len: 8, Phys: 64}})
	if got, want := fmt.Sprint(runs), "[{0 4 4} {4 16 -2} {20 5 -1} {25 4 28} {29 8 -2} {37 8 40} {45 8 64}]"; got != want {
		t.Errorf("split %s, want %s", got, want)
	}
}
