package wsl

import (
	"errors"
	"strings"
	"testing"
)

func TestParseError(t *testing.T) {
	for _, tt := range []struct{ name, out, err, code, text string }{
		{"english", "There is one already.\nError code: Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS\n", "",
			codeExists, "a distribution of this name exists (Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS)"},
		{"french", "Non.\nCode d’erreur\u00a0: Wsl/Service/RegisterDistro/ERROR_ALREADY_EXISTS\n", "", codeExists, "exists"},
		{"number", "x\nError code: Wsl/Service/RegisterDistro/0x80070070\n", "", codeDiskFull, "the disk is full (Wsl/Service/RegisterDistro/0x80070070)"},
		{"unknown number", "Etwas.\nFehlercode: Wsl/Service/0xabc\n", "", "0xabc", "Etwas. (Wsl/Service/0xabc)"},
		{"unknown name", "Etwas.\nFehlercode: Wsl/Service/TRUST_E_NOSIGNATURE\n", "", "TRUST_E_NOSIGNATURE", "Etwas. (Wsl/"},
		{"no context", "x\nError code: Wsl/E_INVALIDARG\n", "", codeInvalid, "an argument is refused"},
		{"inbox", "Error: 0x80370102 The virtual machine could not be started\n", "", "HCS_E_HYPERV_NOT_INSTALLED", "virtualisation is off (0x80370102)"},
		{"a path is no code", "C:\\Wsl/FOO_BAR is missing\n", "", "FOO_BAR", ""},
		{"not at the start of a word", "xWsl/Service/E_FAIL_X\n", "", "", ""},
		{"none", "Drücken Sie eine Taste\n", "", "", "Drücken Sie eine Taste"},
		{"nothing", "", "", "", "exit code 255 without a message"},
		{"extraction", "Importing failed.\nError code: Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED\n", "./a: damaged\n./b: worse\n",
			codeExtract, "./a: damaged; ./b: worse (Wsl/"},
		{"full disk", "Importing failed.\nError code: Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED\n", "./a: Write failed: No space left on device\n",
			codeDiskFull, "the disk is full"},
		{"control characters", "\x1b[2Jgone\n", "", "", `\x1b[2Jgone`},
		{"spinner", "-\r\\\r|\rEs geht nicht.\r\n", "", "", "Es geht nicht."},
	} {
		e := parseError("--import", 255, tt.out, tt.err)
		if e.Code != tt.code || !strings.Contains(e.Error(), tt.text) || !errors.Is(e, ErrWSL) {
			t.Errorf("%s: code %q in %q; want %q, %q", tt.name, e.Code, e, tt.code, tt.text)
		}
		if strings.ContainsAny(e.Error(), "\n\x1b") {
			t.Errorf("%s: %q", tt.name, e.Error())
		}
	}
}

// Each code that is known is told in a sentence, and each number leads to one.
func TestKnown(t *testing.T) {
	for code, k := range known {
		if k.what == "" && code != codeExtract || strings.HasSuffix(k.what, ".") || strings.HasSuffix(k.hint, ".") {
			t.Errorf("%s: %q, %q", code, k.what, k.hint)
		}
	}
	for number, code := range numbers {
		if known[code].what == "" && code != codeNoDistro {
			t.Errorf("%s: %s is not known", number, code)
		}
	}
}
