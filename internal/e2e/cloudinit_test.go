//go:build oracle && linux

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// userData makes a user, with all that has to go with it under WSL.
const userData = `#cloud-config
users:
- name: joe
  gecos: Joe
  groups: [adm, sudo]
  shell: /bin/bash
  sudo: ALL=(ALL) NOPASSWD:ALL
  lock_passwd: true
write_files:
- path: /etc/wsl.conf
  append: true
  content: |
    [user]
    default=joe
- path: /home/joe/hello
  owner: joe:joe
  defer: true
  content: hello
runcmd:
- [touch, /var/lib/ran]
`

// TestCloudInitSeed gives user data to the cloud-init of the image, inside.
func TestCloudInitSeed(t *testing.T) {
	image := filepath.Join(build(t, "mkdebian.sh", "debian"), "debian.zlib.qcow2")
	data := filepath.Join(t.TempDir(), "joe.yaml")
	if err := os.WriteFile(data, []byte(userData), 0o600); err != nil {
		t.Fatal(err)
	}
	flags := []string{"--user-data", data, "--hostname", "box", "--copy-in", data + ":/etc/joe.yaml"}
	_, dir := rootfs(t, image, ".tar", flags...)
	unchanged(t, dir, flags...)
	g := boot(t, dir)
	checkJoe(t, g, "DataSourceNoCloud [seed=/var/lib/cloud/seed/nocloud]", "NoCloud")

	// What we write is what cloud-init's schema knows. It is that of user data:
	// the two keys that only cloud.cfg can have are not in it.
	g.run(t, "cloud-init", "schema", "--system")
	for _, name := range []string{"98_wslimg_grow.cfg", "99_wslimg.cfg"} {
		g.run(t, "sh", "-c", `{ echo "#cloud-config"; grep -vE "^(datasource_list|network): " /etc/cloud/cloud.cfg.d/`+name+`; } >/run/schema.yaml
			cloud-init schema --config-file /run/schema.yaml`)
	}
	var meta struct {
		Instance string `json:"instance-id"`
	}
	if err := json.Unmarshal([]byte(g.run(t, "cloud-init", "query", "ds.meta_data")), &meta); err != nil || !strings.HasPrefix(meta.Instance, "iid-wslimg-") {
		t.Error(meta, err)
	}
}

// TestCloudInitHost leaves the data in the Windows user's profile, where the
// import puts it.
func TestCloudInitHost(t *testing.T) {
	image := filepath.Join(build(t, "mkdebian.sh", "debian"), "debian.zlib.qcow2")
	data := filepath.Join(t.TempDir(), "joe.yaml")
	if err := os.WriteFile(data, []byte(userData), 0o600); err != nil {
		t.Fatal(err)
	}
	c := folder(t, "ext4")
	dir, _ := importInto(t, c, image, "--user-data", data)
	if _, err := os.Stat(filepath.Join(dir, "var/lib/cloud/seed/nocloud")); err == nil {
		t.Error("the data is also in the root filesystem")
	}
	cmd := filepath.Join(c, "Windows/System32/cmd.exe")
	if err := os.MkdirAll(filepath.Dir(cmd), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cmd, []byte("MZ"), 0o755); err != nil {
		t.Fatal(err)
	}
	checkJoe(t, boot(t, dir, "demo", c), "DataSourceWSL", "WSL")
}

// checkJoe holds what cloud-init did against userData.
func checkJoe(t *testing.T, g *guest, source, found string) {
	t.Helper()
	if log := g.run(t, "cat", "/run/cloud-init/ds-identify.log"); !strings.Contains(log, "\nVIRT=wsl\n") || !strings.Contains(log, "Found single datasource: "+found+"\n") {
		t.Errorf("ds-identify:\n%s", log)
	}
	var status struct {
		Status      string
		Datasource  string
		Errors      []string
		Recoverable map[string][]string `json:"recoverable_errors"`
		Detail      string
	}
	out, _ := g.try(t, "cloud-init", "status", "--wait", "--format", "json")
	if err := json.Unmarshal([]byte(out), &status); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if status.Status != "done" || status.Detail != source || len(status.Errors) > 0 || len(status.Recoverable) > 0 {
		t.Errorf("cloud-init: %s", out)
	}
	if failed := g.units(t, "list-units", "--failed"); len(failed) > 0 {
		t.Errorf("failed: %v", failed)
	}
	t.Log(g.run(t, "sh", "-c", "cloud-init --version; grep -E 'VIRT|DSLIST=|Found' /run/cloud-init/ds-identify.log; cloud-init status --long; id joe"))
	for command, want := range map[string]string{
		"id -nG joe":                    "joe adm sudo",
		"getent passwd joe":             "joe:x:1001:1001:Joe:/home/joe:/bin/bash",
		"stat -c %U:%a /home/joe":       "joe:700",
		"stat -c %U:%G /home/joe/hello": "joe:joe",
		"tail -n 2 /etc/wsl.conf":       "[user]\ndefault=joe",
		"ls /var/lib/ran":               "/var/lib/ran",
		"su - joe -c 'sudo -n id -u'":   "0",
		"ls /etc/netplan":               "",
	} {
		if got := g.run(t, "sh", "-c", command); got != want {
			t.Errorf("%s: %q, want %q", command, got, want)
		}
	}
}
