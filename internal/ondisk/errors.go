// Package ondisk is what every reader of an on-disk structure shares: the four
// classes of failure, and reads that never trust a length the image states.
package ondisk

import (
	"errors"
	"fmt"
)

// The classes of failure, told apart with errors.Is. Anything else a reader
// returns is an I/O error of the medium that holds the image.
var (
	// ErrNotFormat: the bytes are not of the format that was tried.
	ErrNotFormat = errors.New("not this format")
	// ErrUnsupported: valid, but uses a feature that is not read; the text names it.
	ErrUnsupported = errors.New("unsupported")
	// ErrCorrupt: the bytes contradict the format or each other.
	ErrCorrupt = errors.New("corrupt")
	// ErrEncrypted: readable only with a key.
	ErrEncrypted = errors.New("encrypted")
)

// NoOffset in FormatError.Off means that the fault has no single place.
const NoOffset = -1

// FormatError says what is wrong and where. It unwraps to its class.
type FormatError struct {
	Class error  // ErrUnsupported, ErrCorrupt, ErrEncrypted or ErrNotFormat
	What  string // the fault with got and want, such as "extent magic 0x0, want 0xf30a"
	Off   int64  // byte offset within the device that the reader was given, or NoOffset
}

func (e *FormatError) Error() string {
	if e.Off < 0 {
		return e.What
	}
	return fmt.Sprintf("%s, at byte %#x", e.What, e.Off)
}

func (e *FormatError) Unwrap() error { return e.Class }

// At gives an ErrCorrupt that has no place yet the one that led to it.
func At(err error, off int64) error {
	var e *FormatError
	if !errors.As(err, &e) || e.Off >= 0 || !errors.Is(e, ErrCorrupt) {
		return err
	}
	e.Off = off
	if err == error(e) { //nolint:errorlint // whether something wraps it is the question
		return err
	}
	return fmt.Errorf("%w, at byte %#x", err, off) // its text is made already
}

// Corruptf makes an ErrCorrupt about the bytes at off (or NoOffset).
func Corruptf(off int64, format string, args ...any) error {
	return &FormatError{Class: ErrCorrupt, What: fmt.Sprintf(format, args...), Off: off}
}

// Unsupportedf makes an ErrUnsupported; the text names the feature.
func Unsupportedf(format string, args ...any) error {
	return &FormatError{Class: ErrUnsupported, What: fmt.Sprintf(format, args...), Off: NoOffset}
}

// NotFormatf makes an ErrNotFormat.
func NotFormatf(format string, args ...any) error {
	return &FormatError{Class: ErrNotFormat, What: fmt.Sprintf(format, args...), Off: NoOffset}
}

// Encryptedf makes an ErrEncrypted.
func Encryptedf(format string, args ...any) error {
	return &FormatError{Class: ErrEncrypted, What: fmt.Sprintf(format, args...), Off: NoOffset}
}
