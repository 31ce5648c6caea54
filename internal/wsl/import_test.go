package wsl

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

func TestImport(t *testing.T) {
	f := newFake(t)
	want := rootfs(t, 3<<20)
	r := Registration{Name: "noble", Location: f.win("Users", "Jürgen Müller", "Übungs platz"), Version: 2}
	if err := f.Import(t.Context(), r, writeIn(want, 1<<20)); err != nil {
		t.Fatal(err)
	}
	if got := f.names(); len(got) != 1 || got[0] != "noble" {
		t.Errorf("registered: %q", got)
	}
	got, err := os.ReadFile(f.path("Users", "Jürgen Müller", "Übungs platz", "ext4.vhdx"))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("wsl.exe got %d bytes, %v; want %d", len(got), err, len(want))
	}
	if _, found, err := f.Registered(t.Context(), "NoBle"); !found || err != nil {
		t.Errorf("NoBle: %v, %v", found, err)
	}
	if err := f.SetDefault(t.Context(), "noble"); err != nil {
		t.Error(err)
	}
	if err := f.SetDefaultUser(t.Context(), "noble", "me"); err != nil {
		t.Error(err)
	}
	if err := f.Unregister(t.Context(), "noble"); err != nil {
		t.Error(err)
	}
	if exists(f.path("Users", "Jürgen Müller", "Übungs platz")) {
		t.Error("the folder is still there")
	}
}

func TestImportFile(t *testing.T) {
	f := newFake(t)
	if err := os.WriteFile(f.path("a.tar"), rootfs(t, 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	r := Registration{Name: "x", Location: f.win("x")}
	if err := f.ImportFile(t.Context(), r, f.win("a.tar")); err != nil {
		t.Fatal(err)
	}
	r = Registration{Name: "y", Location: f.win("y")}
	err := f.ImportFile(t.Context(), r, f.win("b.tar"))
	if codeOf(err) != "ERROR_FILE_NOT_FOUND" || len(f.names()) != 1 {
		t.Errorf("%v, %q", err, f.names())
	}
}

// Whatever goes wrong on the side of Windows: the error says what, and nothing
// stays behind.
func TestImportFaults(t *testing.T) {
	for _, tt := range []struct {
		fault, code, text string
		keeps             int // distributions that stay
	}{
		{fault: "component", code: "WSL_E_WSL_OPTIONAL_COMPONENT_REQUIRED", text: "is not installed"},
		{fault: "platform", code: "WSL_E_VIRTUAL_MACHINE_PLATFORM_REQUIRED"},
		{fault: "virtualisation", code: "HCS_E_HYPERV_NOT_INSTALLED", text: "virtualisation is off (Wsl/Service/RegisterDistro/CreateVm/HCS/HCS_E_HYPERV_NOT_INSTALLED)"},
		{fault: "access", code: "E_ACCESSDENIED"},
		{fault: "host-disk-full", code: codeDiskFull, text: "the disk is full"},
		{fault: "disk-full:2000000", code: codeDiskFull, text: "the disk is full (Wsl/Service/RegisterDistro/WSL_E_IMPORT_FAILED)"},
		{fault: "disk-full:0", code: codeDiskFull},
		{fault: "vm-crash", code: "WSL_E_VM_CRASHED"},
		{fault: "race", code: codeExists, keeps: 1},
		{fault: "dies:0", text: "without a message"},
		{fault: "dies:3000000", text: "exit code"},
		{fault: "client:1000000", text: "exit code"},
		{fault: "client:1000000,busy:3", text: "exit code"},
	} {
		t.Run(tt.fault, func(t *testing.T) {
			f := newFake(t, "FAKEWSL_FAULT="+tt.fault)
			r := Registration{Name: "x", Location: f.win("x")}
			err := f.Import(t.Context(), r, writeIn(rootfs(t, 8<<20), 1<<20))
			if !errors.Is(err, ErrWSL) || codeOf(err) != tt.code || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("code %q in error %v", codeOf(err), err)
			}
			t.Setenv("FAKEWSL_FAULT", "")
			if got := f.names(); len(got) != tt.keeps {
				t.Errorf("still registered: %q", got)
			}
			if exists(f.path("x", "ext4.vhdx")) {
				t.Error("the disk is still there")
			}
			if tt.keeps > 0 && strings.Contains(f.log(), "--unregister") {
				t.Error("what was not ours was unregistered")
			}
		})
	}
}

// A conversion that fails, wherever, must not leave a distribution, and its own
// error is the one to tell.
func TestImportProducerFails(t *testing.T) {
	whole := rootfs(t, 2<<20)
	broken := errors.New("inode 131: extent magic 0x0")
	for _, n := range []int{0, 1, 512, 1024, 2048, 2048 + 512, 1 << 20, len(whole) - 2048, len(whole) - 1024, len(whole) - 512, len(whole)} {
		f := newFake(t)
		r := Registration{Name: "x", Location: f.win("x")}
		err := f.Import(t.Context(), r, func(ctx context.Context, w io.Writer) error {
			return errors.Join(writeIn(whole[:n], 300000)(ctx, w), broken)
		})
		if !errors.Is(err, broken) || errors.Is(err, ErrWSL) {
			t.Errorf("after %d bytes: %v", n, err)
		}
		if got := f.names(); len(got) > 0 || exists(f.path("x")) {
			t.Errorf("after %d bytes: left %q", n, got)
		}
		if strings.Contains(f.log(), "--unregister") {
			t.Errorf("after %d bytes: the extraction succeeded first", n)
		}
	}
}

func TestImportCancelled(t *testing.T) {
	whole := rootfs(t, 8<<20)
	for _, tt := range []struct {
		name, fault string
		after       int // bytes written when the user presses Ctrl-C
	}{
		{"at once", "", 0},
		{"early", "", 1 << 20},
		{"late", "", len(whole) - 1},
		{"while wsl.exe works on", "late:300", len(whole)},
		{"slow reader", "slow:5", 2 << 20},
		{"reader hangs", "hangs:1000000", 5 << 20},
		{"wsl.exe was killed", "client:1000000", 8 << 20},
	} {
		t.Run(tt.name, func(t *testing.T) {
			f := newFake(t, "FAKEWSL_FAULT="+tt.fault)
			if tt.name == "reader hangs" { // and is killed at last
				old := endGrace
				endGrace = time.Second
				t.Cleanup(func() { endGrace = old })
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			defer cancel(nil)
			pressed := errors.New("Ctrl-C")
			n := 0
			err := f.Import(ctx, Registration{Name: "x", Location: f.win("x")}, func(pctx context.Context, w io.Writer) error {
				time.AfterFunc(time.Second, func() { cancel(pressed) }) // where the reader hangs
				for n < len(whole) {
					if err := pctx.Err(); err != nil {
						return err
					}
					k, err := w.Write(whole[n:min(n+1<<19, len(whole))])
					if n += k; err != nil {
						return err
					}
					if n >= tt.after && tt.after < len(whole) {
						cancel(pressed)
					}
				}
				time.AfterFunc(100*time.Millisecond, func() { cancel(pressed) })
				return nil
			})
			if tt.fault != "client:1000000" && !errors.Is(err, pressed) {
				t.Errorf("error %v", err)
			}
			t.Setenv("FAKEWSL_FAULT", "")
			if got := f.names(); len(got) > 0 {
				t.Errorf("still registered: %q", got)
			}
		})
	}
}

func TestUndoTellsWhatIsLeft(t *testing.T) {
	f := newFake(t, "FAKEWSL_FAULT=client:1000000,busy:1000")
	old := busyGrace
	busyGrace = 200 * time.Millisecond
	t.Cleanup(func() { busyGrace = old })
	err := f.Import(t.Context(), Registration{Name: "x", Location: f.win("x")}, func(ctx context.Context, w io.Writer) error {
		if err := writeIn(rootfs(t, 8<<20), 1<<20)(ctx, w); err != nil {
			return err
		}
		<-ctx.Done()
		return ctx.Err()
	})
	var hint interface{ Hint() string }
	if len(f.names()) > 0 && (!errors.As(err, &hint) || hint.Hint() != "remove it: wsl --unregister x") {
		t.Errorf("error %v", err)
	}
}
