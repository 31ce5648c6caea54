//go:build oracle && linux

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/wslimg/wslimg/internal/edit"
)

// rootfs converts an image and extracts the archive as WSL does.
func rootfs(t *testing.T, image, ending string, args ...string) (archive, dir string) {
	t.Helper()
	archive = filepath.Join(folder(t, "ext4"), "rootfs"+ending)
	converts(t, append(args, image, archive)...)
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	dir = folder(t, "ext4")
	if err := bsdtar(t, f, dir); err != nil {
		t.Fatal(err)
	}
	return archive, dir
}

// unchanged makes a disk of a ready tree and converts that once more: nothing
// is left to edit.
func unchanged(t *testing.T, dir string, args ...string) {
	t.Helper()
	disk := filepath.Join(folder(t, "ext4"), "disk")
	if out, err := exec.CommandContext(t.Context(), "mke2fs", "-q", "-t", "ext4", "-O", "^has_journal", "-I", "512", "-d", dir, disk, "4G").CombinedOutput(); err != nil {
		t.Fatalf("mke2fs: %v: %s", err, out)
	}
	r := converts(t, append(args, "--json", disk, filepath.Join(t.TempDir(), "again.tar"))...)
	var res struct{ Changes []edit.Change }
	if err := json.Unmarshal([]byte(r.stdout), &res); err != nil {
		t.Fatal(err)
	}
	for _, c := range res.Changes {
		if c.Path != "/lost+found" { // mke2fs's
			t.Errorf("edited again: %+v", c)
		}
	}
}

const oobe = "../edit/publish/oobe.sh"

// firstStart answers the script that WSL runs before the first shell; the
// image's own user makes room for the one that it asks for.
func firstStart(t *testing.T, g *guest) {
	t.Helper()
	g.run(t, "systemctl", "stop", "user@1000.service")
	g.run(t, "userdel", "--remove", "debian")
	t.Log(g.run(t, "sh", "-c", `printf '%s\n' 'Not A Name' root joe secret-of-joe secret-of-joe | /bin/sh -c /usr/lib/wsl/oobe.sh 2>&1`))
	for command, want := range map[string]string{
		"id joe":                          "uid=1000(joe) gid=1000(joe) groups=1000(joe),27(sudo)",
		"getent passwd joe":               "joe:x:1000:1000::/home/joe:/bin/bash",
		"passwd -S joe | cut -d' ' -f2":   "P",
		"/usr/lib/wsl/oobe.sh </dev/null": "Waiting for cloud-init ...", // nobody is asked again
	} {
		if got := g.run(t, "sh", "-c", command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}

// TestBoot starts what each profile makes of an image under the systemd that it
// holds, which finds itself under WSL: it comes up with nothing failed, and
// what was masked does not run.
func TestBoot(t *testing.T) {
	dir := build(t, "mkdebian.sh", "debian")
	debian, rhel := filepath.Join(dir, "debian.zlib.qcow2"), filepath.Join(dir, "rhel.zlib.qcow2")
	for _, test := range []struct {
		name, image, ending string
		args, runs, not     []string
	}{
		{name: "import", image: debian, ending: ".tar", runs: []string{"ssh.service", "dbus.service"}},
		{name: "publish", image: debian, ending: ".wsl", args: []string{"--compression", "fast", "--profile", "publish", "--oobe", oobe}, not: []string{"ssh.service"}},
		{name: "lima", image: debian, ending: ".tar", args: []string{"--profile", "lima"}, runs: []string{"ssh.service"}},
		{name: "XFS", image: rhel, ending: ".tar", runs: []string{"dbus.service"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			archive, dir := rootfs(t, test.image, test.ending, test.args...)
			if test.image == debian {
				again := filepath.Join(filepath.Dir(archive), "again"+test.ending)
				converts(t, append(test.args, "--jobs", "1", test.image, again)...)
				if digest(t, archive) != digest(t, again) {
					t.Error("converted again, the archive is another one")
				}
				unchanged(t, dir, test.args...)
			}
			g := boot(t, dir)
			if failed := g.units(t, "list-units", "--failed"); len(failed) > 0 {
				t.Errorf("failed: %v\n%s", failed, g.run(t, "journalctl", "--no-pager", "--priority", "warning"))
			}
			active := g.units(t, "list-units", "--state", "active,activating")
			masked := g.units(t, "list-unit-files", "--state", "masked")
			for _, u := range append(masked, test.not...) {
				template, _, _ := strings.Cut(u, "@.")
				if slices.ContainsFunc(active, func(a string) bool { return a == u || template != u && strings.HasPrefix(a, template+"@") }) {
					t.Errorf("%s runs", u)
				}
			}
			for _, u := range append(test.runs, "systemd-logind.service", "systemd-tmpfiles-setup.service") {
				if !slices.Contains(active, u) {
					t.Errorf("%s does not run", u)
				}
			}
			// WSL waits for the session of the user who opens a shell.
			g.run(t, "systemctl", "start", "user@1000.service")
			if state := g.run(t, "su", "debian", "-c", "XDG_RUNTIME_DIR=/run/user/1000 systemctl --user is-system-running --wait"); state != "running" {
				t.Errorf("the user's session: %s", state)
			}
			// Those that stop WSL's network, display or first shell.
			for _, u := range []string{"getty@.service", "console-getty.service", "tmp.mount", "systemd-firstboot.service", "systemd-resolved.service"} {
				if !slices.Contains(masked, u) {
					t.Errorf("%s is not masked", u)
				}
			}
			if state := g.run(t, "cat", "/run/cloud-init/ds-identify.log"); test.name != "lima" && !strings.Contains(state, "VIRT=wsl") {
				t.Error(state)
			}
			if state, _ := g.try(t, "cloud-init", "status"); state != "status: disabled" {
				t.Errorf("cloud-init has no data; %s", state)
			}
			if test.name == "publish" {
				firstStart(t, g)
			}
			t.Logf("%s; %d masked; %s", g.run(t, "systemctl", "is-system-running"), len(masked), g.run(t, "systemd-analyze", "time"))
		})
	}
}
