// Package all finds out how a disk is divided into volumes.
package all

import (
	"errors"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/volume"
	"github.com/wslimg/wslimg/internal/volume/gpt"
	"github.com/wslimg/wslimg/internal/volume/lvm"
	"github.com/wslimg/wslimg/internal/volume/mbr"
)

// Read returns the volumes of the disk dev. As in Linux, the MBR says which
// table counts: a GPT that it does not announce is one of the disk's past. A
// disk without a table is one volume, of which nothing is known yet.
//
// Logical volumes follow the partitions that they lie on.
func Read(dev blockdev.Device) (*volume.Table, error) {
	table, err := partitions(dev)
	if err != nil {
		return nil, err
	}
	logical, warnings, err := lvm.Read(table.Volumes)
	if err != nil {
		return nil, err
	}
	table.Volumes = append(table.Volumes, logical...)
	table.Warnings = append(table.Warnings, warnings...)
	return table, nil
}

func partitions(dev blockdev.Device) (*volume.Table, error) {
	kind, err := mbr.Detect(dev)
	if err != nil {
		return nil, err
	}
	switch kind {
	case mbr.Protective:
		return gpt.Read(dev)
	case mbr.Plain:
		return mbr.Read(dev)
	}
	table, err := gpt.ReadPrimary(dev)
	if errors.Is(err, ondisk.ErrNotFormat) {
		return wholeDisk(dev), nil
	}
	return table, err
}

func wholeDisk(dev blockdev.Device) *volume.Table {
	const sector = 512
	return &volume.Table{
		Kind:    "none",
		Sector:  sector,
		Volumes: []volume.Volume{{Device: dev, Kind: "whole disk"}},
	}
}
