package tree

import (
	"context"
	"sync"
	"sync/atomic"
)

// maxWorkers bounds how many inodes are read at a time, each of which may take
// some memory before the budget sees it.
const maxWorkers = 4

// budget is an amount that several workers spend, and never more.
type budget struct{ left atomic.Int64 }

// spend takes n, not negative, off the budget if it is still there.
func (b *budget) spend(n int64) bool {
	for {
		left := b.left.Load()
		if n > left {
			return false
		}
		if b.left.CompareAndSwap(left, left-n) {
			return true
		}
	}
}

// share has workers call do for stretches of size from [0, n), of which they
// take on the next as they are ready: all that is read lies close together.
//
// The error is the one that a single worker meets first. To find it, whatever
// the others have spent meanwhile, what several could not do is done again by
// one: do must be fit to be called twice.
func (l *loader) share(ctx context.Context, n, size int, do func(from, to int) error) error {
	workers := min(l.workers, (n+size-1)/size)
	budgets := []*budget{&l.memory, &l.dirBytes, &l.fileBytes}
	var before [3]int64
	for i, b := range budgets {
		before[i] = b.left.Load()
	}
	err := stretches(ctx, workers, n, size, do)
	if err != nil && workers > 1 && ctx.Err() == nil {
		for i, b := range budgets {
			b.left.Store(before[i])
		}
		err = stretches(ctx, 1, n, size, do)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

// stretches returns the first error that any worker meets.
func stretches(ctx context.Context, workers, n, size int, do func(from, to int) error) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var next atomic.Int64
	var all sync.WaitGroup
	for range workers {
		all.Go(func() {
			for ctx.Err() == nil {
				from := int(next.Add(1)-1) * size
				if from >= n {
					return
				}
				if err := do(from, min(from+size, n)); err != nil {
					stop(err)
				}
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}
