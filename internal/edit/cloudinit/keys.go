package cloudinit

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/fsys"
)

// limited are the keys of cloud-config that WSL limits
// (doc/rtd/reference/datasources/wsl.rst); unless names the wsl.conf key that
// has to be false for them to last.
var limited = []struct {
	rule, key, unless string
	sev               edit.Severity
	what, fix         string
}{
	{"CI-NET", "network", "", edit.Warn, "has no effect: WSL configures the network", "see networkingMode in .wslconfig"},
	{"CI-HOST", "hostname", "", edit.Warn, "is lost at the next start", "set [network] hostname with --hostname"},
	{"CI-HOST", "fqdn", "", edit.Warn, "is lost at the next start", "set [network] hostname with --hostname"},
	{"CI-HOST", "manage_etc_hosts", "network.generateHosts", edit.Warn, "is lost at the next start: WSL writes /etc/hosts", "--set network.generateHosts=false"},
	{"CI-RESOLV", "manage_resolv_conf", "network.generateResolvConf", edit.Warn, "is lost at the next start: WSL writes /etc/resolv.conf", "--set network.generateResolvConf=false"},
	{"CI-DISK", "disk_setup", "", edit.Warn, "finds no disk to set up", "leave it out"},
	{"CI-DISK", "fs_setup", "", edit.Warn, "finds no disk to format", "leave it out"},
	{"CI-DISK", "growpart", "", edit.Warn, "finds no partition to grow", "leave it out"},
	{"CI-DISK", "resize_rootfs", "", edit.Warn, "has nothing to resize: wsl --manage --resize does it", "leave it out"},
	{"CI-DISK", "mounts", "", edit.Warn, "works only for what WSL's kernel can mount; disks of the machine are not there", "keep network and drvfs mounts only"},
	{"CI-DISK", "swap", "", edit.Warn, "is shared by all distributions", "set swap in .wslconfig"},
	{"CI-GRUB", "grub_dpkg", "", edit.Info, "has no effect: WSL starts the kernel", "leave it out"},
	{"CI-GRUB", "grub-dpkg", "", edit.Info, "has no effect: WSL starts the kernel", "leave it out"},
	{"CI-TZ", "timezone", "time.useWindowsTimezone", edit.Warn, "is lost at the next start: WSL sets Windows' time zone", "--set time.useWindowsTimezone=false"},
}

var yamlLine = regexp.MustCompile(`line ([0-9]+): `)

// yaml parses a part; false says that it cannot be, which is an error unless
// it is a template.
func (l *linter) yaml(b []byte, p part, template bool) (*yaml.Node, bool) {
	var doc yaml.Node
	err := yaml.Unmarshal(b, &doc)
	if err == nil {
		return root(&doc), true
	}
	if template {
		return nil, false
	}
	line, text := 1, strings.TrimPrefix(err.Error(), "yaml: ")
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		line, _ = strconv.Atoi(m[1])
		text = strings.Replace(text, m[0], "", 1)
	}
	l.at(p, "CI-YAML", edit.Error, line, "is no YAML: "+text, "correct it; cloud-init ignores all of it")
	return nil, false
}

func (l *linter) cloudConfig(b []byte, p part, template bool) {
	top, ok := l.yaml(b, p, template)
	if !ok || top == nil {
		return
	}
	if top.Kind != yaml.MappingNode {
		l.at(p, "CI-YAML", edit.Error, top.Line, "a cloud-config has keys and values at the top", "correct it; cloud-init ignores all of it")
		return
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		key, value := top.Content[i], deref(top.Content[i+1])
		for _, c := range limited {
			if c.key == key.Value && (c.unless == "" || l.conf.Bool(c.unless)) && !off(value) {
				l.at(p, c.rule, c.sev, key.Line, key.Value+" "+c.what, c.fix)
			}
		}
		switch key.Value {
		case "runcmd", "bootcmd":
			l.opaque = true
		case "users", "user":
			l.usersKey(p, key.Line, value)
		case "write_files":
			for _, item := range list(value) {
				l.writeFile(p, item)
			}
		}
	}
}

// off tells whether a value switches its module off.
func off(n *yaml.Node) bool {
	if n.Kind == yaml.MappingNode {
		mode := lookup(n, "mode")
		return mode != nil && off(mode)
	}
	return n.Kind == yaml.ScalarNode && slices.Contains([]string{"false", "no", "off", "null", "~", ""}, strings.ToLower(n.Value))
}

// deref follows an alias.
func deref(n *yaml.Node) *yaml.Node {
	if n.Kind == yaml.AliasNode {
		return n.Alias
	}
	return n
}

// list is the items of a sequence.
func list(n *yaml.Node) []*yaml.Node {
	if n == nil || n.Kind != yaml.SequenceNode {
		return nil
	}
	items := make([]*yaml.Node, len(n.Content))
	for i, c := range n.Content {
		items[i] = deref(c)
	}
	return items
}

// usersKey gathers the names of users.
func (l *linter) usersKey(p part, line int, value *yaml.Node) {
	note := func(line int, name string) {
		if name == "default" {
			l.at(p, "CI-USER", edit.Info, line, `"default" stands for the distribution's own user, which is switched off under WSL`, "name the user")
			return
		}
		l.makes = true
		if l.usersAt == 0 && p.first >= 0 {
			l.usersAt = p.first + line
		}
		l.users = append(l.users, name)
	}
	items := list(value)
	if value.Kind == yaml.MappingNode && lookup(value, "name") == nil { // the old form: names are the keys
		for i := 0; i < len(value.Content); i += 2 {
			items = append(items, value.Content[i])
		}
	} else if value.Kind != yaml.SequenceNode {
		items = []*yaml.Node{value}
	}
	for _, u := range items {
		switch u.Kind {
		case yaml.ScalarNode:
			for name := range strings.SplitSeq(u.Value, ",") {
				if name = strings.TrimSpace(name); name != "" {
					note(u.Line, name)
				}
			}
		case yaml.MappingNode:
			if name := lookup(u, "name"); name != nil {
				note(name.Line, deref(name).Value)
			} else if lookup(u, "snapuser") == nil {
				l.at(p, "CI-USER", edit.Error, max(u.Line, line), "a user without a name", "add name: …")
			}
		}
	}
}

// writeFile looks at files that WSL reads.
func (l *linter) writeFile(p part, item *yaml.Node) {
	if n := keyNode(item, "contents"); n != nil {
		l.at(p, "CI-CONTENTS", edit.Error, n.Line, `write_files has no key "contents": the file would be empty`, `write "content"`)
	}
	where, content := lookup(item, "path"), lookup(item, "content")
	if where == nil || path.Clean(where.Value) != wslconf.Path {
		return
	}
	if content == nil { // from a source elsewhere
		l.opaque = true
		return
	}
	text, err := fileContent(item, content)
	if err != nil {
		l.at(p, "CI-WSLCONF", edit.Error, content.Line, "the content of "+wslconf.Path+" cannot be decoded", "check it against encoding")
		return
	}
	at := func(line int) int { // of the content's line
		if content.Style == yaml.LiteralStyle {
			return content.Line + line
		}
		return content.Line
	}
	for _, i := range wslconf.Parse(text, wslconf.Keys).Issues() {
		if i.Level > wslconf.Trap {
			l.at(p, "CI-WSLCONF", edit.Error, at(i.Line), wslconf.Path+": "+i.What, "correct the line; WSL would ignore it")
		} else {
			l.at(p, "CI-WSLCONF", edit.Warn, at(i.Line), wslconf.Path+": "+i.What, "correct the line")
		}
	}
	before := string(l.conf.Bytes())
	if l.written != "" {
		before = l.written
	}
	appended := lookup(item, "append")
	if appended == nil || off(appended) {
		l.written = string(text)
		l.replace(p, where.Line, before)
		return
	}
	l.written = before + string(text)
	l.compare(p, at, text)
}

// replace finds settings that are lost when the file is written anew.
func (l *linter) replace(p part, line int, before string) {
	old, written := wslconf.Parse([]byte(before), wslconf.Keys), wslconf.Parse([]byte(l.written), wslconf.Keys)
	var lost []string
	for _, k := range wslconf.Keys {
		had, _, ok := old.Get(k.Name)
		if k.Name == "boot.systemd" && !ok && !l.final {
			had, ok = "true", true // converting sets it
		}
		if got, _, _ := written.Get(k.Name); ok && got != had {
			lost = append(lost, k.Name+"="+fsys.Printable(had))
		}
	}
	if lost != nil {
		l.at(p, "CI-WSLCONF", edit.Warn, line, wslconf.Path+" is replaced, from the second start on it lacks "+strings.Join(lost, ", "), "write these too, or append: true")
	}
}

// compare finds settings that are lost when text is put behind what is there.
func (l *linter) compare(p part, at func(int) int, text []byte) {
	alone, joined := wslconf.Parse(text, wslconf.Keys), wslconf.Parse([]byte(l.written), wslconf.Keys)
	for _, k := range wslconf.Keys {
		want, line, ok := alone.Get(k.Name)
		if !ok {
			continue
		}
		if got, _, ok := joined.Get(k.Name); !ok || got != want {
			why := "another line of the file comes first"
			if !ok {
				why = "what is in the file swallows it: its last line has no end, or is malformed"
			}
			l.at(p, "CI-APPEND", edit.Error, at(line), fmt.Sprintf("%s appended to %s is lost: %s", k.Name, wslconf.Path, why), "use --set "+k.Name+"=…, or write the whole file")
		}
	}
}

func keyNode(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return n.Content[i]
		}
	}
	return nil
}

// fileContent decodes a write_files content (cloudinit/config/cc_write_files.py).
func fileContent(item, content *yaml.Node) ([]byte, error) {
	b := []byte(content.Value)
	encoding := ""
	if n := lookup(item, "encoding"); n != nil {
		encoding = strings.ToLower(strings.TrimSpace(n.Value))
	}
	if content.Tag == "!!binary" || strings.Contains(encoding, "b64") || strings.Contains(encoding, "base64") {
		var err error
		if b, err = base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content.Value), "")); err != nil {
			return nil, errors.New("base64")
		}
	}
	if strings.HasPrefix(encoding, "gz") {
		z, err := gzip.NewReader(bytes.NewReader(b))
		if err != nil {
			return nil, errors.New("gzip")
		}
		return bounded(z)
	}
	return b, nil
}

// defaultUser compares the users that the data makes with WSL's default.
func (l *linter) defaultUser() {
	conf := l.conf
	if l.written != "" {
		conf = wslconf.Parse([]byte(l.written), wslconf.Keys)
	}
	def, _, set := conf.Get("user.default")
	name := fsys.Printable(def)
	first := func(a users.Account) bool { return a.UID == users.FirstUID }
	named := func(a users.Account) bool { return a.Name == def }
	switch known := slices.Contains(l.users, def) || l.account(named) != ""; {
	case set && !known && l.opaque:
		l.add("CI-USER", edit.Warn, l.usersAt, "the default user "+name+" is not in the image: shells are root's, unless a script makes it", "add it to users")
	case set && !known:
		l.add("CI-USER", edit.Error, l.usersAt, "the default user "+name+" is not among the users that are made, nor in the image: shells are root's", "add it to users, or change --user")
	case !set && l.makes:
		l.add("CI-USER", edit.Warn, l.usersAt, "users are made, but no [user] default is set: shells are root's", "--user "+fsys.Printable(l.users[0]))
	case !set && l.opaque && l.account(first) != "":
		l.add("CI-USER", edit.Info, 0, "no [user] default is set: shells are root's, unless a script sets it", "--user "+fsys.Printable(l.account(first)))
	}
}

// account returns the name of the image's first account that is like that, "" if there is none.
func (l *linter) account(like func(users.Account) bool) string {
	accounts, err := users.Accounts(l.t)
	if i := slices.IndexFunc(accounts, like); err == nil && i >= 0 {
		return accounts[i].Name
	}
	return ""
}
