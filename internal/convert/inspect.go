package convert

import (
	"context"
	"errors"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/osinfo"
)

// Inspection is what can be told of an image without converting it.
type Inspection struct {
	Image   ImageInfo    `json:"image"`
	Volumes []VolumeInfo `json:"volumes"`
	OS      *osinfo.Info `json:"os"` // null where there is no single root
	Notes   []string     `json:"notes"`

	// Findings are filled in by whoever checks the view for a profile.
	Findings []edit.Finding `json:"findings"`

	View *View `json:"-"` // nil where there is no single root
}

// VolumeInfo describes a volume and its filesystem.
type VolumeInfo struct {
	Volume     string   `json:"volume"` // number, vg/lv, or "disk"
	Start      int64    `json:"start"`  // bytes, -1 where it is not in one piece
	Size       int64    `json:"bytes"`
	Type       string   `json:"type"`
	PartLabel  string   `json:"part_label"`
	PartUUID   string   `json:"part_uuid"`
	Filesystem string   `json:"filesystem"`
	Label      string   `json:"label"`
	UUID       string   `json:"uuid"`
	Features   []string `json:"features"`
	Mounted    string   `json:"mounted"` // path in the tree, "" if it is no part of it
	Error      string   `json:"error,omitempty"`
}

// Inspect looks at all volumes and reads the tree of the root. An image
// without a single root is described as far as it goes.
func (s *Source) Inspect(ctx context.Context) (*Inspection, error) {
	r := &Inspection{Image: s.info(), Volumes: []VolumeInfo{}, Notes: s.Notes(), Findings: []edit.Finding{}}
	for _, v := range s.Volumes {
		r.Volumes = append(r.Volumes, v.info())
	}
	root, err := s.Root()
	if err != nil {
		r.Notes = append(r.Notes, err.Error())
		return r, nil
	}
	if r.View, err = s.Load(ctx, root); err != nil {
		return nil, err
	}
	for _, m := range r.View.Mounts {
		r.Volumes[m.Volume.Index].Mounted = m.Path
	}
	os := osinfo.Detect(r.View.Tree)
	r.OS = &os
	r.Notes = append(r.Notes, r.View.Notes...)
	return r, nil
}

func (v *Volume) info() VolumeInfo {
	i := VolumeInfo{
		Volume: v.ID(), Start: v.Start, Size: v.Size(), Type: v.Type,
		PartLabel: v.PartLabel, PartUUID: v.PartUUID, Filesystem: v.Kind, UUID: v.UUID, Features: []string{},
	}
	if v.FS != nil {
		f := v.FS.Info()
		i.Label, i.Features = f.Label, append(i.Features, f.Features...)
	}
	if v.Err != nil && !errors.Is(v.Err, ondisk.ErrNotFormat) && !notRoots[v.Kind] {
		i.Error = v.Err.Error()
	}
	return i
}
