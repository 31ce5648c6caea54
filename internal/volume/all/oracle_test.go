//go:build oracle && linux

package all

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/diskfs/go-diskfs/partition/gpt"

	"github.com/wslimg/wslimg/internal/hostfile"
	"github.com/wslimg/wslimg/internal/volume"
)

func run(t *testing.T, stdin, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stdin = strings.NewReader(stdin)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, &stderr)
	}
	return out
}

// partition is what partx(8), which uses libblkid, says of one.
type partition struct {
	NR, Start, Sectors, Type, Name, UUID string
}

// partx lists a disk's partitions in sectors of 512 bytes, without the extended
// partition that logical ones lie in.
func partx(t *testing.T, file string, sector int) []partition {
	t.Helper()
	out := run(t, "", "partx", "--sector-size", strconv.Itoa(sector), "--raw", "--noheadings", "--output", "NR,START,SECTORS,TYPE,UUID,NAME", file)
	var parts []partition
	for line := range strings.Lines(string(out)) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 6)
		p := partition{NR: f[0], Start: f[1], Sectors: f[2], Type: f[3], UUID: f[4]}
		if len(f) > 5 {
			name, err := strconv.Unquote(`"` + f[5] + `"`)
			if err != nil {
				t.Fatal(err)
			}
			p.Name = name
		}
		if p.Type == "0x5" || p.Type == "0xf" || p.Type == "0x85" {
			continue
		}
		parts = append(parts, p)
	}
	return parts
}

func read(t *testing.T, file string) *volume.Table {
	t.Helper()
	f, err := hostfile.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	table, err := Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// sameAsPartx holds our reading of a disk against libblkid's.
func sameAsPartx(t *testing.T, file string, sector int) *volume.Table {
	t.Helper()
	table := read(t, file)
	want := partx(t, file, sector)
	var got []partition
	for _, v := range table.Volumes {
		typ := v.Type
		if v.Kind == "mbr" {
			n, err := strconv.ParseUint(typ, 0, 8)
			if err != nil {
				t.Fatal(err)
			}
			typ = fmt.Sprintf("%#x", n)
		}
		got = append(got, partition{strconv.Itoa(v.Number), strconv.FormatInt(v.Start/512, 10), strconv.FormatInt(v.Size()/512, 10), typ, v.PartLabel, v.PartUUID})
	}
	g, _ := json.Marshal(got)
	w, _ := json.Marshal(want)
	if string(g) != string(w) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
	if len(want) == 0 {
		t.Error("no partitions: nothing compared")
	}
	return table
}

func disk(t *testing.T, size int64) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(file, size); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestPartx(t *testing.T) {
	const size = 256 << 20
	cases := map[string]string{
		"gpt": `label: gpt
1: start=40960, size=65536, type=0FC63DAF-8483-4772-8E79-3D69D8477DE4, name="root"
14: start=2048, size=8192, type=21686148-6449-6E6F-744E-656564454649
15: start=10240, size=20480, type=uefi, name="é EFI"
128: start=200000, size=8, type=linux`,
		"gpt with 4 entries": "label: gpt\ntable-length: 4\n2: start=2048, size=8192, type=linux",
		"mbr": `label: dos
label-id: 0x1234abcd
1: start=2048, size=65536, type=83, bootable
3: start=100000, size=1000, type=82`,
		"mbr logical": `label: dos
label-id: 0xfedcba98
1: start=2048, size=65536, type=83
2: start=100000, size=300000, type=5
5: start=102048, size=10000, type=83
6: start=120000, size=10000, type=8e
7: start=140000, size=10001, type=82`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) {
			file := disk(t, size)
			run(t, script, "sfdisk", "-q", file)
			sameAsPartx(t, file, 512)
		})
	}
	t.Run("gpt of 4096-byte sectors", func(t *testing.T) {
		file := disk(t, size)
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		table := &gpt.Table{LogicalSectorSize: 4096, PhysicalSectorSize: 4096, ProtectiveMBR: true, Partitions: []*gpt.Partition{
			{Index: 1, Start: 2048, End: 10239, Type: gpt.LinuxFilesystem, Name: "root"},
			{Index: 3, Start: 20480, End: 20580, Type: gpt.LinuxSwap},
		}}
		if err := table.Write(f, size); err != nil {
			t.Fatal(err)
		}
		if got := sameAsPartx(t, file, 4096); got.Sector != 4096 {
			t.Errorf("sector size %d", got.Sector)
		}
	})
}
