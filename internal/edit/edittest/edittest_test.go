package edittest

import "testing"

func TestDistrosBuild(t *testing.T) {
	for name, build := range Distros {
		if Dump(build()) != Dump(build()) {
			t.Errorf("%s: two builds differ", name)
		}
	}
}
