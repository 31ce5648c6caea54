// Package sniff recognises files that are not a disk image that is read: other
// container formats, encrypted disks, and what people mistake for an image.
package sniff

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// headLen covers every magic number that is looked for at the start of a file.
const headLen = 36 << 10

// sign is a magic number of a format.
type sign struct {
	off   int
	magic string
	err   func(format string, args ...any) error // the class
	what  string
	hint  string // what the user can do, or ""
}

const (
	convert   = "convert it: qemu-img convert -O qcow2 IN OUT.qcow2"
	unpack    = "unpack it and give the disk image inside"
	installer = "install it in a virtual machine and give that machine's disk"
	decrypt   = "decrypt it first, inside the virtual machine or with the tool that encrypted it"
)

var signs = []sign{
	{0, "QFI\xfb\x00\x00\x00\x01", ondisk.Unsupportedf, "a qcow image of version 1", convert},
	{0, "KDMV", ondisk.Unsupportedf, "a VMDK image", convert},
	{0, "COWD", ondisk.Unsupportedf, "a VMDK image", convert},
	{0, "# Disk DescriptorFile", ondisk.Unsupportedf, "the descriptor of a VMDK image", convert},
	{0, "vhdxfile", ondisk.Unsupportedf, "a VHDX image", convert},
	{0, "conectix", ondisk.Unsupportedf, "a dynamic VHD image", convert},
	{64, "\x7f\x10\xda\xbe", ondisk.Unsupportedf, "a VDI image", convert},
	{0, "QED\x00", ondisk.Unsupportedf, "a QED image", convert},
	{0, "WithoutFreeSpace", ondisk.Unsupportedf, "a Parallels image", convert},
	{0, "WithouFreSpacExt", ondisk.Unsupportedf, "a Parallels image", convert},
	{0, "\x3a\xff\x26\xed", ondisk.Unsupportedf, "an Android sparse image", "make it a raw one: simg2img IN OUT.img"},
	{0, "LUKS\xba\xbe", ondisk.Encryptedf, "encrypted with LUKS", decrypt},
	{3, "-FVE-FS-", ondisk.Encryptedf, "encrypted with BitLocker", decrypt},
	{0x8001, "CD001", ondisk.Unsupportedf, "a CD or DVD image (ISO 9660)", installer},
	{0, "PK\x03\x04", ondisk.Unsupportedf, "a zip archive", unpack},
	{0, "7z\xbc\xaf\x27\x1c", ondisk.Unsupportedf, "a 7-Zip archive", unpack},
	{0, "Rar!\x1a\x07", ondisk.Unsupportedf, "a RAR archive", unpack},
	{0, "\x04\x22\x4d\x18", ondisk.Unsupportedf, "compressed with lz4", unpack},
	{0, "LZIP", ondisk.Unsupportedf, "compressed with lzip", unpack},
	{0, "MSWIM\x00\x00\x00", ondisk.Unsupportedf, "a Windows image (WIM)", ""},
	{0, "\x7fELF", ondisk.NotFormatf, "a program (ELF), not a disk image", ""},
	{0, "MZ", ondisk.NotFormatf, "a Windows program, not a disk image", ""},
}

// Check returns an error that says what the file is and what to do about it, or
// nil if it may be a raw disk image.
func Check(file blockdev.Device) error {
	size := file.Size()
	if size == 0 {
		return ondisk.NotFormatf("the file is empty")
	}
	head := make([]byte, min(headLen, size))
	if err := ondisk.ReadFull(file, head, 0, "start of the file"); err != nil {
		return err
	}
	for _, s := range signs {
		if len(head) >= s.off+len(s.magic) && string(head[s.off:][:len(s.magic)]) == s.magic {
			return ondisk.WithHint(s.err("is %s", s.what), s.hint)
		}
	}
	if text(head) {
		return ondisk.NotFormatf("is a text file, not a disk image (a failed download?): it begins %q", head[:min(len(head), 40)])
	}
	return checkTail(file, size)
}

// checkTail looks for the formats that are known by their last 512 bytes.
func checkTail(file blockdev.Device, size int64) error {
	const footerLen = 512
	if size < footerLen {
		return nil
	}
	tail := make([]byte, footerLen)
	if err := ondisk.ReadFull(file, tail, size-footerLen, "end of the file"); err != nil {
		return err
	}
	if bytes.HasPrefix(tail, []byte("koly")) {
		return ondisk.WithHint(ondisk.Unsupportedf("is an Apple disk image (DMG)"), convert)
	}
	if bytes.HasPrefix(tail, []byte("conectix")) && binary.BigEndian.Uint32(tail[60:]) != vhdFixed {
		return ondisk.Unsupportedf("is a dynamic VHD image that is cut off at its start")
	}
	return nil
}

// vhdFixed is the disk type of a VHD footer for a plain copy of the disk.
const vhdFixed = 2

// FixedVHD returns the size of the disk if the file is a fixed VHD: the disk's
// bytes and after them a footer.
func FixedVHD(file blockdev.Device) (int64, bool, error) {
	const footerLen = 512
	n := file.Size() - footerLen
	if n < 0 {
		return 0, false, nil
	}
	footer := make([]byte, footerLen)
	if err := ondisk.ReadFull(file, footer, n, "end of the file"); err != nil {
		return 0, false, err
	}
	be := binary.BigEndian
	if string(footer[:8]) != "conectix" || be.Uint32(footer[60:]) != vhdFixed {
		return 0, false, nil
	}
	currentSize := be.Uint64(footer[48:])
	if currentSize > uint64(n) {
		return 0, false, ondisk.Corruptf(n+48, "fixed VHD of %d bytes in a file of %d bytes", currentSize, file.Size())
	}
	return int64(currentSize), true, nil
}

// text tells whether head is nothing but printable text.
func text(head []byte) bool {
	const enough = 512
	head = head[:min(len(head), enough)]
	for len(head) > 0 {
		r, n := utf8.DecodeRune(head)
		cut := r == utf8.RuneError && n == 1 && len(head) < utf8.UTFMax
		if !cut && (r == utf8.RuneError || r < ' ' && r != '\n' && r != '\r' && r != '\t' && r != '\f') {
			return false
		}
		head = head[n:]
	}
	return true
}

// DiskStart tells whether head, the first bytes of a file, look like the start
// of a disk image of any kind: a container, a partition table or a filesystem.
func DiskStart(head []byte) bool {
	at := func(off int, magic string) bool {
		return len(head) >= off+len(magic) && string(head[off:][:len(magic)]) == magic
	}
	return at(0, "QFI\xfb") || at(0, "KDMV") || at(0, "COWD") || at(0, "vhdxfile") || at(0, "conectix") ||
		at(64, "\x7f\x10\xda\xbe") || at(510, "\x55\xaa") || at(512, "EFI PART") || at(4096, "EFI PART") ||
		at(1080, "\x53\xef") || at(0, "XFSB") || at(0, "LUKS\xba\xbe")
}
