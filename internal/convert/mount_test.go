package convert

import (
	"bytes"
	"context"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
	"github.com/wslimg/wslimg/internal/volume"
)

// memFS is a filesystem in memory: contents of files by their paths, a
// directory where the path ends in "/". The content damaged cannot be read.
type memFS struct {
	label string
	files map[string]string
}

// paths lists all entries, parents made up; the inode of one is its place + 1.
func (m memFS) paths() []string {
	seen := map[string]bool{"": true}
	for p := range m.files {
		for p = strings.TrimSuffix(p, "/"); p != ""; p = p[:strings.LastIndexByte(p, '/')] {
			seen[p] = true
		}
	}
	var list []string
	for p := range seen {
		list = append(list, p)
	}
	slices.Sort(list)
	return list
}

func (m memFS) Info() fsys.Info { return fsys.Info{Type: "ext4", Label: m.label, Size: 1 << 20} }
func (m memFS) Root() fsys.Ino  { return 1 }

func (m memFS) Inode(ino fsys.Ino) (*fsys.Inode, error) {
	n := &fsys.Inode{Ino: ino, Mode: fsys.ModeDir | 0o755, Nlink: 1}
	if data, ok := m.files[m.paths()[ino-1]]; ok {
		n.Mode, n.Size = fsys.ModeRegular|0o644, int64(len(data))
	}
	return n, nil
}

func (m memFS) ReadDir(ino fsys.Ino) iter.Seq2[fsys.Dirent, error] {
	return func(yield func(fsys.Dirent, error) bool) {
		list := m.paths()
		for i, p := range list {
			rest, below := strings.CutPrefix(p, list[ino-1]+"/")
			if below && !strings.Contains(rest, "/") && !yield(fsys.Dirent{Name: rest, Ino: fsys.Ino(i + 1)}, nil) {
				return
			}
		}
	}
}

func (m memFS) Layout(ino fsys.Ino) ([]fsys.Run, error) {
	return []fsys.Run{{Len: int64(len(m.files[m.paths()[ino-1]])), Phys: fsys.Encoded}}, nil
}

func (m memFS) Open(ino fsys.Ino) (io.ReaderAt, error) {
	data := m.files[m.paths()[ino-1]]
	if data == damaged {
		return nil, ondisk.Corruptf(0x1000, "no extent")
	}
	return strings.NewReader(data), nil
}

const damaged = "damaged"

// disk is a source with a volume for each of the filesystems; the first is the root.
func disk(filesystems ...memFS) *Source {
	s := &Source{Name: "disk", Image: &image.Image{Device: bytes.NewReader(nil)}, Table: &volume.Table{}}
	for i, fs := range filesystems {
		dev := bytes.NewReader(nil)
		s.Volumes = append(s.Volumes, &Volume{
			Volume: volume.Volume{Device: dev, Number: i + 1}, Index: i, Kind: "ext4", FS: fs,
			cache: blockdev.NewCache(dev, blockdev.CacheBlock, blockdev.CacheBytes),
		})
	}
	return s
}

// withForeign adds two volumes that are not read.
func withForeign(s *Source) *Source {
	for n := 2; n <= 3; n++ {
		s.Volumes = append(s.Volumes, &Volume{
			Volume: volume.Volume{Number: n}, Index: len(s.Volumes), Kind: "btrfs", Err: ondisk.Unsupportedf("btrfs is not read"),
		})
	}
	return s
}

func TestLoadMounts(t *testing.T) {
	root := func(fstab string) memFS {
		return memFS{"root", map[string]string{"/etc/fstab": fstab, "/usr/": "", "/home/hidden": "x"}}
	}
	home := memFS{"home", map[string]string{"/joe/f": "x"}}
	vari := memFS{"var", map[string]string{"/log/a": "x", "/lib/hidden": "x"}}
	varlib := memFS{"varlib", map[string]string{"/dpkg": "x"}}
	for name, c := range map[string]struct {
		src    *Source
		files  []string // besides /etc/fstab
		mounts string
		notes  []string // a part of each
		loss   string   // "" for none
	}{
		"merged": {
			disk(root("LABEL=root / ext4\nLABEL=home /home ext4\n"), home),
			[]string{"/home/joe/f"}, "/ /home", nil, "",
		},
		"parents first, however they are written": {
			disk(root("LABEL=varlib /var/lib ext4\nLABEL=var /var/ ext4\nLABEL=home ///home/. ext4\n"), home, vari, varlib),
			[]string{"/home/joe/f", "/var/lib/dpkg", "/var/log/a"}, "/ /var /home /var/lib", nil, "",
		},
		"left out": {
			disk(root("LABEL=UEFI /boot/efi vfat\nLABEL=data /data ext4\nLABEL=var /var ext4 noauto\n"), home, vari),
			[]string{"/home/hidden"}, "/",
			[]string{"LABEL=data of /etc/fstab is not in this image", "LABEL=UEFI (vfat) is not merged", `"home") is left out`, `"var") is left out`}, "/data",
		},
		"not read": {
			withForeign(disk(root("LABEL=root / ext4\n/dev/sda2 /data btrfs\n/dev/sda3 /more btrfs nofail\n"))),
			[]string{"/home/hidden"}, "/",
			[]string{"/data: volume 2 (btrfs) is left out: btrfs is not read", "/more: volume 3 (btrfs) is left out"}, "/data",
		},
		"not needed": {
			disk(root("LABEL=data /data ext4 defaults,nofail\n")),
			[]string{"/home/hidden"}, "/", []string{"LABEL=data of /etc/fstab is not in this image"}, "",
		},
		"no file": {
			disk(memFS{"root", map[string]string{"/etc/fstab/x": "", "/usr/": ""}}),
			[]string{"/etc/fstab/x"}, "/", nil, "",
		},
	} {
		t.Run(name, func(t *testing.T) {
			view, err := c.src.Load(context.Background(), c.src.Volumes[0])
			if err != nil {
				t.Fatal(err)
			}
			var files []string
			_ = view.Tree.Walk(func(path string, n *tree.Node) error { // visit never fails
				if n.IsRegular() && path != "/etc/fstab" {
					files = append(files, path)
				}
				return nil
			})
			if !slices.Equal(files, c.files) {
				t.Errorf("files %v, want %v", files, c.files)
			}
			var mounts []string
			for _, m := range view.Mounts {
				mounts = append(mounts, m.Path)
			}
			if got := strings.Join(mounts, " "); got != c.mounts {
				t.Errorf("mounts %s, want %s", got, c.mounts)
			}
			res := c.src.result(view)
			if loss := strings.Join(view.Missing, " "); loss != c.loss || res.Lossy() != (loss != "") {
				t.Errorf("losses %+v, want %q", res.Losses, c.loss)
			}
			if len(view.Notes) != len(c.notes) {
				t.Fatalf("notes %q, want %q", view.Notes, c.notes)
			}
			for i, n := range view.Notes {
				if !strings.Contains(n, c.notes[i]) {
					t.Errorf("note %q, want %q in it", n, c.notes[i])
				}
			}
		})
	}
}

// What is wrong with a file's content names the volume that holds it.
func TestWriteNamesVolume(t *testing.T) {
	src := disk(
		memFS{"root", map[string]string{"/etc/fstab": "LABEL=home /home ext4\n", "/usr/": ""}},
		memFS{"home", map[string]string{"/joe/f": damaged}},
	)
	view, err := src.Load(context.Background(), src.Volumes[0])
	if err != nil {
		t.Fatal(err)
	}
	j := &Job{src: src, tree: view.Tree, res: src.result(view)}
	_, err = j.Write(context.Background(), io.Discard, quiet{})
	const want = `disk: volume 2 (ext4 "home"): /home/joe/f: `
	if !errors.Is(err, ondisk.ErrCorrupt) || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("error %v, want one with %q", err, want)
	}
}

// quiet is a Reporter that says nothing.
type quiet struct{}

func (quiet) Phase(string, int64) {}
func (quiet) Add(int64)           {}
