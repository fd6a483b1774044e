package sinks

import (
	"context"
	"sync"
	"time"
)

// queue holds copies of the rows that a lane with a goroutine of its own is to deliver after
// those it is at. Lanes so go on over rounds: what one of them waits for holds up no other
// until together they hold as much as may be in memory.
type queue struct {
	mu   sync.Mutex
	rows round
	ats  []int // their ordinals

	more chan struct{} // there are rows
}

// signal leaves one token, whoever waits for it.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

func (q *queue) add(r Row, at int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.rows.add(r.Number, r.Alert)
	q.ats = append(q.ats, at)
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ats)
}

// run delivers what comes into the queue, until ctx ends.
func (l *lane) run(ctx context.Context) error {
	for {
		for l.take() {
			if err := l.deliver(ctx); err != nil {
				return err
			}
		}
		select {
		case <-l.queue.more:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// take makes all of the queue the lane's rows, which must be done with; false where there
// are none.
func (l *lane) take() bool {
	q := &l.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ats) == 0 {
		return false
	}
	l.copies, q.rows = q.rows, l.copies
	l.ats, q.ats = q.ats, l.ats[:0]
	l.rows = l.copies.rows()
	q.rows.reset()
	signal(l.w.eased)
	return true
}

// runLanes delivers by as many goroutines as there are lanes, beside one that reads, until
// there is nothing more to deliver or something fails.
func (w *worker) runLanes(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	var all sync.WaitGroup
	for _, l := range w.lanes {
		all.Go(func() {
			if err := l.run(ctx); ctx.Err() == nil {
				cancel(err)
			}
		})
	}
	err := w.read(ctx)
	if failed := context.Cause(ctx); failed != nil {
		err = failed // of a lane, which ended the reading
	}
	cancel(err)
	all.Wait()
	return err
}

// hold is what the lanes hold in memory.
func (w *worker) hold() (rows, bytes int) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	rows, bytes = w.progress.open, w.progress.openBytes
	if g := w.groups; g != nil {
		rows, bytes = rows-g.rows, bytes-g.size
	}
	return rows, bytes
}

// full says that the lanes hold as much as they may.
func (w *worker) full() bool {
	rows, bytes := w.hold()
	return rows >= w.d.o.MaxAhead || bytes >= aheadBytes
}

// enough says that the lanes hold a round, or as much as they may.
func (w *worker) enough() bool {
	rows, _ := w.hold()
	return rows >= w.d.o.MaxRound || w.full()
}

// starving says that a lane has nothing to go on with.
func (w *worker) starving() bool {
	for _, l := range w.lanes {
		if l.queue.len() == 0 {
			return true
		}
	}
	return false
}

// patience is for how long the lanes may be at what they hold before more is read for one
// that has nothing: lanes that are well are done sooner, and little in memory is quicker.
const patience = 10 * time.Millisecond

// ease waits while the lanes have enough. Groups that are due are told meanwhile.
func (w *worker) ease(ctx context.Context) error {
	if !w.enough() {
		return nil
	}
	patient := time.NewTimer(patience)
	defer patient.Stop()
	for out := false; w.enough() && (w.full() || !out || !w.starving()); {
		if err := w.tellGroups(ctx, false); err != nil {
			return err
		}
		due, stop := w.groups.timer(w.d.o.Now())
		select {
		case <-w.eased:
		case <-patient.C:
			out = true
		case <-due:
		case <-ctx.Done():
		}
		stop()
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// settle waits until the lanes are done with all that they hold.
func (w *worker) settle(ctx context.Context) error {
	for {
		if rows, _ := w.hold(); rows == 0 {
			return nil
		}
		select {
		case <-w.eased:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}
