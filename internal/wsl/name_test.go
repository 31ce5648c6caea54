package wsl

import (
	"errors"
	"strings"
	"testing"
)

func TestCheckName(t *testing.T) {
	for _, name := range []string{"a", "Ubuntu-24.04", "x_y", ".hidden", "nulx", "COM", "com10", strings.Repeat("a", 256)} {
		if err := CheckName(name); err != nil {
			t.Error(err)
		}
	}
	for _, name := range []string{
		"", "a b", "ü", "a/b", `a\b`, "a:b", "a\x00", "-x", "--unregister", "legacy", "Legacy", "nul", "NUL.x", "con", "com1", "LPT9.tar", "a.", "..",
		strings.Repeat("a", 257),
	} {
		if err := CheckName(name); !errors.Is(err, ErrName) {
			t.Errorf("%q: %v", name, err)
		}
	}
}

func TestDefaultName(t *testing.T) {
	for _, tt := range []struct{ id, version, want string }{
		{"debian", "13", "debian-13"},
		{"opensuse-leap", "15.6", "opensuse-leap-15.6"},
		{"arch", "", "arch"},
		{"", "", "linux"},
		{"--unregister", "../..", "unregister"},
		{"evil; rm -rf", "1\n2", "evil--rm--rf-1-2"},
		{"nul", "", "linux-nul"},
		{"Legacy", "", "linux-Legacy"},
		{strings.Repeat("x", 100), "1", strings.Repeat("x", 64)},
		{"ä", "ö", "linux"},
	} {
		got := DefaultName(tt.id, tt.version)
		if got != tt.want || CheckName(got) != nil {
			t.Errorf("%q %q: %q, want %q", tt.id, tt.version, got, tt.want)
		}
	}
}

func FuzzDefaultName(f *testing.F) {
	f.Add("debian", "13")
	f.Fuzz(func(t *testing.T, id, version string) {
		if err := CheckName(DefaultName(id, version)); err != nil {
			t.Error(err)
		}
	})
}
