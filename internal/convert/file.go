package convert

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"io"
)

// ToFile is Run into the file path, which appears only when it is complete.
func ToFile(ctx context.Context, name string, o Options, path string, out OutputOptions, report Reporter) (*Result, error) {
	f, err := CreateOutput(path, out)
	if err != nil {
		return nil, err
	}
	m := NewMeter(f)
	res, err := Run(ctx, name, o, m, report)
	if err != nil {
		return nil, errors.Join(err, f.Discard())
	}
	report.Phase("syncing", 0)
	if err := f.Commit(); err != nil {
		return nil, err
	}
	res.Output = m.Info(path)
	return res, nil
}

// Meter counts and hashes what goes through to its writer.
type Meter struct {
	w    io.Writer
	n    int64
	hash hash.Hash
}

// NewMeter makes a Meter for w.
func NewMeter(w io.Writer) *Meter { return &Meter{w: w, hash: sha256.New()} }

func (m *Meter) Write(p []byte) (int, error) {
	n, err := m.w.Write(p)
	m.hash.Write(p[:n])
	m.n += int64(n)
	return n, err
}

// Info describes what went through, as the file path.
func (m *Meter) Info(path string) *OutputInfo {
	return &OutputInfo{Path: path, Bytes: m.n, SHA256: hex.EncodeToString(m.hash.Sum(nil))}
}
