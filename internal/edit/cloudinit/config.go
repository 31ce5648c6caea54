// Package cloudinit prepares cloud-init inside a WSL distribution: its
// configuration, a NoCloud seed in the tree or the files for the Windows side,
// and a check of the user's data against what WSL makes of it.
//
// Behaviour is that of canonical/cloud-init at 04eacd0.
package cloudinit

import (
	"errors"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/wslimg/wslimg/internal/tree"
)

// Where things are in the tree.
const (
	ConfigPath   = "/etc/cloud/cloud.cfg.d/99_wslimg.cfg"
	GrowPath     = "/etc/cloud/cloud.cfg.d/98_wslimg_grow.cfg"
	DisabledPath = "/etc/cloud/cloud-init.disabled"
	SeedDir      = "/var/lib/cloud/seed/nocloud"
	cloudCfg     = "/etc/cloud/cloud.cfg"
)

// MaxSize bounds user data, meta data and cloud.cfg.
const MaxSize = 1 << 20

// Installed tells whether the image has cloud-init.
func Installed(t *tree.Tree) bool {
	for _, path := range []string{"/usr/bin/cloud-init", cloudCfg} {
		if n, err := t.Lookup(path); err == nil && n.IsRegular() {
			return true
		}
	}
	return false
}

// HasWSL tells whether the image's cloud-init has the WSL datasource, that is,
// whether it is 24.1 or newer.
func HasWSL(t *tree.Tree) bool {
	for _, lib := range []string{"/usr/lib", "/usr/lib64", "/usr/local/lib"} {
		dir, err := t.Lookup(lib)
		if err != nil {
			continue
		}
		for _, e := range dir.Entries() {
			if !strings.HasPrefix(e.Name, "python3") {
				continue
			}
			for _, packages := range []string{"/dist-packages", "/site-packages"} {
				if _, err := t.Lookup(lib + "/" + e.Name + packages + "/cloudinit/sources/DataSourceWSL.py"); err == nil {
					return true
				}
			}
		}
	}
	return false
}

// HasSeed tells whether a NoCloud seed is in the tree.
func HasSeed(t *tree.Tree) bool {
	n, err := t.Lookup(SeedDir + "/user-data")
	return err == nil && n.IsRegular()
}

// Config is the content that ConfigPath should have: two datasources, because
// ds-identify takes a single one (or one and None) for granted and then runs
// cloud-init always; on one line, because it reads no other; the seed first
// where there is one. Without network and default user of their own the
// distribution's would be made.
func Config(t *tree.Tree) ([]byte, error) {
	list := "WSL, NoCloud"
	if HasSeed(t) {
		list = "NoCloud, WSL"
	}
	distro, err := systemDistro(t)
	if err != nil {
		return nil, err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# Written by wslimg for WSL.\ndatasource_list: [%s]\nnetwork: {config: disabled}\nsystem_info:\n", list)
	if distro != "" {
		fmt.Fprintf(&b, "  distro: %s\n", distro)
	}
	b.WriteString("  default_user:\n")
	return []byte(b.String()), nil
}

// GrowConfig is the content of GrowPath.
const GrowConfig = "# Written by wslimg: WSL has no partition to grow.\ngrowpart: {mode: 'off'}\nresize_rootfs: false\n"

// systemDistro is system_info.distro of the image's cloud.cfg.
func systemDistro(t *tree.Tree) (string, error) {
	b, err := t.ReadFile(cloudCfg, MaxSize)
	if errors.Is(err, tree.ErrNotExist) || errors.Is(err, tree.ErrNotDir) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return "", nil //nolint:nilerr // a template, or broken: cloud-init's own affair
	}
	n := lookup(lookup(root(&doc), "system_info"), "distro")
	if n == nil || n.Kind != yaml.ScalarNode || strings.Trim(n.Value, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" {
		return "", nil
	}
	return n.Value, nil
}

// root is a document's top node, nil for an empty one.
func root(doc *yaml.Node) *yaml.Node {
	if doc.Kind == yaml.DocumentNode && len(doc.Content) == 1 {
		return doc.Content[0]
	}
	return nil
}

// lookup returns the value of key in a mapping, nil if there is none.
func lookup(n *yaml.Node, key string) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			return deref(n.Content[i+1])
		}
	}
	return nil
}
