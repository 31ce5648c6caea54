package wslconf

import (
	"context"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/tree"
)

func TestSaysWhatIsLost(t *testing.T) {
	for in, want := range map[string]string{
		"\ufeff[boot]\nsystemd=true\n[user]\ndefault=a\n": "loses boot.systemd, user.default",
		"[boot]\nsystemd=true\n; x\ncommand=a\n":          "loses boot.command",
		"[ boot ]\nsystemd=true\n":                        "loses boot.systemd",
		"[boot]\nx-y=1\n":                                 "ends",
	} {
		last := Parse([]byte(in), Keys).Issues()[0].String()
		if _, lost, _ := strings.Cut(last, "; WSL stops reading here and "); lost != want && want != "ends" || want == "ends" && lost != "" {
			t.Errorf("%q: %s", in, last)
		}
	}
	_, err := New(Options{Base: []byte("[boot]\nsystemd=yes\nfoo=1\n"), BaseName: "f"})
	if err == nil || !strings.Contains(err.Error(), "f: line 2: ") || !strings.Contains(err.Error(), "; line 3: ") {
		t.Error(err)
	}
}

func TestHostName(t *testing.T) {
	for in, want := range map[string]string{
		"box": "box", "my-Box1.lan": "my-Box1.lan", "a b": "ab", "-a--b.-c.d.": "a-b.cd", "": "localhost", "...": "localhost", "_": "localhost",
		strings.Repeat("a", 63) + ".b": strings.Repeat("a", 63),
	} {
		if got := hostName(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	e := Parse(nil, Keys)
	if err := e.Set("network.hostname", "a b"); err == nil || !strings.Contains(err.Error(), `WSL makes "ab" of it`) {
		t.Error(err)
	}
}

// The expectations of TestParse are what WSL's own parser did with the same
// bytes (configfile.cpp compiled and run).
func TestParse(t *testing.T) {
	tests := []struct {
		name, in, key, want string // want "-": not set
		line                int    // of the last issue, 0 for none
		level               Level
	}{
		{"plain", "[boot]\nsystemd=true\n", "boot.systemd", "true", 0, 0},
		{"no final newline", "[boot]\nsystemd = true", "boot.systemd", "true", 0, 0},
		{"case does not count", "[BOOT]\nSystemD=TRUE", "boot.systemd", "TRUE", 0, 0},
		{"spaces", "  [boot]  # x\n\t systemd\t=  true \t\n", "boot.systemd", "true", 0, 0},
		{"crlf", "[boot]\r\n\r\n# c\r\nsystemd=true\r\n", "boot.systemd", "true", 0, 0},
		{"cr only", "[boot]\rsystemd=true\r", "boot.systemd", "true", 0, 0},
		{"semicolon", "; x\n[boot]\nsystemd=true\n", "boot.systemd", "-", 1, Fatal},
		{"bom", "\ufeff[boot]\nsystemd=true\n", "boot.systemd", "-", 1, Fatal},
		{"spaced header", "[ boot ]\nsystemd=true\n", "boot.systemd", "-", 1, Fatal},
		{"header with text behind", "[boot] systemd=true\n", "boot.systemd", "-", 1, Fatal},
		{"earlier keys live", "[user]\ndefault=a\nx-y=1\n[boot]\nsystemd=true\n", "user.default", "a", 3, Fatal},
		{"later keys die", "[user]\ndefault=a\nx_y=1\n[boot]\nsystemd=true\n", "boot.systemd", "-", 3, Fatal},
		{"glued", "[boot]\nsystemd=true[user]\ndefault=a\n", "boot.systemd", "-", 3, Ignored},
		{"first wins", "[user]\ndefault=a\ndefault=b\n", "user.default", "a", 3, Ignored},
		{"bad first blocks", "[boot]\nsystemd=yes\nsystemd=true\n", "boot.systemd", "-", 3, Ignored},
		{"bad boolean", "[boot]\nsystemd=on\n", "boot.systemd", "-", 2, Ignored},
		{"unknown", "[boot]\nsystem=1\nsystemd=1\n", "boot.systemd", "1", 2, Ignored},
		{"before any section", "systemd=true\n", "boot.systemd", "-", 1, Ignored},
		{"comment in command", "[boot]\ncommand=a # b\n", "boot.command", "a", 0, 0},
		{"quoted hash", "[boot]\ncommand=\"a # b \" # c\n", "boot.command", "a # b ", 0, 0},
		{"inner quotes go", "[boot]\ncommand=a \"b  c\" d\n", "boot.command", "a b  c d", 0, 0},
		{"single quotes stay", "[boot]\ncommand='a'\n", "boot.command", "'a'", 2, Trap},
		{"escapes", `[boot]` + "\n" + `command=\\ \" \b\n\t` + "\n", "boot.command", "\\ \" \b\n\t", 0, 0},
		{"bad escape", "[boot]\ncommand=C:\\Users\nsystemd=true", "boot.systemd", "-", 2, Fatal},
		{"escape at end", "[boot]\ncommand=a\\", "boot.command", "-", 2, Fatal},
		{"open quote", "[boot]\ncommand=\"a\nsystemd=true\n", "boot.systemd", "-", 2, Fatal},
		{"continuation", "[boot]\ncommand=a \\\n  b\nsystemd=true\n", "boot.command", "a   b", 0, 0},
		{"continuation after crlf", "[boot]\r\ncommand=a \\\r\n b\r\n", "boot.command", "a ", 3, Fatal},
		{"umask octal", "[filesystem]\numask=022\n", "filesystem.umask", "022", 0, 0},
		{"umask decimal", "[filesystem]\numask=22\n", "filesystem.umask", "22", 2, Trap},
		{"umask no octal", "[filesystem]\numask=08\n", "filesystem.umask", "-", 2, Ignored},
		{"hex", "[boot]\ninitTimeout=0x10\n", "boot.initTimeout", "0x10", 0, 0},
		{"empty integer", "[boot]\ninitTimeout=\n", "boot.initTimeout", "-", 2, Ignored},
		{"too large", "[boot]\ninitTimeout=2147483648\n", "boot.initTimeout", "-", 2, Ignored},
		{"enum", "[automount]\ncgroups=V1\n", "automount.cgroups", "V1", 0, 0},
		{"bad enum", "[automount]\ncgroups=v3\n", "automount.cgroups", "-", 2, Ignored},
		{"host name", "[network]\nhostname=my-Box.lan\n", "network.hostname", "my-Box.lan", 0, 0},
		{"no host name", "[network]\nhostname=-my_box.a.b-\n", "network.hostname", "-my_box.a.b-", 2, Trap},
		{"nul", "[user]\ndefault=a\x00b\n", "user.default", "a", 0, 0},
		{"empty", "", "boot.systemd", "-", 0, 0},
		{"comment without line end", "# x", "boot.systemd", "-", 0, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Parse([]byte(tt.in), Keys)
			got, _, ok := f.Get(tt.key)
			if !ok {
				got = "-"
			}
			if got != tt.want {
				t.Errorf("%s: got %q, want %q", tt.key, got, tt.want)
			}
			var last Issue
			if n := len(f.Issues()); n > 0 {
				last = f.Issues()[n-1]
			}
			if last.Line != tt.line || last.Level != tt.level {
				t.Errorf("last issue %+v, want line %d level %d", last, tt.line, tt.level)
			}
		})
	}
}

func TestIssueNamesWhatIsLost(t *testing.T) {
	f := Parse([]byte("; c\n[user]\ndefault=a\n[boot]\nsystemd=true\n"), Keys)
	if s := f.Issues()[0].String(); !strings.HasPrefix(s, "line 1: ") || !strings.Contains(s, "user.default, boot.systemd") {
		t.Error(s)
	}
}

func TestSet(t *testing.T) {
	tests := []struct{ name, in, key, value, want string }{
		{"empty file", "", "boot.systemd", "true", "[boot]\nsystemd=true\n"},
		{"new section", "[user]\ndefault=a", "boot.systemd", "true", "[user]\ndefault=a\n\n[boot]\nsystemd=true\n"},
		{"in its section", "# top\n[boot] # b\ncommand=x # y\n\n# user\n[user]\ndefault=a\n", "boot.systemd", "true",
			"# top\n[boot] # b\ncommand=x # y\nsystemd=true\n\n# user\n[user]\ndefault=a\n"},
		{"in place", "[boot]\nsystemd = false \t# why\n[user]\n", "boot.systemd", "true", "[boot]\nsystemd = true \t# why\n[user]\n"},
		{"over a bad one", "[boot]\nsystemd=yes\n", "boot.systemd", "true", "[boot]\nsystemd=true\n"},
		{"empty value", "[boot]\nsystemd=#x\n", "boot.systemd", "true", "[boot]\nsystemd=true#x\n"},
		{"over a continuation", "[boot]\ncommand=a \\\n b\nsystemd=1\n", "boot.command", "c", "[boot]\ncommand=c\nsystemd=1\n"},
		{"crlf stays", "[boot]\r\ncommand=a\r\n", "boot.systemd", "true", "[boot]\r\ncommand=a\r\nsystemd=true\r\n"},
		{"quoted", "", "boot.command", ` a # "b" \c `, "[boot]\ncommand=\" a # \\\"b\\\" \\\\c \"\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Parse([]byte(tt.in), Keys)
			if err := f.Set(tt.key, tt.value); err != nil {
				t.Fatal(err)
			}
			if got := string(f.Bytes()); got != tt.want {
				t.Errorf("got\n%q, want\n%q", got, tt.want)
			}
			if err := f.Set(tt.key, tt.value); err != nil || string(f.Bytes()) != tt.want {
				t.Errorf("second time: %v, %q", err, f.Bytes())
			}
		})
	}
}

func TestSetRefuses(t *testing.T) {
	tests := []struct{ name, in, key, value, reason string }{
		{"unknown key", "", "boot.systemD2", "true", "knows no key"},
		{"other section", "", "general.hostname", "x", `"network.hostname" is meant?`},
		{"boolean", "", "boot.systemd", "yes", "no boolean"},
		{"decimal umask", "", "filesystem.umask", "22", "the umask becomes 0026"},
		{"carriage return", "", "boot.command", "a\rb", "no escape for character 0xd"},
		{"nul", "", "boot.command", "a\x00b", "no escape for character 0x0"},
		{"not ascii", "", "user.default", "jürgen", "not ASCII"},
		{"after the end", "[boot]\n; x\n", "boot.systemd", "true", "line 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := Parse([]byte(tt.in), Keys)
			err := f.Set(tt.key, tt.value)
			if err == nil || !strings.Contains(err.Error(), tt.reason) {
				t.Errorf("got %v, want %q", err, tt.reason)
			}
			if string(f.Bytes()) != tt.in {
				t.Errorf("file became %q", f.Bytes())
			}
		})
	}
}

func TestUnset(t *testing.T) {
	f := Parse([]byte("[boot]\n# c\nsystemd=1 # x\ncommand=a\nSYSTEMD=0"), Keys)
	if !f.Unset("boot.systemd") || f.Unset("boot.systemd") {
		t.Error("wrong answer")
	}
	if got, want := string(f.Bytes()), "[boot]\n# c\ncommand=a\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestRepair(t *testing.T) {
	in := "\xef\xbb\xbf; top\r\n[ boot ] x\nsystemd=true\n[x y]\ndefault=b\n\n# k\n[user]\ndefault=a\ncmd=\"x\n-\n"
	want := "# top\r\n[boot] # x\nsystemd=true\n# [x y]\n# default=b\n\n# k\n[user]\ndefault=a\n# cmd=\"x\n# -\n"
	f := Parse([]byte(in), Keys)
	done := f.Repair()
	if got := string(f.Bytes()); got != want {
		t.Errorf("got\n%q, want\n%q", got, want)
	}
	if len(done) != 6 || len(f.Issues()) != 0 || f.Repair() != nil {
		t.Errorf("done %v, left %v", done, f.Issues())
	}
}

func TestEdit(t *testing.T) {
	e, err := New(Options{Settings: []Setting{{"boot.systemd", "true"}, {"user.default", "joe"}}})
	if err != nil {
		t.Fatal(err)
	}
	tr := tree.New()
	if _, err := tr.MkdirAll("/etc", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := tr.WriteFile(Path, []byte("; old\n[user]\ndefault=x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ch, err := e.Apply(context.Background(), tr)
	if err != nil || len(ch) != 1 {
		t.Fatal(ch, err)
	}
	b, err := tr.ReadFile(Path, MaxSize)
	if want := "# old\n[user]\ndefault=joe\n\n[boot]\nsystemd=true\n"; err != nil || string(b) != want {
		t.Errorf("got %q (%v), want %q", b, err, want)
	}
	if n, _ := tr.Lookup(Path); n.Mode != fsys.ModeRegular|0o600 {
		t.Errorf("mode %#o", n.Mode)
	}
	if ch, err := e.Apply(context.Background(), tr); len(ch) != 0 || err != nil {
		t.Error("second time:", ch, err)
	}
	if _, err := New(Options{Base: []byte("[boot]\nsystemd=yes\n"), BaseName: "my.conf"}); err == nil || !strings.HasPrefix(err.Error(), "my.conf: line 2: boot.systemd:") {
		t.Error(err)
	}
}

// FuzzSet proves that what Set writes is what WSL reads, whatever else is in the file.
func FuzzSet(f *testing.F) {
	f.Add([]byte("[boot]\ncommand=x # y\n"), "a \\ \" # b")
	f.Add([]byte("[boot]\ncommand=a\\\nb\r\n[x]\ny=\"\"\n"), " ")
	f.Add([]byte("; \n[ boot ]\n"), "\t")
	f.Fuzz(func(t *testing.T, in []byte, value string) {
		file := Parse(in, Keys)
		before := map[string]string{}
		for _, k := range Keys {
			if v, _, ok := file.Get(k.Name); ok {
				before[k.Name] = v
			}
		}
		if err := file.Set("boot.command", value); err != nil {
			return
		}
		again := Parse(file.Bytes(), Keys)
		if got, _, ok := again.Get("boot.command"); !ok || got != value {
			t.Fatalf("%q reads back as %q from %q", value, got, file.Bytes())
		}
		for _, k := range Keys {
			if v, _, _ := again.Get(k.Name); k.Name != "boot.command" && v != before[k.Name] {
				t.Fatalf("%s was %q, is %q", k.Name, before[k.Name], v)
			}
		}
	})
}

// FuzzRepair proves that a repaired file has no line that ends the parse and
// that repairing it again changes nothing.
func FuzzRepair(f *testing.F) {
	f.Add([]byte("\xef\xbb\xbf; a\r[ b ] c\n[d e]\nf=\"g\nh=\\i\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		file := Parse(in, Keys)
		file.Repair()
		once := string(file.Bytes())
		again := Parse([]byte(once), Keys)
		if done := again.Repair(); done != nil || string(again.Bytes()) != once {
			t.Fatalf("repaired again: %v", done)
		}
	})
}
