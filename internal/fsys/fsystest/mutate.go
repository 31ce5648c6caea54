package fsystest

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/fsys"
	"github.com/wslimg/wslimg/internal/ondisk"
)

// Damage says how Mutate hurts an image.
type Damage struct {
	Image []byte
	Open  func(blockdev.Device) (fsys.FS, error)

	// Random is the number of copies with a few random bytes changed, Fields
	// that of copies with one aligned word of 1, 2, 4 or 8 bytes set to 0, 1,
	// half its range, its maximum, or one off. Only bytes that a walk of the
	// sound image reads through the filesystem are touched.
	Random, Fields int
	// Checked: the format's checksums cover all that matters, so a damaged
	// copy must fail or show the same tree. Leave it false where Open is told
	// to pass over checksums, which is how damage gets deep into the reader.
	Checked bool
	// Ignore names byte ranges that may change the tree even if Checked.
	Ignore []Range
	Seed   uint64
	Limit  time.Duration // for one copy; default 5 s
}

// Range is Len bytes at Off.
type Range struct{ Off, Len int64 }

// allocLimit is what reading one damaged copy of a small image may allocate in all.
const allocLimit = 256 << 20

// Mutate reads damaged copies of an image. It fails t if one panics, takes
// longer than the limit, allocates without measure, breaks the contract, ends
// in an error outside the ondisk classes, or (Checked) shows another tree
// without an error. In a short run every eighth copy is read.
func Mutate(t *testing.T, d Damage) {
	t.Helper()
	if d.Limit == 0 {
		d.Limit = 5 * time.Second
	}
	rec := &recorder{Device: NewPatched(d.Image)}
	sound, errs := survey(rec, d.Open)
	if len(errs) > 0 {
		t.Fatalf("the sound image: %v", errs[0])
	}
	places := rec.places(d.Ignore)
	if len(places) == 0 {
		t.Fatal("the walk read nothing")
	}
	rnd := rand.New(rand.NewPCG(d.Seed, 1))
	fail := 0
	for i := range d.Random + d.Fields {
		if testing.Short() && i%8 != 0 {
			continue
		}
		p := NewPatched(d.Image)
		if i < d.Random {
			p.flip(rnd, places)
		} else {
			p.setField(rnd, places)
		}
		lines, errs, err := guarded(p, d)
		if err == nil && d.Checked && len(errs) == 0 && !slices.Equal(lines, sound) {
			err = fmt.Errorf("another tree without an error:\n%s", strings.Join(Diff(lines, sound), "\n"))
		}
		if err != nil {
			t.Errorf("copy %d, changed %s: %v", i, p, err)
			if fail++; fail >= 5 {
				t.Fatal("too many failures")
			}
		}
	}
}

// guarded reads one copy under the limits. A copy that hangs is left running:
// the test has failed and the process ends soon.
func guarded(p *Patched, d Damage) (lines []string, errs []error, err error) {
	type result struct {
		lines []string
		errs  []error
		panic any
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	done := make(chan result, 1)
	go func() {
		var r result
		defer func() {
			if r.panic = recover(); r.panic != nil {
				buf := make([]byte, 8192)
				r.panic = fmt.Sprintf("%v\n%s", r.panic, buf[:runtime.Stack(buf, false)])
			}
			done <- r
		}()
		r.lines, r.errs = survey(p, d.Open)
	}()
	select {
	case r := <-done:
		runtime.ReadMemStats(&after)
		if r.panic != nil {
			return nil, nil, fmt.Errorf("panic: %v", r.panic)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > allocLimit {
			return nil, nil, fmt.Errorf("allocated %d MiB", n>>20)
		}
		for _, err := range r.errs {
			if !classified(err) {
				return nil, nil, err
			}
			if err := worded(err); err != nil {
				return nil, nil, err
			}
		}
		return r.lines, r.errs, nil
	case <-time.After(d.Limit):
		buf := make([]byte, 1<<16)
		return nil, nil, fmt.Errorf("not done after %v\n%s", d.Limit, buf[:runtime.Stack(buf, true)])
	}
}

// Survey walks a damaged image, for fuzz targets: it fails t on an error
// outside the ondisk classes or a breach of the contract.
func Survey(t testing.TB, dev blockdev.Device, open func(blockdev.Device) (fsys.FS, error)) {
	t.Helper()
	_, errs := survey(dev, open)
	for _, err := range errs {
		if !classified(err) {
			t.Error(err)
		}
	}
}

// survey walks a whole image without reading file data and goes on after errors.
func survey(dev blockdev.Device, open func(blockdev.Device) (fsys.FS, error)) ([]string, []error) {
	fs, err := open(dev)
	if err != nil {
		return nil, []error{err}
	}
	fs.Info()
	w := walker{dev: dev, fs: fs, lenient: true}
	w.walk()
	return w.lines, w.errs
}

var classes = []error{ondisk.ErrCorrupt, ondisk.ErrUnsupported, ondisk.ErrEncrypted, ondisk.ErrNotFormat}

// classified tells whether err is of an ondisk class, or of the walk itself
// about two names or types, which are for the tree to refuse.
func classified(err error) bool {
	return !strings.Contains(err.Error(), "contract: ") &&
		(slices.ContainsFunc(classes, func(c error) bool { return errors.Is(err, c) }) ||
			strings.Contains(err.Error(), "is also"))
}

// worded holds the message of a damage to naming its place, once, and to
// leaving the inode that was asked for to the caller.
func worded(err error) error {
	var format *ondisk.FormatError
	if !errors.As(err, &format) || !errors.Is(format, ondisk.ErrCorrupt) {
		return nil
	}
	if format.Off < 0 || strings.Count(err.Error(), "at byte ") != 1 || strings.HasPrefix(format.What, "inode ") {
		return fmt.Errorf("worded amiss: %w", err)
	}
	return nil
}

// recorder notes which bytes are read.
type recorder struct {
	blockdev.Device
	mu    sync.Mutex
	reads map[Range]bool
}

func (r *recorder) ReadAt(p []byte, off int64) (int, error) {
	r.mu.Lock()
	if r.reads == nil {
		r.reads = map[Range]bool{}
	}
	r.reads[Range{off, int64(len(p))}] = true
	r.mu.Unlock()
	return r.Device.ReadAt(p, off)
}

// places are the recorded offsets, sorted, each once.
func (r *recorder) places(ignore []Range) []int64 {
	set := map[int64]bool{}
	for rg := range r.reads {
		for off := rg.Off; off < min(rg.Off+rg.Len, r.Size()); off++ {
			set[off] = true
		}
	}
	for _, rg := range ignore {
		for off := rg.Off; off < rg.Off+rg.Len; off++ {
			delete(set, off)
		}
	}
	places := make([]int64, 0, len(set))
	for off := range set {
		places = append(places, off)
	}
	slices.Sort(places)
	return places
}

// Patched is an image with some bytes changed; the image itself stays as it is.
type Patched struct {
	image []byte
	patch map[int64]byte
}

// NewPatched returns image as a device.
func NewPatched(image []byte) *Patched { return &Patched{image: image, patch: map[int64]byte{}} }

// Size is the image's.
func (p *Patched) Size() int64 { return int64(len(p.image)) }

// ReadAt reads the image with the changes made.
func (p *Patched) ReadAt(b []byte, off int64) (int, error) {
	if off < 0 || off >= p.Size() {
		return 0, io.EOF
	}
	n := copy(b, p.image[off:])
	for at, v := range p.patch {
		if at >= off && at < off+int64(n) {
			b[at-off] = v
		}
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

// Set changes bytes; what lies outside the image is dropped.
func (p *Patched) Set(off int64, b ...byte) *Patched {
	for i, v := range b {
		if at := off + int64(i); at >= 0 && at < p.Size() {
			p.patch[at] = v
		}
	}
	return p
}

// String lists the changes.
func (p *Patched) String() string {
	var b strings.Builder
	offs := make([]int64, 0, len(p.patch))
	for off := range p.patch {
		offs = append(offs, off)
	}
	slices.Sort(offs)
	for _, off := range offs {
		fmt.Fprintf(&b, "[%#x: %#02x→%#02x]", off, p.image[off], p.patch[off])
	}
	return b.String()
}

func (p *Patched) flip(rnd *rand.Rand, places []int64) {
	for range 1 + rnd.IntN(4) {
		off := places[rnd.IntN(len(places))]
		if rnd.IntN(2) == 0 {
			p.Set(off, p.image[off]^1<<rnd.IntN(8))
		} else {
			p.Set(off, byte(rnd.Uint32()))
		}
	}
}

func (p *Patched) setField(rnd *rand.Rand, places []int64) {
	width := int64(1) << rnd.IntN(4)
	off := places[rnd.IntN(len(places))] &^ (width - 1)
	word := make([]byte, width)
	copy(word, p.image[off:])
	switch rnd.IntN(6) {
	case 0:
		clear(word)
	case 1, 2:
		clear(word)
		if rnd.IntN(2) == 0 {
			word[0] = 1 // little endian
		} else {
			word[width-1] = 1
		}
	case 3:
		for i := range word {
			word[i] = 0xff
		}
	case 4:
		clear(word)
		word[rnd.IntN(int(width))] = 0x80
	case 5:
		word[rnd.IntN(int(width))] += byte(1 + 254*rnd.IntN(2))
	}
	p.Set(off, word...)
}
