package fakewsl

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"unicode/utf16"
)

// failure is an error with its code as wsl.exe prints it.
type failure struct {
	where string // "Service/RegisterDistro"
	code  string // "ERROR_ALREADY_EXISTS"
}

func (f failure) Error() string {
	path := "Wsl/" + f.code
	if f.where != "" {
		path = "Wsl/" + f.where + "/" + f.code
	}
	text, label := messages[f.code], "Error code"
	if os.Getenv("FAKEWSL_LANG") == "de" {
		text, label = "Das hat nicht geklappt: größere Störung.", "Fehlercode"
	}
	return fmt.Sprintf("%s\n%s: %s\n", text, label, path)
}

var messages = map[string]string{
	"ERROR_ALREADY_EXISTS":     "A distribution with the supplied name already exists. Use --name to choose a different name.",
	"ERROR_FILE_EXISTS":        "The supplied install location is already in use.",
	"E_ILLEGAL_STATE_CHANGE":   "An install, uninstall, or conversion is in progress for this distribution.",
	"WSL_E_DISTRO_NOT_FOUND":   "There is no distribution with the supplied name.",
	"WSL_E_IMPORT_FAILED":      "Importing the distribution failed.",
	"WSL_E_NOT_A_LINUX_DISTRO": "The imported file is not a valid Linux distribution.",
	"E_INVALIDARG":             "The parameter is incorrect. ",
	"E_ACCESSDENIED":           "Access is denied. ",
	"ERROR_PATH_NOT_FOUND":     "The system cannot find the path specified. ",
	"ERROR_FILE_NOT_FOUND":     "The system cannot find the file specified. ",
	"ERROR_DISK_FULL":          "There is not enough space on the disk. ",
	"WSL_E_USER_NOT_FOUND":     "User not found.",
	"WSL_E_VM_CRASHED":         "The virtual machine crashed.",
	"HCS_E_HYPERV_NOT_INSTALLED": "WSL2 is unable to start since virtualization is not enabled on this machine.\n" +
		"For information please visit https://aka.ms/enablevirtualization",
	"WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED":   "This application requires the Windows Subsystem for Linux Optional Component.",
	"WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED": "Please install the optional component Virtual Machine Platform.",
}

// say writes as the C runtime does in text mode: UTF-8 if that was asked for
// and, inside a distribution, handed over by WSLENV; else UTF-16LE.
func say(w io.Writer, text string) {
	text = strings.ReplaceAll(text, "\n", "\r\n")
	utf8 := os.Getenv("WSL_UTF8") == "1" && os.Getenv("FAKEWSL_OLD") == ""
	if runtime.GOOS != "windows" && !slices.Contains(strings.Split(os.Getenv("WSLENV"), ":"), "WSL_UTF8") {
		utf8 = false
	}
	if utf8 {
		_, _ = io.WriteString(w, text) // nobody is left to tell
		return
	}
	writeWide(w, text)
}

// writeWide writes UTF-16LE.
func writeWide(w io.Writer, text string) {
	var b bytes.Buffer
	_ = binary.Write(&b, binary.LittleEndian, utf16.Encode([]rune(text))) // a Buffer takes all
	_, _ = w.Write(b.Bytes())
}
