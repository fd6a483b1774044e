package sinks

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
)

// Target is a sink with the name that its position is kept under.
type Target struct {
	Name string
	Sink Sink
}

// Options of a dispatcher. The zero value is good.
type Options struct {
	// MaxBacklog is how many committed rows may wait for the slowest sink before
	// Committed blocks. Default 100,000: some tens of megabytes on disk.
	MaxBacklog int

	// MaxRound bounds what a sink is handed at once, in rows; default 1,000. A round also
	// ends where it has reached 4 MiB.
	MaxRound int

	// Rejected keeps a row that a sink's receiver has refused for good, and why, and
	// returns when it survives the process; delivery then goes on after it. It is called
	// from several goroutines and keeps nothing of the row. An error of it ends Run. Nil:
	// the refusal itself ends Run, and the row stays in the outbox.
	Rejected func(sink string, row Row, why error) error

	// Log says where delivery begins and ends. Nil discards it.
	Log *slog.Logger
}

const (
	defaultBacklog = 100_000
	defaultRound   = 1_000
	roundBytes     = 4 << 20
)

func (o *Options) validate() error {
	if o.MaxBacklog < 0 || o.MaxRound < 0 {
		return fmt.Errorf("sinks: negative bound: backlog %d, round %d", o.MaxBacklog, o.MaxRound)
	}
	if o.MaxBacklog == 0 {
		o.MaxBacklog = defaultBacklog
	}
	if o.MaxRound == 0 {
		o.MaxRound = defaultRound
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
	draining  bool          // no more commits will come
	stopped   bool          // Run has returned
	err       error         // why, where a sink failed
	changed   chan struct{} // closed and replaced when any of these or a position moves
}

// worker is what one sink's goroutine owns, but for delivered, which mu guards.
type worker struct {
	Target
	delivered uint64
	round     round
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
	d := &Dispatcher{o: o, outbox: outbox, changed: make(chan struct{})}
	for _, t := range targets {
		if t.Name == "" || d.worker(t.Name) != nil {
			return nil, fmt.Errorf("sinks: sink name %q is empty or there twice", t.Name)
		}
		n, err := outbox.Delivered(t.Name)
		if err != nil {
			return nil, fmt.Errorf("read position of sink %s: %w", t.Name, err)
		}
		d.workers = append(d.workers, &worker{Target: t, delivered: n})
	}
	return d, nil
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
			if err := d.deliverAll(ctx, w); err != nil && ctx.Err() == nil {
				cancel(&Error{Sink: w.Name, Err: err})
			}
		})
	}
	all.Wait()
	err := context.Cause(ctx)
	d.change(func() { d.stopped, d.err = true, err })
	return err
}

// deliverAll is one sink's goroutine.
func (d *Dispatcher) deliverAll(ctx context.Context, w *worker) error {
	d.o.Log.Debug("delivery begins", "sink", w.Name, "row", w.delivered)
	defer func() { d.o.Log.Debug("delivery ends", "sink", w.Name, "row", w.delivered) }()
	for {
		changed, committed, draining := d.now() // before looking, so that no change is missed
		last, err := d.deliverRound(ctx, w)
		if last != 0 {
			d.change(func() { w.delivered = last })
		}
		if err != nil {
			return err
		}
		if last != 0 {
			continue
		}
		if committed > w.delivered { // rows below it are gone: other sinks' past
			d.change(func() { w.delivered = committed })
		}
		if draining {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func (d *Dispatcher) now() (changed chan struct{}, committed uint64, draining bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.changed, d.committed, d.draining
}

// change does f under the lock and wakes all who wait.
func (d *Dispatcher) change(f func()) {
	d.mu.Lock()
	defer d.mu.Unlock()
	f()
	close(d.changed)
	d.changed = make(chan struct{})
}

// deliverRound delivers and flushes the next rows, and returns the number of the last that
// is done with, 0 where there was none; with an error too.
func (d *Dispatcher) deliverRound(ctx context.Context, w *worker) (last uint64, err error) {
	w.round.reset()
	err = d.outbox.Rows(ctx, w.delivered, func(row uint64, alert []byte) error {
		w.round.add(row, alert)
		if len(w.round.ends) == d.o.MaxRound || len(w.round.text) >= roundBytes {
			return errRoundFull
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRoundFull) {
		return 0, fmt.Errorf("read outbox: %w", err)
	}
	rows := w.round.rows()
	if len(rows) == 0 {
		return 0, nil
	}
	return d.hand(ctx, w, rows)
}

// hand gives rows to the sink, and the first of those that it did not take to Rejected if
// its receiver has refused it.
func (d *Dispatcher) hand(ctx context.Context, w *worker, rows []Row) (last uint64, err error) {
	taken, err := w.Sink.Deliver(ctx, rows)
	if taken < 0 || taken > len(rows) || taken == 0 && err == nil {
		return 0, fmt.Errorf("sinks: %d of %d alerts taken", taken, len(rows))
	}
	if taken > 0 {
		if err := w.Sink.Flush(ctx); err != nil {
			return 0, fmt.Errorf("flush %d alerts: %w", taken, err)
		}
		last = rows[taken-1].Number
	}
	var rejected *RejectedError
	switch {
	case err == nil:
		return last, nil
	case taken < len(rows) && d.o.Rejected != nil && errors.As(err, &rejected):
		if err := d.o.Rejected(w.Name, rows[taken], rejected.Err); err != nil {
			return last, fmt.Errorf("keep a refused alert: %w", err)
		}
		return rows[taken].Number, nil
	}
	return last, fmt.Errorf("deliver %d alerts: %w", len(rows)-taken, err)
}

var errRoundFull = errors.New("round full")

// round is a copy of rows. It lives on with its memory.
type round struct {
	text    []byte
	numbers []uint64
	ends    []int // of each alert in text
	out     []Row
}

func (r *round) reset() {
	if cap(r.text) > 4*roundBytes { // after an alert of unusual size
		r.text = nil
	}
	r.text, r.numbers, r.ends = r.text[:0], r.numbers[:0], r.ends[:0]
}

func (r *round) add(row uint64, alert []byte) {
	r.text = append(r.text, alert...)
	r.numbers, r.ends = append(r.numbers, row), append(r.ends, len(r.text))
}

func (r *round) rows() []Row {
	clear(r.out)
	r.out = r.out[:0]
	start := 0
	for i, end := range r.ends {
		r.out = append(r.out, Row{Number: r.numbers[i], Alert: r.text[start:end:end]})
		start = end
	}
	return r.out
}

// Committed says that all rows up to last are durable, and wakes the sinks. It waits
// while the slowest sink is more than MaxBacklog rows behind. It returns the sink's
// *Error when Run has ended by one, ErrStopped when Run has ended otherwise, or the
// context's error.
func (d *Dispatcher) Committed(ctx context.Context, last uint64) error {
	d.change(func() { d.committed = max(d.committed, last) })
	for {
		changed, full, err := d.room()
		if err != nil || !full {
			return err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// room says whether the backlog is full, or why nothing will be delivered any more.
func (d *Dispatcher) room() (changed chan struct{}, full bool, err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed *Error
	switch {
	case errors.As(d.err, &failed):
		return nil, false, d.err
	case d.stopped:
		return nil, false, ErrStopped
	}
	return d.changed, d.committed > d.least()+uint64(d.o.MaxBacklog), nil
}

// least is the position of the slowest sink.
func (d *Dispatcher) least() uint64 {
	least := d.workers[0].delivered
	for _, w := range d.workers {
		least = min(least, w.delivered)
	}
	return least
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
func (d *Dispatcher) Drain() { d.change(func() { d.draining = true }) }
