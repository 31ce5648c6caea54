package wsl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// ErrSeedExists is a seed file that is there already.
var ErrSeedExists = errors.New("exists")

// Seed is a cloud-init seed file on its way to the folder of the Windows user
// in which cloud-init's WSL data source looks
// (https://cloudinit.readthedocs.io/en/latest/reference/datasources/wsl.html).
// It is written beside its place first and gets its name when the distribution
// is registered.
type Seed struct {
	path string   // final name
	temp string   // what is written
	made []string // folders that were made for it
}

// Stage writes data for name ("noble.user-data"), whose case does not matter. A
// file of that name is an error unless replace is set.
func (h *Host) Stage(ctx context.Context, name string, data []byte, replace bool) (*Seed, error) {
	profile, err := h.Variable(ctx, "USERPROFILE")
	if err != nil {
		return nil, err
	}
	home, err := h.FromWindows(ctx, profile)
	if err != nil {
		return nil, err
	}
	s := &Seed{}
	dir := filepath.Join(home, ".cloud-init")
	switch err := os.Mkdir(dir, 0o700); {
	case err == nil:
		s.made = append(s.made, dir)
	case !errors.Is(err, fs.ErrExist):
		return nil, err
	}
	if err := s.write(dir, name, data, replace); err != nil {
		return nil, errors.Join(err, s.Discard())
	}
	return s, nil
}

func (s *Seed) write(dir, name string, data []byte, replace bool) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	s.path = filepath.Join(dir, name)
	for _, e := range entries {
		if !strings.EqualFold(e.Name(), name) {
			continue
		}
		s.path = filepath.Join(dir, e.Name()) // the one that cloud-init finds
		if !replace {
			return fmt.Errorf("cloud-init seed %q: %w", s.path, ErrSeedExists)
		}
	}
	f, err := os.CreateTemp(dir, ".wslimg-*.tmp") // mode 0600: seeds hold passwords
	if err != nil {
		return err
	}
	s.temp = f.Name()
	_, err = f.Write(data)
	return errors.Join(err, f.Sync(), f.Close())
}

// Path is where the seed will be.
func (s *Seed) Path() string { return s.path }

// Commit puts the seed in place.
func (s *Seed) Commit() error {
	err := os.Rename(s.temp, s.path)
	if err == nil {
		s.temp, s.made = "", nil
	}
	return err
}

// Discard removes what Commit did not put in place.
func (s *Seed) Discard() error {
	var err error
	if s.temp != "" {
		err = os.Remove(s.temp)
		s.temp = ""
	}
	for _, dir := range s.made {
		_ = os.Remove(dir) // stays if something else came into it
	}
	s.made = nil
	return err
}
