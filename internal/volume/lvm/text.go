package lvm

import (
	"strconv"
	"strings"

	"github.com/wslimg/wslimg/internal/ondisk"
)

const maxDepth = 8 // of sections in sections; LVM uses 4

// section is a part of LVM's text: "name { … }".
type section struct {
	values   map[string]value
	sections map[string]*section
	order    []string // names of sections
}

// value is what stands behind "name =".
type value struct {
	text string // of a string, without its quotes
	num  int64  // of a number without a fraction
	list []value
	kind byte // 's', 'n', 'l'
}

// parser reads LVM's configuration text.
type parser struct {
	s   string
	pos int
}

// parse parses a whole text.
func parse(text string) (*section, error) {
	p := &parser{s: strings.TrimRight(text, "\x00")}
	return p.section(0)
}

func (p *parser) fail(want string) error {
	line := 1 + strings.Count(p.s[:min(p.pos, len(p.s))], "\n")
	return ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata, line %d: want %s", line, want)
}

// skip goes to the next byte that is neither space nor comment, and returns it;
// 0 at the end.
func (p *parser) skip() byte {
	for p.pos < len(p.s) {
		switch c := p.s[p.pos]; c {
		case ' ', '\t', '\n', '\r':
			p.pos++
		case '#':
			if n := strings.IndexByte(p.s[p.pos:], '\n'); n >= 0 {
				p.pos += n
			} else {
				p.pos = len(p.s)
			}
		default:
			return c
		}
	}
	return 0
}

// section parses up to the brace that closes the section, or the end of the
// text at depth 0.
func (p *parser) section(depth int) (*section, error) {
	if depth > maxDepth {
		return nil, p.fail("no deeper nesting")
	}
	s := &section{values: map[string]value{}, sections: map[string]*section{}}
	for {
		c := p.skip()
		if c == '}' && depth > 0 {
			p.pos++
			return s, nil
		}
		if p.pos >= len(p.s) && depth == 0 {
			return s, nil
		}
		name := p.word()
		_, twice := s.values[name]
		if name == "" || twice || s.sections[name] != nil {
			return nil, p.fail("a new name")
		}
		switch p.skip() {
		case '{':
			p.pos++
			sub, err := p.section(depth + 1)
			if err != nil {
				return nil, err
			}
			s.sections[name] = sub
			s.order = append(s.order, name)
		case '=':
			p.pos++
			v, err := p.value(true)
			if err != nil {
				return nil, err
			}
			s.values[name] = v
		default:
			return nil, p.fail(`"{" or "="`)
		}
	}
}

// word takes a name.
func (p *parser) word() string {
	start := p.pos
	for p.pos < len(p.s) && isWord(p.s[p.pos]) {
		p.pos++
	}
	return p.s[start:p.pos]
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("_-+./@:", c) >= 0
}

// value parses a string, a number or, if allowed, a list of those.
func (p *parser) value(list bool) (value, error) {
	switch c := p.skip(); {
	case c == '"':
		return p.str()
	case c == '[' && list:
		p.pos++
		return p.list()
	case c == '-' || c >= '0' && c <= '9':
		word := p.word()
		n, err := strconv.ParseInt(word, 10, 64)
		if err != nil { // a fraction: of no use here
			if _, err := strconv.ParseFloat(word, 64); err != nil {
				return value{}, p.fail("a number")
			}
			return value{kind: 'f'}, nil
		}
		return value{num: n, kind: 'n'}, nil
	}
	return value{}, p.fail("a value")
}

func (p *parser) list() (value, error) {
	v := value{kind: 'l'}
	for p.skip() != ']' {
		if len(v.list) > 0 {
			if p.skip() != ',' {
				return v, p.fail(`","`)
			}
			p.pos++
		}
		item, err := p.value(false)
		if err != nil {
			return v, err
		}
		v.list = append(v.list, item)
	}
	p.pos++
	return v, nil
}

// str parses a string; a backslash takes the next byte as it is.
func (p *parser) str() (value, error) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; c {
		case '"':
			p.pos++
			return value{text: b.String(), kind: 's'}, nil
		case '\\':
			if p.pos++; p.pos < len(p.s) {
				b.WriteByte(p.s[p.pos])
			}
		default:
			b.WriteByte(c)
		}
	}
	return value{}, p.fail("the end of a string")
}

// text returns a string of the section.
func (s *section) text(name string) (string, error) {
	if v := s.values[name]; v.kind == 's' {
		return v.text, nil
	}
	return "", ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: no string %q", name)
}

// number returns a number of the section within bounds.
func (s *section) number(name string, least, most int64) (int64, error) {
	v := s.values[name]
	if v.kind != 'n' || v.num < least || v.num > most {
		return 0, ondisk.Corruptf(ondisk.NoOffset, "LVM2 metadata: %s is %d, want %d to %d", name, v.num, least, most)
	}
	return v.num, nil
}
