package ui

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/wslimg/wslimg/internal/convert"
	"github.com/wslimg/wslimg/internal/edit"
	"github.com/wslimg/wslimg/internal/fsys"
)

// Bytes is a size for people, in powers of 1000 as disks and downloads are sold.
func Bytes(n int64) string {
	const unit = 1000
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n), -1
	for ; f >= unit && i < 5; i++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %cB", f, "kMGTPE"[i])
}

// entryTypes are the types of entries in the order in which they are told.
var entryTypes = []struct{ key, one, many string }{
	{"file", "file", "files"}, {"dir", "directory", "directories"}, {"symlink", "symlink", "symlinks"},
	{"link", "hard link", "hard links"}, {"char", "character device", "character devices"},
	{"block", "block device", "block devices"}, {"fifo", "fifo", "fifos"},
}

// Result tells people what a conversion did; verbose lists every edit.
func Result(w io.Writer, r *convert.Result, verbose bool) {
	var b strings.Builder
	os := r.OS.Name
	if os == "" {
		os = "unknown system"
	}
	fmt.Fprintf(&b, "%s: %s (%s), %s", file(r.Image.Path, "standard input"), fsys.Printable(os), OrDash(r.OS.Arch), r.Image.Format)
	for _, m := range r.Mounts {
		volume := "volume " + m.Volume
		if m.Volume == "disk" {
			volume = "the whole disk"
		}
		fmt.Fprintf(&b, "; %s from %s (%s)", fsys.Printable(m.Path), volume, m.Filesystem)
		if m.Replayed {
			b.WriteString(", journal replayed")
		}
	}
	b.WriteByte('\n')
	var counts []string
	for _, t := range entryTypes {
		switch n := r.Entries[t.key]; {
		case n == 1:
			counts = append(counts, "1 "+t.one)
		case n > 1:
			counts = append(counts, fmt.Sprintf("%d %s", n, t.many))
		}
	}
	if len(counts) > 0 {
		fmt.Fprintf(&b, "%s; %s of content\n", strings.Join(counts, ", "), Bytes(r.Content))
	}
	edits(&b, r.Changes, verbose)
	for _, f := range r.Findings {
		if verbose || f.Severity > edit.Info {
			b.WriteString(Finding(f))
		}
	}
	for _, l := range r.Losses {
		word := "lost"
		if l.Info {
			word = "left out"
		}
		fmt.Fprintf(&b, "%s: %d × %s, first %s\n", word, l.Count, l.Kind, fsys.Brief(l.First))
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "note: %s\n", n)
	}
	if r.Output != nil {
		fmt.Fprintf(&b, "%s: %s in %.1f s, sha256:%s\n",
			file(r.Output.Path, "standard output"), Bytes(r.Output.Bytes), r.Seconds, r.Output.SHA256)
	}
	_, _ = io.WriteString(w, b.String())
}

// file is the name of a file, with what "-" stands for in its place.
func file(path, standard string) string {
	if path == "-" {
		return standard
	}
	return fsys.Printable(path)
}

// Finding is a finding in a line.
func Finding(f edit.Finding) string {
	where := fsys.Brief(f.Path)
	if f.Line > 0 {
		where = fmt.Sprintf("%s:%d", where, f.Line)
	}
	if where != "" {
		where += ": "
	}
	return fmt.Sprintf("%s %s: %s%s; %s\n", f.Severity, f.Rule, where, f.What, f.Fix)
}

// OrDash is s, or a dash in the place of nothing.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// edits lists changes, or counts them by rule.
func edits(b *strings.Builder, changes []edit.Change, verbose bool) {
	if verbose {
		for _, c := range changes {
			fmt.Fprintf(b, "edit %s: %s: %s\n", c.Rule, fsys.Brief(c.Path), c.What)
		}
		return
	}
	count := map[string]int{}
	for _, c := range changes {
		count[c.Rule]++
	}
	var parts []string
	for _, rule := range slices.Sorted(maps.Keys(count)) {
		parts = append(parts, fmt.Sprintf("%s %d", rule, count[rule]))
	}
	if len(parts) > 0 {
		fmt.Fprintf(b, "edits (-v lists them): %s\n", strings.Join(parts, ", "))
	}
}
