package all

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// rawDisk is a raw disk of some MiB, most of it zeros, that looks like one.
func rawDisk() []byte {
	b := make([]byte, 3<<20+512)
	copy(b[510:], "\x55\xaa")
	x := uint32(1) // noise, the same on every platform and in testdata
	for i := range 100_000 {
		x = x*1664525 + 1013904223
		b[1<<20+i] = byte(x >> 24)
	}
	copy(b[len(b)-5:], "end!\n")
	return b
}

func write(t *testing.T, path string, b []byte) string {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func file(t *testing.T, b []byte) string {
	t.Helper()
	return write(t, filepath.Join(t.TempDir(), "image"), b)
}

func openImage(t *testing.T, path string, opts Options) *image.Image {
	t.Helper()
	if opts.TempDir == "" {
		opts.TempDir = t.TempDir()
	}
	img, err := Open(t.Context(), path, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := img.Close(); err != nil {
			t.Error(err)
		}
		empty(t, opts.TempDir)
	})
	return img
}

// empty makes sure that no temporary file is left.
func empty(t *testing.T, dir string) {
	t.Helper()
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func sameBytes(t *testing.T, dev blockdev.Device, want []byte) {
	t.Helper()
	got := make([]byte, dev.Size())
	if _, err := dev.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes, want other %d: %v", len(got), len(want), err)
	}
}

func gzipped(t *testing.T, b []byte) []byte {
	return packed(t, b, func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil })
}

func xzed(t *testing.T, b []byte) []byte {
	return packed(t, b, func(w io.Writer) (io.WriteCloser, error) { return xz.NewWriter(w) })
}

func zstded(t *testing.T, b []byte) []byte {
	return packed(t, b, func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w) })
}

func packed(t *testing.T, b []byte, open func(io.Writer) (io.WriteCloser, error)) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := open(&buf)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

type member struct {
	name    string
	content []byte
}

func tarred(t *testing.T, members ...member) []byte {
	return packed(t, nil, func(out io.Writer) (io.WriteCloser, error) {
		w := tar.NewWriter(out)
		for _, m := range members {
			h := &tar.Header{Name: m.name, Mode: 0o644, Size: int64(len(m.content)), Typeflag: tar.TypeReg}
			if strings.HasSuffix(m.name, "/") {
				h.Typeflag = tar.TypeDir
			}
			if err := w.WriteHeader(h); err != nil {
				return nil, err
			}
			if _, err := w.Write(m.content); err != nil {
				return nil, err
			}
		}
		return w, nil
	})
}

// oldSparse is a tar archive that holds the disk as GNU tar -S writes it.
func oldSparse(t *testing.T, name string, disk []byte, parts [][2]int) []byte {
	t.Helper()
	octal := func(n int) string { return fmt.Sprintf("%011o\x00", n) }
	h := make([]byte, 512)
	copy(h, name)
	copy(h[100:], "0000644\x000000000\x000000000\x00")
	stored := 0
	for i, p := range parts {
		stored += p[1]
		copy(h[386+24*i:], octal(p[0])+octal(p[1]))
	}
	copy(h[124:], octal(stored))
	copy(h[136:], octal(0))
	h[156] = 'S'
	copy(h[257:], "ustar  \x00")
	copy(h[483:], octal(len(disk)))
	copy(h[148:], "        ")
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	for _, p := range parts {
		h = append(h, disk[p[0]:][:p[1]]...)
	}
	h = append(h, make([]byte, -len(h)&511)...)
	return append(h, make([]byte, 1024)...)
}

func TestWrapped(t *testing.T) {
	disk := rawDisk()
	bzipped, err := os.ReadFile("testdata/disk.raw.bz2") // there is no writer in Go
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		file []byte
		want string // the wrapping
	}{
		{"raw", disk, ""},
		{"gzip", gzipped(t, disk), "gzip"},
		{"gzip of two members", append(gzipped(t, disk[:1000]), gzipped(t, disk[1000:])...), "gzip"},
		{"xz", xzed(t, disk), "xz"},
		{"zstd", zstded(t, disk), "zstd"},
		{"zstd of two frames", append(zstded(t, disk[:1000]), zstded(t, disk[1000:])...), "zstd"},
		{"bzip2", bzipped, "bzip2"},
		{"tar", tarred(t, member{"disk.raw", disk}), "tar"},
		{"tar.gz", gzipped(t, tarred(t, member{"disk.raw", disk})), "gzip,tar"},
		{"tar.xz", xzed(t, tarred(t, member{"./", nil}, member{"./disk.raw", disk})), "xz,tar"},
		{"tar with a description", tarred(t, member{"vm.ovf", []byte("<xml/>")}, member{"disk", disk}, member{"vm.mf", []byte("SHA256(...)")}), "tar"},
		{"sparse tar", oldSparse(t, "disk.raw", disk, [][2]int{{0, 512}, {1 << 20, 100_352}, {3 << 20, 512}}), "tar"},
		{"zstd of gzip of xz", zstded(t, gzipped(t, xzed(t, disk))), "zstd,gzip,xz"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			var done, total int64
			path := file(t, c.file)
			img := openImage(t, path, Options{Progress: func(d, n int64) { done, total = d, n }})
			sameBytes(t, img.Device, disk)
			if got := strings.Join(img.Wrapping, ","); got != c.want || img.Format != "raw" || img.Name != path || img.Details.VirtualSize != int64(len(disk)) {
				t.Errorf("%+v", img)
			}
			if c.want != "" && (done != int64(len(c.file)) || total != done) {
				t.Errorf("progress %d of %d, want %d", done, total, len(c.file))
			}
			if err := img.Changed(); err != nil {
				t.Error(err)
			}
		})
		t.Run(c.name+" from standard input", func(t *testing.T) {
			var done, total int64
			img := openImage(t, "-", Options{Stdin: bytes.NewReader(c.file), Progress: func(d, n int64) { done, total = d, n }})
			sameBytes(t, img.Device, disk)
			if got := strings.Join(img.Wrapping, ","); got != c.want || img.Format != "raw" || img.Name != "-" {
				t.Errorf("%+v", img)
			}
			if done != int64(len(c.file)) || total != 0 {
				t.Errorf("progress %d of %d, want %d of 0", done, total, len(c.file))
			}
		})
	}
}

// The spooled file has holes where the disk has zeros.
func TestSpoolSparse(t *testing.T) {
	img := openImage(t, "-", Options{Stdin: bytes.NewReader(rawDisk())})
	holes := int64(0)
	for off := int64(0); off < img.Device.Size(); {
		e, err := img.Device.(blockdev.Mapper).NextExtent(off)
		if err != nil {
			t.Fatal(err)
		}
		if e.Zero {
			holes += e.Len
		}
		off += e.Len
	}
	t.Logf("%d bytes are holes", holes) // not every filesystem has them
}

func TestRefused(t *testing.T) {
	disk := rawDisk()
	vhd := func(diskType uint32) []byte {
		f := make([]byte, 512)
		copy(f, "conectix")
		binary.BigEndian.PutUint64(f[48:], uint64(len(disk)))
		binary.BigEndian.PutUint32(f[60:], diskType)
		return f
	}
	padded := func(off int, magic string) []byte {
		b := make([]byte, 64<<10)
		copy(b[off:], magic)
		return b
	}
	cases := []struct {
		name  string
		file  []byte
		class error
		want  string
		hint  string
	}{
		{"empty", nil, ondisk.ErrNotFormat, "the file is empty", ""},
		{"empty in gzip", gzipped(t, nil), ondisk.ErrNotFormat, "the file is empty", ""},
		{"text", []byte("<!DOCTYPE html>\n<html>Not found \u00e9</html>"), ondisk.ErrNotFormat, `text file, not a disk image (a failed download?): it begins "<!DOCTYPE html>\n`, ""},
		{"qcow 1", padded(0, "QFI\xfb\x00\x00\x00\x01"), ondisk.ErrUnsupported, "qcow image of version 1", "qemu-img convert -O qcow2"},
		{"qcow 9", padded(0, "QFI\xfb\x00\x00\x00\x09"), ondisk.ErrUnsupported, "qcow2 version 9", ""},
		{"vmdk", padded(0, "KDMV"), ondisk.ErrUnsupported, "VMDK", "qemu-img convert -O qcow2"},
		{"vhdx", padded(0, "vhdxfile"), ondisk.ErrUnsupported, "VHDX", "qemu-img convert -O qcow2"},
		{"dynamic vhd", append(vhd(3), disk...), ondisk.ErrUnsupported, "dynamic VHD", "qemu-img convert -O qcow2"},
		{"vdi", padded(64, "\x7f\x10\xda\xbe"), ondisk.ErrUnsupported, "VDI", "qemu-img convert -O qcow2"},
		{"qed", padded(0, "QED\x00"), ondisk.ErrUnsupported, "QED", "qemu-img convert -O qcow2"},
		{"luks", padded(0, "LUKS\xba\xbe"), ondisk.ErrEncrypted, "LUKS", "decrypt"},
		{"bitlocker", padded(3, "-FVE-FS-"), ondisk.ErrEncrypted, "BitLocker", "decrypt"},
		{"iso", padded(0x8001, "CD001"), ondisk.ErrUnsupported, "ISO 9660", "install"},
		{"zip", padded(0, "PK\x03\x04"), ondisk.ErrUnsupported, "zip", "unpack"},
		{"elf", padded(0, "\x7fELF"), ondisk.ErrNotFormat, "ELF", ""},
		{"dmg", append(make([]byte, 4096), append([]byte("koly"), make([]byte, 508)...)...), ondisk.ErrUnsupported, "Apple", "qemu-img convert"},
		{"vhd larger than the file", append(make([]byte, 512), vhd(2)...), ondisk.ErrCorrupt, "fixed VHD of 3146240 bytes in a file of 1024 bytes", ""},
		{"short qcow2", []byte("QFI\xfb\x00\x00\x00\x03"), ondisk.ErrCorrupt, "ends after 8 bytes", ""},

		{"rootfs tar", tarred(t, member{"./", nil}, member{"./bin/", nil}, member{"./etc/", nil}), ondisk.ErrUnsupported, "root filesystem already", "wslimg import"},
		{"tar of nothing", tarred(t, member{"README", []byte("hello")}), ondisk.ErrNotFormat, "no disk image", ""},
		{"tar of two", tarred(t, member{"a.raw", disk}, member{"b\x1b.raw", disk}), ondisk.ErrUnsupported, `several disk images, "a.raw" and "b\x1b.raw"`, "unpack"},
		{"vmdk in a tar", tarred(t, member{"d.vmdk", padded(0, "KDMV")}), ondisk.ErrUnsupported, "VMDK", "qemu-img convert"},
		{"gzip cut off", half(gzipped(t, disk)), ondisk.ErrCorrupt, "unpacking gzip: the file is cut off", ""},
		{"gzip damaged", damaged(gzipped(t, disk)), ondisk.ErrCorrupt, "unpacking gzip", ""},
		{"xz cut off", half(xzed(t, disk)), ondisk.ErrCorrupt, "unpacking xz: the file is cut off", ""},
		{"xz damaged", damaged(xzed(t, disk)), ondisk.ErrCorrupt, "unpacking xz", ""},
		{"zstd cut off", half(zstded(t, disk)), ondisk.ErrCorrupt, "unpacking zstd: the file is cut off", ""},
		{"bzip2 damaged", []byte("BZh91AY&SYrubbish rubbish rubbish"), ondisk.ErrCorrupt, "unpacking bzip2", ""},
		{"tar cut off", tarred(t, member{"a.raw", disk})[:1<<20], ondisk.ErrCorrupt, "unpacking tar", ""},
		{"too many layers", gzipped(t, gzipped(t, gzipped(t, gzipped(t, gzipped(t, disk))))), ondisk.ErrUnsupported, "more than 4", ""},
		{"too large", gzipped(t, make([]byte, 5<<20)), ondisk.ErrUnsupported, "disk image of more than 4194304 bytes", ""},
		{"too large in a sparse tar", oldSparse(t, "d", append(disk[:1<<20:1<<20], make([]byte, 20<<20)...), [][2]int{{0, 512}}), ondisk.ErrUnsupported, "disk image of more than", ""},
	}
	for _, c := range cases {
		for _, stdin := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, stdin), func(t *testing.T) {
				dir := t.TempDir()
				opts := Options{TempDir: dir, MaxSpool: 4 << 20}
				path := "-"
				if stdin {
					opts.Stdin = bytes.NewReader(c.file)
				} else {
					path = file(t, c.file)
				}
				img, err := Open(t.Context(), path, opts)
				if err == nil {
					img.Close()
					t.Fatal("no error")
				}
				if !errors.Is(err, c.class) || !strings.Contains(err.Error(), c.want) {
					t.Errorf("error %q, want %v: %q", err, c.class, c.want)
				}
				if hint := ondisk.HintOf(err); !strings.Contains(hint, c.hint) || (hint == "") != (c.hint == "") {
					t.Errorf("hint %q, want %q", hint, c.hint)
				}
				empty(t, dir)
			})
		}
	}
}

func half(b []byte) []byte { return b[:len(b)/2] }

// damaged flips a bit in the middle.
func damaged(b []byte) []byte {
	b = bytes.Clone(b)
	b[len(b)/2] ^= 4
	return b
}

// A fixed VHD, as Azure has them, is the disk and a footer.
func TestFixedVHD(t *testing.T) {
	disk := rawDisk()
	footer := make([]byte, 512)
	copy(footer, "conectix")
	binary.BigEndian.PutUint64(footer[48:], uint64(len(disk)))
	binary.BigEndian.PutUint32(footer[60:], 2)
	img := openImage(t, file(t, append(bytes.Clone(disk), footer...)), Options{})
	sameBytes(t, img.Device, disk)
	if img.Format != "vhd" {
		t.Errorf("format %q", img.Format)
	}
	if _, ok := img.Device.(blockdev.Mapper); !ok {
		t.Error("holes are unknown")
	}
}

func TestDigest(t *testing.T) {
	disk := rawDisk()
	wrapped := append(gzipped(t, disk), gzipped(t, nil)...)
	for name, b := range map[string][]byte{"raw": disk, "wrapped": wrapped} {
		sum := sha256.Sum256(b)
		right := "sha256:" + strings.ToUpper(hex.EncodeToString(sum[:]))
		wrong := "sha256:" + strings.Repeat("0", 64)
		path := file(t, b)
		sameBytes(t, openImage(t, path, Options{Digest: right}).Device, disk)
		sameBytes(t, openImage(t, "-", Options{Stdin: bytes.NewReader(b), Digest: right}).Device, disk)
		for _, bad := range []string{wrong, "md5:00", "sha256:xyz", "sha256:00", strings.TrimPrefix(right, "sha256:")} {
			dir := t.TempDir()
			if _, err := Open(t.Context(), path, Options{Digest: bad, TempDir: dir}); err == nil || !strings.Contains(err.Error(), "want") {
				t.Errorf("%s, digest %q: %v", name, bad, err)
			}
			if _, err := Open(t.Context(), "-", Options{Digest: bad, TempDir: dir, Stdin: bytes.NewReader(b)}); err == nil {
				t.Errorf("%s from standard input, digest %q: no error", name, bad)
			}
			empty(t, dir)
		}
	}
}

// cancelAfter cancels when some bytes have been read.
type cancelAfter struct {
	io.Reader
	left   int
	cancel func()
}

func (c *cancelAfter) Read(p []byte) (int, error) {
	if c.left--; c.left < 0 {
		c.cancel()
	}
	return c.Reader.Read(p[:min(len(p), 1000)])
}

func TestCancel(t *testing.T) {
	disk := rawDisk()
	for name, b := range map[string][]byte{"raw": disk, "gzip": gzipped(t, disk), "xz": xzed(t, disk), "zstd": zstded(t, disk), "tar": tarred(t, member{"a", disk})} {
		dir := t.TempDir()
		ctx, cancel := context.WithCancel(t.Context())
		_, err := Open(ctx, "-", Options{TempDir: dir, Stdin: &cancelAfter{bytes.NewReader(b), 3, cancel}})
		if !errors.Is(err, context.Canceled) || errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		empty(t, dir)
		cancel()
	}
}

// A failure of standard input is not the image's fault.
func TestReadError(t *testing.T) {
	disk := rawDisk()
	bad := errors.New("pipe burst")
	for name, b := range map[string][]byte{"raw": disk, "gzip": gzipped(t, disk), "xz": xzed(t, disk), "zstd": zstded(t, disk), "tar": tarred(t, member{"a", disk})} {
		dir := t.TempDir()
		_, err := Open(t.Context(), "-", Options{TempDir: dir, Stdin: io.MultiReader(bytes.NewReader(b[:len(b)/2]), broken{bad})})
		if !errors.Is(err, bad) || errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		empty(t, dir)
	}
}

type broken struct{ err error }

func (b broken) Read([]byte) (int, error) { return 0, b.err }
