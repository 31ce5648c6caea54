package wsl

import (
	"errors"
	"fmt"
	"strings"

	"github.com/wslimg/wslimg/internal/hostfile"
)

// ErrLocation is the class of folders that a distribution cannot lie in.
var ErrLocation = errors.New("no place for a distribution")

func locationErrorf(path, format string, args ...any) error {
	return fmt.Errorf("%q: %w: %s", path, ErrLocation, fmt.Sprintf(format, args...))
}

// maxPlainPath is the longest folder that CreateDirectoryW makes without the
// \\?\ form, which wsl.exe, not being long-path aware, needs beyond it.
const maxPlainPath = 247

// CleanLocation makes an absolute Windows path of one spelling: backslashes, no
// "." and "..", none at the end. It refuses what Windows would take for
// something else than the folder that was meant: relative paths, devices,
// streams (a:b), names ending in a dot or a blank, roots of drives and shares,
// and the inside of another distribution.
func CleanLocation(path string) (string, error) {
	p := strings.ReplaceAll(path, "/", `\`)
	extended := false
	if rest, ok := strings.CutPrefix(p, `\\?\`); ok {
		extended = true
		if share, ok := cutPrefixFold(rest, `UNC\`); ok {
			p = `\\` + share
		} else {
			p = rest
		}
	}
	root, rest, ok := splitRoot(p)
	if !ok {
		return "", locationErrorf(path, `no absolute Windows path such as C:\folder or \\server\share\folder`)
	}
	if host := strings.ToLower(root); strings.HasPrefix(host, `\\wsl.localhost\`) || strings.HasPrefix(host, `\\wsl$\`) {
		return "", locationErrorf(path, "it lies inside a distribution; a Windows folder is needed")
	}
	var elems []string
	for elem := range strings.SplitSeq(rest, `\`) {
		switch {
		case elem == "" || elem == "." && !extended:
			continue
		case elem == ".." && !extended:
			elems = elems[:max(0, len(elems)-1)]
			continue
		}
		if why := badElem(elem); why != "" {
			return "", locationErrorf(path, "%s", why)
		}
		elems = append(elems, elem)
	}
	if len(elems) == 0 {
		return "", locationErrorf(path, "it is the root of a drive or share; name a folder in it")
	}
	return root + `\` + strings.Join(elems, `\`), nil
}

// splitRoot cuts `C:` or `\\server\share` off an absolute path.
func splitRoot(p string) (root, rest string, ok bool) {
	if len(p) >= 3 && p[1] == ':' && p[2] == '\\' && isLetter(p[0]) {
		return strings.ToUpper(p[:1]) + ":", p[3:], true
	}
	unc, ok := strings.CutPrefix(p, `\\`)
	if !ok || strings.HasPrefix(unc, `.\`) {
		return "", "", false
	}
	server, unc, _ := strings.Cut(unc, `\`)
	share, rest, _ := strings.Cut(unc, `\`)
	if server == "" || share == "" || badElem(server) != "" || badElem(share) != "" {
		return "", "", false
	}
	return `\\` + server + `\` + share, rest, true
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

// badElem says why Windows takes no folder of this name, "" if it does.
func badElem(elem string) string {
	switch {
	case strings.ContainsFunc(elem, func(r rune) bool { return r < ' ' || strings.ContainsRune(`<>:"|?*`, r) }):
		return fmt.Sprintf("%q has a character that Windows forbids in names", elem)
	case strings.TrimRight(elem, ". ") != elem:
		return fmt.Sprintf("%q ends in a dot or a blank, which Windows drops", elem)
	case hostfile.WindowsDevice(elem) != "":
		return fmt.Sprintf("%q is a device of Windows", elem)
	}
	return ""
}

// argument is the form of a clean location that wsl.exe can make however long
// it is.
func argument(location string) string {
	if len([]rune(location)) <= maxPlainPath {
		return location
	}
	if unc, ok := strings.CutPrefix(location, `\\`); ok {
		return `\\?\UNC\` + unc
	}
	return `\\?\` + location
}

// splitLast cuts the last element off a clean location.
func splitLast(location string) (parent, base string) {
	i := strings.LastIndexByte(location, '\\')
	parent, base = location[:i], location[i+1:]
	if len(parent) == 2 && parent[1] == ':' {
		parent += `\`
	}
	return parent, base
}

func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}
