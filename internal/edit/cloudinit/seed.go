package cloudinit

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

// ErrData: the user's data would not do what it says.
var ErrData = errors.New("user data")

// meta returns the meta data: the given one, or one whose instance id changes
// with the user data, so that new data counts as a new instance.
func (d *Data) meta() []byte {
	if d.Meta != nil {
		return d.Meta
	}
	sum := sha256.Sum256(d.User)
	return []byte("instance-id: iid-wslimg-" + hex.EncodeToString(sum[:8]) + "\n")
}

// HostFile is a file for the folder .cloud-init in the Windows user's profile.
type HostFile struct {
	Name string
	Data []byte // may hold secrets: to be readable by its owner only
}

// HostFiles are the files for a distribution that will be registered as instance.
func (d *Data) HostFiles(instance string) []HostFile {
	list := []HostFile{{instance + ".user-data", d.User}}
	if d.Meta != nil {
		list = append(list, HostFile{instance + ".meta-data", d.Meta})
	}
	return list
}

// New returns the edit that checks the data against the tree and, for the
// rootfs seed, puts it there. Errors of the check stop it unless forced;
// warnings become notes.
func New(d Data, force bool) (edit.Noter, error) {
	if d.Seed != Rootfs && d.Seed != Host {
		return nil, fmt.Errorf("no seed %q: there are rootfs and host", d.Seed)
	}
	if n := max(len(d.User), len(d.Meta)); n > MaxSize {
		return nil, fmt.Errorf("user or meta data of %d bytes: at most %d are taken", n, MaxSize)
	}
	if d.User == nil {
		return nil, errors.New("meta data without user data")
	}
	return &seedEdit{Data: d, force: force}, nil
}

type seedEdit struct {
	Data
	force bool
	notes []string
}

func (e *seedEdit) Name() string { return "cloud-init" }

// Notes are the findings that did not stop the edit.
func (e *seedEdit) Notes() []string { return e.notes }

func (e *seedEdit) Apply(_ context.Context, t *tree.Tree) ([]edit.Change, error) {
	findings, err := lint(t, e.Data, true)
	if err != nil {
		return nil, err
	}
	if err := e.judge(findings); err != nil {
		return nil, err
	}
	var changes []edit.Change
	if done, err := t.Remove(DisabledPath); err != nil {
		return nil, err
	} else if done {
		changes = append(changes, edit.Change{Rule: e.Name(), Path: DisabledPath, What: "removed"})
	}
	if e.Seed == Rootfs {
		more, err := e.write(t)
		if err != nil {
			return nil, err
		}
		changes = append(changes, more...)
	}
	if !Installed(t) { // forced
		return changes, nil
	}
	config, err := Config(t)
	if err != nil {
		return nil, err
	}
	if _, err := t.MkdirAll(ConfigPath[:strings.LastIndexByte(ConfigPath, '/')], 0o755); err != nil {
		return nil, err
	}
	done, err := t.Update(ConfigPath, config, 0o644)
	if done {
		changes = append(changes, edit.Change{Rule: e.Name(), Path: ConfigPath, What: "written"})
	}
	return changes, err
}

// judge turns errors into one error and the rest into notes.
func (e *seedEdit) judge(findings []edit.Finding) error {
	var stop []string
	e.notes = nil
	for _, f := range findings {
		s := Text(f)
		if f.Severity == edit.Error && !e.force {
			stop = append(stop, s)
		} else {
			e.notes = append(e.notes, s)
		}
	}
	if stop == nil {
		return nil
	}
	return ondisk.WithHint(fmt.Errorf("%w: %s", ErrData, strings.Join(stop, "; ")), "correct the data, or convert anyway with --force")
}

// Text is a finding in one line.
func Text(f edit.Finding) string {
	where := fsys.Printable(f.Path)
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, f.Line)
	}
	return fmt.Sprintf("%s: %s: %s (%s)", where, f.Rule, f.What, f.Fix)
}

// write makes the seed, readable by root only.
func (e *seedEdit) write(t *tree.Tree) ([]edit.Change, error) {
	if _, err := t.MkdirAll(SeedDir[:strings.LastIndexByte(SeedDir, '/')], 0o755); err != nil {
		return nil, err
	}
	if _, err := t.MkdirAll(SeedDir, 0o700); err != nil {
		return nil, err
	}
	var changes []edit.Change
	for _, f := range []struct {
		name string
		data []byte
	}{{"user-data", e.User}, {"meta-data", e.meta()}} {
		p := SeedDir + "/" + f.name
		done, err := t.Update(p, f.data, 0o600)
		if err != nil {
			return nil, err
		}
		n, err := t.Own(p)
		if err != nil {
			return nil, err
		}
		n.UID, n.GID, n.Mode = 0, 0, fsys.ModeRegular|0o600
		if done {
			changes = append(changes, edit.Change{Rule: e.Name(), Path: p, What: fmt.Sprintf("written, %d bytes", len(f.data))})
		}
	}
	return changes, nil
}
