package all

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"strings"

	"github.com/wslimg/wslimg/internal/hostfile"
	"github.com/wslimg/wslimg/internal/image"
	"github.com/wslimg/wslimg/internal/image/wrap"
	"github.com/wslimg/wslimg/internal/ondisk"
)

const (
	defaultMaxSpool = 16 << 40
	copyBuffer      = 1 << 20
)

// spool unwraps r, of total bytes if that is known, into a temporary file.
func spool(ctx context.Context, img *image.Image, r io.Reader, total int64, opts Options) (file *hostfile.File, err error) {
	in := &source{ctx: ctx, r: r, total: total, progress: opts.Progress}
	var sum *Digest
	if opts.Digest != "" {
		if sum, err = NewDigest(opts.Digest); err != nil {
			return nil, err
		}
		in.r = io.TeeReader(r, sum)
	}
	temp, err := hostfile.NewTemp(opts.TempDir)
	if err != nil {
		return nil, err
	}
	limit := opts.MaxSpool
	if limit == 0 {
		limit = defaultMaxSpool
	}
	img.Wrapping, err = wrap.Unwrap(temp, in, limit)
	if err == nil && sum != nil {
		// What follows the wrapping belongs to the file too.
		if _, err = io.Copy(io.Discard, in); err == nil {
			err = sum.Check()
		}
	}
	if err != nil {
		return nil, errors.Join(err, temp.Close())
	}
	return temp.File(img.Name)
}

// source is the reader of an image file that is read from end to end.
type source struct {
	ctx         context.Context //nolint:containedctx // an io.Reader takes none
	r           io.Reader
	done, total int64
	progress    func(done, total int64)
}

func (s *source) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, &wrap.SourceError{Err: err}
	}
	n, err := s.r.Read(p)
	s.done += int64(n)
	if s.progress != nil {
		s.progress(s.done, s.total)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = &wrap.SourceError{Err: err}
	}
	return n, err
}

// Digest is the hash of a file, of what was written to it so far, and what it
// should be.
type Digest struct {
	hash.Hash
	want string
}

// CheckDigest tells whether text can stand in Options.Digest.
func CheckDigest(text string) error {
	_, err := NewDigest(text)
	return err
}

// NewDigest takes "sha256:" and 64 hexadecimal digits.
func NewDigest(text string) (*Digest, error) {
	algorithm, want, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(want)
	if algorithm != "sha256" || err != nil || len(raw) != sha256.Size {
		return nil, fmt.Errorf("digest %q: want sha256: and 64 hexadecimal digits", text)
	}
	return &Digest{sha256.New(), strings.ToLower(want)}, nil
}

// Check tells whether all that was written is what it should be.
func (d *Digest) Check() error {
	if got := hex.EncodeToString(d.Sum(nil)); got != d.want {
		return ondisk.WithHint(fmt.Errorf("digest sha256:%s, want sha256:%s", got, d.want),
			"the file is damaged or another one than was meant: get it again")
	}
	return nil
}
