package users

import (
	"context"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/edit/edittest"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/tree"
)

func add(t *testing.T, tr *tree.Tree, name string) error {
	t.Helper()
	e, err := New(Options{Name: name})
	if err != nil {
		return err
	}
	if _, err := e.Apply(context.Background(), tr); err != nil {
		return err
	}
	before := edittest.Dump(tr)
	again, err := e.Apply(context.Background(), tr)
	if len(again) != 0 || err != nil || edittest.Dump(tr) != before {
		t.Errorf("second run: %v, %v", again, err)
	}
	return nil
}

// expect compares files; "mode uid:gid" before the content.
func expect(t *testing.T, tr *tree.Tree, path, mode, tail string) {
	t.Helper()
	n, err := tr.Lookup(path)
	if err != nil {
		t.Error(err)
		return
	}
	var b strings.Builder
	for _, f := range strings.Fields(strings.SplitN(edittest.Dump(&tree.Tree{Root: dirOf(n)}), "\n", 3)[1])[1:3] {
		b.WriteString(f + " ")
	}
	if got := strings.TrimSpace(b.String()); got != mode {
		t.Errorf("%s: got %s, want %s", path, got, mode)
	}
	if n.IsRegular() {
		data, err := n.Read(1 << 20)
		if err != nil || !strings.HasSuffix(string(data), tail) {
			t.Errorf("%s: got %q (%v), want ... %q", path, data, err, tail)
		}
	}
}

func dirOf(n *tree.Node) *tree.Node {
	d := &tree.Node{Mode: fsys.ModeDir}
	d.Set("x", n)
	n.Links--
	return d
}

func TestAddOnDebian(t *testing.T) {
	tr := edittest.Debian()
	edittest.Build(tr, `
f0644 /etc/subuid "other:100000:65536\n"
f0644 /etc/group "root:x:0:\nsudo:x:27:other\nshadow:x:42:\ntaken:x:1000:\n"
`)
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/etc/passwd", "0100644 0:0", "nologin\njoe:x:1000:1001::/home/joe:/bin/bash\n")
	expect(t, tr, "/etc/shadow", "0100640 0:42", "\njoe:!:19675:0:99999:7:::\n")
	expect(t, tr, "/etc/group", "0100644 0:0", "sudo:x:27:other,joe\nshadow:x:42:\ntaken:x:1000:\njoe:x:1001:\n")
	expect(t, tr, "/etc/gshadow", "0100640 0:42", "\nsudo:*::joe\nshadow:*::\nnogroup:*::\njoe:!::\n")
	expect(t, tr, "/etc/subuid", "0100644 0:0", "other:100000:65536\njoe:165536:65536\n")
	expect(t, tr, "/etc/subgid", "0100644 0:0", "joe:100000:65536\n")
	expect(t, tr, "/home/joe", "040700 1000:1001", "")
	expect(t, tr, "/home/joe/.bashrc", "0100644 1000:1001", "# bashrc\n")
	expect(t, tr, "/home/joe/.config", "040700 1000:1001", "")
	expect(t, tr, "/home/joe/.config/x", "0100600 1000:1001", "x")
	expect(t, tr, "/etc/sudoers.d/90-wslimg-joe", "0100440 0:0", "\njoe ALL=(ALL:ALL) NOPASSWD:ALL\n")
	expect(t, tr, "/etc/wsl.conf", "0100644 0:0", "[user]\ndefault=joe\n")
}

// TestSudoers: what is in sudoers.d counts only where sudoers says so.
func TestSudoers(t *testing.T) {
	for have, want := range map[string]string{
		"root ALL=(ALL) ALL":                         "root ALL=(ALL) ALL\n#includedir /etc/sudoers.d\n",
		"##includedir /etc/sudoers.d\n":              "##includedir /etc/sudoers.d\n#includedir /etc/sudoers.d\n",
		"#includedir /etc/sudoers.d\n":               "#includedir /etc/sudoers.d\n",
		"a\n@includedir \"/etc/sudoers.d/\"\n":       "a\n@includedir \"/etc/sudoers.d/\"\n",
		"#includedir /etc/sudoers.old\n#include x\n": "#includedir /etc/sudoers.old\n#include x\n#includedir /etc/sudoers.d\n",
	} {
		tr := edittest.Debian()
		if err := tr.WriteFile("/etc/sudoers", []byte(have), 0o440); err != nil {
			t.Fatal(err)
		}
		if err := add(t, tr, "joe"); err != nil {
			t.Fatal(err)
		}
		expect(t, tr, "/etc/sudoers", "0100440 0:0", "")
		if b, err := tr.ReadFile("/etc/sudoers", maxFile); err != nil || string(b) != want {
			t.Errorf("%q became %q (%v), want %q", have, b, err, want)
		}
	}
}

// A home that --copy-in has made is the new user's all the same.
func TestHomeThatIsThere(t *testing.T) {
	tr := edittest.Build(edittest.Debian(), `
f0644:1000:1000 /home/joe/.config/app/conf "x"
f0600 /home/joe/.bashrc "mine"
`)
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/home/joe", "040700 1000:1000", "")
	expect(t, tr, "/home/joe/.config", "040755 1000:1000", "")
	expect(t, tr, "/home/joe/.config/app/conf", "0100644 1000:1000", "x")
	expect(t, tr, "/home/joe/.config/x", "0100600 1000:1000", "x")
	expect(t, tr, "/home/joe/.bashrc", "0100600 0:0", "mine")
	expect(t, tr, "/home/joe/.profile", "0100644 1000:1000", "# profile\n")

	tr = edittest.Build(edittest.Debian(), "l /home/joe /etc\n") // a link is left alone
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/etc", "040755 0:0", "")
	tr = edittest.Build(edittest.Debian(), "d0750:1001:1001 /home/joe\n") // someone else's
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/home/joe", "040750 1001:1001", "")
	if _, err := tr.Lookup("/home/joe/.profile"); err == nil {
		t.Error("the home of someone else was filled")
	}
}

func TestAddOnOthers(t *testing.T) {
	for name, want := range map[string]string{
		"rhel": "wheel:x:27:joe", "suse": "wheel:x:27:joe", "arch": "wheel:x:27:joe", "ubuntu": "sudo:x:27:joe",
	} {
		tr := edittest.Distros[name]()
		shadow, _ := tr.Lookup("/etc/shadow")
		mode := shadow.Mode
		if err := add(t, tr, "joe"); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if b, _ := tr.ReadFile("/etc/group", maxFile); !strings.Contains(string(b), want) {
			t.Errorf("%s: group %q", name, b)
		}
		if shadow, _ = tr.Lookup("/etc/shadow"); shadow.Mode != mode {
			t.Errorf("%s: shadow has mode %#o, had %#o", name, shadow.Mode, mode)
		}
	}
}

func TestAddOnPlain(t *testing.T) {
	tr := edittest.Plain()
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/etc/passwd", "0100644 0:0", "root:x:0:0:root:/root:/bin/sh\njoe:x:1000:1000::/home/joe:/bin/sh\n")
	expect(t, tr, "/home/joe", "040755 1000:1000", "")
}

func TestKeepsExisting(t *testing.T) {
	tr := edittest.Alpine()
	passwd, _ := tr.ReadFile("/etc/passwd", maxFile)
	if err := add(t, tr, "alpine"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/etc/passwd", "0100644 0:0", string(passwd))
	expect(t, tr, "/etc/group", "0100644 0:0", "wheel:x:10:root,alpine\nshadow:x:42:\nalpine:x:1000:\n")
	expect(t, tr, "/etc/doas.d/90-wslimg-alpine.conf", "0100640 0:0", "\npermit nopass alpine\n")
	if _, err := tr.Lookup("/etc/gshadow"); err == nil {
		t.Error("gshadow was made")
	}

	err := add(t, edittest.Alpine(), "joe")
	if err == nil || err.Error() != `uid 1000 belongs to user "alpine" in this image` || !strings.Contains(ondisk.HintOf(err), "--user alpine") {
		t.Error(err, ondisk.HintOf(err))
	}
	if err := add(t, edittest.Debian(), "daemon"); err == nil || !strings.Contains(err.Error(), "system account") {
		t.Error(err)
	}
	tr = edittest.Debian()
	if err := add(t, tr, "root"); err != nil {
		t.Error(err)
	}
	expect(t, tr, "/etc/wsl.conf", "0100644 0:0", "[user]\ndefault=root\n")
	if _, err := tr.Lookup("/home/root"); err == nil {
		t.Error("root has a home in /home")
	}
}

func TestLater(t *testing.T) {
	tr := edittest.Debian()
	e, err := New(Options{Name: "joe", Later: true})
	if err != nil {
		t.Fatal(err)
	}
	ch, err := e.Apply(context.Background(), tr)
	if err != nil || len(ch) != 1 || ch[0].Path != "/etc/wsl.conf" {
		t.Error(ch, err)
	}
}

func TestHardLinkedAndLinkedFiles(t *testing.T) {
	tr := edittest.Debian()
	n, _ := tr.Lookup("/etc/passwd")
	dir, _ := tr.Lookup("/etc")
	dir.Set("passwd.bak", n)
	edittest.Build(tr, "d0755 /var/home\nl /home2 /var/home\n")
	if _, err := tr.Remove("/home"); err != nil {
		t.Fatal(err)
	}
	edittest.Build(tr, "l /home ../../var/home\n")
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	if b, _ := tr.ReadFile("/etc/passwd.bak", maxFile); strings.Contains(string(b), "joe") {
		t.Error("the other name of passwd changed")
	}
	expect(t, tr, "/var/home/joe/.profile", "0100644 1000:1000", "# profile\n")
}

func TestHostileSkel(t *testing.T) {
	tr := edittest.Debian()
	if _, err := tr.Remove("/home"); err != nil {
		t.Fatal(err)
	}
	edittest.Build(tr, "l /home /etc/skel\n")
	if err := add(t, tr, "joe"); err == nil || !strings.Contains(err.Error(), "inside /etc/skel") {
		t.Error("a home inside skel:", err)
	}
}

func TestNISStaysLast(t *testing.T) {
	tr := edittest.Debian()
	edittest.Build(tr, `f0644 /etc/passwd "root:x:0:0::/root:/bin/sh\n\n# c\n+@admins::::::\n+::::::"`)
	if err := add(t, tr, "joe"); err != nil {
		t.Fatal(err)
	}
	expect(t, tr, "/etc/passwd", "0100644 0:0", "/bin/sh\n\n# c\njoe:x:1000:1000::/home/joe:/bin/bash\n+@admins::::::\n+::::::\n")
}

func TestCheckName(t *testing.T) {
	for _, good := range []string{"joe", "_x", "a-b_9", strings.Repeat("a", 32)} {
		if err := CheckName(good); err != nil {
			t.Error(err)
		}
	}
	for _, bad := range []string{"", "Joe", "1a", "-a", "a.b", "a b", "a:b", "jürgen", "a\n", "..", strings.Repeat("a", 33), "a$"} {
		if CheckName(bad) == nil {
			t.Errorf("%q passes", bad)
		}
	}
}

func TestShell(t *testing.T) {
	for extra, want := range map[string]string{
		"":                                  "/bin/bash",
		"f0644 /etc/shells \"/bin/sh\\n\"":  "/bin/sh",
		"f0644 /etc/shells \"/bin/zsh\\n\"": "/bin/bash",
		"f0644 /etc/default/useradd \"SHELL=/usr/bin/dash\\n\"\nf0644 /etc/shells \"/usr/bin/dash\\n\"": "/usr/bin/dash",
		"f0644 /usr/bin/bash ELF\n": "/bin/sh",
	} {
		if got, err := Shell(edittest.Build(edittest.Debian(), extra)); got != want || err != nil {
			t.Errorf("%q: got %q (%v), want %q", extra, got, err, want)
		}
	}
}

func FuzzTable(f *testing.F) {
	f.Add("root:x:0:0:r:/root:/bin/sh\n+::\n\n:::\n-x\n")
	f.Fuzz(func(t *testing.T, in string) {
		tr := edittest.Debian()
		if err := tr.WriteFile("/etc/passwd", []byte(in), 0o644); err != nil {
			t.Fatal(err)
		}
		e, err := New(Options{Name: "joe"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := e.Apply(context.Background(), tr); err != nil {
			return
		}
		accounts, err := Accounts(tr)
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range accounts {
			if a.Name == "joe" {
				return
			}
		}
		t.Fatalf("no account of joe in %v", accounts)
	})
}
