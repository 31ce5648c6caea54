package fakewsl

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"regexp"
	"strings"
)

// importDistro is ImportDistribution of the client.
func importDistro(args []string) (string, error) {
	var pos []string
	d := distro{Version: 2}
	for i := 0; i < len(args); i++ {
		switch {
		case args[i] == "--version" && i+1 < len(args):
			i++
			if args[i] != "1" && args[i] != "2" {
				return "", failure{"", "ERROR_VERSION_PARSE_ERROR"}
			}
			d.Version = int(args[i][0] - '0')
		case strings.HasPrefix(args[i], "-") && args[i] != "-":
			return "", failure{"", "E_INVALIDARG"}
		default:
			pos = append(pos, args[i])
		}
	}
	if len(pos) != 3 {
		return "", failure{"", "E_INVALIDARG"}
	}
	d.Name, d.Location = pos[0], pos[1]
	made := false
	switch err := makeFolder(d.Location); {
	case err == nil:
		made = true
	case !errors.Is(err, fs.ErrExist):
		return "", err
	}
	err := register(d, pos[2])
	if err != nil && made {
		_ = os.Remove(hostPath(d.Location)) // not empty: it stays
	}
	return "Import in progress, this may take a few minutes.\n" + done, err
}

// makeFolder is CreateDirectoryW: one level.
func makeFolder(win string) error {
	if wanted("access") {
		return failure{"", "E_ACCESSDENIED"}
	}
	if len(win) > 247 && !strings.HasPrefix(win, `\\?\`) {
		return failure{"", "ERROR_PATH_NOT_FOUND"}
	}
	err := os.Mkdir(hostPath(win), 0o755)
	if errors.Is(err, fs.ErrNotExist) {
		return failure{"", "ERROR_PATH_NOT_FOUND"}
	}
	return err
}

const serviceRole = "fakewsl-service"

// register asks the service, a process of its own that gets the client's
// handles: it goes on if the client is killed.
func register(d distro, archive string) error {
	if err := check(d); err != nil {
		return err
	}
	in := os.Stdin
	if archive != "-" {
		f, err := os.Open(hostPath(archive))
		if err != nil {
			return failure{"", "ERROR_FILE_NOT_FOUND"}
		}
		defer f.Close() //nolint:errcheck // only read
		in = f
	}
	if err := d.save(); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, serviceRole)
	cmd.Args[0] = os.Args[0] // the name is how a test binary knows its role
	cmd.Env = append(os.Environ(), "FAKEWSL_NAME="+d.Name)
	cmd.Stdin, cmd.Stderr = in, os.Stderr
	ownGroup(cmd)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	answer, _ := io.ReadAll(out) // none: it died
	_ = cmd.Wait()
	switch where, code, ok := bytes.Cut(answer, []byte(" ")); {
	case string(answer) == "ok":
		return nil
	case !ok && len(answer) == 0:
		os.Exit(1) // as RPC_S_CALL_FAILED without a word
		return nil
	default:
		return failure{string(where), string(code)}
	}
}

var validName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,256}$`)

// check is what RegisterDistribution refuses before it registers.
func check(d distro) error {
	where := "Service/RegisterDistro"
	if !validName.MatchString(d.Name) || strings.EqualFold(d.Name, "Legacy") {
		return failure{where, "E_INVALIDARG"}
	}
	if wanted("race") {
		other := distro{Name: d.Name, Location: `C:\elsewhere`, Installed: true}
		if err := other.save(); err != nil {
			return err
		}
	}
	for _, o := range distros() {
		switch {
		case strings.EqualFold(o.Name, d.Name) && o.Installed:
			return failure{where, "ERROR_ALREADY_EXISTS"}
		case strings.EqualFold(o.Name, d.Name):
			return failure{where, "E_ILLEGAL_STATE_CHANGE"}
		case strings.EqualFold(o.Location, d.Location):
			return failure{where, "ERROR_FILE_EXISTS"}
		}
	}
	return nil
}
