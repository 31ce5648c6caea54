package all

import (
	"slices"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/hostfile"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/image/qcow2"
	"github.com/wslimg/wslimg/internal/image/sniff"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// maxChain is how many files a chain of backing files may have.
const maxChain = 8

// opener opens the container in a file, and the files that it refers to.
type opener struct {
	img   *image.Image
	allow bool
	chain []*hostfile.File // from the image to the file being opened
}

// top opens the container in the image file itself.
func (o *opener) top(file *hostfile.File) error {
	isQcow2, err := hasQcow2Magic(file)
	if err != nil {
		return err
	}
	if isQcow2 {
		disk, err := o.qcow2(file)
		if err != nil {
			return err
		}
		o.img.Device, o.img.Format, o.img.Details = disk, "qcow2", disk.Details()
		o.img.Warnings = append(o.img.Warnings, disk.Warnings()...)
		return nil
	}
	if err := sniff.Check(file); err != nil {
		return err
	}
	o.img.Device, o.img.Format = file, "raw"
	size, fixed, err := sniff.FixedVHD(file)
	if err != nil || !fixed {
		return err
	}
	o.img.Format = "vhd"
	o.img.Device, err = blockdev.Section(file, 0, size)
	return err
}

// hasQcow2Magic tells whether file is a qcow2 image of any version that is
// called so; version 1 is another format.
func hasQcow2Magic(file blockdev.Device) (bool, error) {
	head := make([]byte, 8)
	if file.Size() < int64(len(head)) {
		return false, nil
	}
	if err := ondisk.ReadFull(file, head, 0, "start of the file"); err != nil {
		return false, err
	}
	return string(head[:4]) == qcow2.Magic && string(head[4:]) != "\x00\x00\x00\x01", nil
}

// qcow2 opens the qcow2 image in file, which is the next of the chain.
func (o *opener) qcow2(file *hostfile.File) (*qcow2.Image, error) {
	o.chain = append(o.chain, file)
	return qcow2.Open(file, qcow2.Options{
		Backing:  o.backing,
		DataFile: func(name string) (blockdev.Device, error) { return o.beside(name) },
	})
}

// beside opens the file that the last of the chain refers to.
func (o *opener) beside(name string) (*hostfile.File, error) {
	if !o.allow {
		return nil, ondisk.WithHint(ondisk.Unsupportedf("%q is not opened unless that is allowed", name),
			"if you trust the image: --allow-backing-file, or make it whole with qemu-img convert -O qcow2 IN OUT.qcow2")
	}
	if len(o.chain) == maxChain {
		return nil, ondisk.Unsupportedf("%q: a chain of more than %d files", name, maxChain)
	}
	file, err := o.chain[len(o.chain)-1].Beside(name)
	if err != nil {
		return nil, err
	}
	o.img.Files = append(o.img.Files, file)
	if slices.ContainsFunc(o.chain, file.Same) {
		return nil, ondisk.Corruptf(ondisk.NoOffset, "%q: the chain of files leads back to itself", name)
	}
	return file, nil
}

// backing opens a backing file. A raw one must be called raw by the image: what
// is in it belongs to the guest, which could pretend to be a qcow2 image.
func (o *opener) backing(name, format string) (blockdev.Device, error) {
	file, err := o.beside(name)
	if err != nil {
		return nil, err
	}
	switch format {
	case "raw":
		return file, nil
	case "qcow2":
		return o.qcow2(file)
	case "":
		isQcow2, err := hasQcow2Magic(file)
		if err != nil {
			return nil, err
		}
		if isQcow2 {
			return o.qcow2(file)
		}
		return nil, ondisk.WithHint(ondisk.Unsupportedf("%q: the image does not tell its format, and it is not qcow2", name),
			"if it is a raw image, say so: qemu-img rebase -u -f qcow2 -b BACKING -F raw IMAGE")
	}
	return nil, ondisk.Unsupportedf("%q: format %q", name, format)
}
