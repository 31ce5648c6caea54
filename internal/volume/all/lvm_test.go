package all

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"testing"
)

// Logical volumes follow the partitions that they lie on.
func TestLogicalVolumes(t *testing.T) {
	packed, err := os.ReadFile("../lvm/testdata/disk.raw.gz")
	if err != nil {
		t.Fatal(err)
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	disk, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	table, err := Read(memDisk{disk})
	if err != nil || len(table.Warnings) > 0 || table.Kind != "gpt" || len(table.Volumes) != 6 {
		t.Fatalf("%+v, %v", table, err)
	}
	lv := table.Volumes[2]
	p := make([]byte, 9)
	if _, err := lv.Device.ReadAt(p, 4096); err != nil || lv.Name != "test-vg/root" || string(p) != "root at 4" {
		t.Errorf("%+v: %q, %v", lv, p, err)
	}
}
