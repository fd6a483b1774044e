package sinks

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"time"

	"github.com/sony/gobreaker/v2"
	"golang.org/x/time/rate"
)

// worker delivers to one sink. The goroutine that reads owns what is not said to be d.mu's;
// with Concurrency each lane has one of its own.
type worker struct {
	Target
	d       *Dispatcher
	news    chan struct{} // of a commit, or that no more will come
	eased   chan struct{} // rows are done
	slots   chan struct{} // of attempts under way; nil: there is one goroutine
	breaker *gobreaker.TwoStepCircuitBreaker[struct{}]
	rate    *rate.Limiter // nil: none
	round   round
	lanes   []*lane
	told    *lane   // of groups
	groups  *groups // nil until a row has a group
	seed    maphash.Seed

	// These are d.mu's.
	progress  progress
	delivered uint64 // last row that can be acknowledged
	before    uint64 // bytes that waited when the dispatcher was made
	done      uint64 // bytes acknowledged since
	openUntil time.Time
	isFull    bool      // see Dispatcher.Full
	eases     time.Time // since when less waits for one that is full; zero: it does not
	stats     Stats
}

func newWorker(d *Dispatcher, t Target) (*worker, error) {
	if err := t.validate(t.Sink); err != nil {
		return nil, fmt.Errorf("sink %s: %w", t.Name, err)
	}
	delivered, err := delivered(d.outbox, t)
	if err != nil {
		return nil, fmt.Errorf("read position of sink %s: %w", t.Name, err)
	}
	w := &worker{Target: t, d: d, delivered: delivered, news: make(chan struct{}, 1), eased: make(chan struct{}, 1), seed: maphash.MakeSeed(), stats: Stats{Sink: t.Name}}
	w.breaker = w.newBreaker()
	if w.Rate > 0 {
		w.rate = rate.NewLimiter(rate.Limit(w.Rate), w.Burst)
	}
	for range w.Concurrency {
		w.lanes = append(w.lanes, newLane(w, w.Batch))
	}
	w.told = newLane(w, groupRows)
	if w.Concurrency > 1 {
		w.slots = make(chan struct{}, w.Concurrency)
	}
	return w, nil
}

// delivered is how far a sink has come, as the outbox or its receiver knows.
func delivered(outbox Outbox, t Target) (uint64, error) {
	n, err := outbox.Delivered(t.Name)
	if p, keeps := t.Sink.(Positioner); keeps && err == nil {
		if row, ok := p.Position(); ok {
			n = max(n, row)
		}
	}
	return n, err
}

func (w *worker) poke() {
	signal(w.news)
	w.pokeLanes()
}

// pokeLanes tells lanes that wait between attempts that their oldest row may have to go.
func (w *worker) pokeLanes() {
	if !w.DropOldest {
		return
	}
	for _, l := range w.lanes {
		signal(l.news)
	}
	signal(w.told.news)
}

// run is the sink's goroutine.
func (w *worker) run(ctx context.Context) error {
	w.d.o.Log.Debug("delivery begins", "sink", w.Name, "row", w.delivered)
	defer func() { w.d.o.Log.Debug("delivery ends", "sink", w.Name, "row", w.delivered) }()
	if w.slots != nil {
		return w.runLanes(ctx)
	}
	return w.read(ctx)
}

// read reads rows and hands them to lanes and groups.
func (w *worker) read(ctx context.Context) error {
	read := w.delivered // the last row read
	for {
		if err := w.ease(ctx); err != nil {
			return err
		}
		committed, draining := w.d.now() // before looking, so that no row is missed
		n, err := w.nextRound(ctx, &read)
		switch {
		case err != nil:
			return err
		case n > 0:
			continue
		case committed > read: // rows below it are gone: other sinks' past
			read = committed
			w.passOver(committed)
		}
		if err := w.tellGroups(ctx, draining); err != nil {
			return err
		}
		if draining {
			return w.settle(ctx)
		}
		if err := w.wait(ctx); err != nil {
			return err
		}
	}
}

// wait returns when there is news, or a group is due.
func (w *worker) wait(ctx context.Context) error {
	due, stop := w.groups.timer(w.d.o.Now())
	defer stop()
	select {
	case <-w.news:
	case <-due:
	case <-ctx.Done():
		return ctx.Err()
	}
	return nil
}

// nextRound reads rows after the last that was read, and delivers them or hands them to
// their lanes and groups. It returns how many there were.
func (w *worker) nextRound(ctx context.Context, read *uint64) (n int, err error) {
	w.round.reset()
	err = w.d.outbox.Rows(ctx, *read, func(row uint64, alert []byte) error {
		w.round.add(row, alert)
		if len(w.round.ends) == w.d.o.MaxRound || len(w.round.text) >= roundBytes {
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
	*read = rows[len(rows)-1].Number
	w.share(rows)
	if err := w.hand(ctx); err != nil {
		return 0, err
	}
	return len(rows), w.tellGroups(ctx, false)
}

var errRoundFull = errors.New("round full")

// share shares rows out to lanes and groups.
func (w *worker) share(rows []Row) {
	now := w.d.o.Now()
	first := w.readRows(rows)
	for i, r := range rows {
		at := first + i
		var to Decision
		if w.Router != nil {
			to = w.Router.Route(r)
		}
		switch {
		case to.Skip != "":
			w.skip(at, to.Skip)
		case to.Group != "":
			if w.groups == nil {
				w.groups = newGroups()
			}
			w.groups.add(r, at, to, now)
		case w.slots == nil:
			w.lanes[0].add(r, at)
		default:
			w.laneOf(r, at).queue.add(r, at)
		}
	}
}

// readRows returns the ordinal of the first.
func (w *worker) readRows(rows []Row) (first int) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	first = w.progress.next()
	for _, r := range rows {
		w.progress.read(r.Number, len(r.Alert))
	}
	return first
}

// laneOf spreads rows so that those of one key go the same way. In any order a lane is
// passed by that is behind the next.
func (w *worker) laneOf(r Row, at int) *lane {
	n := len(w.lanes)
	if !w.AnyOrder {
		return w.lanes[hashKey(w.seed, r.Alert)%uint64(n)]
	}
	one, other := w.lanes[at%n], w.lanes[(at+1)%n]
	if one.queue.len() > other.queue.len() {
		return other
	}
	return one
}

// hand delivers what the only lane has, or wakes those that have goroutines.
func (w *worker) hand(ctx context.Context) error {
	if w.slots == nil {
		defer w.lanes[0].reset()
		return w.lanes[0].deliver(ctx)
	}
	for _, l := range w.lanes {
		signal(l.queue.more)
	}
	return nil
}

// tellGroups delivers the groups that are due; all, where all is to end.
func (w *worker) tellGroups(ctx context.Context, all bool) error {
	for {
		rows, ats := w.groups.next(w.d.o.Now(), all)
		if len(rows) == 0 {
			return nil
		}
		l := w.told
		l.reset()
		l.rows, l.ats = append(l.rows, rows...), append(l.ats, ats...)
		if err := l.deliver(ctx); err != nil {
			return err
		}
	}
}

// over says whether more waits than the bounds allow, under the lock.
func (w *worker) over() bool {
	rows, bytes := w.backlog()
	return rows > uint64(w.MaxRows) || bytes > uint64(w.MaxBytes)
}

// backlog is what waits, under the lock. Its bytes count those of epochs under way too.
func (w *worker) backlog() (rows, bytes uint64) {
	if w.d.committed > w.delivered {
		rows = w.d.committed - w.delivered
	}
	if all := w.before + w.d.outbox.Appended(); rows > 0 && all > w.done {
		bytes = all - w.done
	}
	return rows, bytes
}

// passOver goes on after a row that is gone: as one that is done.
func (w *worker) passOver(row uint64) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	at, none := w.progress.next(), uint64(0)
	w.progress.read(row, 0)
	w.finishLocked(&none, []int{at})
}

// took tells how long rows that are delivered had waited; first is the oldest of them.
func (w *worker) took(first uint64, n int) {
	if w.d.o.Took == nil {
		return
	}
	w.d.mu.Lock()
	since := w.d.o.Now().Sub(w.d.ages.of(first))
	w.d.mu.Unlock()
	w.d.o.Took(w.Name, n, since)
}

// finish notes that rows are done, by what count counts.
func (w *worker) finish(count *uint64, ats ...int) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	w.finishLocked(count, ats)
}

func (w *worker) finishLocked(count *uint64, ats []int) {
	*count += uint64(len(ats))
	last, bytes := w.progress.finish(ats...)
	if w.slots != nil {
		signal(w.eased)
	}
	if last == 0 {
		return
	}
	w.delivered = max(w.delivered, last)
	w.done += uint64(bytes)
	w.weigh()
	w.d.makeRoom()
}

func (w *worker) skip(at int, why string) {
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if w.stats.Skipped == nil {
		w.stats.Skipped = map[string]uint64{}
	}
	var n uint64
	w.finishLocked(&n, []int{at})
	w.stats.Skipped[why] += n
}

// dropOldest drops a row where it is the oldest and too much waits.
func (w *worker) dropOldest(at int) bool {
	if !w.DropOldest {
		return false
	}
	w.d.mu.Lock()
	defer w.d.mu.Unlock()
	if !w.progress.oldest(at) || !w.over() {
		return false
	}
	w.finishLocked(&w.stats.Dropped, []int{at})
	w.pokeLanes() // the oldest may be another lane's now
	return true
}
