package cmd

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/wsl/fakewsl"
)

// windows are the programs of a Windows that is seen from inside WSL.
var windows = map[string]func(){
	"wsl.exe": func() { os.Exit(fakewsl.Main()) },
	"cmd.exe": func() { os.Exit(fakewsl.CmdMain()) },
	"wslpath": func() { os.Exit(fakewsl.WslpathMain()) },
}

// insideWSL: from here on the script runs inside a distribution; $WORK/c is
// C:\, the user's folder has a blank and letters beyond ASCII.
func insideWSL(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) > 0 {
		ts.Fatalf("usage: insidewsl")
	}
	const user = "Jürgen Müller"
	for _, dir := range []string{"state", filepath.Join("c", "Users", user, "AppData", "Local")} {
		ts.Check(os.MkdirAll(ts.MkAbs(dir), 0o755))
	}
	for name, value := range map[string]string{
		"WSL_DISTRO_NAME": "Ubuntu", "WSL_INTEROP": "/run/WSL/8_interop",
		"FAKEWSL_STATE": ts.MkAbs("state"), "FAKEWSL_DRIVE": ts.MkAbs("c"),
		"FAKEWSL_USERPROFILE":  `C:\Users\` + user,
		"FAKEWSL_LOCALAPPDATA": `C:\Users\` + user + `\AppData\Local`,
		"HOME_C":               ts.MkAbs(filepath.Join("c", "Users", user)),
	} {
		ts.Setenv(name, value)
	}
}

// waitFor FILE: until it exists.
func waitFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: waitfor FILE")
	}
	for range 12_000 { // a minute, for machines under load
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
		time.Sleep(5 * time.Millisecond)
	}
	ts.Fatalf("%s does not appear", args[0])
}

// shellFor ARCH IMAGE OUT: OUT is the disk of IMAGE, its /bin/sh the beginning
// of a program for ARCH.
func shellFor(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: shellfor amd64|arm64 IMAGE OUT")
	}
	machine := map[string]byte{"amd64": 62, "arm64": 183}[args[0]] // e_machine
	elf := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 13)...)
	elf[16], elf[18] = 2, machine
	src, err := convert.Open(context.Background(), ts.MkAbs(args[1]), convert.OpenOptions{})
	ts.Check(err)
	defer src.Close() //nolint:errcheck // only read
	root, err := src.Root()
	ts.Check(err)
	view, err := src.Load(context.Background(), root)
	ts.Check(err)
	sh, err := view.Tree.Lookup("/bin/sh")
	ts.Check(err)
	out, err := os.Create(ts.MkAbs(args[2]))
	ts.Check(err)
	defer out.Close() //nolint:errcheck // a write that fails is told
	ts.Check(out.Truncate(src.Image.Device.Size()))
	piece := make([]byte, 1<<20)
	for off := int64(0); off < src.Image.Device.Size(); off += int64(len(piece)) {
		n, err := src.Image.Device.ReadAt(piece, off)
		if err != nil && !errors.Is(err, io.EOF) {
			ts.Check(err)
		}
		if !bytes.Equal(piece[:n], make([]byte, n)) {
			_, err = out.WriteAt(piece[:n], off)
			ts.Check(err)
		}
	}
	_, err = out.WriteAt(elf, root.Start+sh.Content.Runs[0].Phys)
	ts.Check(err)
}
