package fakewsl

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// WslpathMain is wslpath inside a distribution: FAKEWSL_DRIVE is C:\, all else
// lies in the distribution "fake".
func WslpathMain() int {
	if len(os.Args) != 3 {
		return 1
	}
	out, err := wslpath(os.Args[1], os.Args[2])
	if err != nil {
		fmt.Fprintf(os.Stderr, "wslpath: %s: %v\n", os.Args[2], err)
		return 1
	}
	fmt.Println(out)
	return 0
}

func wslpath(flag, path string) (string, error) {
	drive := os.Getenv("FAKEWSL_DRIVE")
	if flag == "-u" {
		if !strings.HasPrefix(path, `C:\`) {
			return "", fs.ErrInvalid
		}
		path = hostPath(path)
	}
	if _, err := os.Stat(path); err != nil {
		return "", errors.Unwrap(err)
	}
	if flag == "-u" {
		return path, nil
	}
	rel, err := filepath.Rel(drive, path)
	if err != nil || strings.HasPrefix(rel, "..") {
		return `\\wsl.localhost\fake` + strings.ReplaceAll(path, "/", `\`), nil
	}
	return `C:\` + strings.ReplaceAll(rel, "/", `\`), nil
}

// CmdMain is cmd.exe /D /U /C "set NAME": names that begin with it, as UTF-16.
// Windows variables are those of FAKEWSL_USERPROFILE and FAKEWSL_LOCALAPPDATA.
func CmdMain() int {
	args := os.Args[1:]
	if len(args) != 4 || args[1] != "/U" || !strings.HasPrefix(args[3], "set ") {
		return 1
	}
	name := strings.TrimPrefix(args[3], "set ")
	value := os.Getenv("FAKEWSL_" + name)
	if value == "" {
		return 1
	}
	writeWide(os.Stdout, name+"="+value+"\r\n"+name+"X=other\r\n")
	return 0
}
