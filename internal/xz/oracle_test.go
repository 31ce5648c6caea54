//go:build oracle && linux

package xz

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// What the xz tool writes, by every kind of option that changes the format.
func TestTool(t *testing.T) {
	plain := append(sample(2<<20), make([]byte, 9<<20)...)
	plain = append(plain, sample(2<<20)...)
	for _, options := range []string{
		"-0", "-6", "-9", "-9e", "-1 -T2 --block-size=1MiB", "-3 --block-list=1000,2000000,0",
		"--check=none", "--check=crc32", "--check=sha256",
		"--lzma2=preset=1,lc=0,lp=4,pb=4", "--lzma2=preset=1,lc=4,lp=0,pb=0", "--lzma2=preset=2,dict=4KiB", "--lzma2=preset=0,mf=hc3,mode=fast,nice=273",
	} {
		cmd := exec.CommandContext(t.Context(), "xz", append(strings.Fields(options), "-c")...)
		cmd.Stdin = bytes.NewReader(plain)
		cmd.Stderr = os.Stderr
		packed, err := cmd.Output()
		if err != nil {
			t.Fatalf("xz %s: %v", options, err)
		}
		got, err := io.ReadAll(NewReader(bytes.NewReader(packed)))
		if err != nil || !bytes.Equal(got, plain) {
			t.Errorf("xz %s: %d bytes, want other %d: %v", options, len(got), len(plain), err)
		}
	}
}
