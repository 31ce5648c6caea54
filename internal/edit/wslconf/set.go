package wslconf

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

// Set makes WSL read value for key, which must be in the table. The rest of
// the file, comments and order included, stays as it is. An error says why WSL
// would not read back what was asked for; the file is unchanged then.
func (f *File) Set(key, value string) error {
	k := find(f.keys, key)
	if k == nil {
		return fmt.Errorf("%s", unknown(f.keys, key))
	}
	if f.dead >= 0 {
		last := f.issues[len(f.issues)-1]
		return fmt.Errorf("%s: WSL stops reading before it: %s", k.Name, last)
	}
	if why := k.reject(value); why != "" {
		return fmt.Errorf("%s: %s", k.Name, why)
	}
	if why := k.trap(value); why != "" && k.Kind != Text {
		return fmt.Errorf("%s: %s", k.Name, why)
	}
	raw, err := encode(value)
	if err != nil {
		return fmt.Errorf("%s: %w", k.Name, err)
	}
	if have, _, ok := f.Get(k.Name); ok && have == value {
		return nil
	}
	before := f.raw
	f.raw = f.place(k, raw)
	f.parse()
	if got, _, ok := f.Get(k.Name); !ok || got != value { // never seen; WSL must not surprise anyone
		f.raw = before
		f.parse()
		return fmt.Errorf("%s: WSL would read %q instead of %q", k.Name, got, value)
	}
	return nil
}

// place puts a setting over the first one of its name, else below the last
// line of its section, else into a new section at the end.
func (f *File) place(k *Key, raw string) []byte {
	section, name, _ := strings.Cut(k.Name, ".")
	var in *statement
	for i := range f.lines {
		s := &f.lines[i]
		if s.key != "" && strings.EqualFold(s.name(), k.Name) {
			return slices.Concat(f.raw[:s.vstart], []byte(raw), f.raw[s.vend:])
		}
		if strings.EqualFold(s.section, section) {
			in = s
		}
	}
	nl := "\n"
	if bytes.Contains(f.raw, []byte("\r\n")) {
		nl = "\r\n"
	}
	at, text := len(f.raw), ""
	if in != nil {
		at = in.end
	}
	if at > 0 && f.raw[at-1] != '\n' {
		text = nl
	}
	if in == nil {
		if len(f.raw) > 0 {
			text += nl
		}
		text += "[" + section + "]" + nl
	}
	text += name + "=" + raw + nl
	return slices.Concat(f.raw[:at], []byte(text), f.raw[at:])
}

// Unset takes every line of key out and tells whether there was one.
func (f *File) Unset(key string) bool {
	var out []byte
	at := 0
	for _, s := range f.lines {
		if s.key != "" && strings.EqualFold(s.name(), key) {
			out = append(out, f.raw[at:s.start]...)
			at = s.end
		}
	}
	if at == 0 {
		return false
	}
	f.raw = append(out, f.raw[at:]...)
	f.parse()
	return true
}

// encode writes a value so that WSL reads it back, or says why that cannot be.
func encode(value string) (string, error) {
	var b strings.Builder
	quote := strings.Contains(value, "#") || value != strings.Trim(value, " ")
	for _, c := range []byte(value) {
		switch {
		case c == '\\' || c == '"':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\b':
			b.WriteString(`\b`)
		case c == '\n':
			b.WriteString(`\n`)
		case c == '\t':
			b.WriteString(`\t`)
		case c == 0 || c == '\r':
			return "", fmt.Errorf("%q cannot be written in a form that WSL reads: it has no escape for character %#x", value, c)
		case c >= 0x80:
			return "", fmt.Errorf("%q is not ASCII; what WSL makes of other characters depends on its locale", value)
		default:
			b.WriteByte(c)
		}
	}
	if quote {
		return `"` + b.String() + `"`, nil
	}
	return b.String(), nil
}

// Repair makes the lines that end the parse harmless, so that those below
// count again: a byte order mark goes, "; x" becomes "# x", "[ x ]" becomes
// "[x]", anything else becomes a comment, under a bad header the whole section.
// It returns what it did, by line; nothing for a file that is well-formed.
func (f *File) Repair() []Issue {
	var done []Issue
	var out []byte
	p := &parser{b: f.raw, line: 1}
	for {
		s, why := p.next()
		if why == "" && s != nil {
			continue
		}
		if why == "" {
			out = append(out, p.b...)
			break
		}
		done = append(done, Issue{p.line, Fatal, "", why})
		out = append(out, p.b[:p.start]...)
		rest := p.b[p.start:]
		text := bytes.TrimLeft(rest, " \t")
		below := text[len(firstLine(text)):]
		switch {
		case bytes.HasPrefix(text, []byte(bom)):
			below = text[len(bom):]
		case text[0] == '[':
			out, below = mendHeader(out, text)
		case text[0] == ';':
			out = append(append(out, '#'), firstLine(text)[1:]...)
		default:
			out = comment(out, firstLine(text))
		}
		lines := bytes.Count(rest[:len(rest)-len(below)], []byte("\n"))
		p = &parser{b: below, line: p.line + lines}
	}
	if done != nil {
		f.raw = out
		f.parse()
	}
	return done
}

const bom = "\xef\xbb\xbf" // the byte order mark in UTF-8

// firstLine is b up to and including its first line feed.
func firstLine(b []byte) []byte {
	if i := bytes.IndexByte(b, '\n'); i >= 0 {
		return b[:i+1]
	}
	return b
}

// comment appends line as a comment, with plain line ends.
func comment(out, line []byte) []byte {
	return append(append(out, "# "...), bytes.ReplaceAll(line, []byte("\r"), nil)...)
}

// mendHeader appends the malformed header that b starts with to out, as WSL
// takes it, or else as comments with all of its section.
func mendHeader(out, b []byte) (mended, below []byte) {
	line := firstLine(b)
	b = b[len(line):]
	name, after, closed := strings.Cut(string(line[1:]), "]")
	name, after = strings.TrimSpace(name), strings.TrimSpace(after)
	p := &parser{b: []byte(name)}
	if closed && name != "" && p.word() == name {
		if after != "" && after[0] != '#' {
			after = "# " + after
		}
		return append(out, strings.TrimSpace("["+name+"] "+after)+"\n"...), b
	}
	out = comment(out, line)
	for len(b) > 0 {
		line := firstLine(b)
		text := bytes.Trim(line, " \t\r\n")
		switch {
		case len(text) == 0 || text[0] == '#':
			out = append(out, line...)
		case text[0] == '[':
			return out, b
		default:
			out = comment(out, line)
		}
		b = b[len(line):]
	}
	return out, b
}
