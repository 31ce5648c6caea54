// Package mbr reads MBR partition tables with their logical partitions, and
// tells what the first sector of a disk is.
package mbr

import (
	"bytes"
	"fmt"
	"io/fs"

	"github.com/diskfs/go-diskfs/partition/mbr"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
)

// The format as Linux reads it:
// https://git.kernel.org/pub/scm/linux/kernel/git/torvalds/linux.git/tree/block/partitions/msdos.c
const (
	sector    = 512
	tableOff  = 446
	entryLen  = 16
	entries   = 4
	signature = "\x55\xaa"

	typeProtective = 0xee // stands for the GPT
)

// Kind is what the first sector of a disk is.
type Kind int

// The kinds of first sector.
const (
	None       Kind = iota // not an MBR
	Protective             // an MBR that says the disk has a GPT, hybrid ones too
	Plain                  // an MBR with partitions
)

// Detect tells what the first sector of dev is. A filesystem's boot sector ends
// in the same signature; as in Linux, boot flags tell it from an MBR.
func Detect(dev blockdev.Device) (Kind, error) {
	if dev.Size() < sector {
		return None, nil
	}
	b, err := readSector(dev, 0)
	if err != nil {
		return None, err
	}
	if string(b[sector-2:]) != signature {
		return None, nil
	}
	kind := None
	for i := range entries {
		e := b[tableOff+i*entryLen:][:entryLen]
		switch {
		case e[0] != 0 && e[0] != 0x80:
			return None, nil
		case e[4] == typeProtective:
			kind = Protective
		case kind == None && [4]byte(e[12:]) != [4]byte{}:
			kind = Plain
		}
	}
	return kind, nil
}

func readSector(dev blockdev.Device, off int64) ([]byte, error) {
	b := make([]byte, sector)
	return b, ondisk.ReadFull(dev, b, off, "partition table")
}

// Read returns the partitions of the MBR on dev, which Detect has found to be
// Plain. Sectors are taken to be of 512 bytes: nothing in an MBR tells.
func Read(dev blockdev.Device) (*volume.Table, error) {
	first, err := readSector(dev, 0)
	if err != nil {
		return nil, err
	}
	r := reader{dev: dev, table: &volume.Table{Kind: "mbr", Sector: sector}, next: firstLogical}
	primary, id, err := decode(first)
	if err != nil {
		return nil, ondisk.NotFormatf("MBR: %v", err)
	}
	r.id = id
	for _, p := range primary {
		switch {
		case p.Size == 0:
		case isExtended(p.Type):
			err = r.extended(int64(p.Start), int64(p.Size))
		default:
			err = r.add(p.Index, int64(p.Start), p)
		}
		if err != nil {
			return nil, err
		}
	}
	r.table.Finish()
	return r.table, nil
}

// decode lets go-diskfs decode the four entries of a table sector, which also
// holds an identifier of the disk if it is the first. It is given the sector in
// memory: its own read takes io.EOF beside the data for a failure.
func decode(b []byte) ([]*mbr.Partition, string, error) {
	table, err := mbr.Read(memory{bytes.NewReader(b)}, sector, sector)
	if err != nil {
		return nil, "", err
	}
	return table.Partitions, table.UUID(), nil
}

// reader collects the partitions of a disk.
type reader struct {
	dev   blockdev.Device
	id    string // of the disk, eight hexadecimal digits
	table *volume.Table
	next  int // number of the next logical partition
}

// add adds p, whose start on the disk is LBA start.
func (r *reader) add(number int, start int64, p *mbr.Partition) error {
	v := volume.Volume{
		Number:   number,
		Kind:     "mbr",
		Start:    start * sector,
		Type:     fmt.Sprintf("%#02x", byte(p.Type)),
		PartUUID: fmt.Sprintf("%s-%02x", r.id, number),
	}
	return r.table.Add(r.dev, v, int64(p.Size)*sector)
}

// memory is a disk as go-diskfs wants it.
type memory struct{ *bytes.Reader }

func (memory) Stat() (fs.FileInfo, error) { return nil, fs.ErrInvalid }
func (memory) Close() error               { return nil }
