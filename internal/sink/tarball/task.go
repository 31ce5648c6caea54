package tarball

import (
	"github.com/wslimg/wslimg/internal/blockdev"
	"github.com/wslimg/wslimg/internal/tree"
)

const (
	// target is the plain size of a task: the largest gain of a dictionary
	// carried across blocks of this size is below 0.03 %.
	target = 1 << 20
	// maxCluster is the largest cluster that a task is stretched for.
	maxCluster = 2 << 20
	// maxTask bounds a task's plain bytes.
	maxTask = target + maxCluster
)

// piece is a stretch of the plain stream that comes from one place: literal
// bytes of the task, a device, a file's reader, or nowhere (zeros).
type piece struct {
	n    int
	lit  bool            // the next n bytes of task.lit
	dev  blockdev.Device // at byte phys
	phys int64
	file *tree.Content // at file offset off, through Open
	off  int64
	path string // of the file, for errors
}

// task is a stretch of the plain stream on its way to the output.
type task struct {
	pieces []piece
	lit    []byte // the bytes of the literal pieces
	size   int    // of the plain bytes

	out  []byte // what is written, owned by the task
	crc  uint32 // of the plain bytes (IEEE)
	err  error
	done chan struct{} // one token when out or err is set
}

func (t *task) reset() {
	clear(t.pieces) // let go of contents
	t.pieces, t.lit, t.size, t.out, t.crc, t.err = t.pieces[:0], t.lit[:0], 0, t.out[:0], 0, nil
}

// cutter spreads the stream over tasks.
type cutter struct {
	atClusters bool // cut at cluster boundaries, so that none is decoded twice
	next       func() (*task, error)
	cur        *task
	plain      int64 // bytes so far
}

// room returns how much fits into the current task, at least 1.
func (c *cutter) room() (int, error) {
	if c.cur == nil || c.cur.size >= target {
		t, err := c.next()
		if err != nil {
			return 0, err
		}
		c.cur = t
	}
	return target - c.cur.size, nil
}

func (c *cutter) add(p piece) {
	c.cur.pieces = append(c.cur.pieces, p)
	c.cur.size += p.n
	c.plain += int64(p.n)
}

// literal adds bytes; b may be reused afterwards.
func (c *cutter) literal(b []byte) error {
	for len(b) > 0 {
		room, err := c.room()
		if err != nil {
			return err
		}
		n := min(room, len(b))
		c.cur.lit = append(c.cur.lit, b[:n]...)
		c.add(piece{n: n, lit: true})
		b = b[n:]
	}
	return nil
}

// stretch adds n bytes of p's source.
func (c *cutter) stretch(p piece, n int64) error {
	for n > 0 {
		room, err := c.room()
		if err != nil {
			return err
		}
		k := int(min(n, int64(room)))
		if int64(k) < n && c.atClusters {
			if k, err = clusterCut(p, n, k); err != nil {
				return err
			}
			if k == 0 { // a whole cluster begins here: leave it to the next task
				if c.cur, err = c.next(); err != nil {
					return err
				}
				continue
			}
		}
		p.n = k
		c.add(p)
		p.phys, p.off, n = p.phys+int64(k), p.off+int64(k), n-int64(k)
	}
	return nil
}

// clusterCut moves a cut after k of n bytes of p to a cluster boundary: down
// to one where possible, else up to the next, so that the task may grow by
// less than maxCluster. 0 means before p.
func clusterCut(p piece, n int64, k int) (int, error) {
	dev, ok := p.dev.(blockdev.Clusters)
	if !ok {
		return k, nil
	}
	at := p.phys + int64(k)
	c, err := dev.Cluster(at)
	if err != nil {
		return 0, fileError(p.path, err)
	}
	if c.Off >= p.phys {
		// Never 0 in an empty task: k is target there, and then only a cluster
		// larger than that can begin at p.phys.
		if c.Off > p.phys || k < target {
			return int(c.Off - p.phys), nil
		}
	}
	if up := c.Off + c.Len - p.phys; up-int64(k) < maxCluster {
		return int(min(up, n)), nil
	}
	return k, nil
}
