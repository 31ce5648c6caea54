package convert

import (
	"reflect"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/volume"
)

// labelled is a filesystem of which only the superblock is asked.
type labelled struct {
	fsys.FS
	info fsys.Info
}

func (l labelled) Info() fsys.Info { return l.info }

func TestParseFstab(t *testing.T) {
	const text = `# comment
UUID=0a3407de-014b-458b-b5c1-848e92a327a3 /     ext4  defaults,discard  0 1
	LABEL=my\040data	/srv/my\040data xfs noauto,ro
/dev/vda2 /home ext4
short line
`
	want := []mountEntry{
		{"UUID=0a3407de-014b-458b-b5c1-848e92a327a3", "/", "ext4", []string{"defaults", "discard"}},
		{"LABEL=my data", "/srv/my data", "xfs", []string{"noauto", "ro"}},
		{"/dev/vda2", "/home", "ext4", nil},
		{"short", "line", "", nil},
	}[:3]
	if got := parseFstab([]byte(text)); !reflect.DeepEqual(got, want) {
		t.Errorf("got %#v\nwant %#v", got, want)
	}
}

func TestOnDisk(t *testing.T) {
	for line, want := range map[string]bool{
		"UUID=1 / ext4":                        false,
		"UUID=1 /boot ext4":                    true,
		"UUID=1 none swap":                     false,
		"UUID=1 /x swap":                       false,
		"/dev/vda2 /home ext4 defaults":        true,
		"/dev/vda2 /home ext4 defaults,noauto": false,
		"/srv /mnt none bind":                  false,
		"tmpfs /tmp tmpfs":                     false,
		"server:/x /x nfs":                     false,
		"PARTLABEL=home /home xfs":             true,
	} {
		if got := parseFstab([]byte(line))[0].onDisk(); got != want {
			t.Errorf("%q: on disk %v, want %v", line, got, want)
		}
	}
}

func TestNamed(t *testing.T) {
	const uuid = "0a3407de-014b-458b-b5c1-848e92a327a3"
	part := &Volume{
		Volume: volume.Volume{Number: 2, PartUUID: "c0ffee00-02", PartLabel: "home part"},
		UUID:   uuid,
		FS:     labelled{info: fsys.Info{UUID: uuid, Label: "a/b"}},
	}
	lv := &Volume{Volume: volume.Volume{Number: 3, Name: "my-vg/ro-ot"}}
	for _, c := range []struct {
		v    *Volume
		spec string
		want bool
	}{
		{part, "UUID=" + uuid, true},
		{part, `UUID="0A3407DE-014B-458B-B5C1-848E92A327A3"`, true},
		{part, "UUID=", false},
		{part, "LABEL=a/b", true},
		{part, "LABEL=A/B", false},
		{part, "PARTUUID=C0FFEE00-02", true},
		{part, "PARTLABEL=home part", true},
		{part, `/dev/disk/by-label/a\x2fb`, true},
		{part, "/dev/disk/by-uuid/" + uuid, true},
		{part, "/dev/sda2", true},
		{part, "/dev/vda2", true},
		{part, "/dev/nvme0n1p2", true},
		{part, "/dev/mmcblk0p2", true},
		{part, "/dev/sdb2", false}, // another disk
		{part, "/dev/vda22", false},
		{part, "/dev/vda", false},
		{lv, "/dev/mapper/my--vg-ro--ot", true},
		{lv, "/dev/my-vg/ro-ot", true},
		{lv, "/dev/mapper/my-vg-ro-ot", false},
		{lv, "/dev/vda3", false},
	} {
		if got := c.v.named(c.spec); got != c.want {
			t.Errorf("%s named by %s: %v, want %v", c.v, c.spec, got, c.want)
		}
	}
}
