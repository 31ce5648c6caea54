package e2e

import (
	"archive/tar"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/fsys/fsystest"
	"github.com/wslimg/wslimg/internal/manifest"
)

// TestGolden converts the committed disks, on any platform and without root,
// and holds what Go's archive/tar reads against what the kernel showed of their
// volumes mounted as their fstab says.
func TestGolden(t *testing.T) {
	data := fsystest.Testdata(t)
	tests := []struct{ name, image string }{
		{"demo", "demo.qcow2"}, // GPT, numbered as Debian does
		{"mbr", "mbr.img.zst"}, // logical partitions, /boot and /home merged
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			want, err := manifest.Read(bytes.NewReader(fsystest.Unzstd(t, filepath.Join(data, "golden", test.name+".jsonl.zst"))))
			if err != nil {
				t.Fatal(err)
			}
			var b bytes.Buffer
			res, err := convert.Run(t.Context(), filepath.Join(data, "images", test.image), convert.Options{}, &b, quiet{})
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range res.Losses {
				if !l.Info {
					t.Errorf("lost: %d × %s", l.Count, l.Kind)
				}
			}
			got := members(t, &b)
			for _, d := range manifest.Compare(want, got, manifest.Options{
				SkipEntry: func(e *manifest.Entry) bool {
					return e.Mode.Is(fsys.ModeSocket) || filepath.Base(string(e.Path)) == "lost+found"
				},
				// The tar has them as text; what extractors make of it is
				// compared elsewhere.
				SkipXattr: func(name string) bool { return strings.HasPrefix(name, "system.posix_acl_") },
			}) {
				t.Error(d)
			}
		})
	}
}

// TestGoldenContainers wraps a committed disk anew: the tar must not change.
func TestGoldenContainers(t *testing.T) {
	data := fsystest.Testdata(t)
	packed := filepath.Join(data, "images", "mbr.img.zst")
	raw := filepath.Join(t.TempDir(), "disk.raw")
	if err := os.WriteFile(raw, fsystest.Unzstd(t, packed), 0o600); err != nil {
		t.Fatal(err)
	}
	var tars [2]bytes.Buffer
	for i, image := range []string{packed, raw} {
		if _, err := convert.Run(t.Context(), image, convert.Options{}, &tars[i], quiet{}); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(tars[0].Bytes(), tars[1].Bytes()) {
		t.Error("the wrapped disk and the raw one give different tars")
	}
}

type quiet struct{}

func (quiet) Phase(string, int64) {}
func (quiet) Add(int64)           {}

// members reads an archive as a tree.
func members(t *testing.T, r io.Reader) []manifest.Entry {
	t.Helper()
	kinds := map[byte]uint32{
		tar.TypeReg: fsys.ModeRegular, tar.TypeDir: fsys.ModeDir, tar.TypeSymlink: fsys.ModeSymlink,
		tar.TypeChar: fsys.ModeChar, tar.TypeBlock: fsys.ModeBlock, tar.TypeFifo: fsys.ModeFifo,
		tar.TypeGNUSparse: fsys.ModeRegular,
	}
	var entries []manifest.Entry
	archive := tar.NewReader(r)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		path := manifest.Raw(strings.TrimSuffix(strings.TrimPrefix(h.Name, "./"), "/"))
		if path == "" {
			path = "."
		}
		if h.Typeflag == tar.TypeLink {
			entries = append(entries, manifest.Entry{Path: path, Link: manifest.Raw(strings.TrimPrefix(h.Linkname, "./"))})
			continue
		}
		e := manifest.Entry{
			Path: path, Mode: manifest.Mode(kinds[h.Typeflag] | uint32(h.Mode)), UID: uint32(h.Uid), GID: uint32(h.Gid),
			Sec: h.ModTime.Unix(), Nsec: uint32(h.ModTime.Nanosecond()),
		}
		for key, value := range h.PAXRecords {
			if name, ok := strings.CutPrefix(key, "SCHILY.xattr."); ok {
				e.Xattrs = append(e.Xattrs, manifest.Attr{Name: manifest.Raw(name), Value: []byte(value)})
			}
		}
		switch h.Typeflag {
		case tar.TypeSymlink:
			e.Target = manifest.Raw(h.Linkname)
		case tar.TypeChar, tar.TypeBlock:
			e.Rdev = fmt.Sprintf("%d:%d", h.Devmajor, h.Devminor)
		case tar.TypeReg, tar.TypeGNUSparse:
			e.Size = h.Size
			e.Digest = contentDigest(t, archive, h)
		}
		entries = append(entries, e)
	}
	return linked(t, entries)
}

// linked turns the members of an archive, of which hard links only name an
// earlier member, into the entries of a tree.
func linked(t *testing.T, members []manifest.Entry) []manifest.Entry {
	t.Helper()
	first := make(map[manifest.Raw]int)
	for i := range members {
		m := &members[i]
		if m.Link == "" {
			first[m.Path] = i
			m.Inode, m.Nlink = uint64(i)+1, 2 // Finish finds out whether there are two
			continue
		}
		target, ok := first[m.Link]
		if !ok {
			t.Fatalf("%q: hard link of %q, which is not before it", m.Path, m.Link)
		}
		path := m.Path
		*m = members[target]
		m.Path = path
	}
	manifest.Finish(members)
	return members
}

func contentDigest(t *testing.T, archive *tar.Reader, h *tar.Header) string {
	t.Helper()
	if h.Size > 64<<20 {
		// archive/tar has no way to skip holes, and this one is a terabyte long.
		return holeDigest
	}
	b, err := io.ReadAll(archive)
	if err != nil {
		t.Fatal(err)
	}
	sum, err := manifest.Digest(bytes.NewReader(b), h.Size, []fsys.Run{{Len: h.Size}})
	if err != nil {
		t.Fatal(err)
	}
	return sum
}

// holeDigest is the digest of a large file that is all hole.
const holeDigest = "sparse:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
