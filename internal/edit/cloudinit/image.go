package cloudinit

import (
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// image finds what in the image keeps the data from being used.
func (l *linter) image() {
	if !Installed(l.t) {
		l.add("CI-NONE", edit.Error, 0, "the image has no cloud-init: the data is never read", "take a cloud image, or make the user with --user")
		return
	}
	systemd := users.Executable(l.t, "/usr/lib/systemd/systemd") || users.Executable(l.t, "/lib/systemd/systemd")
	if _, _, set := l.conf.Get("boot.systemd"); !systemd || (set || l.final) && !l.conf.Bool("boot.systemd") {
		l.add("CI-NOSYSTEMD", edit.Error, 0, "systemd does not run in this distribution: cloud-init never starts", "--systemd true, with an image that has systemd")
	}
	if l.d.Seed != Host {
		return
	}
	if !HasWSL(l.t) {
		l.add("CI-OLD", edit.Error, 0, "the image's cloud-init is older than 24.1 and cannot read the Windows folder", "--seed rootfs")
	}
	l.interop()
	l.fileName()
}

// interop: the datasource runs cmd.exe from a Windows drive.
func (l *linter) interop() {
	for _, key := range []string{"interop.enabled", "automount.enabled"} {
		if !l.conf.Bool(key) {
			l.add("CI-INTEROP", edit.Error, 0, key+" is false: cloud-init cannot find the Windows folder", "--seed rootfs")
		}
	}
	options, _, _ := l.conf.Get("automount.options")
	for o := range strings.SplitSeq(options, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(o), "=")
		mask, err := strconv.ParseUint(value, 8, 32)
		if (name == "fmask" || name == "umask") && err == nil && mask&0o111 == 0o111 {
			l.add("CI-INTEROP", edit.Error, 0, "automount.options "+name+" takes the x from cmd.exe: cloud-init cannot run it", "--seed rootfs")
		}
	}
}

// Candidates are the names that cloud-init looks for in .cloud-init, in its
// order, for an instance of that name (DataSourceWSL.py,
// candidate_user_data_file_names). The two in the middle are left out where
// ds-identify and the datasource call the distribution by different names.
func Candidates(o osinfo.Info, instance string) []string {
	names := []string{instance + ".user-data"}
	version := o.VersionID
	if version == "" {
		version = o.Codename
	}
	if o.ID != "" && o.ID != "rhel" { // "redhat" to the datasource
		names = append(names, o.ID+"-"+version+".user-data", o.ID+"-all.user-data")
	}
	return append(names, "default.user-data")
}

// fileName: names that look as if they were meant for the Windows folder.
func (l *linter) fileName() {
	base := strings.ToLower(path.Base(strings.ReplaceAll(l.d.UserName, `\`, "/")))
	stem, ok := strings.CutSuffix(base, ".user-data")
	candidates := Candidates(l.os, "INSTANCE")
	switch {
	case strings.Contains(base, ".user-data."):
		l.add("CI-NAME", edit.Warn, 0, "under this name cloud-init does not read it", "name it "+candidates[0])
	case ok && l.os.ID != "" && strings.HasPrefix(stem, strings.ToLower(l.os.ID)+"-") && !slices.Contains(candidates, base):
		l.add("CI-NAME", edit.Warn, 0, "under this name cloud-init reads it only for a distribution called "+stem, "name it one of "+strings.Join(candidates, ", "))
	}
}

// metaData needs an instance id for both datasources.
func (l *linter) metaData() {
	fix := "add a line instance-id: NAME"
	add := func(line int, what string) {
		l.findings = append(l.findings, edit.Finding{Rule: "CI-META", Severity: edit.Error, Path: l.d.MetaName, Line: line, What: what, Fix: fix})
	}
	var doc yaml.Node
	if yaml.Unmarshal(l.d.Meta, &doc) != nil {
		add(0, "is no YAML: the datasource fails")
		return
	}
	if n := lookup(root(&doc), "instance-id"); n == nil || n.Value == "" {
		add(0, "has no instance-id: the datasource fails")
	}
	for _, key := range []string{"local-hostname", "hostname"} {
		if n := keyNode(root(&doc), key); n != nil {
			l.findings = append(l.findings, edit.Finding{Rule: "CI-HOST", Severity: edit.Warn, Path: l.d.MetaName, Line: n.Line,
				What: key + " is lost at the next start", Fix: "set [network] hostname with --hostname"})
		}
	}
}

// CheckTree finds faults of the cloud-init configuration that is in a tree.
func CheckTree(t *tree.Tree) ([]edit.Finding, error) {
	if !Installed(t) {
		return nil, nil
	}
	if n, err := t.Lookup(DisabledPath); err == nil && n != nil {
		return nil, nil
	}
	var list []edit.Finding
	have := map[string]bool{}
	for _, name := range []string{"user-data", "meta-data"} {
		if n, err := t.Lookup(SeedDir + "/" + name); err == nil && n.IsRegular() {
			have[name] = true
		}
	}
	if len(have) == 1 {
		list = append(list, edit.Finding{Rule: "CI-SEED", Severity: edit.Error, Path: SeedDir, What: "has only one of user-data and meta-data: the seed is not used", Fix: "add the other one, --meta-data makes it"})
	}
	f, err := datasources(t)
	if err != nil || f == nil {
		return list, err
	}
	f.Repaired = f.Path < ConfigPath
	return append(list, *f), nil
}

// datasources judges the last datasource_list of cloud.cfg and what follows it
// in cloud.cfg.d, which is the one that ds-identify takes.
func datasources(t *tree.Tree) (*edit.Finding, error) {
	paths := []string{cloudCfg}
	dir := path.Dir(ConfigPath)
	if n, err := t.Lookup(dir); err == nil {
		for _, e := range n.Entries() {
			if strings.HasSuffix(e.Name, ".cfg") && e.Node.IsRegular() {
				paths = append(paths, dir+"/"+e.Name)
			}
		}
	}
	var last *edit.Finding
	for _, p := range paths {
		b, err := t.ReadFile(p, MaxSize)
		if err != nil {
			if p == cloudCfg {
				continue
			}
			return nil, err
		}
		var doc yaml.Node
		if yaml.Unmarshal(b, &doc) != nil {
			continue
		}
		key, value := keyNode(root(&doc), "datasource_list"), lookup(root(&doc), "datasource_list")
		if key == nil || value.Kind != yaml.SequenceNode {
			continue
		}
		last = &edit.Finding{Rule: "CI-LIST", Severity: edit.Warn, Path: p, Line: key.Line, Fix: "list WSL and NoCloud, on one line"}
		n := len(value.Content)
		switch {
		case n > 0 && value.Content[n-1].Line != key.Line:
			last.What = "datasource_list is not on one line: ds-identify ignores it"
		case n == 1 || n == 2 && value.Content[1].Value == "None":
			last.What = "datasource_list has a single source: cloud-init always runs, with the distribution's default user"
		default:
			last.What = ""
		}
	}
	if last != nil && last.What == "" {
		return nil, nil
	}
	return last, nil
}
