package all

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/ondisk"
)

// overlay is a qcow2 image without a cluster of its own: all of its megabyte is
// the backing file's.
func overlay(backing, format string) []byte {
	const cluster = 4096
	be := binary.BigEndian
	b := make([]byte, 3*cluster)
	copy(b, "QFI\xfb")
	be.PutUint32(b[4:], 3)
	be.PutUint32(b[20:], 12)
	be.PutUint64(b[24:], 1<<20)
	be.PutUint32(b[36:], 1)
	be.PutUint64(b[40:], 2*cluster)
	be.PutUint64(b[48:], cluster)
	be.PutUint32(b[56:], 1)
	be.PutUint32(b[96:], 4)
	be.PutUint32(b[100:], 104)
	pos := 104
	if format != "" {
		be.PutUint32(b[pos:], 0xe2792aca)
		be.PutUint32(b[pos+4:], uint32(len(format)))
		pos += 8 + copy(b[pos+8:], format)
		pos = (pos + 7) &^ 7
	}
	pos += 8
	be.PutUint64(b[8:], uint64(pos))
	be.PutUint32(b[16:], uint32(len(backing)))
	copy(b[pos:], backing)
	return b
}

func TestBackingRefused(t *testing.T) {
	dir := t.TempDir()
	base := write(t, filepath.Join(dir, "base.raw"), rawDisk())
	top := write(t, filepath.Join(dir, "top.qcow2"), overlay("base.raw", "raw"))
	_, err := Open(t.Context(), top, Options{})
	if !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), `backing file: "base.raw" is not opened`) || !strings.Contains(ondisk.HintOf(err), "--allow-backing-file") {
		t.Errorf("%v (%s)", err, ondisk.HintOf(err))
	}
	// Spooled images have no folder, even where backing files are allowed.
	spooled := write(t, filepath.Join(dir, "top.gz"), gzipped(t, overlay("base.raw", "raw")))
	if _, err := Open(t.Context(), spooled, Options{AllowBacking: true}); !errors.Is(err, ondisk.ErrUnsupported) || !strings.Contains(err.Error(), "no folder") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(base); err != nil {
		t.Fatal(err)
	}
}

func TestBackingAllowed(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "base.raw"), rawDisk())
	write(t, filepath.Join(dir, "mid.qcow2"), overlay("base.raw", "raw"))
	for name, top := range map[string][]byte{"stated": overlay("mid.qcow2", "qcow2"), "probed": overlay("mid.qcow2", "")} {
		img := openImage(t, write(t, filepath.Join(dir, name), top), Options{AllowBacking: true})
		sameBytes(t, img.Device, rawDisk()[:1<<20])
		if img.Format != "qcow2" || img.Details.BackingFile != "mid.qcow2" || len(img.Files) != 3 {
			t.Errorf("%+v", img)
		}
		if err := img.Changed(); err != nil {
			t.Error(err)
		}
		// A changed backing file is noticed as well.
		if err := os.WriteFile(filepath.Join(dir, "base.raw"), append(rawDisk(), 1), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := img.Changed(); err == nil || !strings.Contains(err.Error(), "base.raw") {
			t.Errorf("%v", err)
		}
		write(t, filepath.Join(dir, "base.raw"), rawDisk())
	}
}

func TestHostileChains(t *testing.T) {
	dir := t.TempDir()
	put := func(name string, b []byte) { write(t, filepath.Join(dir, name), b) }
	put("base.raw", rawDisk())
	put("self", overlay("self", "qcow2"))
	put("a", overlay("b", "qcow2"))
	put("b", overlay("a", "qcow2"))
	put("not-stated", overlay("base.raw", ""))
	put("vmdk", overlay("base.raw", "vmdk"))
	put("escape", overlay("base.raw", "vm\x1bdk"))
	put("wrong-format", overlay("base.raw", "qcow2"))
	put("missing", overlay("none", "raw"))
	put("absolute", overlay("/etc/passwd", "raw"))
	put("above", overlay("../x", "raw"))
	put("json", overlay(`json:{"driver":"host_device","filename":"/dev/zero"}`, "raw"))
	put("nul", overlay("base.raw\x00", "raw"))
	put("folder", overlay(".", "raw"))
	for i := range 9 {
		put(fmt.Sprint("long", i), overlay(fmt.Sprint("long", i+1), "qcow2"))
	}
	put("long9", overlay("base.raw", "raw"))
	if runtime.GOOS != "windows" {
		if err := os.Link(filepath.Join(dir, "self"), filepath.Join(dir, "other-name")); err != nil {
			t.Fatal(err)
		}
		put("self", overlay("other-name", "qcow2"))
	}
	for name, c := range map[string]struct {
		class error
		want  string
	}{
		"self":         {ondisk.ErrCorrupt, "leads back to itself"},
		"a":            {ondisk.ErrCorrupt, `backing file: backing file: "a": the chain of files leads back to itself`},
		"not-stated":   {ondisk.ErrUnsupported, "does not tell its format"},
		"vmdk":         {ondisk.ErrUnsupported, `format "vmdk"`},
		"escape":       {ondisk.ErrUnsupported, `format "vm\x1bdk"`},
		"wrong-format": {ondisk.ErrNotFormat, "magic"},
		"missing":      {os.ErrNotExist, `refers to "none"`},
		"absolute":     {ondisk.ErrUnsupported, `"/etc/passwd": is absolute`},
		"above":        {ondisk.ErrUnsupported, `leaves the folder`},
		"json":         {ondisk.ErrUnsupported, `names a protocol`},
		"nul":          {ondisk.ErrUnsupported, `NUL`},
		"folder":       {ondisk.ErrUnsupported, `not a regular file`},
		"long0":        {ondisk.ErrUnsupported, `a chain of more than 8 files`},
	} {
		img, err := Open(t.Context(), filepath.Join(dir, name), Options{AllowBacking: true})
		if err == nil {
			img.Close()
			t.Errorf("%s: no error", name)
			continue
		}
		if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) || strings.ContainsAny(err.Error(), "\x00\x1b") {
			t.Errorf("%s: error %q, want %v: %q", name, err, c.class, c.want)
		}
	}
	// Eight files are fine.
	img := openImage(t, filepath.Join(dir, "long3"), Options{AllowBacking: true})
	got := make([]byte, 512)
	if _, err := img.Device.ReadAt(got, 0); err != nil || !bytes.Equal(got, rawDisk()[:512]) {
		t.Errorf("through a chain of eight: %v", err)
	}
}
