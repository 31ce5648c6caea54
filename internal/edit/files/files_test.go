package files

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/edittest"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

func TestExclude(t *testing.T) {
	const lines = `
f0644 /var/cache/a/x ""
f0644 /var/cache/b/a/x ""
f0644 /home/joe/a.pyc ""
f0644 /home/joe/[x] ""
f0644 /x/y ""
l /link /home
`
	all := []string{"/home/joe/[x]", "/home/joe/a.pyc", "/link", "/var/cache/a/x", "/var/cache/b/a/x", "/x/y"}
	for pattern, gone := range map[string][]string{
		"/var/cache/*":      {"/var/cache/a/x", "/var/cache/b/a/x"},
		"var/cache/a":       {"/var/cache/a/x"},
		"/var/**/x":         {"/var/cache/a/x", "/var/cache/b/a/x"},
		"/var/**/a/**/x":    {"/var/cache/a/x", "/var/cache/b/a/x"},
		"**/a/x":            {"/var/cache/a/x", "/var/cache/b/a/x"},
		"*.pyc":             {"/home/joe/a.pyc"},
		"x":                 {"/var/cache/a/x", "/var/cache/b/a/x", "/x/y"},
		"x/":                {"/x/y"},
		"/home/**":          {"/home/joe/[x]", "/home/joe/a.pyc"},
		`/home/joe/\[x\]`:   {"/home/joe/[x]"},
		"/home/*/[a-b].p?c": {"/home/joe/a.pyc"},
		"/home/*/[!b].pyc":  {"/home/joe/a.pyc"},
		"/link":             {"/link"},
		"/link/joe":         nil,
		"/var/cache/a/":     {"/var/cache/a/x"},
		"/home/joe/a.pyc/":  nil,
		"**":                all,
	} {
		tr := edittest.Build(tree.New(), lines)
		e, err := Exclude([]string{pattern})
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
			continue
		}
		ch, err := e.Apply(context.Background(), tr)
		if err != nil {
			t.Errorf("%s: %v", pattern, err)
		}
		var left []string
		_ = tr.Walk(func(p string, n *tree.Node) error {
			if !n.IsDir() {
				left = append(left, p)
			}
			return nil
		})
		want := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return slices.Contains(gone, p) })
		if !slices.Equal(left, want) {
			t.Errorf("%s: left %v, want %v", pattern, left, want)
		}
		notes := e.(edit.Noter).Notes()
		if (len(gone) == 0) != (len(notes) == 1) || (len(gone) == 0) != (len(ch) == 0) {
			t.Errorf("%s: changes %v, notes %v", pattern, ch, notes)
		}
		if ch, err := e.Apply(context.Background(), tr); len(ch) != 0 || err != nil {
			t.Errorf("%s: again: %v, %v", pattern, ch, err)
		}
	}
}

func TestHostMode(t *testing.T) {
	for _, c := range []struct {
		mode fs.FileMode
		goos string
		want uint32
	}{
		{0o666, "linux", 0o666}, {fs.ModeSetuid | 0o755, "darwin", 0o755},
		{0o666, "windows", 0o644}, {0o444, "windows", 0o444}, {fs.ModeDir | 0o777, "windows", 0o755},
	} {
		if got := hostMode(c.mode, c.goos); got != c.want {
			t.Errorf("%v on %s: %#o, want %#o", c.mode, c.goos, got, c.want)
		}
	}
}

func TestBadPatterns(t *testing.T) {
	for _, p := range []string{"", "/", "a//b", "../x", "a/./b", "[a", `a\`} {
		if _, err := Compile(p); err == nil {
			t.Errorf("%q compiles", p)
		}
	}
}

func TestParseSpec(t *testing.T) {
	for in, want := range map[string]Spec{
		"a:/b":                {Src: "a", Dst: "/b"},
		`C:\a b:/etc/x:0600`:  {Src: `C:\a b`, Dst: "/etc/x", Mode: 0o600, HasMode: true},
		"C:/a:/b:4755:0:1000": {Src: "C:/a", Dst: "/b", Mode: 0o4755, HasMode: true, GID: 1000},
		"a:/b/:644:1:2":       {Src: "a", Dst: "/b/", Mode: 0o644, HasMode: true, UID: 1, GID: 2},
		"a:/":                 {Src: "a", Dst: "/"},
	} {
		if got, err := ParseSpec(in); got != want || err != nil {
			t.Errorf("%s: got %+v (%v)", in, got, err)
		}
	}
	for _, in := range []string{"", "a", ":/b", "a:b", "a:/b:9", "a:/b:644:1", "a:/b:644:x:y", "a:/b:644:1:99999999999"} {
		if sp, err := ParseSpec(in); err == nil {
			t.Errorf("%q gives %+v", in, sp)
		}
	}
}

func TestCopyIn(t *testing.T) {
	host := fstest.MapFS{
		"one":       {Data: []byte("1"), Mode: 0o640},
		"dir/a":     {Data: []byte("a"), Mode: 0o755},
		"dir/sub/b": {Data: nil, Mode: 0o600},
		"dir/l":     {Data: []byte("../x"), Mode: 0o777 | os.ModeSymlink},
	}
	tests := []struct {
		spec, src string
		want      []string
	}{
		{"one:/etc/new/x", "one", []string{`/etc/new 040755 0:0`, `/etc/new/x 0100640 0:0 1 "" "1"`}},
		{"c:\\h\\one:/etc", "one", []string{`/etc/one 0100640 0:0 1 "" "1"`}},
		{"one:/opt/:0600:5:6", "one", []string{`/opt/one 0100600 5:6 1 "" "1"`}},
		{"one:/etc/shells", "one", []string{`/etc/shells 0100640 0:0 1 "" "1"`}},
		{"one:/bin/x", "one", []string{`/usr/bin/x 0100640`}},
		{"dir:/etc", "dir", []string{`/etc 040755 0:0`, `/etc/a 0100755 0:0 1 "" "a"`, `/etc/l 0120777 0:0 1 "../x"`, `/etc/sub 040555 0:0`, `/etc/sub/b 0100600 0:0 1 "" ""`}},
		{"dir:/srv/new:0640:7:8", "dir", []string{`/srv/new 040750 7:8`, `/srv/new/a 0100640 7:8`, `/srv/new/sub 040750 7:8`, `/srv/new/l 0120777 7:8`}},
		{"dir:/", "dir", []string{`/a 0100755`}},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			tr := edittest.Debian()
			sp, err := ParseSpec(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			src, err := FromFS(host, tt.src)
			if err != nil {
				t.Fatal(err)
			}
			c := CopyIn(sp, src)
			ch, err := c.Apply(context.Background(), tr)
			if err != nil || len(ch) != 1 {
				t.Fatal(ch, err)
			}
			if found := c.Review(tr); len(found) != 0 {
				t.Errorf("found %+v", found)
			}
			after := edittest.Dump(tr)
			for _, w := range tt.want {
				if !strings.Contains("\n"+after, "\n"+w) {
					t.Errorf("no %s", w)
				}
			}
			if ch, err := CopyIn(sp, src).Apply(context.Background(), tr); len(ch) != 0 || err != nil || edittest.Dump(tr) != after {
				t.Error("again:", ch, err)
			}
		})
	}
	src, _ := FromFS(host, "one")
	for _, dst := range []string{"/", "/etc/passwd/x"} {
		sp := Spec{Src: "/", Dst: dst}
		if ch, err := CopyIn(sp, src).Apply(context.Background(), edittest.Debian()); err == nil {
			t.Errorf("%s: %v", dst, ch)
		}
	}
}

func TestCopyTakenOut(t *testing.T) {
	src, err := FromFS(fstest.MapFS{"dir/sub/b": {}, "dir/a": {}}, "dir")
	if err != nil {
		t.Fatal(err)
	}
	for _, gone := range []string{"/srv/new", "/srv/new/sub/b"} {
		tr := edittest.Debian()
		c := CopyIn(Spec{Src: "dir", Dst: "/srv/new/"}, src)
		if _, err := c.Apply(context.Background(), tr); err != nil {
			t.Fatal(err)
		}
		if ok, err := tr.Remove(gone); !ok || err != nil {
			t.Fatal(ok, err)
		}
		if found := c.Review(tr); len(found) != 1 || found[0].Path != gone {
			t.Errorf("without %s: found %+v", gone, found)
		}
	}
}

func TestFromRealFolder(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "f"), []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	n, err := FromFS(os.DirFS(dir), ".")
	if err != nil {
		t.Fatal(err)
	}
	b, err := n.Child("f").Read(10)
	if err != nil || string(b) != "data" || n.Mode&fsys.ModeType != fsys.ModeDir {
		t.Errorf("%q %v", b, err)
	}
	if _, err := FromFS(os.DirFS(dir), "none"); err == nil {
		t.Error("a file that is not there was read")
	}
	if err := os.WriteFile(filepath.Join(dir, "\xff"), nil, 0o600); err != nil {
		return // no such names on this system
	}
	if _, err := FromFS(os.DirFS(dir), "."); err == nil || !strings.Contains(err.Error(), `"\xff": the name is no UTF-8`) {
		t.Error(err)
	}
}

func FuzzCompile(f *testing.F) {
	f.Add("/a/**/[!b]*", "x")
	f.Fuzz(func(t *testing.T, p, name string) {
		g, err := Compile(p)
		if err != nil {
			return
		}
		s := g.start()
		for range 50 {
			s, _ = g.step(s, name)
			if len(s) > len(g.elems) {
				t.Fatalf("state of %d for %d elements", len(s), len(g.elems))
			}
		}
	})
}
