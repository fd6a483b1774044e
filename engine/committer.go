package engine

import (
	"context"
	"time"

	"github.com/cepheus-cep/cepheus/state"
)

// committer makes epochs durable one after the other, each while the engine works on the
// next: it has two batches, of which one is filled while the other is written. Where
// commits cost nothing, for nothing outlives the process, an epoch is committed at once.
type committer struct {
	store   Store
	after   func(ctx context.Context, last uint64) error // Options.Committed
	clock   *clock                                       // its bell is rung at the end of a commit
	batches [2]state.Batch
	filling int // the batch of the epoch at hand

	flying bool // an epoch is being written
	done   chan error
	took   time.Duration // the last commit
	what   Stats         // of that epoch and all before it, kept where somebody wants to see them
}

func newCommitter(o *Options, c *clock) committer {
	return committer{store: o.Store, after: o.Committed, clock: c, done: make(chan error, 1)}
}

// batch is the batch of the epoch at hand.
func (c *committer) batch() *state.Batch { return &c.batches[c.filling] }

// write makes the batch at hand durable and says so. last is the last row of the outbox
// in it. It may run beside the engine.
func (c *committer) write(ctx context.Context, b *state.Batch, last uint64) error {
	from := c.clock.now()
	defer func() { c.took = c.clock.now().Sub(from) }()
	if b.Len() > 0 {
		if err := c.store.Commit(ctx, b); err != nil {
			return err
		}
	}
	if c.after != nil {
		return c.after(ctx, last)
	}
	return nil
}

// launch begins to write the batch at hand, and makes the other the one at hand. No
// epoch may be flying.
func (c *committer) launch(ctx context.Context, last uint64) {
	b := c.batch()
	c.filling = 1 - c.filling
	c.batch().Reset()
	c.flying = true
	go func() {
		c.done <- c.write(ctx, b, last)
		c.clock.ring()
	}()
}

// landed reports whether an epoch was flying and is there, or has failed.
func (c *committer) landed() bool { return c.flying && len(c.done) > 0 }

// land waits for the epoch that is flying, if there is one.
func (c *committer) land() (was bool, err error) {
	if !c.flying {
		return false, nil
	}
	err = <-c.done
	c.flying = false
	return true, err
}
