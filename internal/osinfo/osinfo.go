// Package osinfo tells what operating system a tree holds.
package osinfo

import (
	"bytes"
	"debug/elf"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/tree"
)

// Info is what the tree says of itself; fields are empty where it does not.
type Info struct {
	ID        string `json:"id"`         // os-release ID, such as "debian"
	IDLike    string `json:"id_like"`    // os-release ID_LIKE
	VersionID string `json:"version_id"` // os-release VERSION_ID
	Codename  string `json:"codename"`   // os-release VERSION_CODENAME
	Name      string `json:"name"`       // os-release PRETTY_NAME
	Arch      string `json:"arch"`       // "amd64", "arm64", …, by the ELF header of a shell
}

// maxRelease bounds os-release; the real ones have a few hundred bytes.
const maxRelease = 64 << 10

// Detect reads os-release and the machine of the tree's shell.
func Detect(t *tree.Tree) Info {
	info := Info{Arch: arch(t)}
	for _, path := range []string{"/etc/os-release", "/usr/lib/os-release"} {
		b, err := t.ReadFile(path, maxRelease)
		if err != nil {
			continue
		}
		kv := ParseRelease(b)
		info.ID, info.IDLike, info.VersionID = kv["ID"], kv["ID_LIKE"], kv["VERSION_ID"]
		info.Codename, info.Name = kv["VERSION_CODENAME"], kv["PRETTY_NAME"]
		break
	}
	return info
}

// ParseRelease reads os-release(5): NAME=value lines with shell quoting.
func ParseRelease(b []byte) map[string]string {
	kv := map[string]string{}
	for line := range strings.Lines(string(b)) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), "=")
		if !ok || strings.HasPrefix(key, "#") {
			continue
		}
		kv[key] = unquote(value)
	}
	return kv
}

func unquote(s string) string {
	if len(s) < 2 || s[0] != s[len(s)-1] || s[0] != '"' && s[0] != '\'' {
		return s
	}
	inner := s[1 : len(s)-1]
	if s[0] == '\'' {
		return inner
	}
	var b strings.Builder
	for i := 0; i < len(inner); i++ {
		if inner[i] == '\\' && i+1 < len(inner) && strings.IndexByte("\"\\$`", inner[i+1]) >= 0 {
			i++
		}
		b.WriteByte(inner[i])
	}
	return b.String()
}

// machines are the names that Go, Debian and WSL's catalogue use.
var machines = map[elf.Machine]string{
	elf.EM_X86_64: "amd64", elf.EM_AARCH64: "arm64", elf.EM_386: "386", elf.EM_ARM: "arm",
	elf.EM_RISCV: "riscv64", elf.EM_PPC64: "ppc64le", elf.EM_S390: "s390x",
}

// machine is never empty: a program for who knows what is one that WSL does not run.
func machine(m elf.Machine) string {
	if name, ok := machines[m]; ok {
		return name
	}
	name := strings.ToLower(strings.TrimPrefix(m.String(), "EM_"))
	if strings.Contains(name, "+") { // a number that has no name
		return fmt.Sprintf("machine %d", m)
	}
	return name
}

func arch(t *tree.Tree) string {
	for _, path := range []string{"/bin/sh", "/usr/bin/sh", "/bin/bash", "/bin/busybox", "/sbin/init"} {
		n, err := t.Lookup(path)
		if err != nil || !n.IsRegular() || n.Size() < 64 {
			continue
		}
		r, err := n.Content.Open()
		if err != nil {
			continue
		}
		var head [20]byte
		if k, _ := r.ReadAt(head[:], 0); k < len(head) || !bytes.HasPrefix(head[:], []byte(elf.ELFMAG)) {
			continue
		}
		lo, hi := uint16(head[18]), uint16(head[19])
		if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
			lo, hi = hi, lo
		}
		return machine(elf.Machine(lo | hi<<8))
	}
	return ""
}
