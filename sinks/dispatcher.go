package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// Options of a dispatcher. The zero value is good.
type Options struct {
	// MaxRound bounds what a sink's goroutine reads at once, in rows; default 1,000. A
	// round also ends where it has reached 4 MiB.
	MaxRound int

	// MaxAhead bounds, in rows, what the lanes of a sink with Delivery.Concurrency hold in
	// memory: so far the others go on while one waits. Default 16 rounds; about 8 MiB bound
	// it too.
	MaxAhead int

	// Rejected keeps a row that a sink's receiver has refused for good, or did not take for
	// too long, and why, and returns when it survives the process; delivery then goes on
	// after it. It is called from several goroutines and keeps nothing of the row. An error
	// of it ends Run. Nil: the refusal itself ends Run, and the row stays in the outbox.
	Rejected func(sink string, row Row, why error) error

	// Attempt is told of each attempt to deliver rows, before and, by the function that it
	// returns, after it; the sink gets the context that it returns. It is called from several
	// goroutines and keeps nothing of the rows. Default, nil: nothing is told.
	Attempt func(ctx context.Context, sink string, rows []Row) (context.Context, func(taken int, err error))

	// Took is told how long rows that a sink has just taken had been durable, for the oldest
	// of them. It is called from several goroutines, and not while anything is locked.
	// Default: nothing.
	Took func(sink string, rows int, since time.Duration)

	// Now is the wall clock, for ages. Default time.Now.
	Now func() time.Time

	// Log says where delivery begins and ends, and what stands in its way. Nil discards it.
	Log *slog.Logger
}

const (
	defaultRound = 1_000
	roundBytes   = 4 << 20
	aheadRounds  = 16
	aheadBytes   = 8 << 20
)

func (o *Options) validate() error {
	if o.MaxRound < 0 || o.MaxAhead < 0 {
		return fmt.Errorf("sinks: negative bound: round %d, ahead %d", o.MaxRound, o.MaxAhead)
	}
	fill(&o.MaxRound, defaultRound)
	fill(&o.MaxAhead, aheadRounds*o.MaxRound)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return nil
}

// Dispatcher hands the outbox's rows to the sinks. Its methods are safe for several
// goroutines; Run is called once.
type Dispatcher struct {
	o       Options
	outbox  Outbox
	workers []*worker

	mu        sync.Mutex
	committed uint64        // last row known to be durable
	ages      ages          // when rows were committed
	draining  bool          // no more commits will come
	stopped   bool          // Run has returned
	err       error         // why, where a sink failed
	room      chan struct{} // closed when a backlog shrinks; nil: nobody waits
}

// NewDispatcher reads where each sink stands. There must be at least one target, and
// names must differ. The sinks stay the caller's to close.
func NewDispatcher(outbox Outbox, targets []Target, o Options) (*Dispatcher, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	if len(targets) == 0 {
		return nil, errors.New("sinks: no sink to deliver alerts to")
	}
	d := &Dispatcher{o: o, outbox: outbox}
	for _, t := range targets {
		if t.Name == "" || d.worker(t.Name) != nil {
			return nil, fmt.Errorf("sinks: sink name %q is empty or there twice", t.Name)
		}
		w, err := newWorker(d, t)
		if err != nil {
			return nil, err
		}
		d.workers = append(d.workers, w)
	}
	return d, d.measure()
}

// measure adds up what waited for each sink before this run.
func (d *Dispatcher) measure() error {
	least := d.workers[0].delivered
	for _, w := range d.workers {
		least = min(least, w.delivered)
	}
	err := d.outbox.Rows(context.Background(), least, func(row uint64, alert []byte) error {
		d.committed = row
		for _, w := range d.workers {
			if row > w.delivered {
				w.before += uint64(len(alert))
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read outbox: %w", err)
	}
	d.ages.add(d.committed, d.o.Now())
	return nil
}

func (d *Dispatcher) worker(name string) *worker {
	for _, w := range d.workers {
		if w.Name == name {
			return w
		}
	}
	return nil
}

// Run delivers until ctx ends (and returns its error), until Drain was called and every
// sink has every row (nil), or until a sink fails (*Error). It waits for all of its
// goroutines. Rows that were in the outbox before are delivered at once.
func (d *Dispatcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var all sync.WaitGroup
	for _, w := range d.workers {
		all.Go(func() {
			if err := w.run(ctx); err != nil && ctx.Err() == nil {
				cancel(&Error{Sink: w.Name, Err: err})
			}
		})
	}
	all.Wait()
	err := context.Cause(ctx)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.stopped, d.err = true, err
	d.makeRoom()
	return err
}

// makeRoom wakes those that wait for room, under the lock.
func (d *Dispatcher) makeRoom() {
	if d.room != nil {
		close(d.room)
		d.room = nil
	}
}

// wake tells the sinks' goroutines that there is news.
func (d *Dispatcher) wake() {
	for _, w := range d.workers {
		w.poke()
	}
}

// Committed says that all rows up to last are durable, and wakes the sinks. It waits
// while more waits for a sink than its bounds allow, unless the sink drops its oldest. It
// returns the sink's *Error when Run has ended by one, ErrStopped when Run has ended
// otherwise, or the context's error.
func (d *Dispatcher) Committed(ctx context.Context, last uint64) error {
	d.mu.Lock()
	if last > d.committed {
		d.committed = last
		d.ages.add(last, d.o.Now())
	}
	for _, w := range d.workers {
		w.weigh()
	}
	d.mu.Unlock()
	d.wake()
	for {
		room, err := d.full()
		if err != nil || room == nil {
			return err
		}
		select {
		case <-room:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// full returns what to wait for where a backlog is full, or why nothing will be delivered
// any more.
func (d *Dispatcher) full() (room chan struct{}, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed *Error
	switch {
	case errors.As(d.err, &failed):
		return nil, d.err
	case d.stopped:
		return nil, ErrStopped
	}
	for _, w := range d.workers {
		if !w.DropOldest && w.over() {
			if d.room == nil {
				d.room = make(chan struct{})
			}
			return d.room, nil
		}
	}
	return nil, nil
}

// Acks returns how far each sink has delivered, for the next epoch. The map is the
// caller's.
func (d *Dispatcher) Acks() map[string]uint64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	acks := make(map[string]uint64, len(d.workers))
	for _, w := range d.workers {
		acks[w.Name] = w.delivered
	}
	return acks
}

// Drain says that no more commits will come: Run returns when every sink has every row.
func (d *Dispatcher) Drain() {
	d.mu.Lock()
	d.draining = true
	d.mu.Unlock()
	d.wake()
}

func (d *Dispatcher) now() (committed uint64, draining bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.committed, d.draining
}
