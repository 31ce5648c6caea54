// Package volume is the contract of what a disk is divided into: partitions,
// logical volumes, or one filesystem on the whole disk.
package volume

import "github.com/wslimg/wslimg/internal/blockdev"

// Volume is a part of a disk, readable as a Device.
type Volume struct {
	blockdev.Device
	Number    int    // partition number as Linux counts (1…, logical from 5); 0 for the whole disk
	Kind      string // "gpt", "mbr", "whole disk", "lvm"
	Start     int64  // byte offset on the disk, -1 where there is no single one
	Type      string // GPT type GUID (lower-case) or MBR type such as "0x83"
	PartLabel string // GPT partition name
	PartUUID  string // as /dev/disk/by-partuuid names it, lower-case; MBR: "xxxxxxxx-nn"
	Name      string // "vg/lv" of a logical volume
}

// Table is what was found on a disk.
type Table struct {
	Kind     string // "gpt", "mbr", "none"
	Sector   int    // logical sector size in bytes
	Volumes  []Volume
	Warnings []string // such as the use of the backup table
}
