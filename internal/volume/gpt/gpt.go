package gpt

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"math"
	"strings"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
)

// Read returns the partitions of the GPT on dev, which a protective MBR has
// announced: by the primary table or, if that is damaged, its backup.
func Read(dev blockdev.Device) (*volume.Table, error) {
	f, err := find(dev)
	if errors.Is(err, errNone) {
		err = ondisk.Corruptf(ondisk.NoOffset, "the first sector announces a GPT, but there is none")
	}
	if err != nil {
		return nil, ondisk.WithHint(err, "is the image complete? a GPT has a backup at the end of the disk")
	}
	return f.table(dev)
}

// ReadPrimary reads a GPT that no MBR has announced. Without a whole primary
// table it returns ErrNotFormat: a backup could be older than what the disk
// holds now.
func ReadPrimary(dev blockdev.Device) (*volume.Table, error) {
	for _, sector := range sectorSizes {
		f, err := load(dev, sector, 1)
		if err == nil {
			f.warning = "the protective MBR is missing"
			return f.table(dev)
		}
		if !errors.Is(err, errNone) && !errors.Is(err, ondisk.ErrCorrupt) {
			return nil, err
		}
	}
	return nil, ondisk.NotFormatf("GPT: %v", errNone)
}

func (f *found) table(dev blockdev.Device) (*volume.Table, error) {
	decoded, err := decode(f)
	if err != nil {
		return nil, err
	}
	table := &volume.Table{Kind: "gpt", Sector: int(f.sector)}
	if f.warning != "" {
		table.Warnings = append(table.Warnings, f.warning)
	}
	for _, p := range decoded {
		if p.Start > p.End || p.Start < 2 || p.End >= uint64(math.MaxInt64/f.sector) {
			entry := f.entriesLBA*f.sector + int64(p.Index-1)*f.entrySize
			return nil, ondisk.Corruptf(entry+32, "partition %d: from LBA %d to %d", p.Index, p.Start, p.End)
		}
		v := volume.Volume{
			Number:    p.Index,
			Kind:      "gpt",
			Start:     int64(p.Start) * f.sector,
			Type:      strings.ToLower(string(p.Type)),
			PartLabel: p.Name,
			PartUUID:  strings.ToLower(p.GUID),
		}
		if err := table.Add(dev, v, int64(p.End-p.Start+1)*f.sector); err != nil {
			return nil, err
		}
	}
	table.Finish()
	return table, nil
}

// decode lets go-diskfs decode the entries. What it would read itself (it
// trusts counts and sizes, knows 128-byte entries only, gives up at 4096-byte
// sectors and at io.EOF beside the last sector) is put in front of it in
// memory, as a primary table of 512-byte sectors.
func decode(f *found) ([]*gpt.Partition, error) {
	const sector = 512
	disk := make([]byte, 2*sector+f.entries*minEntry)
	for i := range f.entries {
		copy(disk[2*sector+i*minEntry:], f.array[i*f.entrySize:][:minEntry])
	}
	le := binary.LittleEndian
	h := disk[sector:][:headerLen]
	copy(h, f.raw[:])
	copy(h[8:], "\x00\x00\x01\x00")
	le.PutUint32(h[12:], headerLen)
	le.PutUint64(h[16:], 0) // checksum and reserved
	le.PutUint64(h[24:], 1)
	le.PutUint64(h[72:], 2)
	le.PutUint32(h[84:], minEntry)
	le.PutUint32(h[88:], crc32.ChecksumIEEE(disk[2*sector:]))
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h))
	table, err := gpt.Read(memory{bytes.NewReader(disk)}, sector, sector)
	if err != nil {
		return nil, fmt.Errorf("GPT: %w", err)
	}
	return table.Partitions, nil
}

// memory is a disk as go-diskfs wants it.
type memory struct{ *bytes.Reader }

func (memory) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (memory) Close() error               { return nil }
