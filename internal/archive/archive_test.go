package archive

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

type entry struct {
	tar.Header
	data string
}

func file(name, data string) entry {
	return entry{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, ModTime: time.Unix(7, 9), Format: tar.FormatPAX}, data}
}

func link(flag byte, name, target string) entry {
	return entry{tar.Header{Typeflag: flag, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func pack(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		e.Size = int64(len(e.data))
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.data)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func load(t *testing.T, entries ...entry) (*tree.Tree, []Problem) {
	t.Helper()
	tr, problems, err := Load(context.Background(), bytes.NewReader(pack(t, entries...)))
	if err != nil {
		t.Fatal(err)
	}
	names := map[*tree.Node]uint32{}
	_ = tr.Walk(func(_ string, n *tree.Node) error { names[n]++; return nil })
	for n, k := range names {
		if n.Links != k {
			t.Errorf("node %+v has %d names", n, k)
		}
	}
	return tr, problems
}

func TestLoad(t *testing.T) {
	dir := entry{tar.Header{Typeflag: tar.TypeDir, Name: "./", Mode: 0o711, Uid: 5}, ""}
	etc := entry{tar.Header{Typeflag: tar.TypeDir, Name: "./etc/", Mode: 0o750, Gid: 6}, ""}
	dev := entry{tar.Header{Typeflag: tar.TypeChar, Name: "dev/null", Mode: 0o666, Devmajor: 1, Devminor: 3}, ""}
	caps := file("usr/bin/ping", "\x7fELF"+strings.Repeat("x", 5000))
	caps.Mode = 0o755
	caps.PAXRecords = map[string]string{"SCHILY.xattr.user.b": "2", "SCHILY.xattr.security.capability": "\x01\x00"}
	tr, problems := load(t, dir, etc, file("./etc/passwd", "root\n"), file("/etc/abs", ""), link(tar.TypeSymlink, "bin", "usr/bin"), caps,
		link(tar.TypeLink, "etc/passwd-", "./etc/passwd"), dev, file("etc/passwd", "new\n"), file("var/big", strings.Repeat("y", 5000)))
	if len(problems) != 0 {
		t.Error(problems)
	}
	for path, want := range map[string]string{"/etc/passwd": "new\n", "/etc/passwd-": "root\n", "/etc/abs": ""} {
		if b, err := tr.ReadFile(path, 100); string(b) != want || err != nil {
			t.Errorf("%s: %q %v", path, b, err)
		}
	}
	ping, err := tr.Lookup("/bin/ping")
	if err != nil || ping.Size() != 5004 || ping.Mode != fsys.ModeRegular|0o755 || ping.Xattrs[0].Name != "security.capability" || string(ping.Xattrs[1].Value) != "2" {
		t.Errorf("%+v %v", ping, err)
	}
	r, _ := ping.Content.Open()
	var head [20]byte
	if _, err := r.ReadAt(head[:], 0); err != nil || string(head[:4]) != "\x7fELF" {
		t.Errorf("head %q, %v", head, err)
	}
	if _, err := ping.Read(1 << 20); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
	if _, err := tr.ReadFile("/var/big", 1<<20); !errors.Is(err, ErrNotKept) {
		t.Error(err)
	}
	if tr.Root.Mode != fsys.ModeDir|0o711 || tr.Root.UID != 5 || tr.Now != (fsys.Time{Sec: 7, Nsec: 9}) {
		t.Errorf("root %+v, now %v", tr.Root, tr.Now)
	}
	if n, _ := tr.Lookup("/etc"); n.Mode != fsys.ModeDir|0o750 || n.GID != 6 {
		t.Errorf("%+v", n)
	}
	if n, _ := tr.Lookup("/dev/null"); n.Rdev != (fsys.Rdev{Major: 1, Minor: 3}) {
		t.Errorf("%+v", n)
	}
}

func TestLoadHostile(t *testing.T) {
	raw := file("x\xc3\xa9", "")
	raw.PAXRecords = map[string]string{"hdrcharset": "BINARY"}
	odd := file("odd", "")
	odd.PAXRecords = map[string]string{"SCHILY.xattr.my.x": "1"}
	for name, tt := range map[string]struct {
		entries []entry
		path    string // that must be there
		problem string
	}{
		"dots":             {[]entry{file("../../etc/x", "a")}, "/etc/x", `".."`},
		"dots inside":      {[]entry{file("a/../../../b", "a")}, "/b", `".."`},
		"through a link":   {[]entry{file("tmp/y", ""), link(tar.TypeSymlink, "l", "/../../tmp"), file("l/x", "a")}, "/tmp/x", "behind the symbolic link l"},
		"through a loop":   {[]entry{link(tar.TypeSymlink, "l", "l"), file("l/x", "a")}, "/l", "behind the symbolic link l"},
		"below a file":     {[]entry{file("f", "a"), file("f/x", "a")}, "/f", "cannot be placed"},
		"link first":       {[]entry{link(tar.TypeLink, "h", "later"), file("later", "")}, "/later", "does not come before"},
		"link to a folder": {[]entry{file("d/x", ""), link(tar.TypeLink, "h", "d")}, "/d/x", "to the directory"},
		"link to itself":   {[]entry{file("f", ""), link(tar.TypeLink, "f", "f")}, "/f", ""},
		"file for folder":  {[]entry{file("d/x", ""), file("d", "")}, "/d", ""},
		"folder for file":  {[]entry{file("d", ""), {tar.Header{Typeflag: tar.TypeDir, Name: "d/", Mode: 0o755}, ""}, file("d/x", "")}, "/d/x", ""},
		"long name":        {[]entry{file(strings.Repeat("n", 256), ""), file("ok", "")}, "/ok", "name of 256 bytes"},
		"long path":        {[]entry{file(strings.Repeat("n/", 2100)+"x", ""), file("ok", "")}, "/ok", "path of 4201 bytes"},
		"not ascii":        {[]entry{file("\u0171", "")}, "/\u0171", "not ASCII"},
		"raw bytes":        {[]entry{raw}, "/x\xc3\xa9", ""},
		"attribute":        {[]entry{odd}, "/odd", "no namespace"},
	} {
		t.Run(name, func(t *testing.T) {
			tr, problems := load(t, tt.entries...)
			if _, err := tr.Lstat(tt.path); err != nil {
				t.Error(err)
			}
			if tt.problem == "" && len(problems) != 0 || tt.problem != "" && (len(problems) == 0 || !strings.Contains(problems[0].What, tt.problem)) {
				t.Errorf("problems %v, want %q", problems, tt.problem)
			}
		})
	}
}

func TestLoadBounds(t *testing.T) {
	var many []entry
	for i := range 3 * maxProblems {
		many = append(many, file(fmt.Sprintf("../%d", i), ""))
	}
	if _, problems := load(t, many...); len(problems) != maxProblems {
		t.Errorf("%d problems", len(problems))
	}
	k := &keep{files: 10, smalls: 10, heads: 100}
	for i, want := range []int{8, 8, 0} { // from one budget, the other, none left
		c, err := k.content("/etc/x", 0o644, 8, strings.NewReader("12345678"))
		if err != nil {
			t.Fatal(err)
		}
		r, _ := c.Open()
		if n, _ := r.ReadAt(make([]byte, 8), 0); n != want {
			t.Errorf("%d: kept %d bytes, want %d", i, n, want)
		}
	}
	whole := pack(t, file("a", strings.Repeat("x", 2000)))
	for _, b := range [][]byte{whole[:2000], whole[:100], append([]byte("x"), whole...)} {
		if _, _, err := Load(context.Background(), bytes.NewReader(b)); !errors.Is(err, ondisk.ErrCorrupt) {
			t.Errorf("%d bytes: %v", len(b), err)
		}
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Load(ctx, bytes.NewReader(whole)); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(pack(f, file("etc/passwd", "x"), link(tar.TypeSymlink, "l", "/etc"), link(tar.TypeLink, "l/y", "etc/passwd"), file("l", "")))
	f.Fuzz(func(t *testing.T, b []byte) {
		tr, _, err := Load(context.Background(), bytes.NewReader(b))
		if err != nil {
			return
		}
		names := map[*tree.Node]uint32{}
		_ = tr.Walk(func(_ string, n *tree.Node) error { names[n]++; return nil })
		for n, k := range names {
			if n.Links != k {
				t.Fatalf("node %+v has %d names", n, k)
			}
		}
	})
}
