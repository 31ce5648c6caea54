package publish

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/osinfo"
)

func TestOwnFiles(t *testing.T) {
	if err := CheckIcon(Icon); err != nil {
		t.Error(err)
	}
	var profile struct{ Profiles []map[string]any }
	if err := json.Unmarshal(Terminal, &profile); err != nil || len(profile.Profiles) != 1 {
		t.Error(profile, err)
	}
	if bytes.ContainsRune(OOBE, '\r') || !bytes.HasPrefix(OOBE, []byte("#!/bin/sh\n")) {
		t.Error("the script is no plain sh script")
	}
}

func TestCheckIcon(t *testing.T) {
	change := func(at int, b byte) []byte {
		c := bytes.Clone(Icon)
		c[at] = b
		return c
	}
	for name, b := range map[string][]byte{
		"empty": nil, "cursor": change(2, 2), "no image": change(4, 0), "too many": Icon[:20],
		"outside": change(6+12+2, 9), "empty image": append(bytes.Clone(Icon[:6+8]), make([]byte, 100)...), "large": make([]byte, MaxFile+1),
	} {
		if CheckIcon(b) == nil {
			t.Errorf("%s passes", name)
		}
	}
}

func FuzzCheckIcon(f *testing.F) {
	f.Add(Icon)
	f.Fuzz(func(t *testing.T, b []byte) { _ = CheckIcon(b) })
}

func TestDefaultName(t *testing.T) {
	for want, o := range map[string]osinfo.Info{
		"debian-13": {ID: "debian", VersionID: "13"}, "arch": {ID: "arch"}, "linux": {}, "opensuse-leap-15.6": {ID: "opensuse-leap", VersionID: "15.6"},
	} {
		if got := DefaultName(o); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := DefaultName(osinfo.Info{ID: "a b"}); got != "linux" {
		t.Error(got)
	}
}

const sum = "96c7f5fb28a7fe28245331f9bfbe4375f18dd29a4850116ad3c4f60f6700c55c"

func TestUpdateManifest(t *testing.T) {
	e := Entry{Flavor: "Acme", Name: "Acme-1", FriendlyName: "Acme <1>", Arch: "amd64", URL: "https://x/a.wsl", SHA256: strings.ToUpper(sum)}
	one, err := UpdateManifest(nil, e)
	if err != nil {
		t.Fatal(err)
	}
	want := `{
    "ModernDistributions": {
        "Acme": [
            {
                "Name": "Acme-1",
                "FriendlyName": "Acme <1>",
                "Default": true,
                "Amd64Url": {
                    "Url": "https://x/a.wsl",
                    "Sha256": "` + sum + `"
                }
            }
        ]
    }
}
`
	if string(one) != want {
		t.Errorf("got\n%s", one)
	}
	if again, err := UpdateManifest(one, e); err != nil || string(again) != want {
		t.Errorf("again: %v\n%s", err, again)
	}

	old := `{"Default":"Zed","ModernDistributions":{"Zed":[{"Name":"Zed","Odd":1}],` + want[strings.Index(want, `"Acme"`):strings.LastIndex(want, "}\n}")] + `},"Distributions":[]}`
	arm, second := e, e
	arm.Arch, arm.URL = "arm64", "https://x/arm.wsl"
	second.Name, second.Default = "Acme-2", true
	two, err := UpdateManifest([]byte(old), arm)
	if err != nil {
		t.Fatal(err)
	}
	if two, err = UpdateManifest(two, second); err != nil {
		t.Fatal(err)
	}
	var got struct {
		Default             string
		ModernDistributions map[string][]distribution
	}
	if err := json.Unmarshal(two, &got); err != nil {
		t.Fatal(err)
	}
	acme := got.ModernDistributions["Acme"]
	if got.Default != "Zed" || len(acme) != 2 || acme[0].Amd64Url == nil || acme[0].Arm64Url == nil || acme[0].Default || !acme[1].Default {
		t.Errorf("got\n%s", two)
	}
	if !strings.Contains(string(two), `"Odd": 1`) || strings.Index(string(two), "Zed") > strings.Index(string(two), "Acme") {
		t.Errorf("other entries changed:\n%s", two)
	}
}

func TestUpdateManifestRefuses(t *testing.T) {
	good := Entry{Flavor: "A", Name: "A", FriendlyName: "a", Arch: "amd64", URL: "file:///a.wsl", SHA256: sum}
	for what, change := range map[string]func(*Entry){
		"flavor": func(e *Entry) { e.Flavor = "B" }, "friendly": func(e *Entry) { e.FriendlyName = "" }, "no name for": func(e *Entry) { e.Name = "A b" },
		"amd64": func(e *Entry) { e.Arch = "386" }, ".wsl": func(e *Entry) { e.URL = "a.tar.gz" }, "SHA-256": func(e *Entry) { e.SHA256 = "00" },
	} {
		e := good
		change(&e)
		if _, err := UpdateManifest(nil, e); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
	for _, old := range []string{"[]", "{", `{"ModernDistributions":[]}`, `{"ModernDistributions":{"A":[{"Name":"A","Odd":1}]}}`} {
		if _, err := UpdateManifest([]byte(old), good); err == nil {
			t.Errorf("%s passes", old)
		}
	}
}

// TestScript runs the first-start script with its tools and files faked: the
// paths in it are moved into a directory, commands into functions.
func TestScript(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("a script for Unix")
	}
	run := func(passwd, input, tools string) (out string, code int) {
		dir := t.TempDir()
		for name, text := range map[string]string{"passwd": passwd, "group": "root:x:0:\nwheel:x:10:\n"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		script := strings.NewReplacer("/etc/passwd", dir+"/passwd", "/etc/group", dir+"/group", "/run/systemd/system", dir, "/etc/cloud/", dir+"/").Replace(string(OOBE))
		bin := dir + "/bin"
		if err := os.Mkdir(bin, 0o700); err != nil {
			t.Fatal(err)
		}
		for l := range strings.Lines(tools) {
			name, body, _ := strings.Cut(strings.TrimSpace(l), " ")
			if name == "" {
				continue
			}
			text := "#!/bin/sh\necho \"" + name + " $*\" >> " + dir + "/log\n" + body + "\n"
			if err := os.WriteFile(filepath.Join(bin, name), []byte(text), 0o700); err != nil {
				t.Fatal(err)
			}
		}
		grep, err := exec.LookPath("grep")
		if err == nil {
			err = os.Symlink(grep, bin+"/grep")
		}
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Env = []string{"PATH=" + bin}
		cmd.Stdin = strings.NewReader(input)
		said, err := cmd.CombinedOutput()
		if err != nil && cmd.ProcessState == nil {
			t.Fatal(err)
		}
		log, _ := os.ReadFile(dir + "/log")
		if t.Failed() {
			t.Logf("%s", said)
		}
		return string(log), cmd.ProcessState.ExitCode()
	}
	const root = "root:x:0:0::/root:/bin/sh\n"
	const shadow = "useradd exit 0\nusermod exit 0\npasswd exit 0\nid [ \"$1\" = taken ]\n"
	shell := "/bin/sh"
	for _, s := range []string{"/bin/ash", "/usr/bin/bash", "/bin/bash"} {
		if _, err := os.Stat(s); err == nil {
			shell = s
		}
	}
	for _, tt := range []struct {
		name, passwd, input, tools, want string
		code                             int
	}{
		{"there already", root + "joe:x:1000:1000::/:/bin/sh\n", "", shadow, "", 0},
		{"asks until the name fits", root, "Joe\n\n1x\ntaken\njoe\n", shadow,
			"id taken\nid joe\nuseradd --create-home --user-group --uid 1000 --shell " + shell + " joe\nusermod --append --groups wheel joe\npasswd joe\n", 0},
		{"no input", root, "", shadow, "", 1},
		{"busybox", root, "joe\n", "adduser exit 0\naddgroup exit 0\npasswd exit 0\nid exit 1\n",
			"id joe\nadduser -D -u 1000 -s " + shell + " joe\naddgroup joe wheel\npasswd joe\n", 0},
		{"no password", root, "joe\n", "useradd exit 0\nusermod exit 0\npasswd exit 1\nid exit 1\n",
			"id joe\nuseradd --create-home --user-group --uid 1000 --shell " + shell + " joe\nusermod --append --groups wheel joe\npasswd joe\npasswd joe\npasswd joe\n", 0},
		{"waits for cloud-init", root, "", shadow + "cloud-init exit 0\n", "cloud-init status --wait\n", 1},
	} {
		if got, code := run(tt.passwd, tt.input, tt.tools); got != tt.want || code != tt.code {
			t.Errorf("%s: exit %d, ran\n%s, want\n%s", tt.name, code, got, tt.want)
		}
	}
}
