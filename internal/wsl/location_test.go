package wsl

import (
	"errors"
	"strings"
	"testing"
)

func TestCleanLocation(t *testing.T) {
	for in, want := range map[string]string{
		`C:\wsl\x`:                 `C:\wsl\x`,
		`c:/wsl//x/`:               `C:\wsl\x`,
		`D:\a\.\b\..\Übungs platz`: `D:\a\Übungs platz`,
		`C:\..\..\x`:               `C:\x`,
		`\\srv\share\x`:            `\\srv\share\x`,
		`//srv/share/a b`:          `\\srv\share\a b`,
		`\\?\C:\x`:                 `C:\x`,
		`\\?\unc\srv\share\x`:      `\\srv\share\x`,
		`C:\nulx\com`:              `C:\nulx\com`,
		`C:\` + strings.Repeat(`long folder\`, 40) + "x": `C:\` + strings.Repeat(`long folder\`, 40) + "x",
	} {
		got, err := CleanLocation(in)
		if got != want || err != nil {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
	for _, in := range []string{
		"", "x", `\x`, "C:", `C:\`, "C:x", `1:\x`, `\\srv`, `\\srv\share`, `\\srv\share\`, `\\.\C:\x`, `\\?\C:\..\x`,
		`C:\a:b`, `C:\a?`, `C:\a*b\x`, `C:\a"b`, "C:\\a\x01", `C:\a.`, `C:\a \b`, `C:\nul`, `C:\x\CON.txt\y`, `C:\com¹`, `C:\x\..`,
		`\\wsl.localhost\Ubuntu\home`, `\\WSL$\Ubuntu\home`, `\\srv\nul\x`, "/mnt/c/x",
	} {
		if got, err := CleanLocation(in); !errors.Is(err, ErrLocation) {
			t.Errorf("%q: %q, %v", in, got, err)
		}
	}
}

func FuzzCleanLocation(f *testing.F) {
	f.Add(`C:\a\..\b`)
	f.Add(`\\?\UNC\a\b\c`)
	f.Fuzz(func(t *testing.T, in string) {
		got, err := CleanLocation(in)
		if err != nil {
			return
		}
		if again, err := CleanLocation(got); again != got || err != nil {
			t.Errorf("%q: %q, then %q, %v", in, got, again, err)
		}
		if parent, base := splitLast(got); parent == "" || base == "" {
			t.Errorf("%q: %q in %q", in, base, parent)
		}
	})
}

func TestArgument(t *testing.T) {
	long := strings.Repeat(`\long folder`, 30)
	for in, want := range map[string]string{
		`C:\x`:               `C:\x`,
		`C:` + long:          `\\?\C:` + long,
		`\\srv\share` + long: `\\?\UNC\srv\share` + long,
	} {
		if got := argument(in); got != want {
			t.Errorf("%q: %q", in, got)
		}
	}
}

func TestCommandLine(t *testing.T) {
	got := CommandLine("wsl.exe", Registration{Name: "x", Location: `C:\a & b\x`, Version: 2}.Args("-")...)
	if want := `wsl.exe --import x "C:\a & b\x" - --version 2`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
