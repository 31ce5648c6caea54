package users

import (
	"errors"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/tree"
)

// Shell picks the login shell of a new user: what useradd would take, bash,
// or the shell that every system has; one that is in the image and, where
// /etc/shells is, listed there. It returns "" when the image has none.
func Shell(t *tree.Tree) (string, error) {
	listed, err := Shells(t)
	if err != nil {
		return "", err
	}
	candidates := []string{"/bin/bash", "/usr/bin/bash", "/bin/zsh", "/usr/bin/zsh", "/bin/ash", "/bin/sh", "/usr/bin/sh"}
	def, err := setting(t, "/etc/default/useradd", "SHELL", "=")
	if err != nil {
		return "", err
	}
	if def != "" && def != "/bin/sh" { // useradd's own fallback, and Debian's default: bash is what adduser gives
		candidates = slices.Insert(candidates, 0, def)
	}
	second := ""
	for _, c := range candidates {
		switch {
		case !Executable(t, c):
		case listed == nil || slices.Contains(listed, c):
			return c, nil
		case second == "":
			second = c
		}
	}
	return second, nil
}

// Shells are the lines of /etc/shells, nil where there is no such file.
func Shells(t *tree.Tree) ([]string, error) {
	b, err := t.ReadFile("/etc/shells", maxFile)
	if errors.Is(err, tree.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	list := []string{}
	for l := range strings.Lines(string(b)) {
		if l = strings.TrimSpace(l); strings.HasPrefix(l, "/") {
			list = append(list, l)
		}
	}
	return list, nil
}

// ListShell adds a shell to /etc/shells, where there is one, and tells whether it did.
func ListShell(t *tree.Tree, shell string) (bool, error) {
	listed, err := Shells(t)
	if err != nil || listed == nil || slices.Contains(listed, shell) {
		return false, err
	}
	b, err := t.ReadFile("/etc/shells", maxFile)
	if err != nil {
		return false, err
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		b = append(b, '\n')
	}
	return t.Update("/etc/shells", append(b, shell+"\n"...), 0o644)
}

// setting is the last value of key in a file of lines "key sep value"; sep " "
// stands for any blanks, as in login.defs(5).
func setting(t *tree.Tree, path, key, sep string) (string, error) {
	b, err := t.ReadFile(path, maxFile)
	if errors.Is(err, tree.ErrNotExist) || errors.Is(err, tree.ErrNotDir) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	value := ""
	for l := range strings.Lines(string(b)) {
		l = strings.TrimSpace(l)
		rest, ok := strings.CutPrefix(l, key)
		if !ok {
			continue
		}
		if sep == " " && strings.TrimLeft(rest, " \t") != rest {
			value = strings.TrimSpace(rest)
		} else if v, ok := strings.CutPrefix(rest, sep); ok && sep != " " {
			value = strings.Trim(v, `"' `)
		}
	}
	return value, nil
}
