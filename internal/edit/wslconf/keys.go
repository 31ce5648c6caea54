// Package wslconf reads and edits /etc/wsl.conf and /etc/wsl-distribution.conf
// as WSL itself reads them, which is not how an INI library would: the first
// malformed line ends the file, the first of two equal keys counts, "#" starts
// a comment anywhere outside quotes.
//
// The behaviour is that of microsoft/WSL at 3e27a6a,
// src/shared/configfile/configfile.cpp, called as in
// src/linux/init/WslDistributionConfig.cpp (without CFG_SKIP_INVALID_LINES).
package wslconf

import (
	"fmt"
	"strconv"
	"strings"
)

// Where WSL looks for its files inside the distribution.
const (
	Path     = "/etc/wsl.conf"
	DistPath = "/etc/wsl-distribution.conf"
)

// Kind is how WSL takes a value.
type Kind int

// The kinds.
const (
	Text  Kind = iota
	Bool       // 0, 1, true or false in any case
	Int        // strtol(3) with base 0: decimal, 0x… or 0…
	Umask      // Int, but meant to be octal
	Enum       // one of Key.Values in any case
	Host       // Text, of which WSL takes what makes a host name
)

// Key is something that WSL reads from one of its files.
type Key struct {
	Name    string // "section.key", as WSL spells it; case does not count
	Kind    Kind
	Default string // what holds when the key is missing
	Values  []string
	Since   string // first version of WSL that reads it, where known
}

// Keys are those of /etc/wsl.conf (WslDistributionConfig.cpp); first versions
// are from the release notes of WSL.
var Keys = []Key{
	{Name: "automount.enabled", Kind: Bool, Default: "true"},
	{Name: "automount.root", Default: "/mnt/"},
	{Name: "automount.options"},
	{Name: "automount.mountFsTab", Kind: Bool, Default: "true"},
	{Name: "automount.ldconfig", Kind: Bool, Default: "true"},
	{Name: "automount.cgroups", Kind: Enum, Default: "v2", Values: []string{"v1", "v2"}, Since: "2.6.2"},
	{Name: "filesystem.umask", Kind: Umask, Default: "0022"},
	{Name: "interop.enabled", Kind: Bool, Default: "true"},
	{Name: "interop.appendWindowsPath", Kind: Bool, Default: "true", Since: "Windows build 17763"},
	{Name: "network.generateHosts", Kind: Bool, Default: "true"},
	{Name: "network.generateResolvConf", Kind: Bool, Default: "true"},
	{Name: "network.hostname", Kind: Host},
	{Name: "time.useWindowsTimezone", Kind: Bool, Default: "true"},
	{Name: "fileServer.enabled", Kind: Bool, Default: "true"},
	{Name: "fileServer.logFile"},
	{Name: "fileServer.logLevel", Kind: Int, Default: "4"},
	{Name: "fileServer.logTruncate", Kind: Bool, Default: "true"},
	{Name: "gpu.enabled", Kind: Bool, Default: "true"},
	{Name: "gpu.appendLibPath", Kind: Bool, Default: "true"},
	{Name: "user.default", Since: "Windows build 18980"},
	{Name: "boot.command", Since: "Windows build 21286"},
	{Name: "boot.systemd", Kind: Bool, Default: "false", Since: "0.67.6"},
	{Name: "boot.initTimeout", Kind: Int, Default: "10000"},
	{Name: "boot.protectBinfmt", Kind: Bool, Default: "true"},
	{Name: "general.guiApplications", Kind: Bool, Default: "true"},
}

// DistKeys are those of /etc/wsl-distribution.conf (src/linux/init/main.cpp,
// PostProcessImportedDistribution, and init.cpp for the oobe section), which
// WSL reads since 2.4.4.
var DistKeys = []Key{
	{Name: "oobe.command"},
	{Name: "oobe.defaultUid", Kind: Int},
	{Name: "oobe.defaultName"},
	{Name: "shortcut.enabled", Kind: Bool, Default: "true"},
	{Name: "shortcut.icon"},
	{Name: "windowsterminal.enabled", Kind: Bool, Default: "true"},
	{Name: "windowsterminal.profileTemplate"},
}

func find(keys []Key, name string) *Key {
	for i := range keys {
		if strings.EqualFold(keys[i].Name, name) {
			return &keys[i]
		}
	}
	return nil
}

// unknown says why a key that is not in the table is none, with the name that
// was probably meant.
func unknown(keys []Key, name string) string {
	_, last, dotted := strings.Cut(name, ".")
	if !dotted {
		return fmt.Sprintf("key %q stands before any [section]; WSL knows no such key", name)
	}
	for _, k := range keys {
		_, known, _ := strings.Cut(k.Name, ".")
		if strings.EqualFold(known, last) {
			return fmt.Sprintf("WSL knows no key %q; %q is meant?", name, k.Name)
		}
	}
	return fmt.Sprintf("WSL knows no key %q", name)
}

// reject says why WSL would not take value for k, or "".
func (k *Key) reject(value string) string {
	switch k.Kind {
	case Bool:
		if _, ok := parseBool(value); !ok {
			return fmt.Sprintf("%q is no boolean for WSL: it takes true, false, 1 and 0", value)
		}
	case Int, Umask:
		if _, ok := parseInt(value); !ok {
			return fmt.Sprintf("%q is no 32-bit integer", value)
		}
	case Enum:
		for _, v := range k.Values {
			if strings.EqualFold(v, value) {
				return ""
			}
		}
		return fmt.Sprintf("%q is none of %s", value, strings.Join(k.Values, ", "))
	}
	return ""
}

// trap says how a value that WSL takes may be something else than was meant.
func (k *Key) trap(value string) string {
	if n, ok := parseInt(value); k.Kind == Umask && ok && n != 0 && !strings.HasPrefix(strings.TrimSpace(value), "0") {
		return fmt.Sprintf("WSL reads %s as a decimal number, the umask becomes %#04o; an octal one starts with 0: 0%s", value, n, value)
	}
	if k.Kind == Text && len(value) > 1 && value[0] == '\'' && value[len(value)-1] == '\'' {
		return "WSL keeps single quotes as part of the value; only double quotes are taken off"
	}
	if host := hostName(value); k.Kind == Host && host != value {
		return fmt.Sprintf("%q is no host name, WSL makes %q of it", value, host)
	}
	for i := range len(value) {
		if value[i] >= 0x80 {
			return "keep to ASCII: what WSL makes of other characters depends on its locale"
		}
	}
	return ""
}

// hostName is CleanHostname of src/shared/inc/stringshared.h: letters, digits,
// single hyphens and one dot between them, at most 64.
func hostName(s string) string {
	var b []byte
	dot := false
	for _, c := range []byte(s) {
		var last byte
		if len(b) > 0 {
			last = b[len(b)-1]
		}
		switch {
		case c == '.' && !dot && last != 0 && last != '-':
			dot = true
		case c == '-' && last != 0 && last != '-' && last != '.':
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z':
		default:
			continue
		}
		b = append(b, c)
	}
	host := strings.TrimRight(string(b[:min(len(b), 64)]), ".-")
	if host == "" {
		return "localhost"
	}
	return host
}

func parseBool(s string) (val, ok bool) {
	switch {
	case s == "1", strings.EqualFold(s, "true"):
		return true, true
	case s == "0", strings.EqualFold(s, "false"):
		return false, true
	}
	return false, false
}

// parseInt is strtol(s, &end, 0) with the checks that WSL makes of its result.
func parseInt(s string) (int64, bool) {
	s = strings.TrimLeft(s, " \t\n\v\f\r")
	sign, digits := "", s
	if s != "" && (s[0] == '-' || s[0] == '+') {
		sign, digits = s[:1], s[1:]
	}
	base := 10
	switch {
	case len(digits) > 2 && (digits[:2] == "0x" || digits[:2] == "0X"):
		base, digits = 16, digits[2:]
	case len(digits) > 1 && digits[0] == '0':
		base, digits = 8, digits[1:]
	}
	if digits == "" || digits[0] == '-' || digits[0] == '+' { // ParseInt would take a second sign
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimPrefix(sign, "+")+digits, base, 32)
	return n, err == nil
}
