package cmd

import (
	"github.com/spf13/pflag"

	"github.com/wslimg/wslimg/internal/edit/cloudinit"
)

// editFlags say what is changed on the way.
type editFlags struct {
	profile     string
	disable     []string
	user        string
	wslConf     string
	set         []string
	hostname    string
	systemd     string
	userData    string
	metaData    string
	seed        string
	copyIn      []string
	exclude     []string
	oobe        string
	icon        string
	defaultName string
}

// add adds the flags; seed is the default of --seed.
func (f *editFlags) add(fs *pflag.FlagSet, seed cloudinit.Seed) {
	fs.StringVar(&f.profile, "profile", "", "`PROFILE`, what the distribution is for: import, publish, lima or none (default: import, publish for a .wsl file)")
	fs.StringArrayVar(&f.disable, "disable", nil, "leave out the readiness edit `RULE` (repeatable; wslimg check lists them)")
	fs.StringVar(&f.user, "user", "", "make `NAME` the default user, with uid 1000")
	fs.StringVar(&f.wslConf, "wsl-conf", "", "`FILE` to take as /etc/wsl.conf")
	fs.StringArrayVar(&f.set, "set", nil, "set `SECTION.KEY=VALUE` in /etc/wsl.conf (repeatable)")
	fs.StringVar(&f.hostname, "hostname", "", "`NAME` that the distribution gives itself in the network")
	fs.StringVar(&f.systemd, "systemd", "auto", "start systemd: `auto|true|false`")
	fs.StringVar(&f.userData, "user-data", "", "cloud-init user data `FILE`")
	fs.StringVar(&f.metaData, "meta-data", "", "cloud-init meta data `FILE` (default: made from the user data)")
	fs.StringVar(&f.seed, "seed", string(seed), "`PLACE` where cloud-init finds the data: rootfs, or host for the Windows user's .cloud-init folder")
	fs.StringArrayVar(&f.copyIn, "copy-in", nil, "copy a file or folder of the host in, as `SRC:DST[:MODE[:UID:GID]]` (repeatable)")
	fs.StringArrayVar(&f.exclude, "exclude", nil, "leave out what `GLOB` matches: * ? [] in a name, ** for any folders (repeatable)")
	fs.StringVar(&f.oobe, "oobe", "", "script `FILE` to run before the first shell (publish)")
	fs.StringVar(&f.icon, "icon", "", "Windows icon `FILE` (publish)")
	fs.StringVar(&f.defaultName, "default-name", "", "`NAME` that WSL registers the distribution under (publish)")
}

// addCheck adds those flags that a check without edits has.
func (f *editFlags) addCheck(fs *pflag.FlagSet) {
	f.systemd = "auto"
	fs.StringVar(&f.profile, "profile", "", "`PROFILE`, what the distribution is for: import, publish, lima or none (default: import, publish for a .wsl file)")
	fs.StringArrayVar(&f.disable, "disable", nil, "leave out the rule `RULE` (repeatable)")
	fs.StringVar(&f.userData, "user-data", "", "cloud-init user data `FILE` to check against the image")
	fs.StringVar(&f.metaData, "meta-data", "", "cloud-init meta data `FILE` to check")
	fs.StringVar(&f.seed, "seed", string(cloudinit.Host), "`PLACE` where the data will be: host for the Windows user's .cloud-init folder, or rootfs")
}

// onlyForImages names a flag that asks for a change of the tree, "" if there
// is none. --user is none: WSL can set it afterwards.
func (f *editFlags) onlyForImages() string {
	for _, c := range []struct {
		flag string
		set  bool
	}{
		{"--profile", f.profile != ""}, {"--disable", f.disable != nil}, {"--wsl-conf", f.wslConf != ""}, {"--set", f.set != nil},
		{"--hostname", f.hostname != ""}, {"--systemd", f.systemd != "auto"}, {"--copy-in", f.copyIn != nil}, {"--exclude", f.exclude != nil},
		{"--seed rootfs", f.userData != "" && f.seed == string(cloudinit.Rootfs)},
	} {
		if c.set {
			return c.flag
		}
	}
	return ""
}
