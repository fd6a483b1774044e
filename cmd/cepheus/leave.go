package main

import (
	"context"
	"time"
)

// leaveWhenDone has a store that can be left know when ctx is done: the last epochs then wait
// for nothing that the next start does as well. The returned function ends that.
func leaveWhenDone(ctx context.Context, store stateStore) (stop func() bool) {
	s, ok := store.(interface{ Leave() })
	if !ok {
		return func() bool { return true }
	}
	return context.AfterFunc(ctx, s.Leave)
}

// closeMost is how long a process that ends waits for the files of its state. The tree may be
// in the middle of moving much; every epoch is on the disk by then, and the next start takes
// the files as they are.
const closeMost = time.Second

// close closes the state, and does not wait for all of it where a signal has ended the run.
func (p *pipeline) close(ctx context.Context, store stateStore) error {
	if !p.world.ends || ctx.Err() == nil {
		return store.Close()
	}
	closed := make(chan error, 1)
	go func() { closed <- store.Close() }()
	select {
	case err := <-closed:
		return err
	case <-time.After(closeMost):
		p.log.Info("the state is left in the middle of tidying: nothing is lost, and the next start mends it", "waited", closeMost)
		return nil
	}
}
