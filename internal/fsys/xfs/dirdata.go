package xfs

import "github.com/wslimg/wslimg/internal/ondisk"

// Magics of blocks with entries. A directory of one block has the hash index
// at that block's end ("block form"); in larger ones it has blocks of its own.
const (
	dirBlockMagic   = 0x58443242 // "XD2B"
	dirDataMagic    = 0x58443244 // "XD2D"
	dirBlockMagicV5 = 0x58444233 // "XDB3"
	dirDataMagicV5  = 0x58444433 // "XDD3"

	dirHeader   = 16
	dirHeaderV5 = 64
	dirTail     = 8 // struct xfs_dir2_block_tail
	dirAlign    = 8
	dirFreeTag  = 0xffff
)

// dataBlock reads the entries of directory block b, read from byte off and
// verified. at is its place in the directory.
func (w *dirWalk) dataBlock(b []byte, off, at int64) error {
	sb := w.fs.sb
	block, data, header := uint32(dirBlockMagic), uint32(dirDataMagic), dirHeader
	if sb.v5 {
		block, data, header = dirBlockMagicV5, dirDataMagicV5, dirHeaderV5
	}
	end := len(b)
	switch magic := be.Uint32(b); {
	case magic == block && at == 0 && w.dir.size == int64(len(b)):
		count := be.Uint32(b[end-dirTail:])
		if count > uint32(end-dirTail-header)/8 {
			return ondisk.Corruptf(off+int64(end-dirTail), "directory block: %d index entries", count)
		}
		stale := be.Uint32(b[end-dirTail+4:])
		end -= dirTail + int(count)*8
		if err := w.setIndex(b[end:len(b)-dirTail], stale, off+int64(end)); err != nil {
			return err
		}
	case magic != data:
		return ondisk.Corruptf(off, "directory block magic %#x, want %#x", magic, data)
	}
	return w.entries(b[:end], header, off, at)
}

// hashed tells whether names have the plain hash. Where they are found whatever
// the case of their letters they have another, on which kernels did not agree.
func (w *dirWalk) hashed() bool { return w.fs.sb.feat.version&versionASCIICI == 0 }

// setIndex takes the index of a directory of one block. An entry that it does
// not know is damage, as in the kernel.
func (w *dirWalk) setIndex(index dirIndex, stale uint32, off int64) error {
	if !w.hashed() {
		return nil
	}
	w.index = index
	return index.check(stale, off)
}

// entries walks the entries and free stretches of b, which is byte base of the
// directory and off of the volume, from byte at on. Each states its own place
// within the block in its last two bytes.
func (w *dirWalk) entries(b []byte, at int, off, base int64) error {
	typed := 0
	if w.fs.sb.feat.fileType() {
		typed = 1
	}
	met := 0
	for at < len(b) {
		rest := b[at:]
		place := off + int64(at)
		if len(rest) < dirAlign {
			return ondisk.Corruptf(place, "directory block: %d bytes left over", len(rest))
		}
		free := be.Uint16(rest) == dirFreeTag
		var n int
		if free {
			n = int(be.Uint16(rest[2:]))
		} else {
			if len(rest) < 9 {
				return ondisk.Corruptf(place, "directory block: entry cut off")
			}
			n = entrySize(int(rest[8]), typed)
		}
		if n < dirAlign || n%dirAlign != 0 || n > len(rest) {
			return ondisk.Corruptf(place, "directory block: entry of %d bytes, %d left", n, len(rest))
		}
		if tag := int(be.Uint16(rest[n-2:])); tag != at {
			return ondisk.Corruptf(place, "directory block: entry at %#x says %#x", at, tag)
		}
		if !free {
			met++
			name := rest[9 : 9+int(rest[8])]
			switch {
			case !w.hashed():
			case w.index == nil:
				w.met = append(w.met, hashedEntry(nameHash(name))<<32|hashedEntry((base+int64(at))/dirAlign))
			case !w.index.has(name, at):
				return ondisk.Corruptf(place, "directory block: the index does not lead to entry %q", name)
			}
			if err := w.entry(name, be.Uint64(rest), rest[9+len(name)], place); err != nil || w.stopped {
				return err
			}
		}
		at += n
	}
	if live := w.index.live(); w.index != nil && live != met {
		return ondisk.Corruptf(off, "directory block: the index has %d entries, the block %d", live, met)
	}
	return nil
}

// entrySize is the space of an entry: inode number, length of the name, the
// name, the type (in 0 or 1 bytes) and the entry's own place.
func entrySize(nameLen, typed int) int {
	return (8 + 1 + nameLen + typed + 2 + dirAlign - 1) &^ (dirAlign - 1)
}
