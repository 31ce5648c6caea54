//go:build oracle && linux

package all

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	kzstd "github.com/klauspost/compress/zstd"
	reader "github.com/lima-vm/go-qcow2reader"
	qcow2reader "github.com/lima-vm/go-qcow2reader/image/qcow2"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// run runs a tool and fails the test if that fails.
func run(t *testing.T, name string, args ...string) []byte {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = filepath.Dir(args[len(args)-1]) // qemu looks for data files here
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return out
}

// sample makes the content of a disk: text, noise, runs of one byte, zeros.
func sample(rnd *rand.Rand, size int) []byte {
	b := make([]byte, size)
	for pos := 0; pos < size; {
		part := b[pos:min(size, pos+1+rnd.IntN(200_000))]
		switch rnd.IntN(4) {
		case 0:
			for i := range part {
				part[i] = "the quick brown fox"[rnd.IntN(19)]
			}
		case 1:
			for i := range part {
				part[i] = byte(rnd.Uint32())
			}
		case 2:
			for i := range part {
				part[i] = byte(pos)
			}
		}
		pos += len(part)
	}
	return b
}

// scribble lets qemu-io change an image at random.
func scribble(t *testing.T, rnd *rand.Rand, file string, size, ops int) {
	t.Helper()
	args := []string{"-f", "qcow2", "-d", "unmap", file}
	for range ops {
		off := rnd.IntN(size/512) * 512
		n := min(size-off, (1+rnd.IntN(300))*512)
		var op string
		switch rnd.IntN(5) {
		case 0:
			op = fmt.Sprintf("write -z %d %d", off, n)
		case 1:
			op = fmt.Sprintf("write -z -u %d %d", off, n)
		case 2:
			op = fmt.Sprintf("discard %d %d", off, n)
		default:
			op = fmt.Sprintf("write -P %d %d %d", 1+rnd.IntN(255), off, n)
		}
		args = append([]string{"-c", op}, args...)
	}
	run(t, "qemu-io", args...)
}

// compare holds the image against what qemu-img makes of it, by several sizes
// of read, on the device and on a fork.
func compare(t *testing.T, file string) {
	t.Helper()
	raw := file + ".raw"
	run(t, "qemu-img", "convert", "-f", "qcow2", "-O", "raw", file, raw)
	want, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	img, err := Open(t.Context(), file, Options{AllowBacking: true})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	if img.Device.Size() != int64(len(want)) {
		t.Fatalf("size %d, qemu-img says %d", img.Device.Size(), len(want))
	}
	same := func(what string, dev blockdev.Device, chunk int) {
		t.Helper()
		got := make([]byte, chunk)
		for off := 0; off < len(want); off += chunk {
			n, err := dev.ReadAt(got, int64(off))
			if err != nil && (err != io.EOF || off+chunk <= len(want)) {
				t.Fatalf("%s: read %d at %#x: %v", what, chunk, off, err)
			}
			if part := want[off:min(off+chunk, len(want))]; !bytes.Equal(got[:n], part) {
				t.Fatalf("%s: read %d at %#x: got %d bytes, other than qemu-img's", what, chunk, off, n)
			}
		}
	}
	fork := blockdev.Fork(img.Device)
	defer blockdev.Release(img.Device, fork)
	same("device", img.Device, 1<<20)
	same("fork", fork, 1<<20)
	same("device", img.Device, 5000)
	same("fork", fork, 70_001)
	same("fork", fork, len(want)+1)
	same("cache", blockdev.NewCache(img.Device, blockdev.CacheBlock, blockdev.CacheBytes), 4096)
	sameExtents(t, img.Device, want, file)
	sameClusters(t, img.Device.(blockdev.Clusters), want)
}

// sameExtents holds NextExtent against the bytes and qemu-img map.
func sameExtents(t *testing.T, dev blockdev.Device, want []byte, file string) {
	t.Helper()
	zeros := make([]byte, len(want))
	covered := make([]bool, len(want)) // by extents with bytes; holes of the file may be missing
	for off := int64(0); off < dev.Size(); {
		e, err := dev.(blockdev.Mapper).NextExtent(off)
		if err != nil {
			t.Fatal(err)
		}
		if e.Off != off || e.Len <= 0 || e.Len > dev.Size()-off {
			t.Fatalf("extent %+v at %#x of %#x", e, off, dev.Size())
		}
		if e.Zero && !bytes.Equal(want[off:off+e.Len], zeros[:e.Len]) {
			t.Fatalf("extent %+v is not zero", e)
		}
		if !e.Zero {
			for i := off; i < off+e.Len; i++ {
				covered[i] = true
			}
		}
		off += e.Len
	}
	var ranges []struct {
		Start, Length int64
		Zero, Data    bool
	}
	if err := json.Unmarshal(run(t, "qemu-img", "map", "-f", "qcow2", "--output=json", file), &ranges); err != nil {
		t.Fatal(err)
	}
	for _, r := range ranges {
		if r.Start >= int64(len(want)) {
			continue
		}
		part := covered[r.Start:min(r.Start+r.Length, int64(len(want)))]
		if r.Zero && slices.Contains(part, true) {
			t.Errorf("range %+v is zero for qemu-img, NextExtent says otherwise", r)
		}
	}
}

// sameClusters decodes what Cluster and ReadStored hand out.
func sameClusters(t *testing.T, dev blockdev.Clusters, want []byte) {
	t.Helper()
	zstd, err := kzstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer zstd.Close()
	fork := blockdev.Fork(dev).(blockdev.Clusters)
	var buf []byte
	for off := int64(0); off < dev.Size(); {
		c, err := dev.Cluster(off)
		if err != nil {
			t.Fatal(err)
		}
		if c.Off > off || c.Off+c.Len <= off {
			t.Fatalf("cluster %+v does not hold %#x", c, off)
		}
		if buf, err = fork.ReadStored(c, buf); err != nil {
			t.Fatal(err)
		}
		plain := buf
		switch c.Storage {
		case blockdev.Zero:
			plain = make([]byte, c.Len)
		case blockdev.Deflate:
			plain = inflateAll(t, buf, c.Len)
		case blockdev.Zstd:
			if plain, err = zstd.DecodeAll(buf, nil); err != nil {
				t.Fatalf("cluster %+v: %v", c, err)
			}
		}
		if int64(len(plain)) != c.Len {
			t.Fatalf("cluster %+v: %d bytes", c, len(plain))
		}
		end := min(c.Off+c.Len, dev.Size())
		if !bytes.Equal(plain[:end-c.Off], want[c.Off:end]) {
			t.Fatalf("cluster %+v: other bytes than qemu-img's", c)
		}
		off = c.Off + c.Len
	}
}

// whole fills the buffer, without io.EOF when it is full: go-qcow2reader reads
// once and takes io.EOF beside data for a failure.
type whole struct{ io.ReadCloser }

func (w whole) Read(p []byte) (int, error) { return io.ReadFull(w.ReadCloser, p) }

// secondOpinion holds the image against go-qcow2reader.
func secondOpinion(t *testing.T, file string) {
	t.Helper()
	qcow2reader.SetDecompressor(qcow2reader.CompressionTypeZlib, func(r io.Reader) (io.ReadCloser, error) {
		return whole{flate.NewReader(r)}, nil
	})
	qcow2reader.SetDecompressor(qcow2reader.CompressionTypeZstd, func(r io.Reader) (io.ReadCloser, error) {
		d, err := kzstd.NewReader(r)
		if err != nil {
			return nil, err
		}
		return whole{d.IOReadCloser()}, nil
	})
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	// go-qcow2reader wants the last compressed cluster's sectors to be whole.
	if err := f.Truncate(info.Size() + 4<<20); err != nil {
		t.Fatal(err)
	}
	other, err := reader.Open(f)
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Readable(); err != nil {
		t.Fatal(err)
	}
	img, err := Open(t.Context(), file, Options{AllowBacking: true})
	if err != nil {
		t.Fatal(err)
	}
	defer img.Close()
	const chunk = 64 << 10
	a, b := make([]byte, chunk), make([]byte, chunk)
	for off := int64(0); off < img.Device.Size(); off += chunk {
		n := min(chunk, img.Device.Size()-off)
		if _, err := img.Device.ReadAt(a[:n], off); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(io.NewSectionReader(other, off, n), b[:n]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a[:n], b[:n]) {
			t.Fatalf("go-qcow2reader reads other bytes at %#x", off)
		}
	}
}

func TestMatrix(t *testing.T) {
	const size = 9<<20 + 3*512
	for _, clusterSize := range []int{512, 4 << 10, 64 << 10, 2 << 20} {
		for _, opts := range []string{
			"compat=0.10", "compat=1.1", "compat=1.1,lazy_refcounts=on", "compat=1.1,compression_type=zstd",
			"compat=1.1,extended_l2=on", "compat=1.1,extended_l2=on,compression_type=zstd", "compat=1.1,preallocation=metadata",
		} {
			if clusterSize < 16<<10 && strings.Contains(opts, "extended_l2") {
				continue
			}
			for _, compress := range []bool{false, true} {
				if compress && strings.Contains(opts, "preallocation") {
					continue
				}
				t.Run(fmt.Sprintf("%d,%s,%v", clusterSize, opts, compress), func(t *testing.T) {
					rnd := rand.New(rand.NewPCG(uint64(clusterSize), 7))
					dir := t.TempDir()
					raw, file := filepath.Join(dir, "disk.raw"), filepath.Join(dir, "disk.qcow2")
					if err := os.WriteFile(raw, sample(rnd, size), 0o600); err != nil {
						t.Fatal(err)
					}
					args := []string{"convert", "-f", "raw", "-O", "qcow2", "-o", fmt.Sprintf("cluster_size=%d,%s", clusterSize, opts)}
					if compress {
						args = append(args, "-c")
					}
					run(t, "qemu-img", append(args, raw, file)...)
					compare(t, file)
					scribble(t, rnd, file, size, 60)
					compare(t, file)
					secondOpinion(t, file)
				})
			}
		}
	}
}

// tool runs qemu-img and qemu-io commands in a folder, a line each.
func tool(t *testing.T, dir string, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		cmd := exec.CommandContext(t.Context(), "sh", "-ec", line)
		cmd.Dir = dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", line, err, out)
		}
	}
}

// TestFeatures holds the reader against qemu-img for what an image can have
// beyond clusters; img.qcow2 is the one that is read.
func TestFeatures(t *testing.T) {
	cases := map[string]string{
		"backing chain": `
			qemu-img create -q -f qcow2 base.qcow2 3M
			qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 2M 1M' base.qcow2
			qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 -o cluster_size=4k mid.qcow2 5M
			qemu-io -f qcow2 -c 'write -P 3 512k 700k' -c 'write -P 4 2900k 300k' -c 'write -z 100k 50k' mid.qcow2
			qemu-img create -q -f qcow2 -b mid.qcow2 -F qcow2 -o cluster_size=2M,extended_l2=on img.qcow2 8M
			qemu-io -f qcow2 -c 'write -P 5 300k 1k' -c 'write -P 6 4M 100k' img.qcow2`,
		"compressed backing": `
			qemu-img create -q -f qcow2 plain.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 1M' -c 'write -P 2 2M 1999872' plain.qcow2
			qemu-img convert -c -O qcow2 -o cluster_size=64k,compression_type=zstd plain.qcow2 base.qcow2
			qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 img.qcow2 6M
			qemu-io -f qcow2 -c 'write -P 3 512k 1k' -c 'write -z 2M 64k' img.qcow2`,
		"backing smaller, unaligned": `
			head -c 1000448 /dev/urandom > base.raw
			qemu-img create -q -f qcow2 -b base.raw -F raw img.qcow2 3M
			qemu-io -f qcow2 -c 'write -P 3 990k 1k' img.qcow2`,
		"backing larger": `
			head -c 4M /dev/urandom > base.raw
			qemu-img create -q -f qcow2 -b base.raw -F raw img.qcow2 1M`,
		"backing in a folder below": `
			mkdir sub
			head -c 1M /dev/urandom > sub/base.raw
			cd sub; qemu-img create -q -f qcow2 -b base.raw -F raw mid.qcow2
			qemu-img create -q -f qcow2 -b sub/mid.qcow2 -F qcow2 img.qcow2`,
		"backing of unstated format": `
			qemu-img create -q -f qcow2 base.qcow2 1M
			qemu-io -f qcow2 -c 'write -P 1 0 100k' base.qcow2
			qemu-img create -q -f qcow2 -b base.qcow2 -F qcow2 img.qcow2
			printf '\342\171\052\313' | dd of=img.qcow2 bs=1 seek=112 conv=notrunc status=none`,
		"external data file": `
			qemu-img create -q -f qcow2 -o data_file=img.data,cluster_size=4k img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 100k' -c 'write -P 2 3M 300k' -c 'write -z 10k 20k' img.qcow2`,
		"raw external data file": `
			qemu-img create -q -f qcow2 -o data_file=img.data,data_file_raw=on img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 100k' -c 'write -P 2 3M 300k' -c 'write -z 10k 200k' img.qcow2`,
		"snapshots and bitmaps": `
			qemu-img create -q -f qcow2 img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 1M' img.qcow2
			qemu-img snapshot -c before img.qcow2
			qemu-io -f qcow2 -c 'write -P 2 512k 1M' -c 'discard 0 64k' img.qcow2
			qemu-img bitmap --add img.qcow2 dirty
			qemu-img snapshot -c after img.qcow2
			qemu-io -f qcow2 -c 'write -P 3 3M 64k' img.qcow2`,
		"grown": `
			qemu-img create -q -f qcow2 -o cluster_size=512 img.qcow2 100k
			qemu-io -f qcow2 -c 'write -P 1 0 100k' img.qcow2
			qemu-img resize -q img.qcow2 9M
			qemu-io -f qcow2 -c 'write -P 2 8M 100k' img.qcow2`,
		"shrunk": `
			qemu-img create -q -f qcow2 img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 4M' img.qcow2
			qemu-img resize -q --shrink img.qcow2 1049088`,
		"preallocated": `
			qemu-img create -q -f qcow2 -o preallocation=full img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 1M 100k' img.qcow2`,
		"falloc, extended": `
			qemu-img create -q -f qcow2 -o preallocation=falloc,extended_l2=on img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 1M 100k' img.qcow2`,
		"amended to version 2": `
			qemu-img create -q -f qcow2 img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 1M 100k' -c 'write -z 0 1M' img.qcow2
			qemu-img amend -f qcow2 -o compat=0.10 img.qcow2`,
		"not closed": `
			qemu-img create -q -f qcow2 -o lazy_refcounts=on img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 1M 100k' -c flush -c abort img.qcow2 || true`,
		"one sector": `
			qemu-img create -q -f qcow2 img.qcow2 512
			qemu-io -f qcow2 -c 'write -P 1 0 512' img.qcow2`,
		"written at the end": `
			qemu-img create -q -f qcow2 img.qcow2 1049088
			qemu-io -f qcow2 -c 'write -P 1 1M 512' img.qcow2`,
		"write of one sector": `
			qemu-img create -q -f qcow2 -o cluster_size=2M img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 512' img.qcow2`,
		"write of one sector, extended": `
			qemu-img create -q -f qcow2 -o cluster_size=2M,extended_l2=on img.qcow2 4M
			qemu-io -f qcow2 -c 'write -P 1 0 512' img.qcow2`,
		"refcounts of 1 and 64 bits": `
			qemu-img create -q -f qcow2 -o refcount_bits=1 a.qcow2 1M
			qemu-io -f qcow2 -c 'write -P 1 0 512' a.qcow2
			qemu-img convert -O qcow2 -o refcount_bits=64 a.qcow2 img.qcow2`,
	}
	for name, script := range cases {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tool(t, dir, script)
			file := filepath.Join(dir, "img.qcow2")
			compare(t, file)
			if !strings.Contains(script, "base") && !strings.Contains(script, "data_file") {
				secondOpinion(t, file)
			}
		})
	}
}

// TestTools unpacks what the tools pack that disk images are published with.
func TestTools(t *testing.T) {
	disk := rawDisk()
	for i := range 40 { // more holes than fit a header of the old sparse format
		copy(disk[2<<20+i*16384:], "data")
	}
	for _, pack := range []string{
		"gzip -9 -c disk.raw > packed", "pigz -c disk.raw > packed", "xz -T2 --block-size=1MiB -c disk.raw > packed",
		"bzip2 -c disk.raw > packed", "bzip2 -c disk.raw > packed; head -c 0 disk.raw | bzip2 -c >> packed",
		"zstd -q -19 --long=27 -c disk.raw > packed", "zstd -q -1 --no-check -c disk.raw > packed",
		"tar -cf packed disk.raw", "tar --format=oldgnu -Sczf packed disk.raw", "tar --format=gnu -ScJf packed disk.raw",
		"tar --format=posix -Scf packed disk.raw", "tar --format=posix --sparse-version=0.0 -Scf packed disk.raw",
		"tar --format=posix --sparse-version=0.1 -Scf packed ./disk.raw", "tar --format=v7 -cf packed disk.raw",
		"bsdtar --format=pax -cf packed disk.raw", "bsdtar --format=ustar -czf packed disk.raw",
		"xz -c < disk.raw | cat > a.xz; gzip -c a.xz > packed",
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "disk.raw"), nil)
		tool(t, dir, "truncate -s "+fmt.Sprint(len(disk))+" disk.raw")
		f, err := os.OpenFile(filepath.Join(dir, "disk.raw"), os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		for off := 0; off < len(disk); off += 4096 { // with holes
			if part := disk[off:min(len(disk), off+4096)]; !bytes.Equal(part, make([]byte, len(part))) {
				if _, err := f.WriteAt(part, int64(off)); err != nil {
					t.Fatal(err)
				}
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		tool(t, dir, pack)
		img := openImage(t, filepath.Join(dir, "packed"), Options{})
		if len(img.Wrapping) == 0 {
			t.Errorf("%s: not noticed", pack)
		}
		sameBytes(t, img.Device, disk)
		if t.Failed() {
			t.Fatal(pack)
		}
	}
}
