package cmd

import (
	"fmt"
	"os"

	"github.com/spf13/pflag"
)

// maxSeed bounds a seed file; cloud-init's own examples have a few kilobytes.
const maxSeed = 1 << 20

// seedFlags name the files that cloud-init gets.
type seedFlags struct {
	userData, metaData, seed string
}

func (f *seedFlags) add(fs *pflag.FlagSet, place string) {
	fs.StringVar(&f.userData, "user-data", "", "cloud-init user data")
	fs.StringVar(&f.metaData, "meta-data", "", "cloud-init meta data")
	fs.StringVar(&f.seed, "seed", place, "where they go: rootfs, or host (the Windows user's folder)")
}

// seedFile is a file of the seed; ending follows the name of the distribution.
type seedFile struct {
	ending string
	data   []byte
}

// read reads the files that go to the host.
func (f *seedFlags) read() ([]seedFile, error) {
	switch f.seed {
	case "rootfs":
		return nil, nil
	case "host":
	default:
		return nil, usagef("--seed %q: want rootfs or host", f.seed)
	}
	var files []seedFile
	for _, s := range []struct{ name, ending string }{{f.userData, ".user-data"}, {f.metaData, ".meta-data"}} {
		if s.name == "" {
			continue
		}
		info, err := os.Stat(s.name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() || info.Size() > maxSeed {
			return nil, fmt.Errorf("%q: want a regular file of at most %d bytes", s.name, maxSeed)
		}
		b, err := os.ReadFile(s.name)
		if err != nil {
			return nil, err
		}
		files = append(files, seedFile{s.ending, b})
	}
	return files, nil
}
