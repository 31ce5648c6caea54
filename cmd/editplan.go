package cmd

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/cloudinit"
	"github.com/wslimg/wslimg/internal/edit/files"
	"github.com/wslimg/wslimg/internal/edit/ready"
	"github.com/wslimg/wslimg/internal/edit/users"
	"github.com/wslimg/wslimg/internal/edit/wslconf"
	"github.com/wslimg/wslimg/internal/tree"
)

// editPlan is what the flags ask for, checked.
type editPlan struct {
	edits  []edit.Edit
	copies []*files.Copy // those of edits
	ready  ready.Options
	data   *cloudinit.Data // nil without user data
	seed   edit.Noter      // the last of edits with user data
}

// review looks at the edited tree.
func (p *editPlan) review(ctx context.Context, t *tree.Tree) ([]edit.Finding, error) {
	list, err := ready.Check(ctx, t, p.ready)
	for _, c := range p.copies {
		list = append(list, c.Review(t)...)
	}
	return list, err
}

// apply puts the plan into a conversion's options.
func (p *editPlan) apply(o *convert.Options) {
	o.Edits = append(o.Edits, p.edits...)
	o.Review = p.review
}

// hostFiles are the files for the Windows side of the distribution name.
func (p *editPlan) hostFiles(name string) []cloudinit.HostFile {
	if p.data == nil || p.data.Seed != cloudinit.Host {
		return nil
	}
	return p.data.HostFiles(name)
}

// plan reads the files that flags name and checks everything that can be
// checked before the image is read. force passes over complaints about data.
func (f *editFlags) plan(out string, force bool) (*editPlan, error) {
	p := &editPlan{}
	for _, step := range []func(*editPlan) error{
		f.planFiles,
		func(p *editPlan) error { return f.planConf(p, force) },
		f.planData,
		f.planUser, // asks the data who makes the user
		func(p *editPlan) error { return f.planReady(p, out) },
		func(p *editPlan) error { return p.planSeed(force) },
	} {
		if err := step(p); err != nil {
			if pathErr, ok := errors.AsType[*os.PathError](err); ok {
				return nil, convert.NameError(pathErr.Path, pathErr)
			}
			if errors.Is(err, errUsage) {
				return nil, err
			}
			return nil, usageError{err}
		}
	}
	return p, nil
}

func (f *editFlags) planFiles(p *editPlan) error {
	if len(f.exclude) > 0 {
		e, err := files.Exclude(f.exclude)
		if err != nil {
			return fmt.Errorf("--exclude: %w", err)
		}
		p.edits = append(p.edits, e)
	}
	for _, s := range f.copyIn {
		spec, err := files.ParseSpec(s)
		if err != nil {
			return fmt.Errorf("--copy-in: %w", err)
		}
		src, err := hostNode(spec.Src)
		if err != nil {
			return fmt.Errorf("--copy-in: %w", err)
		}
		c := files.CopyIn(spec, src)
		p.edits, p.copies = append(p.edits, c), append(p.copies, c)
	}
	return nil
}

// hostNode reads a file or folder of the host; a link to either is followed.
func hostNode(name string) (*tree.Node, error) {
	st, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if st.IsDir() {
		return files.FromFS(os.DirFS(name), ".")
	}
	target, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, err
	}
	return files.FromFS(os.DirFS(filepath.Dir(target)), filepath.Base(target))
}

func (f *editFlags) planConf(p *editPlan, force bool) error {
	o := wslconf.Options{BaseName: f.wslConf, Force: force}
	if f.wslConf != "" {
		b, err := readHost(f.wslConf, wslconf.MaxSize)
		if err != nil {
			return err
		}
		o.Base = b
	}
	if f.hostname != "" {
		o.Settings = append(o.Settings, wslconf.Setting{Key: "network.hostname", Value: f.hostname})
	}
	switch f.systemd {
	case "auto":
	case "true", "false":
		o.Settings = append(o.Settings, wslconf.Setting{Key: "boot.systemd", Value: f.systemd})
		p.ready.KeepInit = true
	default:
		return usagef("--systemd %q: want auto, true or false", f.systemd)
	}
	for _, s := range f.set {
		kv, err := wslconf.ParseSetting(s)
		if err != nil {
			return fmt.Errorf("--set: %w", err)
		}
		if strings.EqualFold(kv.Key, "boot.systemd") {
			p.ready.KeepInit = true
		}
		o.Settings = append(o.Settings, kv)
	}
	if o.Base == nil && o.Settings == nil {
		return nil
	}
	e, err := wslconf.New(o)
	if err == nil {
		p.edits = append(p.edits, e)
	}
	return err
}

func (f *editFlags) planUser(p *editPlan) error {
	if f.user == "" {
		return nil
	}
	e, err := users.New(users.Options{Name: f.user, Later: p.data != nil && p.data.Decides()})
	if err != nil {
		return fmt.Errorf("--user: %w", err)
	}
	p.edits = append(p.edits, e)
	return nil
}

func (f *editFlags) planData(p *editPlan) error {
	if seed := cloudinit.Seed(f.seed); seed != cloudinit.Rootfs && seed != cloudinit.Host {
		return usagef("--seed %q: want rootfs or host", f.seed)
	}
	if f.userData == "" {
		if f.metaData != "" {
			return usagef("--meta-data goes with --user-data")
		}
		return nil
	}
	d := &cloudinit.Data{UserName: f.userData, MetaName: f.metaData, Seed: cloudinit.Seed(f.seed)}
	var err error
	if d.User, err = readHost(f.userData, cloudinit.MaxSize); err != nil {
		return err
	}
	if f.metaData != "" {
		if d.Meta, err = readHost(f.metaData, cloudinit.MaxSize); err != nil {
			return err
		}
	}
	p.data, p.ready.UserLater = d, d.Decides()
	return nil
}

// planSeed comes last: the data is checked against what the other edits made.
func (p *editPlan) planSeed(force bool) error {
	if p.data == nil {
		return nil
	}
	var err error
	if p.seed, err = cloudinit.New(*p.data, force); err == nil {
		p.edits = append(p.edits, p.seed)
	}
	return err
}

func (f *editFlags) planReady(p *editPlan, out string) error {
	p.ready.Profile = ready.Profile(f.profile)
	if f.profile == "" {
		p.ready.Profile = ready.Import
		if strings.EqualFold(filepath.Ext(out), ".wsl") {
			p.ready.Profile = ready.Publish
		}
	}
	p.ready.Disable = f.disable
	p.ready.Dist.Name = f.defaultName
	var err error
	for _, file := range []struct {
		name string
		to   *[]byte
	}{{f.oobe, &p.ready.Dist.OOBE}, {f.icon, &p.ready.Dist.Icon}} {
		if file.name == "" {
			continue
		}
		if *file.to, err = readHost(file.name, maxDistFile); err != nil {
			return err
		}
	}
	if (f.oobe != "" || f.icon != "" || f.defaultName != "") && p.ready.Profile != ready.Publish {
		return usagef("--oobe, --icon and --default-name go with --profile publish")
	}
	if p.ready.Profile == ready.Publish && f.user != "" {
		return usagef("--user: a published image has no user, its first start asks for one; --profile import makes it")
	}
	if p.ready.Profile == ready.Lima && f.user != "" {
		return usagef("--user: Lima makes the user itself, with uid 1000")
	}
	if p.ready.Profile == ready.Lima && p.data != nil {
		return usagef("--user-data: Lima sets everything up itself, its profile switches cloud-init off")
	}
	e, err := ready.New(p.ready)
	if err == nil {
		p.edits = append(p.edits, e)
	}
	return err
}

// maxDistFile bounds icon and script.
const maxDistFile = 16 << 20

// readHost reads a file of the user's, of at most limit bytes; never nil.
func readHost(name string, limit int64) (b []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer closing(f, &err)
	if b, err = io.ReadAll(io.LimitReader(f, limit+1)); err != nil {
		return nil, err
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("%s: has more than %d bytes", name, limit)
	}
	return b, nil
}
