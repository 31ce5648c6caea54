package wsl

import "io"

// tarBlock is the unit of tar: a stream that ends within one before the end of
// the archive is refused by bsdtar, one that ends between entries is taken for
// whole.
const tarBlock = 512

// holdBack is how many of the last bytes wait until the archive is known to be
// whole: more than the zero blocks that end it (a record of 20 blocks), after
// which bsdtar reads no further.
const holdBack = 32 * tarBlock

// cutter passes a tar stream on such that it can be spoilt at any time: what
// the reader has seen is a whole archive only after finish.
type cutter struct {
	w    io.Writer
	sent int64
	held []byte
	err  error // of w; the reader went away
}

func (c *cutter) Write(p []byte) (int, error) {
	over := len(c.held) + len(p) - holdBack
	if over > 0 {
		old := min(over, len(c.held))
		if err := c.send(c.held[:old]); err != nil {
			return 0, err
		}
		c.held = c.held[:copy(c.held, c.held[old:])]
		n := over - old
		if err := c.send(p[:n]); err != nil {
			return 0, err
		}
		c.held = append(c.held, p[n:]...)
		return len(p), nil
	}
	c.held = append(c.held, p...)
	return len(p), c.err
}

func (c *cutter) send(p []byte) error {
	if c.err == nil && len(p) > 0 {
		var n int
		n, c.err = c.w.Write(p)
		c.sent += int64(n)
	}
	return c.err
}

// finish sends the rest of a whole archive.
func (c *cutter) finish() error { return c.send(c.held) }

// cut makes sure that what was sent is no archive.
func (c *cutter) cut() {
	if c.sent%tarBlock != 0 {
		return
	}
	part := []byte{0}
	if n := min(len(c.held), tarBlock/2); n > 0 {
		part = c.held[:n]
	}
	_ = c.send(part) // if it cannot be sent, the reader is gone
}
