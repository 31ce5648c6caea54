package cloudinit

import (
	"bytes"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// Seed is where cloud-init finds the user's data.
type Seed string

// The seeds.
const (
	Rootfs Seed = "rootfs" // a NoCloud seed in the tree
	Host   Seed = "host"   // the folder .cloud-init in the Windows user's profile
)

// Data is what the user gives cloud-init. It may hold secrets: no text made
// from it names more than keys, paths, user names and lines.
type Data struct {
	User     []byte // nil: none
	UserName string // of the file, for messages
	Meta     []byte // nil: made up
	MetaName string
	Seed     Seed
}

// linter checks one set of data against one tree.
type linter struct {
	t        *tree.Tree
	d        *Data
	conf     *wslconf.File
	final    bool // nothing will be set in conf any more
	os       osinfo.Info
	users    []string // that the data makes
	usersAt  int      // line of the first of them
	makes    bool     // the data has a users section
	opaque   bool     // the data has scripts or the like, which may do anything
	written  string   // what the data would write to wsl.conf, "" for nothing
	findings []edit.Finding
}

// Lint says what cloud-init and WSL would make of the data other than it
// says, in the distribution that a conversion of t makes.
func Lint(t *tree.Tree, d Data) ([]edit.Finding, error) { return lint(t, d, false) }

// lint is Lint; with final, t is that distribution.
func lint(t *tree.Tree, d Data, final bool) ([]edit.Finding, error) {
	conf, err := wslconf.Load(t, wslconf.Path, wslconf.Keys)
	if err != nil {
		return nil, err
	}
	l := &linter{t: t, d: &d, conf: conf, final: final, os: osinfo.Detect(t)}
	if d.User != nil {
		l.userData(d.User, part{})
		l.defaultUser()
		l.image()
	}
	if d.Meta != nil {
		l.metaData()
	}
	return l.findings, nil
}

// Decides tells whether the data may make users or choose WSL's default user,
// both of which happen after the conversion.
func (d *Data) Decides() bool {
	l := &linter{d: d, conf: wslconf.Parse(nil, wslconf.Keys)}
	l.userData(d.User, part{})
	_, _, set := wslconf.Parse([]byte(l.written), wslconf.Keys).Get("user.default")
	return l.makes || l.opaque || set
}

func (l *linter) add(rule string, sev edit.Severity, line int, what, fix string) {
	l.findings = append(l.findings, edit.Finding{Rule: rule, Severity: sev, Path: l.d.UserName, Line: line, What: what, Fix: fix})
}

// part is a piece of user data inside another: its first line is line first+1
// of the file, or nobody knows (encoded) and messages name the part.
type part struct {
	first int
	name  string // "" for the whole file
	kind  string // MIME type where one is stated
	depth int
}

// at is where line n of a part is; 0 with the part's name in front if unknown.
func (l *linter) at(p part, rule string, sev edit.Severity, n int, what, fix string) {
	if p.name != "" && p.first < 0 {
		l.add(rule, sev, 0, fmt.Sprintf("%s, line %d: %s", p.name, n, what), fix)
		return
	}
	l.add(rule, sev, p.first+n, what, fix)
}

// heads are the beginnings by which cloud-init tells user data apart; longer
// ones first (cloudinit/handlers/__init__.py, INCLUSION_TYPES_MAP).
var heads = []struct{ prefix, kind string }{
	{"#cloud-config-archive", "text/cloud-config-archive"},
	{"#cloud-config-jsonp", "text/cloud-config-jsonp"},
	{"## template: jinja", "text/jinja2"},
	{"#cloud-boothook", "text/cloud-boothook"},
	{"#include-once", "text/x-include-once-url"},
	{"#cloud-config", "text/cloud-config"},
	{"#part-handler", "text/part-handler"},
	{"#include", "text/x-include-url"},
	{"#!", "text/x-shellscript"},
}

// maxDepth bounds parts in parts.
const maxDepth = 8

// userData finds out of what kind the data is and checks it.
func (l *linter) userData(b []byte, p part) {
	switch {
	case p.depth > maxDepth:
		l.at(p, "CI-HEAD", edit.Error, 1, "parts are nested too deep", "flatten them")
		return
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		l.at(p, "CI-HEAD", edit.Error, 1, "starts with a byte order mark: cloud-init does not know what it is and ignores it", "save it as UTF-8 without BOM")
		return
	case bytes.HasPrefix(b, []byte("\xff\xfe")) || bytes.HasPrefix(b, []byte("\xfe\xff")):
		l.at(p, "CI-HEAD", edit.Error, 1, "is UTF-16: cloud-init ignores it", "save it as UTF-8 without BOM")
		return
	case bytes.HasPrefix(b, []byte("\x1f\x8b")):
		l.compressed(b, p)
		return
	case isMIME(b):
		l.mime(b, p)
		return
	}
	kind := p.kind
	if text := bytes.ToLower(bytes.TrimLeft(b, " \t\r\n\v\f")); kind == "" || kind == "text/plain" || kind == "text/x-shellscript" {
		for _, h := range heads {
			if bytes.HasPrefix(text, []byte(h.prefix)) {
				kind = h.kind
				break
			}
		}
	}
	l.kind(kind, b, p)
}

func (l *linter) kind(kind string, b []byte, p part) {
	switch kind {
	case "", "text/cloud-config", "text/cloud-config-archive":
	default:
		l.opaque = true
	}
	switch kind {
	case "text/cloud-config":
		l.cloudConfig(b, p, false)
	case "text/jinja2":
		l.jinja(b, p)
	case "text/cloud-config-archive":
		l.archive(b, p)
	case "text/x-include-url", "text/x-include-once-url":
		l.include(b, p)
	case "text/x-shellscript", "text/cloud-boothook", "text/x-shellscript-per-boot", "text/x-shellscript-per-instance", "text/x-shellscript-per-once":
		if line, _, _ := bytes.Cut(b, []byte("\n")); bytes.HasSuffix(line, []byte("\r")) {
			l.at(p, "CI-HEAD", edit.Error, 1, "has Windows line ends: the interpreter would be looked for under a name that ends in CR", "save it with Unix line ends")
		}
	case "text/part-handler", "text/cloud-config-jsonp":
	case "":
		what := "the first line is none that cloud-init knows: all of it is ignored"
		if head := bytes.TrimSpace(b); bytes.HasPrefix(bytes.ReplaceAll(bytes.ToLower(head), []byte(" "), nil), []byte("#cloud-config")) {
			what = `the first line is "#cloud-config" with a space in it: all of it is ignored`
		}
		l.at(p, "CI-HEAD", edit.Error, 1, what, "start with #cloud-config, #!, #include or a MIME header")
	}
}

// jinja: the template is rendered first; what it renders to is not known here.
func (l *linter) jinja(b []byte, p part) {
	skipped := len(b) - len(bytes.TrimLeft(b, " \t\r\n\v\f"))
	_, rest, _ := bytes.Cut(b[skipped:], []byte("\n"))
	p.first += bytes.Count(b[:skipped], []byte("\n")) + 1
	p.kind = ""
	p.depth++
	if bytes.HasPrefix(bytes.ToLower(bytes.TrimSpace(rest)), []byte("#cloud-config")) {
		l.cloudConfig(rest, p, true)
		return
	}
	l.userData(rest, p)
}

// include: cloud-init reads the paths inside Linux.
func (l *linter) include(b []byte, p part) {
	n := 0
	for line := range strings.Lines(string(b)) {
		n++
		line = strings.TrimSpace(line)
		for _, head := range []string{"#include-once", "#include"} {
			line = strings.TrimSpace(strings.TrimPrefix(line, head))
		}
		if strings.HasPrefix(line, `\\`) || len(line) > 2 && line[1] == ':' && (line[2] == '\\' || line[2] == '/') {
			l.at(p, "CI-INCLUDE", edit.Error, n, "is a Windows path; cloud-init reads it inside Linux", "write /mnt/c/… for C:\\…")
		}
	}
}

// Errors tells whether findings hold an error.
func Errors(findings []edit.Finding) bool {
	for _, f := range findings {
		if f.Severity == edit.Error {
			return true
		}
	}
	return false
}
