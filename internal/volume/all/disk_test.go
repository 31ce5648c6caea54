package all

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"
	"github.com/diskfs/go-diskfs/partition/mbr"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/volume"
)

// memDisk is a disk in memory that go-diskfs can write to. Reads that reach the
// end return io.EOF beside the data, as io.ReaderAt may.
type memDisk struct{ b []byte }

func (d memDisk) Size() int64 { return int64(len(d.b)) }

func (d memDisk) ReadAt(p []byte, off int64) (int, error) {
	n, err := bytes.NewReader(d.b).ReadAt(p, off)
	if err == nil && off+int64(n) == d.Size() {
		err = io.EOF
	}
	return n, err
}

func (d memDisk) WriteAt(p []byte, off int64) (int, error) { return copy(d.b[off:], p), nil }
func (d memDisk) Stat() (fs.FileInfo, error)               { return nil, fs.ErrInvalid }
func (d memDisk) Read([]byte) (int, error)                 { return 0, fs.ErrInvalid }
func (d memDisk) Seek(int64, int) (int64, error)           { return 0, fs.ErrInvalid }
func (d memDisk) Close() error                             { return nil }

const diskSize = 8 << 20

// gptDisk is a disk with three partitions: 1, 3 and 15.
func gptDisk(t testing.TB, sector int) memDisk {
	t.Helper()
	d := memDisk{make([]byte, diskSize)}
	per := uint64(sector / 512)
	table := &gpt.Table{LogicalSectorSize: sector, PhysicalSectorSize: sector, ProtectiveMBR: true, Partitions: []*gpt.Partition{
		{Index: 1, Start: 2048 / per, End: 4096/per - 1, Type: gpt.LinuxFilesystem, Name: "cloudimg-rootfs", GUID: "11111111-2222-3333-4444-555555555555"},
		{Index: 3, Start: 8192 / per, End: 8200/per - 1, Type: gpt.EFISystemPartition, Name: "é", GUID: "AAAAAAAA-BBBB-CCCC-DDDD-EEEEEEEEEEEE"},
		{Index: 15, Start: 4096 / per, End: 8192/per - 1, Type: gpt.LinuxSwap, GUID: "99999999-2222-3333-4444-555555555555"},
	}}
	if err := table.Write(d, diskSize); err != nil {
		t.Fatal(err)
	}
	return d
}

// mbrDisk is a disk with the primary partitions 1 and 4.
func mbrDisk(t testing.TB) memDisk {
	t.Helper()
	d := memDisk{make([]byte, diskSize)}
	table := &mbr.Table{LogicalSectorSize: 512, PhysicalSectorSize: 512, Partitions: []*mbr.Partition{
		{Bootable: true, Type: mbr.Linux, Start: 2048, Size: 2048},
		{Type: mbr.Empty}, {Type: mbr.Empty},
		{Type: mbr.LinuxSwap, Start: 4096, Size: 100},
	}}
	if err := table.Write(d, diskSize); err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(d.b[440:], 0x0123abcd)
	return d
}

// entry writes an MBR entry into the table at sector.
func (d memDisk) entry(sector int64, slot int, kind byte, start, size uint32) {
	e := d.b[sector*512+446+int64(slot)*16:][:16]
	e[4] = kind
	binary.LittleEndian.PutUint32(e[8:], start)
	binary.LittleEndian.PutUint32(e[12:], size)
	copy(d.b[sector*512+510:], "\x55\xaa")
}

// logicalDisk has the primary partition 1 and, in partition 2, the logical ones
// 5, 6 and 7.
func logicalDisk(t testing.TB) memDisk {
	d := mbrDisk(t)
	d.entry(0, 3, 0, 0, 0)
	d.entry(0, 1, 0x05, 5000, 5000)
	d.entry(5000, 0, 0x83, 10, 100)
	d.entry(5000, 1, 0x05, 1000, 1000)
	d.entry(6000, 0, 0x8e, 1, 200)
	d.entry(6000, 1, 0x0f, 2000, 2000)
	d.entry(7000, 0, 0x82, 2, 300)
	return d
}

// patch changes a header of a GPT at lba, and makes its checksums right again.
func (d memDisk) patch(sector, lba int64, change func(header []byte)) {
	le := binary.LittleEndian
	h := d.b[lba*sector:][:sector]
	change(h)
	off, n := int64(le.Uint64(h[72:]))*sector, int64(le.Uint32(h[80:]))*int64(le.Uint32(h[84:]))
	if off >= 0 && n < diskSize && off+n <= diskSize {
		le.PutUint32(h[88:], crc32.ChecksumIEEE(d.b[off:off+n]))
	}
	d.sum(h)
}

func (d memDisk) sum(h []byte) {
	le := binary.LittleEndian
	le.PutUint32(h[16:], 0)
	le.PutUint32(h[16:], crc32.ChecksumIEEE(h[:min(int64(le.Uint32(h[12:])), int64(len(h)))]))
}

// part is what a test expects of a volume, in bytes.
type part struct {
	number      int
	start, size int64
	kind        string
	label, uuid string
}

var gptParts = []part{
	{1, 2048 * 512, 2048 * 512, "0fc63daf-8483-4772-8e79-3d69d8477de4", "cloudimg-rootfs", "11111111-2222-3333-4444-555555555555"},
	{3, 8192 * 512, 8 * 512, "c12a7328-f81f-11d2-ba4b-00a0c93ec93b", "é", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"},
	{15, 4096 * 512, 4096 * 512, "0657fd6d-a4ab-43c4-84e5-0933c84b4f4f", "", "99999999-2222-3333-4444-555555555555"},
}

var mbrParts = []part{
	{1, 2048 * 512, 2048 * 512, "0x83", "", "0123abcd-01"},
	{4, 4096 * 512, 100 * 512, "0x82", "", "0123abcd-04"},
}

// check holds a table against what is expected, the volumes' bytes too.
func check(t *testing.T, d blockdev.Device, kind string, parts []part, warnings int) *volume.Table {
	t.Helper()
	table, err := Read(d)
	if err != nil {
		t.Fatal(err)
	}
	if table.Kind != kind || len(table.Warnings) != warnings {
		t.Errorf("kind %q, want %q; warnings %q, want %d", table.Kind, kind, table.Warnings, warnings)
	}
	var got []part
	for _, v := range table.Volumes {
		got = append(got, part{v.Number, v.Start, v.Device.Size(), v.Type, v.PartLabel, v.PartUUID})
		a, b := make([]byte, 16), make([]byte, 16)
		n, err := v.Device.ReadAt(a, 0)
		if err != nil && !(errors.Is(err, io.EOF) && n == 16) {
			t.Errorf("volume %d: %v", v.Number, err)
		}
		if _, err := d.ReadAt(b, v.Start); err != nil && !errors.Is(err, io.EOF) || !bytes.Equal(a, b) {
			t.Errorf("volume %d: other bytes, %v", v.Number, err)
		}
	}
	if len(got) != len(parts) {
		t.Fatalf("got  %+v\nwant %+v", got, parts)
	}
	for i := range got {
		if got[i] != parts[i] {
			t.Errorf("got  %+v\nwant %+v", got[i], parts[i])
		}
	}
	return table
}
