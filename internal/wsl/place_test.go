package wsl

import (
	"errors"
	"os"
	"testing"
)

func TestPlace(t *testing.T) {
	f := newFake(t)
	p, err := f.Place(t.Context(), f.win("new"), false)
	if err != nil || p.Windows != f.win("new") || exists(f.path("new")) {
		t.Fatalf("%+v, %v", p, err)
	}
	p.Remove() // not there: nothing happens
	for _, bad := range []string{f.win("no", "such"), f.win("state", "log", "x"), f.win(), f.win("Users")} {
		if _, err := f.Place(t.Context(), bad, false); !errors.Is(err, ErrLocation) {
			t.Errorf("%s: %v", bad, err)
		}
	}

	// What was there stays, also if it is empty.
	if err := os.Mkdir(f.path("empty"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err = f.Place(t.Context(), f.win("empty"), false)
	if err != nil {
		t.Fatal(err)
	}
	p.Remove()
	if !exists(f.path("empty")) {
		t.Error("an older folder was removed")
	}

	// What was made goes, but never with something in it.
	location, err := f.DefaultLocation(t.Context(), "x")
	if err != nil {
		t.Fatal(err)
	}
	if p, err = f.Place(t.Context(), location, true); err != nil {
		t.Fatal(err)
	}
	ours := f.path("Users", "Jürgen Müller", "AppData", "Local", "wslimg")
	if !exists(ours) {
		t.Fatal("the parent was not made")
	}
	if err := os.Mkdir(p.path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p.path+"/ext4.vhdx", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	p.Remove()
	if !exists(p.path + "/ext4.vhdx") {
		t.Error("a disk was removed")
	}
	if err := os.Remove(p.path + "/ext4.vhdx"); err != nil {
		t.Fatal(err)
	}
	p.Remove()
	if exists(ours) {
		t.Error("the folders are still there")
	}
}

func TestSeed(t *testing.T) {
	f := newFake(t)
	dir := f.path("Users", "Jürgen Müller", ".cloud-init")
	s, err := f.Stage(t.Context(), "x.user-data", []byte("secret"), false)
	if err != nil {
		t.Fatal(err)
	}
	if exists(s.Path()) {
		t.Error("in place before the distribution is")
	}
	if err := s.Discard(); err != nil || exists(dir) {
		t.Error("left behind", err)
	}
	if s, err = f.Stage(t.Context(), "x.user-data", []byte("secret"), false); err == nil {
		err = errors.Join(s.Commit(), s.Discard())
	}
	if b, rerr := os.ReadFile(dir + "/x.user-data"); err != nil || string(b) != "secret" {
		t.Errorf("%q, %v, %v", b, err, rerr)
	}
	if _, err = f.Stage(t.Context(), "X.User-Data", []byte("other"), false); !errors.Is(err, ErrSeedExists) {
		t.Error(err)
	}
	if s, err = f.Stage(t.Context(), "X.User-Data", []byte("other"), true); err == nil {
		err = s.Commit()
	}
	b, _ := os.ReadFile(dir + "/x.user-data")
	if entries, _ := os.ReadDir(dir); err != nil || string(b) != "other" || len(entries) != 1 {
		t.Errorf("%q, %v, %v", b, entries, err)
	}
}

func TestCheckArch(t *testing.T) {
	for _, tt := range []struct {
		image, machine string
		ok             bool
	}{
		{"amd64", "amd64", true}, {"", "amd64", true}, {"386", "amd64", true}, {"arm", "arm64", true},
		{"arm64", "amd64", false}, {"amd64", "arm64", false}, {"riscv64", "amd64", false},
	} {
		if err := CheckArch(tt.image, tt.machine); (err == nil) != tt.ok || err != nil && !errors.Is(err, ErrArch) {
			t.Errorf("%s on %s: %v", tt.image, tt.machine, err)
		}
	}
}
