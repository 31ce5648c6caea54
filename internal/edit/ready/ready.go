// Package ready holds what a tree must look like to work as a WSL
// distribution: one table of rules. Each rule finds its problems, and each
// problem carries its own repair, so that checking and repairing cannot differ.
package ready

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
	"github.com/wslimg/wslimg/internal/osinfo"
	"github.com/wslimg/wslimg/internal/tree"
)

// Profile is what the distribution is for. The profiles exclude each other:
// they want different users, cloud-init settings and files.
type Profile string

// The profiles.
const (
	Import  Profile = "import"  // wsl --import by the one who uses it
	Publish Profile = "publish" // a .wsl file for others: no user, first-start script
	Lima    Profile = "lima"    // for Lima's wsl2 driver, which sets up everything as root
	None    Profile = "none"    // no rule
)

// Profiles lists them in the order of the documentation.
var Profiles = []Profile{Import, Publish, Lima, None}

// The severities, for the table.
const (
	Off   = edit.Off
	Info  = edit.Info
	Warn  = edit.Warn
	Error = edit.Error
)

type (
	// Severity of a finding.
	Severity = edit.Severity
	// Finding is a problem in the tree.
	Finding = edit.Finding
)

// Rule is one row of the table.
type Rule struct {
	ID                    string
	Import, Publish, Lima Severity
	About                 string // what it looks for
	Why                   string // what goes wrong otherwise
	Source                string // where that is known from
	Refuse                bool   // a problem that stays stops the conversion
	find                  func(*scan)
}

// In is the rule's severity in a profile.
func (r *Rule) In(p Profile) Severity {
	switch p {
	case Import:
		return r.Import
	case Publish:
		return r.Publish
	case Lima:
		return r.Lima
	}
	return Off
}

// Options choose the rules and what they aim at.
type Options struct {
	Profile Profile
	Disable []string // ids of rules to leave out
	Arch    string   // "amd64", "arm64": what the Windows machine has; "" for either
	// KeepInit leaves boot.systemd as it is: the user has said what it is to be.
	KeepInit bool
	// UserLater says that user data decides about the default user: WSL takes
	// the first of several [user] default lines, so ours would win.
	UserLater bool
	Dist      Dist // of the publish profile
}

// Check says what is wrong with the options.
func (o *Options) Check() error {
	if !slices.Contains(Profiles, o.Profile) {
		return fmt.Errorf("no profile %q: there are import, publish, lima and none", o.Profile)
	}
	for _, id := range o.Disable {
		if !slices.ContainsFunc(Rules, func(r Rule) bool { return r.ID == id }) {
			return ondisk.WithHint(fmt.Errorf("no rule %q", id), "rules: "+strings.Join(ids(), " "))
		}
	}
	return o.Dist.check()
}

func ids() []string {
	var list []string
	for _, r := range Rules {
		list = append(list, r.ID)
	}
	return list
}

// run calls visit with every rule that applies and its problems.
func run(ctx context.Context, t *tree.Tree, o *Options, visit func(*Rule, []problem) error) error {
	if err := o.Check(); err != nil {
		return err
	}
	info := osinfo.Detect(t)
	for i := range Rules {
		r := &Rules[i]
		if r.In(o.Profile) == Off || slices.Contains(o.Disable, r.ID) {
			continue
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		s := &scan{t: t, o: o, os: info}
		r.find(s)
		err := s.err
		if err == nil {
			err = visit(r, s.problems)
		}
		if err != nil {
			if ondisk.HintOf(err) == "" && !errors.Is(err, ondisk.ErrCorrupt) {
				err = ondisk.WithHint(err, "--disable "+r.ID+" does without the rule")
			}
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
	}
	return nil
}

func (p *problem) in(r *Rule, prof Profile) Severity {
	if p.severity != Off {
		return p.severity
	}
	return r.In(prof)
}

// Check lists what is wrong with the tree, in the order of the table, and
// changes nothing.
func Check(ctx context.Context, t *tree.Tree, o Options) ([]Finding, error) {
	var list []Finding
	err := run(ctx, t, &o, func(r *Rule, ps []problem) error {
		for _, p := range ps {
			list = append(list, Finding{
				Rule: r.ID, Severity: p.in(r, o.Profile), Path: p.path, What: p.what, Fix: p.act.fix, Repaired: p.repair != nil,
			})
		}
		return nil
	})
	return list, err
}

// New returns the edit that repairs what the rules find. Problems that it
// cannot repair stay for a later Check, except those of a rule with Refuse,
// which stop it.
func New(o Options) (edit.Edit, error) {
	if err := o.Check(); err != nil {
		return nil, err
	}
	return &readyEdit{o}, nil
}

type readyEdit struct{ Options }

func (e *readyEdit) Name() string { return "readiness" }

func (e *readyEdit) Apply(ctx context.Context, t *tree.Tree) ([]edit.Change, error) {
	var changes []edit.Change
	err := run(ctx, t, &e.Options, func(r *Rule, ps []problem) error {
		for _, p := range ps {
			switch {
			case p.repair != nil:
				if err := p.repair(); err != nil {
					return err
				}
				changes = append(changes, edit.Change{Rule: r.ID, Path: p.path, What: p.act.done + ": " + p.what})
			case r.Refuse && p.in(r, e.Profile) == Error:
				return ondisk.WithHint(fmt.Errorf("%s: %s", fsys.Printable(p.path), p.what),
					p.act.fix+", or convert anyway with --disable "+r.ID)
			}
		}
		return nil
	})
	return changes, err
}
