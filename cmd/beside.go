package cmd

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/pflag"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit/publish"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// besideFlags are about the files that go with OUT: a catalogue, and the seed
// for the Windows side.
type besideFlags struct {
	manifest    string
	manifestURL string
}

func (f *besideFlags) add(fs *pflag.FlagSet) {
	fs.StringVar(&f.manifest, "manifest", "", "catalogue `FILE` (DistributionInfo.json) to enter OUT into")
	fs.StringVar(&f.manifestURL, "manifest-url", "", "`URL` of OUT in the catalogue (default: file:// and the path of OUT)")
}

// besides are files that are begun before the conversion, so that it does not
// end in vain, and completed after it.
type besides struct {
	f     *besideFlags
	out   string
	name  string // of the distribution
	files []besideFile
	list  *convert.Output // the catalogue, nil if there is none
}

type besideFile struct {
	out  *convert.Output
	path string
	data []byte
}

func (f *besideFlags) start(out, name string, plan *editPlan, force bool) (*besides, error) {
	b := &besides{f: f, out: out, name: name}
	if f.manifest == "" && f.manifestURL != "" {
		return nil, usagef("--manifest-url goes with --manifest")
	}
	if f.manifest != "" && !strings.EqualFold(filepath.Ext(out), ".wsl") {
		return nil, usagef("--manifest: a catalogue lists .wsl files, OUT is %q", out)
	}
	if b.name == "" {
		b.name = stem(out)
	}
	if f.manifest != "" {
		var err error
		if b.list, err = convert.CreateOutput(f.manifest, convert.OutputOptions{Force: true}); err != nil {
			return nil, err
		}
	}
	for _, h := range plan.hostFiles(b.name) {
		if out == "-" {
			return nil, usagef("--seed host writes files beside OUT, which is standard output")
		}
		path := filepath.Join(filepath.Dir(out), h.Name)
		o, err := convert.CreateOutput(path, convert.OutputOptions{Force: force, Private: true})
		if err != nil {
			return nil, errors.Join(err, b.discard())
		}
		b.files = append(b.files, besideFile{o, path, h.Data})
	}
	return b, nil
}

func (b *besides) discard() error {
	var err error
	for _, f := range b.files {
		err = errors.Join(err, f.out.Discard())
	}
	b.files = nil
	if b.list != nil {
		err = errors.Join(err, b.list.Discard())
		b.list = nil
	}
	return err
}

// commit completes the files, now that OUT is there.
func (b *besides) commit(res *convert.Result) error {
	for len(b.files) > 0 {
		f := b.files[0]
		if _, err := f.out.Write(f.data); err != nil {
			return errors.Join(err, b.discard())
		}
		b.files = b.files[1:]
		if err := f.out.Commit(); err != nil {
			return errors.Join(err, b.discard())
		}
		res.Notes = append(res.Notes, fmt.Sprintf(`copy %s to the folder %%USERPROFILE%%\.cloud-init; it is for the distribution called %s`, f.path, b.name))
	}
	if b.list == nil {
		return nil
	}
	text, err := b.catalogue(res.OS, res.Output.SHA256)
	if err == nil {
		_, err = b.list.Write(text)
	}
	if err != nil {
		return errors.Join(err, b.discard())
	}
	return b.list.Commit()
}

// accept refuses, before the work begins, what the catalogue would not take
// after it.
func (b *besides) accept(_ *tree.Tree, info osinfo.Info) error {
	if b.list == nil {
		return nil
	}
	_, err := b.catalogue(info, strings.Repeat("0", 2*sha256.Size))
	return err
}

// catalogue is the catalogue with OUT in it.
func (b *besides) catalogue(info osinfo.Info, sum string) ([]byte, error) {
	e := publish.Entry{Name: b.name, FriendlyName: info.Name, Arch: info.Arch, URL: b.f.manifestURL, SHA256: sum}
	e.Flavor, _, _ = strings.Cut(b.name, "-")
	if e.FriendlyName == "" {
		e.FriendlyName = b.name
	}
	if e.URL == "" {
		path, err := filepath.Abs(b.out)
		if err != nil {
			return nil, err
		}
		e.URL = "file:///" + strings.TrimPrefix(filepath.ToSlash(path), "/")
	}
	old, err := readHost(b.f.manifest, maxDistFile)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	text, err := publish.UpdateManifest(old, e)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", b.f.manifest, err)
	}
	return text, nil
}
