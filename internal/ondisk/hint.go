package ondisk

import "errors"

// hinted is an error that also knows what the user can do.
type hinted struct {
	error
	hint string
}

func (h *hinted) Unwrap() error { return h.error }

// Hint is the advice, a line without a full stop.
func (h *hinted) Hint() string { return h.hint }

// WithHint attaches advice to err; the text of err stays as it is.
func WithHint(err error, hint string) error {
	if err == nil {
		return nil
	}
	return &hinted{err, hint}
}

// HintOf returns the outermost advice in err's chain, or "". Any error with a
// method Hint() string takes part.
func HintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}
