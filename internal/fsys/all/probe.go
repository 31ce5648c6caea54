package all

import (
	"encoding/binary"
	"fmt"
	"io"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// magic is a signature that tells what a volume holds.
type magic struct {
	kind string
	off  int64
	sig  string
}

// magics follow util-linux's libblkid; the first that fits wins.
var magics = []magic{
	{"crypto_LUKS", 0, "LUKS\xba\xbe"},
	{"BitLocker", 3, "-FVE-FS-"},
	{"LVM2_member", 512, "LABELONE"},
	{"LVM2_member", 0, "LABELONE"},
	{"LVM2_member", 1024, "LABELONE"},
	{"LVM2_member", 1536, "LABELONE"},
	{"linux_raid_member", 4096, "\xfc\x4e\x2b\xa9"},
	{"linux_raid_member", 0, "\xfc\x4e\x2b\xa9"},
	{"bcache", 4096 + 24, "\xc6\x85\x73\xf6\x4e\x1a\x45\xca\x82\x65\xf5\x7f\x48\xba\x6d\x81"},
	{"xfs", 0, "XFSB"},
	{"ext4", 1024 + 56, "\x53\xef"},
	{"btrfs", 64<<10 + 64, "_BHRfS_M"},
	{"f2fs", 1024, "\x10\x20\xf5\xf2"},
	{"erofs", 1024, "\xe2\xe1\xf5\xe0"},
	{"squashfs", 0, "hsqs"},
	{"swap", 4086, "SWAPSPACE2"},
	{"swap", 65526, "SWAPSPACE2"},
	{"bcachefs", 4096 + 24, "\xc6\x85\x73\xf6\x66\xce\x90\xa9\xd9\x6a\x60\xcf\x80\x3d\xf7\xef"},
	{"ntfs", 3, "NTFS    "},
	{"exfat", 3, "EXFAT   "},
	{"vfat", 82, "FAT32   "},
	{"vfat", 54, "FAT16   "},
	{"vfat", 54, "FAT12   "},
	{"iso9660", 32769, "CD001"},
	{"jfs", 32768, "JFS1"},
	{"reiserfs", 65536 + 52, "ReIsEr"},
}

// FATSerial is the volume serial of a FAT filesystem in the form that
// /etc/fstab gives it ("4B1D-0F5A"), or "" where kind has none.
func FATSerial(dev blockdev.Device, kind string) string {
	if kind != "vfat" {
		return ""
	}
	var boot [90]byte
	if n, _ := dev.ReadAt(boot[:], 0); n < len(boot) {
		return ""
	}
	volID := boot[39:43] // BS_VolID of FAT12 and FAT16
	if string(boot[82:87]) == "FAT32" {
		volID = boot[67:71]
	}
	id := binary.LittleEndian.Uint32(volID)
	return fmt.Sprintf("%04X-%04X", id>>16, id&0xffff)
}

// Probe names what a volume holds by its signature, as mount(8) and blkid(8)
// would ("ext4" stands for ext2 and ext3 too), or "" where none is known. An
// unreadable place counts as no signature.
func Probe(dev blockdev.Device) string {
	var head [4096]byte
	n, _ := io.ReadFull(io.NewSectionReader(dev, 0, int64(len(head))), head[:])
	for _, m := range magics {
		end := m.off + int64(len(m.sig))
		if end <= int64(n) {
			if string(head[m.off:end]) == m.sig {
				return m.kind
			}
			continue
		}
		sig := make([]byte, len(m.sig))
		if k, _ := dev.ReadAt(sig, m.off); k == len(sig) && string(sig) == m.sig {
			return m.kind
		}
	}
	return ""
}
