package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"mime/quotedprintable"
	"net/mail"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wslimg/wslimg/internal/edit"
)

// isMIME tells whether user data starts with message headers.
func isMIME(b []byte) bool {
	line, _, _ := bytes.Cut(b, []byte("\n"))
	line = bytes.ToLower(line)
	for _, h := range []string{"content-type:", "mime-version:", "from ", "received:"} {
		if bytes.HasPrefix(line, []byte(h)) {
			return true
		}
	}
	return false
}

// bounded reads at most MaxSize bytes.
func bounded(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err == nil && len(b) > MaxSize {
		err = fmt.Errorf("has more than %d bytes", MaxSize)
	}
	return b, err
}

func (l *linter) compressed(b []byte, p part) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err == nil {
		b, err = bounded(z)
	}
	if err != nil {
		l.at(p, "CI-HEAD", edit.Error, 1, "is compressed, but not readable: "+err.Error(), "compress it again with gzip")
		return
	}
	if p.name == "" {
		p.name = "uncompressed"
	}
	l.userData(b, part{first: -1, name: p.name, depth: p.depth + 1})
}

// mime checks the parts of a message; their lines are those of the file unless
// a part is encoded.
func (l *linter) mime(b []byte, p part) {
	broken := func(err error) {
		l.at(p, "CI-HEAD", edit.Error, 1, "starts like a MIME message, but is none: "+err.Error(), "make it with cloud-init devel make-mime")
	}
	m, err := mail.ReadMessage(bytes.NewReader(b))
	if err != nil {
		broken(err)
		return
	}
	kind, params, err := mime.ParseMediaType(m.Header.Get("Content-Type"))
	if err != nil {
		broken(err)
		return
	}
	if !strings.HasPrefix(kind, "multipart/") {
		body, err := decode(m.Body, m.Header.Get("Content-Transfer-Encoding"))
		if err != nil {
			broken(err)
			return
		}
		l.userData(body, l.inside(b, body, p, "body", kind))
		return
	}
	r := multipart.NewReader(m.Body, params["boundary"])
	for n := 1; ; n++ {
		mp, err := r.NextRawPart()
		if errors.Is(err, io.EOF) {
			return
		}
		if err == nil && n > 1000 {
			err = fmt.Errorf("more than 1000 parts")
		}
		if err != nil {
			broken(err)
			return
		}
		body, err := decode(mp, mp.Header.Get("Content-Transfer-Encoding"))
		if err != nil {
			broken(fmt.Errorf("part %d: %w", n, err))
			return
		}
		kind, _, _ := mime.ParseMediaType(mp.Header.Get("Content-Type"))
		l.userData(body, l.inside(b, body, p, fmt.Sprintf("part %d", n), kind))
	}
}

// inside places a part's body in the whole.
func (l *linter) inside(whole, body []byte, p part, name, kind string) part {
	q := part{first: -1, name: name, kind: kind, depth: p.depth + 1}
	if p.name != "" {
		q.name = p.name + ", " + name
	}
	if strings.HasPrefix(kind, "multipart/") {
		q.kind = ""
	}
	if i := bytes.Index(whole, body); i >= 0 && p.first >= 0 && len(body) > 0 {
		q.first = p.first + bytes.Count(whole[:i], []byte("\n"))
	}
	return q
}

func decode(r io.Reader, encoding string) ([]byte, error) {
	switch strings.ToLower(encoding) {
	case "base64":
		r = base64.NewDecoder(base64.StdEncoding, r)
	case "quoted-printable":
		r = quotedprintable.NewReader(r)
	}
	return bounded(r)
}

// archive checks the entries of a cloud-config-archive.
func (l *linter) archive(b []byte, p part) {
	top, ok := l.yaml(b, p, false)
	if !ok || top == nil {
		return
	}
	if top.Kind != yaml.SequenceNode {
		l.at(p, "CI-YAML", edit.Error, top.Line, "a cloud-config-archive is a list", "write - type: … and content: | for each part")
		return
	}
	for i, n := range top.Content {
		content := lookup(n, "content")
		if n.Kind == yaml.ScalarNode {
			content = n
		}
		if content == nil || content.Kind != yaml.ScalarNode {
			continue
		}
		q := part{first: -1, name: fmt.Sprintf("part %d", i+1), depth: p.depth + 1}
		if kind := lookup(n, "type"); kind != nil {
			q.kind = kind.Value
		}
		if content.Style == yaml.LiteralStyle && p.first >= 0 {
			q.first = p.first + content.Line
		}
		l.userData([]byte(content.Value), q)
	}
}
