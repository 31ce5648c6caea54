//go:build oracle && linux

package wsl

import (
	"bytes"
	"os/exec"
	"testing"
)

// bsdtar, with WSL's own line, refuses what is cut off wherever, and takes the whole.
func TestCutArchiveIsRefused(t *testing.T) {
	whole := rootfs(t, 5000)
	extract := func(archive []byte) error {
		cmd := exec.Command("bsdtar", "-C", t.TempDir(), "-x", "-p", "--xattrs", "--numeric-owner", "-f", "-")
		cmd.Env, cmd.Stdin = []string{}, bytes.NewReader(archive)
		return cmd.Run()
	}
	if err := extract(whole); err != nil {
		t.Fatal(err)
	}
	// as if as much had been held back as ends the archive, and any amount sent
	for sent := 0; sent <= len(whole)-2*tarBlock; sent += 128 {
		var got bytes.Buffer
		got.Write(whole[:sent])
		c := &cutter{w: &got, sent: int64(sent), held: whole[sent:]}
		c.cut()
		if extract(got.Bytes()) == nil {
			t.Errorf("cut at %d of %d bytes: taken", sent, len(whole))
		}
	}
}
