package qcow2

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"testing"

	"github.com/klauspost/compress/zstd"

	"github.com/wslimg/wslimg/internal/blockdev"
)

// builder makes small qcow2 images, whole and broken.
type builder struct {
	version     int
	clusterBits uint
	size        int64
	incompat    uint64
	compat      uint64
	autoclear   uint64
	compression uint8
	extensions  []extension
	backing     string

	file []byte
	want []byte // the disk's bytes
}

type extension struct {
	kind uint32
	data string
}

// Where a builder puts what it always writes, in clusters.
const (
	refTableCluster = 1
	l1Cluster       = 2
)

func newBuilder(version int, clusterBits uint, size int64) *builder {
	b := &builder{version: version, clusterBits: clusterBits, size: size, want: make([]byte, size)}
	cs := b.clusterSize()
	l1Len := max(1, (b.clusters()+b.perL2()-1)/b.perL2()) * 8
	b.file = make([]byte, l1Cluster*cs+(l1Len+cs-1)/cs*cs)
	return b
}

func (b *builder) clusterSize() int64 { return 1 << b.clusterBits }
func (b *builder) clusters() int64    { return (b.size + b.clusterSize() - 1) >> b.clusterBits }
func (b *builder) perL2() int64       { return b.clusterSize() / b.entrySize() }

func (b *builder) entrySize() int64 {
	if b.incompat&incompatExtendedL2 != 0 {
		return 16
	}
	return 8
}

// extended turns on subclusters; for a fresh builder only.
func (b *builder) extended() *builder {
	fresh := newBuilder(b.version, b.clusterBits, 0)
	fresh.incompat, fresh.size, fresh.want = incompatExtendedL2, b.size, b.want
	cs := fresh.clusterSize()
	l1Len := (fresh.clusters() + fresh.perL2() - 1) / fresh.perL2() * 8
	fresh.file = make([]byte, l1Cluster*cs+(l1Len+cs-1)/cs*cs)
	return fresh
}

// alloc appends zeroed clusters and returns their offset.
func (b *builder) alloc(n int64) int64 {
	cs := b.clusterSize()
	b.file = append(b.file, make([]byte, -int64(len(b.file))&(cs-1))...)
	off := int64(len(b.file))
	b.file = append(b.file, make([]byte, n*cs)...)
	return off
}

func (b *builder) put64(off int64, v uint64) { binary.BigEndian.PutUint64(b.file[off:], v) }
func (b *builder) put32(off int64, v uint32) { binary.BigEndian.PutUint32(b.file[off:], v) }
func (b *builder) get64(off int64) uint64    { return binary.BigEndian.Uint64(b.file[off:]) }

func (b *builder) l1Entry(cluster int64) int64 {
	return l1Cluster*b.clusterSize() + cluster/b.perL2()*8
}

// entry returns the place of the L2 entry of a cluster of the disk.
func (b *builder) entry(cluster int64) int64 {
	l1 := b.l1Entry(cluster)
	if b.get64(l1) == 0 {
		b.put64(l1, uint64(b.alloc(1))|entryCopied)
	}
	return int64(b.get64(l1)&offsetMask) + cluster%b.perL2()*b.entrySize()
}

// plain stores a cluster as it is.
func (b *builder) plain(cluster int64, content []byte) {
	e := b.entry(cluster)
	host := b.alloc(1)
	copy(b.file[host:], content)
	b.put64(e, uint64(host)|entryCopied)
	if b.entrySize() == 16 {
		b.put64(e+8, 1<<32-1)
	}
	b.expect(cluster, content)
}

func (b *builder) zero(cluster int64) {
	if e := b.entry(cluster); b.entrySize() == 16 {
		b.put64(e+8, (1<<32-1)<<32)
	} else {
		b.put64(e, entryZero)
	}
}

// zeroAllocated is a cluster of zeros that has a host cluster of rubbish.
func (b *builder) zeroAllocated(cluster int64) {
	b.plain(cluster, bytes.Repeat([]byte("rubbish"), int(b.clusterSize())/7))
	e := b.entry(cluster)
	if b.entrySize() == 16 {
		b.put64(e+8, (1<<32-1)<<32)
	} else {
		b.put64(e, b.get64(e)|entryZero)
	}
	b.expect(cluster, make([]byte, b.clusterSize()))
}

// subclusters stores a cluster of which some parts are data, some zeros, and
// the rest is unallocated; for extended L2 entries.
func (b *builder) subclusters(cluster int64, content []byte, alloc, zeros uint32) {
	b.plain(cluster, content)
	b.put64(b.entry(cluster)+8, uint64(zeros)<<32|uint64(alloc))
	seen := make([]byte, b.clusterSize())
	n := int(b.clusterSize()) / subclusters
	for i := range subclusters {
		if alloc>>i&1 != 0 {
			copy(seen[i*n:(i+1)*n], content[min(i*n, len(content)):])
		}
	}
	b.expect(cluster, seen)
}

// stored stores a cluster that a compressor has made into stored.
func (b *builder) stored(cluster int64, stored []byte) {
	e := b.entry(cluster)
	host := int64(len(b.file))
	b.file = append(b.file, stored...)
	sectors := (host+int64(len(stored))-1)/512 - host/512 // after the first
	shift := 62 - (b.clusterBits - 8)
	b.put64(e, uint64(sectors)<<shift|uint64(host)|entryCompressed)
}

func (b *builder) compressed(t testing.TB, cluster int64, content []byte) {
	t.Helper()
	full := make([]byte, b.clusterSize())
	copy(full, content)
	if b.compression == compressionZstd {
		b.stored(cluster, zstdFrame(t, full))
	} else {
		b.stored(cluster, deflated(t, full))
	}
	b.expect(cluster, full)
}

func (b *builder) expect(cluster int64, content []byte) {
	part := b.want[cluster<<b.clusterBits:]
	part = part[:min(int64(len(part)), b.clusterSize())]
	clear(part)
	copy(part, content)
}

func deflated(t testing.TB, p []byte) []byte {
	t.Helper()
	var buf bytes.Buffer
	w, err := flate.NewWriter(&buf, 6)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(p); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

func zstdFrame(t testing.TB, p []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(p, nil)
}

// finish writes header, extensions and backing name.
func (b *builder) finish() *builder {
	copy(b.file, Magic)
	b.put32(4, uint32(b.version))
	b.put32(20, uint32(b.clusterBits))
	b.put64(24, uint64(b.size))
	b.put32(36, uint32(max(1, (b.clusters()+b.perL2()-1)/b.perL2())))
	b.put64(40, uint64(l1Cluster*b.clusterSize()))
	b.put64(48, uint64(refTableCluster*b.clusterSize()))
	b.put32(56, 1)
	pos := int64(headerV2Len)
	if b.version == 3 {
		if b.compression != 0 {
			b.incompat |= incompatCompression
		}
		b.put64(72, b.incompat)
		b.put64(80, b.compat)
		b.put64(88, b.autoclear)
		b.put32(96, 4)
		pos = headerV3Len + 8
		b.put32(100, uint32(pos))
		b.file[headerV3Len] = b.compression
	}
	for _, e := range b.extensions {
		b.put32(pos, e.kind)
		b.put32(pos+4, uint32(len(e.data)))
		copy(b.file[pos+8:], e.data)
		pos += 8 + int64(len(e.data)+7)&^7
	}
	pos += 8 // the end of the extensions
	if b.backing != "" {
		b.put64(8, uint64(pos))
		b.put32(16, uint32(len(b.backing)))
		copy(b.file[pos:], b.backing)
	}
	return b
}

// device is the image as a host file.
func (b *builder) device() blockdev.Device { return bytes.NewReader(b.file) }
