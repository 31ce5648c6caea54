package wslconf

import (
	"bytes"
	"fmt"
	"strings"
)

// File is a parsed configuration file.
type File struct {
	keys   []Key
	raw    []byte
	lines  []statement
	dead   int // offset of the malformed statement that ended the parse, or -1
	issues []Issue
}

// Issue is something in a file that WSL does not take as written.
type Issue struct {
	Line  int    // 1-based
	Level Level  // how bad
	Key   string // "section.key", where it is about one
	What  string // the reason, and the remedy where there is one
}

// Level tells how much an issue costs.
type Level int

// The levels.
const (
	Trap    Level = iota // taken, but perhaps not as meant
	Ignored              // this line has no effect
	Fatal                // this line and everything below it has no effect
)

func (i Issue) String() string { return fmt.Sprintf("line %d: %s", i.Line, i.What) }

// statement is a section header or a setting, with its place in raw.
type statement struct {
	start, end int // of the whole statement, its line end included
	line       int
	section    string // spelt as in the file
	key        string // "" for a header
	value      string
	vstart     int // of the raw value
	vend       int // behind the last byte of the raw value that is neither space nor comment
	first      bool
}

func (s *statement) name() string {
	if s.section == "" {
		return s.key
	}
	return s.section + "." + s.key
}

// Parse reads a file the way WSL does. It never fails: what WSL drops is
// dropped here too and listed by Issues.
func Parse(b []byte, keys []Key) *File {
	f := &File{keys: keys, raw: b}
	f.parse()
	return f
}

func (f *File) parse() {
	f.lines, f.issues, f.dead = nil, nil, -1
	p := &parser{b: f.raw, line: 1}
	set := map[string]int{}
	for {
		s, err := p.next()
		if err != "" {
			f.dead = p.start
			f.issues = append(f.issues, Issue{p.line, Fatal, "", err + dropped(p.section, f.raw[p.start:])})
			return
		}
		if s == nil {
			return
		}
		if s.key != "" {
			f.take(s, set)
		}
		f.lines = append(f.lines, *s)
	}
}

// take notes what WSL would say about a setting. A key counts as set, and
// later ones as duplicates, also when its value is rejected.
func (f *File) take(s *statement, set map[string]int) {
	name := s.name()
	k := find(f.keys, name)
	if k == nil {
		f.issues = append(f.issues, Issue{s.line, Ignored, name, unknown(f.keys, name)})
		return
	}
	if at, dup := set[k.Name]; dup {
		f.issues = append(f.issues, Issue{s.line, Ignored, k.Name, fmt.Sprintf("%s stands in line %d already; the first one counts", k.Name, at)})
		return
	}
	set[k.Name] = s.line
	if why := k.reject(s.value); why != "" {
		f.issues = append(f.issues, Issue{s.line, Ignored, k.Name, k.Name + ": " + why})
		return
	}
	s.first = true
	if why := k.trap(s.value); why != "" {
		f.issues = append(f.issues, Issue{s.line, Trap, k.Name, k.Name + ": " + why})
	}
}

// Issues lists what WSL does not take as written, in the order of the file.
func (f *File) Issues() []Issue { return f.issues }

// Bytes is the file as it stands.
func (f *File) Bytes() []byte { return f.raw }

// Get returns the value that WSL takes for key and its line; ok is false when
// the file does not set it.
func (f *File) Get(key string) (value string, line int, ok bool) {
	for _, s := range f.lines {
		if s.first && strings.EqualFold(s.name(), key) {
			return s.value, s.line, true
		}
	}
	return "", 0, false
}

// Bool is the value of a boolean key that holds, its default where it is not set.
func (f *File) Bool(key string) bool {
	value, _, ok := f.Get(key)
	if k := find(f.keys, key); !ok && k != nil {
		value = k.Default
	}
	b, _ := parseBool(value)
	return b
}

// parser walks over statements.
type parser struct {
	b       []byte
	pos     int
	line    int
	start   int // of the statement being read
	section string
}

func (p *parser) peek() int {
	if p.pos < len(p.b) {
		return int(p.b[p.pos])
	}
	return -1
}

func (p *parser) spaces() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.pos++
	}
}

// lineEnd takes a comment and a line end, if they are next. A carriage return
// ends a line as well, but not inside a comment.
func (p *parser) lineEnd() {
	if p.peek() == '#' {
		if i := bytes.IndexByte(p.b[p.pos:], '\n'); i >= 0 {
			p.pos += i
		} else {
			p.pos = len(p.b)
		}
	}
	if p.peek() == '\r' {
		p.pos++
		if p.peek() != '\n' {
			p.line++
		}
	}
	if p.peek() == '\n' {
		p.pos++
		p.line++
	}
}

func isAlpha(c int) bool { return c|32 >= 'a' && c|32 <= 'z' }
func isAlnum(c int) bool { return isAlpha(c) || c >= '0' && c <= '9' }

// word takes a letter and the letters and digits behind it.
func (p *parser) word() string {
	from := p.pos
	if !isAlpha(p.peek()) {
		return ""
	}
	for isAlnum(p.peek()) {
		p.pos++
	}
	return string(p.b[from:p.pos])
}

// next returns the next header or setting, nil at the end, or why the line is
// malformed.
func (p *parser) next() (*statement, string) {
	for {
		p.start = p.pos
		p.spaces()
		switch c := p.peek(); {
		case c < 0:
			return nil, ""
		case c == '\r' || c == '\n' || c == '#':
			p.lineEnd()
		case c == '[':
			return p.header()
		case isAlpha(c):
			return p.setting()
		case c == ';':
			return nil, `";" starts no comment for WSL, "#" does`
		case c == 0xef && bytes.HasPrefix(p.b[p.pos:], []byte(bom)):
			return nil, "the file starts with a byte order mark, which WSL takes for a malformed line; save it as UTF-8 without one"
		default:
			return nil, fmt.Sprintf("a line starts with a letter, [ or #, not with %q", rune(c))
		}
	}
}

func (p *parser) header() (*statement, string) {
	s := &statement{start: p.start, line: p.line}
	p.pos++
	s.section = p.word()
	if s.section == "" || p.peek() != ']' {
		return nil, "a section is [name], with letters and digits only and no spaces"
	}
	p.pos++
	p.spaces()
	switch p.peek() {
	case -1, '\r', '\n', '#':
	default:
		return nil, fmt.Sprintf("only a comment may follow [%s] on its line", s.section)
	}
	p.section = s.section
	p.lineEnd()
	s.end = p.pos
	return s, ""
}

func (p *parser) setting() (*statement, string) {
	s := &statement{start: p.start, line: p.line, section: p.section}
	s.key = p.word()
	p.spaces()
	if p.peek() != '=' {
		return nil, fmt.Sprintf("%q is not followed by =; names have letters and digits only", s.key)
	}
	p.pos++
	p.spaces()
	if why := p.value(s); why != "" {
		return nil, why
	}
	p.lineEnd()
	s.end = p.pos
	return s, ""
}

// value reads up to the end of the line or a comment. Spaces at the end go
// unless they are quoted; "\" and a line end join two lines.
func (p *parser) value(s *statement) string {
	var v []byte
	quoted, keep, line := false, 0, p.line
	s.vstart, s.vend = p.pos, p.pos
loop:
	for ; ; p.pos++ {
		c := p.peek()
		switch {
		case c < 0 || c == '\n' || c == '\r' || c == '#' && !quoted:
			break loop
		case c == '"':
			quoted = !quoted
		case c == '\\':
			p.pos++
			e := p.peek()
			switch e {
			case '\\', '"':
				v = append(v, byte(e))
			case 'b':
				v = append(v, '\b')
			case 'n':
				v = append(v, '\n')
			case 't':
				v = append(v, '\t')
			case '\r': // skipped; the line feed behind it ends the value
			case '\n':
				line++
			case -1:
				return `the file ends after a "\"`
			default:
				return fmt.Sprintf(`"\%c" is no escape that WSL knows (\\, \", \b, \n, \t); a backslash is written \\`, rune(e))
			}
		default:
			v = append(v, byte(c))
		}
		if c != ' ' && c != '\t' {
			keep, s.vend = len(v), p.pos+1
		}
	}
	if quoted {
		return `a " is not closed before the end of the line`
	}
	p.line = line
	v = v[:keep]
	if i := bytes.IndexByte(v, 0); i >= 0 {
		v = v[:i] // WSL hands the value on as a C string
	}
	s.value = string(v)
	return ""
}

// dropped names the settings below a malformed line, in a section or itself a
// header, that are lost with it.
func dropped(section string, rest []byte) string {
	var names []string
	malformed := true
	for l := range strings.Lines(strings.TrimPrefix(string(rest), bom)) {
		l = strings.TrimSpace(l)
		if name, ok := strings.CutPrefix(l, "["); ok {
			section, _, _ = strings.Cut(strings.TrimSpace(name), "]")
		} else if key, _, ok := strings.Cut(l, "="); ok && !malformed && isAlpha(int(l[0])) {
			names = append(names, strings.TrimSpace(section)+"."+strings.TrimSpace(key))
		}
		malformed = false
	}
	if len(names) == 0 {
		return ""
	}
	if len(names) > 5 {
		names = append(names[:5], "…")
	}
	return "; WSL stops reading here and loses " + strings.Join(names, ", ")
}
