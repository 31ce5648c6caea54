package xfs

import (
	"bytes"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// Kinds of log items, XFS_LI_*.
const (
	itemEFI      = 0x1236
	itemEFD      = 0x1237
	itemInode    = 0x123b
	itemBuffer   = 0x123c
	itemDquot    = 0x123d
	itemQuotaOff = 0x123e
	itemICreate  = 0x123f
	itemRUI      = 0x1240
	itemRUD      = 0x1241
	itemCUI      = 0x1242
	itemCUD      = 0x1243
	itemBUI      = 0x1244
	itemBUD      = 0x1245
	itemATTRI    = 0x1246
	itemATTRD    = 0x1247
	itemXMI      = 0x1248
	itemXMD      = 0x1249
	itemEFIRT    = 0x124a
	itemCUDRT    = 0x124f
)

// replayer applies committed transactions to the overlay.
type replayer struct {
	fs        *FS
	cancelled map[bufferID]int // freed buffers, and how often each is freed
	lsn       lsn              // of the transactions being applied
	pending   map[int64]bool   // buffers changed at that LSN
	intents   map[intentID]*intent
	check     dinode // what an inode item has left, decoded to see that it is sound
	promises  int    // intents met
}

func newReplayer(fs *FS) *replayer {
	return &replayer{fs: fs, cancelled: map[bufferID]int{}, pending: map[int64]bool{}, intents: map[intentID]*intent{}}
}

// maxCancelled bounds the freed buffers held in memory.
const maxCancelled = 1 << 22

// bufferID is a buffer of metadata: its place and size in 512-byte sectors.
type bufferID struct{ sector, n int64 }

// noteCancelled is the first pass: which buffers are freed later on. What was
// logged to them before must not be written over what lies there now.
func (r *replayer) noteCancelled(t *transaction) error {
	for _, it := range t.items {
		if it.kind() != itemBuffer {
			continue
		}
		b, err := decodeBuffer(it)
		if err != nil {
			return err
		}
		if b.flags&bufferCancel == 0 {
			continue
		}
		if r.cancelled[b.id]++; len(r.cancelled) > maxCancelled {
			return ondisk.Unsupportedf("xfs log that frees more than %d blocks of metadata", maxCancelled)
		}
	}
	return nil
}

// apply is the second pass. Within a transaction buffers come before inodes,
// which lie in buffers, and freed buffers last.
func (r *replayer) apply(t *transaction) error {
	if r.lsn != t.lsn {
		if err := r.stampPending(); err != nil {
			return err
		}
		r.lsn = t.lsn
	}
	var frees []buffer
	for _, it := range t.items {
		if it.kind() != itemBuffer {
			continue
		}
		b, err := decodeBuffer(it)
		if err != nil {
			return err
		}
		if b.flags&bufferCancel != 0 {
			frees = append(frees, b)
		} else if err := r.buffer(b); err != nil {
			return err
		}
	}
	for _, it := range t.items {
		if err := r.other(it); err != nil {
			return err
		}
	}
	for _, b := range frees {
		if r.cancelled[b.id]--; r.cancelled[b.id] <= 0 {
			delete(r.cancelled, b.id)
		}
	}
	return nil
}

// other applies an item that is no buffer.
func (r *replayer) other(it *item) error {
	switch kind := it.kind(); kind {
	case itemBuffer, itemDquot, itemQuotaOff:
		return nil
	case itemEFI, itemRUI, itemCUI:
		return r.promiseSpace(it)
	case itemEFIRT, itemEFIRT + 1, itemEFIRT + 2, itemEFIRT + 3, itemEFIRT + 4, itemCUDRT:
		return nil // space of the realtime section: nothing that is read
	case itemInode:
		return r.inode(it)
	case itemICreate:
		return r.createInodes(it)
	case itemBUI, itemATTRI, itemXMI:
		return r.promise(it)
	case itemBUD, itemATTRD, itemXMD, itemEFD, itemRUD, itemCUD:
		return r.done(it)
	default:
		return ondisk.Corruptf(ondisk.NoOffset, "log item of kind %#x", kind)
	}
}

// finish ends recovery.
func (r *replayer) finish() error {
	return r.fs.intents.take(r.intents, r.fs.sb)
}

// shortSelf places the identity in short-form B+tree blocks, xfs_btree_block.
var shortSelf = selfDescription{lsn: 24, uuid: 32}

// stamped says where metadata keeps its LSN, by the first four bytes.
var stamped = map[uint32]selfDescription{
	sbMagic:         {lsn: 240, uuid: 32},
	0x58414746:      {lsn: 208, uuid: 64},  // XAGF
	0x58414749:      {lsn: 320, uuid: 296}, // XAGI
	0x5841464c:      {lsn: 24, uuid: 8},    // XAFL
	0x41423342:      shortSelf,             // AB3B
	0x41423343:      shortSelf,             // AB3C
	0x49414233:      shortSelf,             // IAB3
	0x46494233:      shortSelf,             // FIB3
	0x524d4233:      shortSelf,             // RMB3
	0x52334643:      shortSelf,             // R3FC
	0x4d415052:      longSelf,              // MAPR
	0x52434e54:      longSelf,              // RCNT
	btreeMagicV5:    longSelf,
	symlinkMagic:    remoteSelf,
	dirBlockMagicV5: dirSelf,
	dirDataMagicV5:  dirSelf,
	0x58444633:      dirSelf,             // XDF3
	0x424d505a:      {lsn: 24, uuid: 32}, // BMPZ
	0x53554d59:      {lsn: 24, uuid: 32}, // SUMY
}

// stampOf returns where a block has its LSN, if it has one.
func (fs *FS) stampOf(b []byte) (selfDescription, bool) {
	if !fs.sb.v5 {
		return selfDescription{}, false
	}
	if at, ok := stamped[be.Uint32(b)]; ok {
		if be.Uint32(b) == sbMagic && fs.sb.feat.incompat&incompatMetaUUID != 0 {
			at.uuid = 248
		}
		return at, true
	}
	switch be.Uint16(b[8:]) {
	case nodeMagicV5, attrLeafMagicV5, dirLeaf1MagicV5, dirLeafNMagicV5:
		return daSelf, true
	}
	return selfDescription{}, false
}

// newer tells whether the block in b was written after the change at l.
func (r *replayer) newer(b []byte, l lsn) bool {
	at, ok := r.fs.stampOf(b)
	if !ok || !bytes.Equal(b[at.uuid:at.uuid+16], r.fs.sb.metaUUID[:]) {
		return false
	}
	have := lsn(be.Uint64(b[at.lsn:]))
	return have != 0 && have != -1 && have >= l
}

// stampPending writes the LSN into the buffers that were changed at it, so
// that older changes, which can follow in the log, pass them by. It waits for
// all changes of one LSN, as several transactions can share it.
func (r *replayer) stampPending() error {
	var b [basicBlock]byte
	for off := range r.pending {
		if err := ondisk.ReadFull(r.fs.dev, b[:], off, "replayed block"); err != nil {
			return err
		}
		if at, ok := r.fs.stampOf(b[:]); ok {
			be.PutUint64(b[at.lsn:], uint64(r.lsn))
			if err := r.fs.over.write(b[at.lsn:at.lsn+8], off+int64(at.lsn)); err != nil {
				return err
			}
		}
	}
	clear(r.pending)
	return nil
}
