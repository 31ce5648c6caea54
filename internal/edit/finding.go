package edit

// Severity of a finding.
type Severity int

// The severities; the zero value means that a rule does not apply.
const (
	Off   Severity = iota
	Info           // good to know
	Warn           // works, with delays, messages or limits
	Error          // does not work, or is unsafe
)

var severities = [...]string{"off", "info", "warning", "error"}

func (s Severity) String() string { return severities[s] }

// MarshalText writes the severity by its name.
func (s Severity) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// Finding is something about a tree, or about a file that goes into it, that
// the user should know.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path"`           // in the tree, raw bytes, or the name of the user's file
	Line     int      `json:"line,omitempty"` // 1-based, where it is about a line
	What     string   `json:"what"`
	Fix      string   `json:"fix"`
	Repaired bool     `json:"repaired"` // converting does it
}
