package archtest

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/wslimg/wslimg"

// rule is what a package may import besides the standard library.
type rule struct{ imports, modules string }

func (r rule) allows(imported string) bool {
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok {
		return slices.ContainsFunc(strings.Fields(r.imports), func(p string) bool {
			all, below := strings.CutSuffix(p, "/...")
			return inside == all || below && strings.HasPrefix(inside, all+"/")
		})
	}
	return slices.ContainsFunc(strings.Fields(r.modules), func(m string) bool {
		return imported == m || strings.HasPrefix(imported, m+"/")
	})
}

// check judges one import of a file that is not a test; "" is no objection.
func check(pkg, imported string) string {
	helper := isTestOnly(pkg)
	if inside, ok := strings.CutPrefix(imported, module+"/"); ok && !helper && isTestOnly(inside) {
		return "is for tests only"
	}
	if helper {
		return ""
	}
	r, known := layers[pkg]
	if !known {
		return "the package has no row in layers"
	}
	switch imported {
	case "os", "os/exec", "path/filepath", "unsafe":
		if hostAccess[pkg] == "" {
			return "the package has no access to the host"
		}
		return ""
	}
	if first, _, _ := strings.Cut(imported, "/"); !strings.Contains(first, ".") {
		return "" // the standard library
	}
	if !r.allows(imported) {
		return "not among what its row in layers allows"
	}
	return ""
}

func isTestOnly(pkg string) bool {
	return slices.ContainsFunc(testOnly, func(t string) bool { return pkg == t || strings.HasPrefix(pkg, t+"/") })
}

// TestImports parses every file of the module, whatever its build tags say.
func TestImports(t *testing.T) {
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	err = filepath.WalkDir(root, func(file string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && file != root && (strings.HasPrefix(d.Name(), ".") || d.Name() == "testdata") {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(file, ".go") || strings.HasSuffix(file, "_test.go") {
			return nil
		}
		rel, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		pkg := path.Dir(filepath.ToSlash(rel))
		if pkg == "." {
			pkg = ""
		}
		seen[pkg] = true
		imports, err := importsOf(file)
		if err != nil {
			return err
		}
		for _, imported := range imports {
			if objection := check(pkg, imported); objection != "" {
				t.Errorf("%s imports %q: %s", filepath.ToSlash(rel), imported, objection)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for pkg := range layers {
		if !seen[pkg] {
			t.Errorf("layers has a row for %q, which does not exist", pkg)
		}
	}
	for pkg := range hostAccess {
		if _, ok := layers[pkg]; !ok {
			t.Errorf("hostAccess has a row for %q, which layers has not", pkg)
		}
	}
}

func importsOf(file string) ([]string, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	f, err := parser.ParseFile(token.NewFileSet(), file, src, parser.ImportsOnly)
	if err != nil {
		return nil, err
	}
	var imports []string
	for _, spec := range f.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", file, err)
		}
		imports = append(imports, p)
	}
	return imports, nil
}

// TestCheck holds the judge itself against cases that it must find.
func TestCheck(t *testing.T) {
	for _, test := range []struct {
		pkg, imported string
		allowed       bool
	}{
		{"internal/fsys/ext4", module + "/internal/ondisk", true},
		{"internal/fsys/ext4", module + "/internal/fsys/xfs", false}, // siblings
		{"internal/fsys/ext4", module + "/internal/tree", false},     // backwards
		{"internal/fsys/ext4", module + "/internal/fsys/fsystest", false},
		{"internal/fsys/ext4", "os", false},
		{"internal/fsys/ext4", "unsafe", false},
		{"internal/fsys/ext4", "encoding/binary", true},
		{"internal/fsys/ext4", "github.com/klauspost/compress/zstd", false},
		{"internal/fsys/all", module + "/internal/fsys/xfs", true},
		{"internal/fsys/all", module + "/internal/fsysx", false},
		{"internal/sink/tarball", "github.com/klauspost/compress/zstd", true},
		{"internal/sink/tarball", "github.com/klauspost/compressx", false},
		{"internal/convert", "os", true},
		{"internal/ui", module + "/internal/wsl", false},
		{"cmd", module + "/internal/wsl", true},
		{"cmd", module + "/internal/manifest", false},
		{"internal/nowhere", "fmt", false},
		{"internal/fsys/fsystest", "os", true},
	} {
		if got := check(test.pkg, test.imported) == ""; got != test.allowed {
			t.Errorf("%q imports %q: allowed %t, want %t", test.pkg, test.imported, got, test.allowed)
		}
	}
}
