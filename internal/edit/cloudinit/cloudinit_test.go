package cloudinit

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/edittest"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/osinfo"
)

const user = "users:\n- name: joe\n"

func TestLint(t *testing.T) {
	conf := func(text string) string { return "f0644 /etc/wsl.conf " + fmt.Sprintf("%q", text) }
	joe := conf("[user]\ndefault=joe\n")
	write := func(extra, content string) string {
		return "#cloud-config\nwrite_files:\n- path: /etc/wsl.conf\n" + extra + "  content: |\n    " + strings.ReplaceAll(content, "\n", "\n    ") + "\n"
	}
	tests := []struct {
		name, data, lines string
		seed              Seed
		want              string // "RULE:line severity", comma separated
	}{
		{name: "good", data: "#cloud-config\n" + user, lines: joe},
		{name: "good, upper case and space before", data: "\n #Cloud-Config\n" + user, lines: joe},
		{name: "bom", data: "\ufeff#cloud-config\n" + user, want: "CI-HEAD:1 error"},
		{name: "utf-16", data: "\xff\xfe#\x00", want: "CI-HEAD:1 error"},
		{name: "space", data: "# cloud-config\n" + user, want: "CI-HEAD:1 error"},
		{name: "unknown", data: "users: []\n", want: "CI-HEAD:1 error"},
		{name: "empty", data: "", want: "CI-HEAD:1 error"},
		{name: "no yaml", data: "#cloud-config\nusers:\n\t- x\n", want: "CI-YAML:3 error"},
		{name: "list at the top", data: "#cloud-config\n- users\n", want: "CI-YAML:2 error"},
		{name: "only comments", data: "#cloud-config\n# none\n"},
		{name: "user without default", data: "#cloud-config\n\n" + user, want: "CI-USER:4 warning"},
		{name: "other default", data: "#cloud-config\n" + user, lines: conf("[user]\ndefault=ann\n"), want: "CI-USER:3 error"},
		{name: "default is in the image", data: "#cloud-config\n" + user, lines: conf("[user]\ndefault=daemon\n")},
		{name: "default user", data: "#cloud-config\nusers:\n- default\n- joe\n", lines: joe, want: "CI-USER:3 info"},
		{name: "nameless", data: "#cloud-config\nusers:\n- name: joe\n- gecos: x\n", lines: joe, want: "CI-USER:4 error"},
		{name: "mapping of users", data: "#cloud-config\nusers:\n  ann: {}\n  joe: {}\n", lines: joe},
		{name: "one user", data: "#cloud-config\nuser: {name: ann}\n", lines: joe, want: "CI-USER:2 error"},
		{name: "names in a string", data: "#cloud-config\nusers: ann, joe\n", lines: joe},
		{name: "contents", data: "#cloud-config\nwrite_files:\n- path: /x\n  contents: a\n", want: "CI-CONTENTS:4 error"},
		{name: "limits", data: "#cloud-config\nnetwork: {}\nhostname: a\nfqdn: b\nmounts: []\ntimezone: UTC\ngrub_dpkg: {enabled: true}\nmanage_etc_hosts: true\nmanage_resolv_conf: true\n",
			want: "CI-NET:2 warning,CI-HOST:3 warning,CI-HOST:4 warning,CI-DISK:5 warning,CI-TZ:6 warning,CI-GRUB:7 info,CI-HOST:8 warning,CI-RESOLV:9 warning"},
		{name: "limits that are lifted or off", data: "#cloud-config\ntimezone: UTC\nmanage_etc_hosts: true\nmanage_resolv_conf: true\ngrowpart: {mode: 'off'}\nresize_rootfs: false\n",
			lines: conf("[time]\nuseWindowsTimezone=false\n[network]\ngenerateHosts=0\ngenerateResolvConf=0\n")},
		{name: "wsl.conf written", data: write("", "[boot]\nsystemd=true\n[user]\ndefault=joe") + user},
		{name: "wsl.conf replaced", data: write("", "[user]\ndefault=joe") + user, lines: conf("[boot]\nsystemd=true\n[user]\ndefault=daemon\n"), want: "CI-WSLCONF:3 warning"},
		{name: "wsl.conf replaced, systemd not wanted", data: write("", "[user]\ndefault=joe") + user, lines: conf("[boot]\nsystemd=0\n"), want: "CI-WSLCONF:3 warning,CI-NOSYSTEMD:0 error"},
		{name: "default that nobody makes", data: "#cloud-config\npackages: [git]\n", lines: joe, want: "CI-USER:0 error"},
		{name: "default that a command may make", data: "#cloud-config\nruncmd: [useradd joe]\n", lines: joe, want: "CI-USER:0 warning"},
		{name: "script, and a user in the image", data: "#!/bin/sh\n", lines: `f0644 /etc/passwd "root:x:0:0::/root:/bin/sh\ndebian:x:1000:1000::/home/debian:/bin/sh\n"`, want: "CI-USER:0 info"},
		{name: "no users, and one in the image", data: "#cloud-config\npackages: [git]\n", lines: `f0644 /etc/passwd "debian:x:1000:1000::/home/debian:/bin/sh\n"`},
		{name: "wsl.conf written badly", data: write("", "[boot]\n; x\nsystemd=true\n[user]\ndefault=joe") + user, want: "CI-WSLCONF:6 error,CI-WSLCONF:3 warning,CI-USER:11 warning"},
		{name: "wsl.conf with a bad value", data: write("", "[boot]\nsystemd=yes"), want: "CI-WSLCONF:6 error,CI-WSLCONF:3 warning"},
		{name: "wsl.conf with a trap", data: write("  append: true\n", "[filesystem]\numask=22"), want: "CI-WSLCONF:7 warning"},
		{name: "wsl.conf in base64", data: "#cloud-config\nwrite_files:\n- path: /etc/wsl.conf\n  encoding: b64\n  content: " + base64.StdEncoding.EncodeToString([]byte("; x\n")) + "\n", want: "CI-WSLCONF:5 error,CI-WSLCONF:3 warning"},
		{name: "wsl.conf in bad base64", data: "#cloud-config\nwrite_files:\n- path: /etc/../etc/wsl.conf\n  encoding: b64\n  content: '*'\n", want: "CI-WSLCONF:5 error"},
		{name: "appended", data: write("  append: true\n", "[user]\ndefault=joe") + user, lines: conf("[boot]\nsystemd=true\n")},
		{name: "appended, first wins", data: write("  append: true\n", "[user]\ndefault=joe") + user, lines: conf("[user]\ndefault=root\n"), want: "CI-APPEND:7 error"},
		{name: "appended, glued", data: write("  append: true\n", "[user]\ndefault=joe") + user, lines: conf("[boot]\nsystemd=true"), want: "CI-APPEND:7 error,CI-USER:9 warning"},
		{name: "jinja", data: "## template: jinja\n#cloud-config\nhostname: {{ ds }}\nx: {% if %}\n"},
		{name: "jinja that is yaml", data: "## template: jinja\n#cloud-config\nfqdn: x\n", want: "CI-HOST:3 warning"},
		{name: "script", data: "#!/bin/sh\nexit 0\n"},
		{name: "script with crlf", data: "#!/bin/sh\r\nexit 0\r\n", want: "CI-HEAD:1 error"},
		{name: "include", data: "#include\nhttps://x/y\n/mnt/c/x\nC:\\x\n\\\\srv\\x\n#include D:/y\n", want: "CI-INCLUDE:4 error,CI-INCLUDE:5 error,CI-INCLUDE:6 error"},
		{name: "archive", data: "#cloud-config-archive\n- type: text/cloud-config\n  content: |\n    #cloud-config\n    fqdn: x\n- |\n  #include\n  C:\\x\n", want: "CI-HOST:5 warning,CI-INCLUDE:8 error"},
		{name: "archive that is none", data: "#cloud-config-archive\na: b\n", want: "CI-YAML:2 error"},
		{name: "mime", data: "Content-Type: multipart/mixed; boundary=\"==B\"\nMIME-Version: 1.0\n\n--==B\nContent-Type: text/cloud-config\n\n#cloud-config\nfqdn: x\n--==B\nContent-Type: text/x-shellscript\nContent-Transfer-Encoding: base64\n\nIyEvYmluL3NoDQo=\n--==B--\n",
			want: "CI-HOST:8 warning,CI-HEAD:0 error"},
		{name: "mime of one part", data: "MIME-Version: 1.0\nContent-Type: text/cloud-config\n\n#cloud-config\nfqdn: x\n", want: "CI-HOST:5 warning"},
		{name: "mime that is none", data: "Content-Type: x y\n\n", want: "CI-HEAD:1 error"},
		{name: "mime without end", data: "Content-Type: multipart/mixed; boundary=B\n\n--B\n"},
		{name: "no systemd", data: "#!/bin/sh\n", lines: conf("[boot]\nsystemd=false\n"), want: "CI-NOSYSTEMD:0 error"},
		{name: "host", data: "#!/bin/sh\n", seed: Host},
		{name: "host, interop", data: "#!/bin/sh\n", seed: Host, lines: conf("[interop]\nenabled=0\n[automount]\noptions=metadata,fmask=111\n"), want: "CI-INTEROP:0 error,CI-INTEROP:0 error"},
		{name: "host, no datasource", data: "#!/bin/sh\n", seed: Host, lines: "l /usr/lib/python3 /nowhere", want: "CI-OLD:0 error"},
		{name: "alias", data: "#cloud-config\nx: &u [joe]\nusers: *u\n", lines: joe},
		{name: "alias of itself", data: "#cloud-config\nusers: &u [*u]\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tr := edittest.Debian()
			if tt.name == "host, no datasource" {
				if _, err := tr.Remove("/usr/lib/python3"); err != nil {
					t.Fatal(err)
				}
			}
			edittest.Build(tr, tt.lines)
			if tt.seed == "" {
				tt.seed = Rootfs
			}
			got, err := Lint(tr, Data{User: []byte(tt.data), UserName: "u", Seed: tt.seed})
			if err != nil {
				t.Fatal(err)
			}
			if s := short(got); s != tt.want {
				t.Errorf("got %s, want %s", s, tt.want)
			}
			for _, f := range got {
				if f.What == "" || f.Fix == "" {
					t.Errorf("says too little: %+v", f)
				}
			}
		})
	}
}

func TestDecides(t *testing.T) {
	for data, want := range map[string]bool{
		"#cloud-config\n" + user:                           true,
		"#cloud-config\nusers: [default]\n":                false,
		"#cloud-config\npackages: [git]\n":                 false,
		"#cloud-config\nruncmd: [x]\n":                     true,
		"#!/bin/sh\n":                                      true,
		"#include\nhttps://x/y\n":                          true,
		"## template: jinja\n#cloud-config\nx: {% if %}\n": true,
		"#cloud-config\nwrite_files:\n- {path: /etc/wsl.conf, source: {uri: x}}\n":                        true,
		"#cloud-config\nwrite_files:\n- {path: /etc/wsl.conf, append: true, content: \"[gpu]\\n\"}\n":     false,
		"#cloud-config-archive\n- '#cloud-config'\n- |\n  #cloud-config\n  users: [joe]\n":                true,
		"#cloud-config\nwrite_files:\n- path: /etc/wsl.conf\n  content: |\n    [user]\n    default=joe\n": true,
	} {
		if got := (&Data{User: []byte(data)}).Decides(); got != want {
			t.Errorf("%q: %v", data, got)
		}
	}
}

func short(findings []edit.Finding) string {
	var s []string
	for _, f := range findings {
		s = append(s, fmt.Sprintf("%s:%d %s", f.Rule, f.Line, f.Severity))
	}
	return strings.Join(s, ",")
}

func TestLintNoCloudInit(t *testing.T) {
	got, err := Lint(edittest.Arch(), Data{User: []byte("#!/bin/sh\n"), Seed: Rootfs})
	if s := short(got); s != "CI-NONE:0 error" || err != nil {
		t.Error(s, err)
	}
}

func TestLintGzip(t *testing.T) {
	var z bytes.Buffer
	w := gzip.NewWriter(&z)
	if _, err := w.Write([]byte("#cloud-config\nfqdn: x\n")); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for in, want := range map[string]string{z.String(): "CI-HOST:0 warning", z.String()[:15]: "CI-HEAD:1 error"} {
		if got, err := Lint(edittest.Debian(), Data{User: []byte(in), Seed: Rootfs}); short(got) != want || err != nil {
			t.Error(short(got), err)
		}
	}
}

func TestLintNames(t *testing.T) {
	for name, want := range map[string]string{
		"debian-13.user-data": "", `C:\Users\x\.cloud-init\Debian-13.user-data`: "", "debian-all.user-data": "", "my.user-data": "", "seed.yaml": "",
		"debian-trixie.user-data": "CI-NAME:0 warning", "default.user-data.txt": "CI-NAME:0 warning",
	} {
		got, err := Lint(edittest.Debian(), Data{User: []byte("#!/bin/sh\n"), UserName: name, Seed: Host})
		if short(got) != want || err != nil {
			t.Errorf("%s: %s %v", name, short(got), err)
		}
	}
	if got := Candidates(osinfo.Info{ID: "rhel", VersionID: "9"}, "x"); !slices.Equal(got, []string{"x.user-data", "default.user-data"}) {
		t.Error(got)
	}
	if got := Candidates(osinfo.Info{ID: "debian", Codename: "sid"}, "x")[1]; got != "debian-sid.user-data" {
		t.Error(got)
	}
}

func TestLintMetaData(t *testing.T) {
	for meta, want := range map[string]string{
		"instance-id: a\n": "", "{}": "CI-META:0 error", "": "CI-META:0 error", "a: [": "CI-META:0 error", "x\n": "CI-META:0 error",
		"instance-id: a\nlocal-hostname: b\n": "CI-HOST:2 warning",
	} {
		got, err := Lint(edittest.Debian(), Data{User: []byte("#!/bin/sh\n"), Meta: []byte(meta), Seed: Rootfs})
		if short(got) != want || err != nil {
			t.Errorf("%q: %s %v", meta, short(got), err)
		}
	}
}

func TestSecretsAreNotTold(t *testing.T) {
	const secret = "hunter2"
	for _, data := range []string{
		"#cloud-config\nusers:\n- name: joe\n  passwd: " + secret + "\nhostname: " + secret + "\n",
		"#cloud-config\npassword: " + secret + "\n\t- x: " + secret + "\n", "#cloud-config\n" + secret, secret,
		"#include\nC:\\" + secret + "\n", "#cloud-config\nx: [" + secret, "#cloud-config\nx: \"" + secret + "\\q\"",
	} {
		got, err := Lint(edittest.Debian(), Data{User: []byte(data), UserName: "u", Seed: Rootfs})
		if err != nil || len(got) == 0 {
			t.Errorf("%q: %v %v", data, got, err)
		}
		for _, f := range got {
			if strings.Contains(Text(f), secret) {
				t.Errorf("%q is told: %s", data, Text(f))
			}
		}
	}
}

func TestSeed(t *testing.T) {
	tr := edittest.Build(edittest.Debian(), "f0644 /etc/cloud/cloud-init.disabled \"\"\nf0644 /etc/wsl.conf \"[user]\\ndefault=joe\\n[boot]\\nsystemd=1\\n\"\nf0644:1:1 /var/lib/cloud/seed/nocloud/user-data \"old\"")
	d := Data{User: []byte("#cloud-config\n" + user), UserName: "u", Seed: Rootfs}
	e, err := New(d, false)
	if err != nil {
		t.Fatal(err)
	}
	ch, err := e.Apply(context.Background(), tr)
	if err != nil || len(ch) != 4 {
		t.Fatal(ch, err)
	}
	for name, want := range map[string]string{"user-data": string(d.User), "meta-data": "instance-id: iid-wslimg-"} {
		n, err := tr.Lookup(SeedDir + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		b, err := n.Read(1000)
		if err != nil || !strings.HasPrefix(string(b), want) || n.Mode != fsys.ModeRegular|0o600 || n.UID != 0 {
			t.Errorf("%s: %q %#o", name, b, n.Mode)
		}
	}
	b, err := tr.ReadFile(ConfigPath, 1000)
	if want := "datasource_list: [NoCloud, WSL]\n"; err != nil || !strings.Contains(string(b), want) {
		t.Errorf("%q %v", b, err)
	}
	if _, err := tr.Lookup(DisabledPath); err == nil {
		t.Error("cloud-init is still switched off")
	}
	if ch, err := e.Apply(context.Background(), tr); len(ch) != 0 || err != nil {
		t.Error("again:", ch, err)
	}
	if found, err := CheckTree(tr); len(found) != 0 || err != nil {
		t.Error(found, err)
	}
}

func TestSeedJudges(t *testing.T) {
	d := Data{User: []byte("# cloud-config\n"), UserName: "u", Seed: Rootfs}
	e, _ := New(d, false)
	tr := edittest.Build(edittest.Debian(), `f0644 /etc/wsl.conf "[boot]\nsystemd=1\n"`)
	before := edittest.Dump(tr)
	if ch, err := e.Apply(context.Background(), tr); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "u:1: CI-HEAD") || len(ch) != 0 || edittest.Dump(tr) != before {
		t.Error(ch, err)
	}
	e, _ = New(d, true)
	if _, err := e.Apply(context.Background(), tr); err != nil || len(e.Notes()) != 1 {
		t.Error(err)
	}
	for _, d := range []Data{{User: []byte("x")}, {Meta: []byte("x"), Seed: Host}, {User: make([]byte, MaxSize+1), Seed: Host}} {
		if _, err := New(d, false); err == nil {
			t.Errorf("seed %q, %d bytes pass", d.Seed, len(d.User))
		}
	}
	e, err := New(Data{User: []byte("#!/bin/sh\n"), Seed: Host}, false)
	if err != nil {
		t.Fatal(err)
	}
	if ch, err := e.Apply(context.Background(), tr); err != nil {
		t.Error(ch, err)
	}
	// No other edit has set it, so none will.
	if ch, err := e.Apply(context.Background(), edittest.Debian()); !errors.Is(err, ErrData) || !strings.Contains(err.Error(), "CI-NOSYSTEMD") {
		t.Error(ch, err)
	}
	files := (&Data{User: []byte("u"), Meta: []byte("m")}).HostFiles("Deb")
	if len(files) != 2 || files[0].Name != "Deb.user-data" || files[1].Name != "Deb.meta-data" || string(files[1].Data) != "m" {
		t.Error(files)
	}
}

func TestCheckTree(t *testing.T) {
	for lines, want := range map[string]string{
		"": "",
		"f0644 /var/lib/cloud/seed/nocloud/meta-data \"\"":                                                                                  "CI-SEED:0 error",
		"f0644 /etc/cloud/cloud.cfg.d/90.cfg \"datasource_list: [ NoCloud ]\"":                                                              "CI-LIST:1 warning",
		"f0644 /etc/cloud/cloud.cfg.d/90.cfg \"#\\ndatasource_list: [WSL, None]\"":                                                          "CI-LIST:2 warning",
		"f0644 /etc/cloud/cloud.cfg.d/90.cfg \"datasource_list:\\n- WSL\\n- NoCloud\"":                                                      "CI-LIST:1 warning",
		"f0644 /etc/cloud/cloud.cfg.d/90.cfg \"datasource_list: [Azure]\"\nf0644 /etc/cloud/cloud.cfg.d/91.cfg \"datasource_list: [A, B]\"": "",
		"f0644 /var/lib/cloud/seed/nocloud/meta-data \"\"\nf0644 /etc/cloud/cloud-init.disabled \"\"":                                       "",
	} {
		got, err := CheckTree(edittest.Build(edittest.Debian(), lines))
		if short(got) != want || err != nil {
			t.Errorf("%s: got %s (%v), want %s", lines, short(got), err, want)
		}
	}
	got, _ := CheckTree(edittest.Build(edittest.Debian(), "f0644 /etc/cloud/cloud.cfg.d/99_zz.cfg \"datasource_list: [X]\""))
	if len(got) != 1 || got[0].Repaired {
		t.Error(got)
	}
	if got, err := CheckTree(edittest.Arch()); got != nil || err != nil {
		t.Error(got, err)
	}
}

func FuzzLint(f *testing.F) {
	f.Add([]byte("#cloud-config\nusers: &a [*a]\nwrite_files:\n- {path: /etc/wsl.conf, content: \"; x\", append: true}\n"))
	f.Add([]byte("Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: multipart/mixed; boundary=C\n\n--C\n\n#!\r\n--C--\n--B--\n"))
	f.Add([]byte("#cloud-config-archive\n- content: '#include'\n- {type: a, content: &b x}\n- *b\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, s := range []Seed{Rootfs, Host} {
			if _, err := Lint(edittest.Debian(), Data{User: b, Meta: b, Seed: s}); err != nil {
				t.Fatal(err)
			}
		}
	})
}
