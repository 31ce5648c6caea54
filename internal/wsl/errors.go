package wsl

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/wslimg/wslimg/internal/fsys"
)

// ErrWSL is the class of all failures of wsl.exe and of reaching it.
var ErrWSL = errors.New("wsl.exe")

// Error is a failed run of wsl.exe. It unwraps to ErrWSL.
type Error struct {
	Op   string // what was asked for, such as "--import"
	Name string // the distribution that it was about; "" for none
	Code string // "ERROR_ALREADY_EXISTS", "0x80370102", …; empty if wsl.exe gave none
	Path string // the code with the places it came through, "Wsl/Service/RegisterDistro/…"
	Exit int    // exit code of wsl.exe; -1 if it was ended from outside
	Text string // the last lines of what it said, in the language of that Windows
}

func (e *Error) Error() string {
	what := known[e.Code].what
	if what == "" {
		what = fsys.Printable(e.Text)
	}
	if what == "" {
		what = fmt.Sprintf("exit code %d without a message", e.Exit)
	}
	if e.Path != "" {
		what += " (" + e.Path + ")"
	}
	return fmt.Sprintf("wsl.exe %s: %s", e.Op, what)
}

func (e *Error) Unwrap() error { return ErrWSL }

// Hint is what the user can do about it, "" if nothing is known.
func (e *Error) Hint() string {
	hint := known[e.Code].hint
	if e.Name == "" {
		return hint
	}
	return strings.ReplaceAll(hint, "NAME", e.Name)
}

// codePattern finds the one part of a message that is not localized: the path of
// the error (ErrorToString in wslutil.cpp), such as Wsl/Service/WSL_E_X or, for
// codes without a name, Wsl/Service/0x8007abcd.
var codePattern = regexp.MustCompile(`\bWslg?(?:/[A-Za-z0-9]+)*/([A-Z][A-Z0-9]*_[A-Z0-9_]+|0x[0-9a-fA-F]{1,8})\b`)

// inboxPattern is the form of the wsl.exe that came with Windows before the
// Store's: a bare HRESULT.
var inboxPattern = regexp.MustCompile(`\b0x8[0-9a-fA-F]{7}\b`)

// parseError makes an Error of what a failed wsl.exe wrote to its standard
// output, where its messages go, and to standard error, where those of Linux
// programs go.
func parseError(op string, exit int, stdout, stderr string) *Error {
	e := &Error{Op: op, Exit: exit, Text: lastLines(stdout, stderr)}
	if m := codePattern.FindAllStringSubmatch(stdout+"\n"+stderr, -1); m != nil {
		e.Path, e.Code = m[len(m)-1][0], m[len(m)-1][1]
	} else if m := inboxPattern.FindAllString(stdout, -1); m != nil {
		e.Path, e.Code = m[len(m)-1], m[len(m)-1]
	}
	if name, ok := numbers[strings.ToLower(e.Code)]; ok {
		e.Code = name
	}
	if e.Code == codeImportFailed {
		e.refine(stderr)
	}
	return e
}

// refine tells a full disk from other reasons why the extraction failed: the
// words are bsdtar's, run in the C locale.
func (e *Error) refine(stderr string) {
	switch {
	case strings.Contains(stderr, "No space left on device"):
		e.Code = codeDiskFull
	case strings.TrimSpace(stderr) != "":
		e.Code = codeExtract
		e.Text = lastLines("", stderr)
	}
}

// lastLines is what a person reads first: up to three last lines with text,
// without the line that holds the code.
func lastLines(stdout, stderr string) string {
	var lines []string
	for line := range strings.SplitSeq(stdout+"\n"+stderr, "\n") {
		// a spinner overwrites its line
		line = strings.TrimSpace(line[strings.LastIndexByte(strings.TrimRight(line, "\r"), '\r')+1:])
		if line != "" && !codePattern.MatchString(line) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-3):], "; ")
}
