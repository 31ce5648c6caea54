package ready

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/edit/publish"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/fsys"
)

// Dist is what a published image carries; what is empty is kept as the image
// has it, or else made by us.
type Dist struct {
	Name string // the name that WSL registers it under by default
	Icon []byte // a Windows .ico file
	OOBE []byte // the script that runs before the first shell
}

func (d *Dist) check() error {
	if d.Name != "" {
		if err := publish.CheckName(d.Name); err != nil {
			return err
		}
	}
	if d.OOBE != nil && !strings.HasPrefix(string(d.OOBE), "#!") && !strings.HasPrefix(string(d.OOBE), "\x7fELF") {
		return errors.New("the first-start script does not start with #!: WSL could not run it")
	}
	if d.Icon != nil {
		return publish.CheckIcon(d.Icon)
	}
	return nil
}

// asset is a setting of wsl-distribution.conf, with the file that it names.
type asset struct {
	key, value string
	force      bool // replaces what the image has
	data       []byte
	perm       uint32
}

func (s *scan) assets() []asset {
	d := s.o.Dist
	name := d.Name
	if name == "" {
		name = publish.DefaultName(s.os)
	}
	list := []asset{
		{key: "oobe.defaultName", value: name, force: d.Name != ""},
		{key: "shortcut.icon", value: publish.IconPath, force: d.Icon != nil, data: or(d.Icon, publish.Icon), perm: 0o644},
		{key: "windowsterminal.profileTemplate", value: publish.TerminalPath, data: publish.Terminal, perm: 0o640},
	}
	_, taken := s.first() // who has uid 1000 is the user, ours need not ask for one
	if !taken || d.OOBE != nil {
		list = append(list, asset{key: "oobe.command", value: publish.OOBEPath, force: d.OOBE != nil, data: or(d.OOBE, publish.OOBE), perm: 0o755})
	}
	if !taken {
		list = append(list, asset{key: "oobe.defaultUid", value: "1000", force: d.OOBE != nil})
	}
	return list
}

func or(a, b []byte) []byte {
	if a != nil {
		return a
	}
	return b
}

// distConf: settings that are missing, files that they name, modes.
func distConf(s *scan) {
	f, err := wslconf.Load(s.t, wslconf.DistPath, wslconf.DistKeys)
	if s.failed(err) {
		return
	}
	if f == nil {
		f = wslconf.Parse(nil, wslconf.DistKeys)
	}
	f.Repair()
	var missing []string
	for _, a := range s.assets() {
		have, _, ok := f.Get(a.key)
		if !ok || a.force && have != a.value {
			if err := f.Set(a.key, a.value); s.failed(err) {
				return
			}
			missing = append(missing, a.key+"="+a.value)
			have = a.value
		}
		if a.perm != 0 {
			s.asset(have, a)
		}
	}
	if missing != nil {
		s.write(wslconf.DistPath, f.Bytes(), 0o644, "lacks "+strings.Join(missing, ", "), act{"write it", "written"})
	}
	for _, path := range []string{wslconf.DistPath, wslconf.Path} {
		if n := s.lookup(path); n != nil {
			s.owned(path, 0o644, 0o664)
		}
	}
}

// asset looks at the file that a setting names. A command may have arguments;
// a file that is not ours is only judged.
func (s *scan) asset(path string, a asset) {
	if path != a.value {
		path, _, _ = strings.Cut(path, " ")
		if s.lookup(path) == nil {
			s.note(path, "is missing, "+a.key+" names it", "add it, or take the setting out")
		} else {
			s.owned(path, a.perm, a.perm|0o020)
		}
		return
	}
	n := s.lookup(path)
	if n != nil && n.IsRegular() && n.Size() > 0 && (!a.force || s.read(path) == string(a.data)) {
		s.owned(path, a.perm, a.perm|0o020)
		return
	}
	s.add(problem{path: path, what: "is what " + a.key + " names", act: act{"write it", "written"}, repair: func() error {
		if err := write(s.t, path, a.data, a.perm); err != nil {
			return err
		}
		return s.own(path, a.perm)
	}})
}

// owned finds that a file should belong to root and have one of two modes.
func (s *scan) owned(path string, perm, also uint32) {
	n := s.lookup(path)
	mode := n.Mode & fsys.ModePerm
	if n.UID == 0 && n.GID == 0 && (mode == perm || mode == also) {
		return
	}
	s.add(problem{path: path, what: fmt.Sprintf("belongs to %d:%d and has mode %04o", n.UID, n.GID, mode),
		act:    act{fmt.Sprintf("make it root's, %04o", perm), fmt.Sprintf("made root's, %04o", perm)},
		repair: func() error { return s.own(path, perm) }})
}

func (s *scan) own(path string, perm uint32) error {
	n, err := s.t.Own(path)
	if err == nil {
		n.UID, n.GID, n.Mode = 0, 0, n.Mode&^uint32(fsys.ModePerm)|perm
	}
	return err
}
