package engine

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/cepheus-cep/cepheus/event"
)

// An engine that warms rules goes along with another one: it reads each partition up to where
// that one has shown to stand, and no further, and there makes time, and who is idle, what they
// were. Time goes no further than the other's has come, whatever else is read: what that one
// still lets wait waits here too. So, where both read the same from some place on, they have
// let the same events through when they stand at the same place.

// fed are the places that one engine, the coordinator of which adds them, shows another, the
// coordinator of which takes them.
type fed struct {
	bell func()            // of the one that follows
	stop func(cause error) // of its run; there once that has begun
	near chan struct{}
	asks atomic.Bool // to be shown where the other one stands, at once

	mu      sync.Mutex // leaf
	list    []stand
	final   bool // after the last of the list nothing follows
	over    bool // and it has been taken
	caught  bool
	behind  bool // it has been where the other one stood, before until
	added   uint64
	history []IdleStep // of before, to be sorted in when it is known where the other one stands
	until   int64      // of events of partitions that the other one does not have; math.MinInt64: as of the first place
	clock   *partition // stands for the other one's time
}

// stand is a place where an engine stood.
type stand struct {
	IdleStep
	stepped bool   // by an idle step; else it is just how far it had come
	number  uint64 // of those that were added
}

// goAlong makes an engine that has not begun one that follows. Of its inputs the first so
// many are the other one's.
func (e *Engine) goAlong(again int, until int64) *fed {
	f := &fed{bell: e.clock.ring, near: make(chan struct{}), until: until}
	for _, p := range e.merge.parts {
		p.whole = p.source >= again
	}
	f.clock = &partition{Partition: event.Partition{Source: "\xff"}, source: -1, number: -1, greatest: math.MinInt64, at: math.MinInt64}
	e.merge.parts = append(e.merge.parts, f.clock)
	e.fed = f
	return f
}

// standing is where an engine stands between two epochs, worked up to a time.
func (e *Engine) standing(time int64) stand {
	s := stand{IdleStep: IdleStep{At: e.places(), Time: time}}
	for _, p := range e.merge.parts {
		if p.idle {
			s.Idle = append(s.Idle, p.Partition)
		}
	}
	return s
}

// show shows where the engine stands to one that follows, if there is one.
func (e *Engine) show() {
	if f := e.warming.Load(); f != nil && e.isStanding() {
		f.asks.Store(false)
		f.add(e.standing(e.epoch.began))
	}
}

// isAsked reports whether it is to be shown where the engine stands though no epoch may end for
// long.
func (e *Engine) isAsked() bool {
	f := e.warming.Load()
	return f != nil && f.asks.Load() && e.isStanding()
}

// showStep shows an idle step.
func (e *Engine) showStep() {
	if f := e.warming.Load(); f != nil {
		s := e.standing(e.merge.watermark())
		s.stepped = true
		f.add(s)
	}
}

// add adds a place. One that nothing has happened at but that more was read is of no use any
// more when there is a later one. There are no more steps than a store keeps: the oldest go.
func (f *fed) add(s stand) {
	if s.Time == math.MinInt64 {
		return // no event yet: there is no time to go by
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.final {
		f.put(s)
	}
}

func (f *fed) put(s stand) {
	if f.until == math.MinInt64 {
		f.until = s.Time
	}
	f.sortIn(&s)
	f.added++
	s.number = f.added
	if last := len(f.list) - 1; last >= 0 && !f.list[last].stepped {
		f.list = f.list[:last]
	}
	if last := len(f.list) - 1; last >= 0 && s.grown(&f.list[last]) {
		f.list = f.list[:last]
	}
	if f.list = append(f.list, s); len(f.list) > maxSteps {
		f.list = f.list[1:]
	}
	f.bell()
}

// grown reports whether a step is the one before it, and time has only grown on: the store, too,
// has them as one.
func (s *stand) grown(from *stand) bool {
	return s.stepped && slices.Equal(s.At, from.At) && slices.Equal(s.Idle, from.Idle)
}

// before says which idle steps there were before the first place.
func (f *fed) before(steps []IdleStep) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.history = steps
	if len(f.list) > 0 {
		f.sortIn(&f.list[0])
	}
}

// sortIn puts the steps of the history that lie before a place before all there is.
func (f *fed) sortIn(first *stand) {
	if f.history == nil {
		return
	}
	var was []stand
	for _, s := range f.history {
		if s.isBefore(&first.IdleStep) {
			f.added++
			was = append(was, stand{s, true, f.added})
		}
	}
	f.list, f.history = slices.Concat(was, f.list), nil
}

// isBefore reports whether no partition had come further than at another place.
func (s *IdleStep) isBefore(to *IdleStep) bool {
	return !slices.ContainsFunc(s.At, func(at event.Position) bool {
		return slices.ContainsFunc(to.At, func(then event.Position) bool {
			return then.Partition == at.Partition && then.Offset < at.Offset
		})
	})
}

// last adds the place at which the engine is to be taken over; false where that would be too
// early.
func (f *fed) last(s stand) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if s.Time == math.MinInt64 || s.Time < f.until {
		return false
	}
	f.put(s)
	f.final = true // before the place can be taken, or it would never be over
	return true
}

// notLast takes last back; false where it was too late for that.
func (f *fed) notLast() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.over {
		f.final = false
	}
	return !f.over
}

// first is the place to go to; false where there is none yet.
func (f *fed) first() (stand, int64, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 {
		return stand{}, f.until, false
	}
	return f.list[0], f.until, true
}

// reached says that the first place is reached, unless it is another one by now.
func (f *fed) reached(s *stand) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.list) == 0 || f.list[0].number != s.number {
		return
	}
	f.list = f.list[1:]
	if len(f.list) > 0 {
		return
	}
	f.over, f.behind = f.final, s.Time < f.until
	if !f.caught && s.Time >= f.until {
		f.caught = true
		close(f.near)
	}
}

func (f *fed) isOver() bool {
	if f == nil {
		return false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.over
}

func (f *fed) hasCaught() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.caught
}

// awaits is what it waits for.
func (f *fed) awaits() Awaits {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case f.added == 0:
		return AwaitsEvent
	case f.behind:
		return AwaitsUntil
	}
	return ""
}

// fail ends the run of the one that follows.
func (f *fed) fail(cause error) { f.stop(cause) }

// goOn is turn of an engine that follows: partitions are read up to the next place, then time
// and who is idle are made what they were there.
func (e *Engine) goOn(ctx context.Context, ep *epoch) (*partition, verdict, error) {
	s, until, ok := e.fed.first()
	if !ok {
		if !ep.fresh() {
			return nil, closeEpoch, nil
		}
		return nil, again, e.clock.await(ctx, forever)
	}
	e.fed.clock.at = max(e.fed.clock.at, s.Time)
	for _, p := range e.merge.parts {
		p.until = until
		p.idle = p.idle && e.isThere(p, &s)
	}
	if p := e.merge.slowest(func(p *partition) bool { return !e.isThere(p, &s) }); p != nil {
		return e.current(ctx, p, ep)
	}
	if err := e.isShort(&s); err != nil {
		return nil, closeEpoch, err
	}
	if !ep.fresh() {
		return nil, closeEpoch, nil
	}
	for _, p := range e.merge.parts {
		p.idle = slices.Contains(s.Idle, p.Partition)
	}
	e.merge.tell(s.Time)
	e.noteStep(ep)
	e.fed.reached(&s)
	return nil, again, nil
}

// isThere reports whether a partition has been read up to a place: one of the other engine as
// far as that, one of our own to its end, or, while the end of the past is not reached, beyond the
// time of the place: what it has from there on would only wait in memory.
func (e *Engine) isThere(p *partition, s *stand) bool {
	switch {
	case p == e.fed.clock:
		return true
	case p.whole:
		return p.ended || s.Time < p.until && p.at > s.Time
	}
	return e.standsAt(p, &s.IdleStep)
}

// isShort says which of the other engine's partitions has ended here before a place.
func (e *Engine) isShort(s *stand) error {
	for _, at := range s.At {
		for _, p := range e.merge.parts {
			if p.Partition == at.Partition && p.ended && at.Offset != EndOfPartition && p.next < at.Offset {
				return fmt.Errorf("engine: the past of %s ends at %d, before where the engine stands, %d", p.AppendName(nil), p.next, at.Offset)
			}
		}
	}
	return nil
}
