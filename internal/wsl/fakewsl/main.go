package fakewsl

import (
	"errors"
	"fmt"
	"os"
	"strings"
)

// Main is wsl.exe: it returns the exit code, 0 or, as every failure of the real
// one, -1.
func Main() int {
	args := os.Args[1:]
	if len(args) == 1 && args[0] == serviceRole {
		return service()
	}
	logCall(args)
	out, err := client(args)
	var f failure
	switch {
	case errors.As(err, &f):
		say(os.Stdout, f.Error())
		return -1
	case err != nil:
		fmt.Fprintln(os.Stderr, "fakewsl:", err)
		return 99 // a fault of the test itself
	}
	say(os.Stdout, out)
	return 0
}

// logCall notes a call for the test to look at.
func logCall(args []string) {
	f, err := os.OpenFile(stateFile("log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	fmt.Fprintf(f, "wsl.exe %s\n", strings.Join(args, " "))
	f.Close() //nolint:errcheck // a test that misses the line fails
}

const done = "The operation completed successfully. \n"

func client(args []string) (string, error) {
	if len(args) == 0 {
		return "", failure{"", "E_INVALIDARG"}
	}
	if wanted("component") {
		return "", failure{"", "WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED"}
	}
	arg := func(i int) string {
		if i < len(args) {
			return args[i]
		}
		return ""
	}
	switch args[0] {
	case "--import":
		return importDistro(args[1:])
	case "-l", "--list":
		return list(args[1:])
	case "--unregister":
		return unregister(arg(1))
	case "-s", "--set-default":
		d, err := find(arg(1), false)
		if err != nil {
			return "", err
		}
		return done, os.WriteFile(stateFile("default"), []byte(d.Name), 0o600)
	case "--manage":
		return manage(arg(1), arg(2), arg(3))
	case "-d", "--distribution":
		d, err := find(arg(1), false)
		return fmt.Sprintf("shell of %s\n", d.Name), err
	}
	return "", failure{"", "E_INVALIDARG"}
}

// list is ListDistributions: names that are not installed only with --all.
func list(args []string) (string, error) {
	if wanted("list") {
		return "", failure{"Service", "CO_E_SERVER_EXEC_FAILURE"}
	}
	var all, quiet bool
	for _, a := range args {
		all = all || a == "--all"
		quiet = quiet || a == "-q" || a == "--quiet"
	}
	var b strings.Builder
	if !quiet {
		b.WriteString("Windows Subsystem for Linux Distributions:\n")
	}
	for _, d := range distros() {
		if d.Installed || all {
			b.WriteString(d.Name + "\n")
		}
	}
	return b.String(), nil
}

func unregister(name string) (string, error) {
	d, err := find(name, true)
	if err != nil {
		return "", err
	}
	if n, ok := has("busy"); ok && countDown("busy", n) {
		return "", failure{"Service/UnregisterDistro", "E_ILLEGAL_STATE_CHANGE"}
	}
	if serving(d) {
		return "", failure{"Service/UnregisterDistro", "E_ILLEGAL_STATE_CHANGE"}
	}
	return "Unregistering.\n" + done, d.remove()
}

// countDown tells for the first n calls that they are among the first n.
func countDown(name string, n int64) bool {
	b, _ := os.ReadFile(stateFile(name)) // absent: the first call
	if int64(len(b)) >= n {
		return false
	}
	return os.WriteFile(stateFile(name), append(b, 'x'), 0o600) == nil
}

func manage(name, option, user string) (string, error) {
	d, err := find(name, false)
	switch {
	case err != nil:
		return "", err
	case option != "--set-default-user":
		return "", failure{"", "E_INVALIDARG"}
	case wanted("user"):
		return "", failure{"Service/CreateInstance", "WSL_E_USER_NOT_FOUND"}
	}
	d.User = user
	return done, d.save()
}
