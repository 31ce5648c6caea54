package cmd

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/edit/cloudinit"
	"github.com/wslimg/wslimg/internal/edit/ready"
	"github.com/wslimg/wslimg/internal/ui"
)

type checkFlags struct {
	source sourceFlags
	edit   editFlags
	json   bool
	list   bool
}

// checkResult is the document that check --json prints.
type checkResult struct {
	Path     string         `json:"path"`
	Archive  bool           `json:"archive"`
	Profile  ready.Profile  `json:"profile"`
	Findings []edit.Finding `json:"findings"`
}

func newCheck(s streams) *cobra.Command {
	var f checkFlags
	c := &cobra.Command{
		Use:   "check IMAGE|ARCHIVE",
		Short: "Tell what keeps a disk image or archive from working under WSL",
		Long: `Tell what keeps a disk image, or the archive of a root filesystem (tar, tar.gz,
.wsl, tar.zst, tar.xz), from working under WSL. Nothing is changed.

Each finding has the id of its rule, its severity, and what to do; one that
says "repaired by convert" is gone after a conversion. The exit code is 3 if an
error was found.`,
		Example: `  wslimg check debian.tar.gz
  wslimg check --profile publish image.qcow2
  wslimg check --user-data debian.yaml image.qcow2
  wslimg check --list`,
		Args: func(c *cobra.Command, a []string) error {
			switch {
			case !f.list:
				return args(cobra.ExactArgs(1))(c, a)
			case len(a) > 0:
				return usagef("--list is about no image, got %q", a[0])
			}
			return nil
		},
		RunE: func(c *cobra.Command, a []string) error {
			if f.list {
				return listRules(s.out, f.json)
			}
			return f.run(c.Context(), s, a[0])
		},
	}
	f.source.add(c.Flags())
	f.edit.addCheck(c.Flags())
	c.Flags().BoolVar(&f.json, "json", false, "print one JSON document")
	c.Flags().BoolVar(&f.list, "list", false, "list the rules, with what they are for")
	return c
}

func (f *checkFlags) run(ctx context.Context, s streams, name string) (err error) {
	p, err := f.edit.plan(name, true)
	if err != nil {
		return err
	}
	l, err := convert.LoadTree(ctx, name, f.source.options(s))
	if err != nil {
		return err
	}
	defer closing(l, &err)
	res := checkResult{Path: name, Archive: l.Archive, Profile: p.ready.Profile}
	if res.Findings, err = findings(ctx, l, p); err != nil {
		return convert.NameError(name, err)
	}
	if f.json {
		err = ui.JSON(s.out, res)
	} else {
		err = printFindings(s.out, res.Findings)
	}
	if err == nil && cloudinit.Errors(res.Findings) {
		err = errFindings
	}
	return err
}

func findings(ctx context.Context, l *convert.Loaded, p *editPlan) ([]edit.Finding, error) {
	list := []edit.Finding{}
	for _, a := range l.Problems {
		list = append(list, edit.Finding{Rule: "ARCHIVE", Severity: edit.Error, Path: a.Path, What: a.What, Fix: "make the archive again with wslimg convert"})
	}
	found, err := ready.Check(ctx, l.Tree, p.ready)
	if err != nil {
		return nil, err
	}
	list = append(list, found...)
	if found, err = cloudinit.CheckTree(l.Tree); err != nil {
		return nil, err
	}
	list = append(list, found...)
	if p.data != nil {
		if found, err = cloudinit.Lint(l.Tree, *p.data); err != nil {
			return nil, err
		}
		list = append(list, found...)
	}
	return list, nil
}

func printFindings(w io.Writer, list []edit.Finding) error {
	var b strings.Builder
	for _, f := range list {
		line := strings.TrimSuffix(ui.Finding(f), "\n")
		if f.Repaired {
			line += " (repaired by convert)"
		}
		b.WriteString(line + "\n")
	}
	b.WriteString(summary(list))
	_, err := io.WriteString(w, b.String())
	return err
}

// summary counts findings; there may be more of them than lines on a screen.
func summary(list []edit.Finding) string {
	if len(list) == 0 {
		return "nothing found\n"
	}
	counts, repaired := map[edit.Severity]int{}, 0
	for _, f := range list {
		counts[f.Severity]++
		if f.Repaired {
			repaired++
		}
	}
	return fmt.Sprintf("%d found: error %d, warning %d, info %d; convert repairs %d\n",
		len(list), counts[edit.Error], counts[edit.Warn], counts[edit.Info], repaired)
}

// ruleInfo is a rule for --list --json.
type ruleInfo struct {
	ID      string        `json:"id"`
	Import  edit.Severity `json:"import"`
	Publish edit.Severity `json:"publish"`
	Lima    edit.Severity `json:"lima"`
	About   string        `json:"about"`
	Why     string        `json:"why"`
	Source  string        `json:"source"`
}

func listRules(w io.Writer, asJSON bool) error {
	var list []ruleInfo
	for _, r := range ready.Rules {
		list = append(list, ruleInfo{r.ID, r.Import, r.Publish, r.Lima, r.About, r.Why, r.Source})
	}
	if asJSON {
		return ui.JSON(w, list)
	}
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "rule\timport\tpublish\tlima\tlooks for")
	for _, r := range list {
		fmt.Fprintf(tw, "%s\t%s\t%s\t%s\t%s\n", r.ID, r.Import, r.Publish, r.Lima, r.About)
	}
	return tw.Flush()
}
