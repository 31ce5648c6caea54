package convert

import (
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/sink"
)

// Result tells what a conversion read, did and wrote. It is the document that
// --json prints.
type Result struct {
	Image   ImageInfo      `json:"image"`
	Mounts  []MountInfo    `json:"mounts"` // the root first
	OS      osinfo.Info    `json:"os"`
	Entries map[string]int `json:"entries"`
	Plain   int64          `json:"plain_bytes"`   // of the archive before compression
	Content int64          `json:"content_bytes"` // of files, without holes
	Output  *OutputInfo    `json:"output,omitempty"`
	Seconds float64        `json:"seconds"`
	Changes []edit.Change  `json:"changes"`
	// Findings are the problems that the edits have left.
	Findings []edit.Finding `json:"findings"`
	Losses   []sink.Loss    `json:"losses"`
	Notes    []string       `json:"notes"`
}

// Failing tells whether a finding is left that keeps the result from working.
func (r *Result) Failing() bool {
	for _, f := range r.Findings {
		if f.Severity == edit.Error {
			return true
		}
	}
	return false
}

// ImageInfo describes the image file.
type ImageInfo struct {
	Path        string `json:"path"`
	Format      string `json:"format"`
	VirtualSize int64  `json:"virtual_bytes"`
	FileSize    int64  `json:"file_bytes"`
	Compression string `json:"compression"` // of compressed clusters: "", "zlib" or "zstd"
	Table       string `json:"partition_table"`
}

// MountInfo describes a volume that took part.
type MountInfo struct {
	Path       string `json:"path"`
	Volume     string `json:"volume"` // number, vg/lv, or "disk"
	Filesystem string `json:"filesystem"`
	Label      string `json:"label"`
	UUID       string `json:"uuid"`
	Replayed   bool   `json:"journal_replayed"`
}

// OutputInfo describes what was written.
type OutputInfo struct {
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
	SHA256 string `json:"sha256"`
}

// Lossy tells whether something of the tree was not carried.
func (r *Result) Lossy() bool {
	for _, l := range r.Losses {
		if !l.Info {
			return true
		}
	}
	return false
}

func (s *Source) info() ImageInfo {
	return ImageInfo{
		Path: s.Name, Format: s.Image.Format, VirtualSize: s.Image.Device.Size(),
		FileSize: s.Image.FileSize, Compression: s.Image.Details.Compression, Table: s.Table.Kind,
	}
}

func (m Mounted) info() MountInfo {
	i := m.Volume.FS.Info()
	return MountInfo{
		Path: m.Path, Volume: m.Volume.ID(), Filesystem: i.Type,
		Label: i.Label, UUID: i.UUID, Replayed: i.Dirty,
	}
}
