package engine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/event"
)

// endOfTime is the last moment there is: a watermark there closes everything.
const endOfTime = math.MaxInt64 - 1

// epoch is the unit of commit. It is worked on in rounds: inputs in order, then the time up
// to which nothing more will come. Where commits cost nothing an epoch is one round.
type epoch struct {
	rules []compiled
	// The round at hand.
	inputs  []*event.Event // that matter to some rule, in order; none in the direct lane
	stretch []stretch      // of the direct lane, in order
	events  int32          // in the stretches
	jobs    []*job         // whose events are in it, to be let go of after it, one for each held
	records int            // taken, whatever became of them
	bytes   int
	began   int64 // the time that the round before it ended at
	until   int64
	known   int64 // the watermark that the inputs gave; beyond it only the end of the input decides
	last    bool  // no other follows in this run
	beyond  bool  // what comes next is beyond the limit of a slice
	worked  int64 // until, or less where more of that time is left: see slices.go
	bound   *bound
	// The epoch.
	rounds  int       // before the one at hand
	taken   int       // records in them and in the one at hand
	size    int       // of these, in bytes
	begun   time.Time // when its first record was taken
	stepped bool      // an idle step, or a change of the engine, has been taken at its start
	due     bool      // it is to be committed after the round at hand
	dead    []Dead
}

// fresh reports whether nothing has happened in the epoch, isEmpty whether nothing has in
// the round at hand.
func (ep *epoch) fresh() bool   { return ep.rounds == 0 && ep.isEmpty() && !ep.stepped }
func (ep *epoch) isEmpty() bool { return ep.records == 0 && len(ep.jobs) == 0 }

// takes counts records that are taken.
func (ep *epoch) takes(records, bytes int, now func() time.Time) {
	if ep.taken == 0 {
		ep.begun = now()
	}
	ep.records, ep.bytes = ep.records+records, ep.bytes+bytes
	ep.taken, ep.size = ep.taken+records, ep.size+bytes
}

// room is how many records the round at hand may still take.
func (e *Engine) room(ep *epoch) int {
	if ep.bytes >= roundBytes || ep.size >= e.o.EpochBytes {
		return 0
	}
	return min(e.o.RoundEvents-ep.records, e.o.EpochEvents-ep.taken)
}

// roundBytes bounds a round, as Options.RoundEvents does.
const roundBytes = 16 << 20

// outboxBytes is how many bytes of alerts, and what else of an epoch is written as it
// comes, may be there until it is committed.
const outboxBytes = 32 << 20

// isOver reports whether the epoch is to be committed now.
func (e *Engine) isOver(ep *epoch) bool {
	if !e.store.Durable() || ep.last || ep.due || e.isToChange() || ep.stepped || ep.taken >= e.o.EpochEvents || ep.size >= e.o.EpochBytes {
		return true
	}
	return e.commits.batch().Bytes() >= outboxBytes || e.dirty() >= e.o.EpochKeys ||
		ep.taken > 0 && e.o.Now().Sub(ep.begun) >= e.o.CommitEvery
}

// dirty is how many keys have changed in the epoch.
func (e *Engine) dirty() (n int) {
	for _, sh := range e.shards {
		n += sh.dirty
	}
	return n
}

// fill takes records into the round until it is full, or nothing more is there for now,
// or everything has ended; more is false in the last case. Then it lets through what
// has its time, so that no event is left behind the merged time that the round ends at.
func (e *Engine) fill(ctx context.Context, ep *epoch) (more bool, err error) {
	more, err = e.gather(ctx, ep)
	for w, ok := e.merge.take(); ok; w, ok = e.merge.take() {
		e.admit(ep, w)
	}
	return more, err
}

func (e *Engine) gather(ctx context.Context, ep *epoch) (more bool, err error) {
	for e.room(ep) > 0 {
		if e.changes.made != nil {
			return true, nil // who asked for it waits until it is durable
		}
		if w, ok := e.merge.take(); ok {
			e.admit(ep, w)
			continue
		}
		if e.jumps(ep) {
			return true, nil
		}
		if e.failed != nil || e.merge.ended() || e.fed.isOver() {
			return false, nil
		}
		p, next, err := e.turn(ctx, ep)
		ep.due = ep.due || next == closeEpoch
		if err != nil || next == closeRound || next == closeEpoch {
			return true, err
		}
		if next == again {
			continue
		}
		j := e.readers[p.source].at
		if j.next == j.size() {
			e.leave(p, j)
		} else if e.direct {
			if e.feedStretch(ep, p, j); ep.beyond {
				return true, nil
			}
		} else if err := e.feed(ep, p, j); err != nil {
			return true, err
		}
	}
	return true, nil
}

// verdict is what is to be done next.
type verdict uint8

const (
	feed       verdict = iota // take from the job at hand of a partition's reader
	again                     // look anew
	closeRound                // nothing more for this round
	closeEpoch                // nothing more for this epoch
)

// turn decides which partition is read next. It waits where there is nothing to do.
func (e *Engine) turn(ctx context.Context, ep *epoch) (*partition, verdict, error) {
	e.answer()
	if e.isToChange() {
		if !ep.fresh() {
			return nil, closeEpoch, nil
		}
		return nil, again, e.takeChange(ctx, ep)
	}
	if e.isAsked() {
		if !ep.fresh() {
			return nil, closeEpoch, nil
		}
		e.show()
		return nil, again, nil
	}
	if e.commits.landed() {
		if err := e.land(); err != nil {
			return nil, closeEpoch, err
		}
	}
	if e.fed != nil {
		return e.goOn(ctx, ep)
	}
	if e.quiet.given != nil {
		p, next := e.follow(ep)
		if next != feed {
			return nil, next, nil
		}
		return e.current(ctx, p, ep)
	}
	p := e.merge.slowest(nil)
	if p != nil && e.readers[p.source].at != nil {
		return p, feed, nil
	}
	if q := e.returned(); q != nil {
		if !ep.fresh() {
			return nil, closeEpoch, nil
		}
		e.wake(ep, q)
		return nil, again, nil
	}
	if p == nil {
		next, err := e.rest(ctx, ep)
		return nil, next, err
	}
	return e.current(ctx, p, ep)
}

// current makes the next job of a partition's reader the one at hand, if none is; it
// waits for it where need be.
func (e *Engine) current(ctx context.Context, p *partition, ep *epoch) (*partition, verdict, error) {
	r := e.readers[p.source]
	if r.at != nil {
		return p, feed, nil
	}
	if r.out == r.total {
		if !ep.isEmpty() {
			return nil, closeRound, nil // it holds jobs that reading needs
		}
		r.grow()
	}
	if j := r.poll(); j != nil {
		select {
		case <-j.done:
		case <-ctx.Done():
			return nil, closeEpoch, ctx.Err()
		}
		r.at, p.atEnd = j, false
		if ep.fresh() && e.waited >= lookAfter {
			e.lookAtFiles() // they may have changed while nothing came
		}
		e.waited = 0
		e.own.again(j)
		e.book(ep, j)
		return nil, again, nil
	}
	if !ep.isEmpty() {
		return nil, closeRound, nil
	}
	idle := e.untilIdle(p)
	if patience := e.patience(ep); patience == 0 || idle == 0 && !ep.fresh() {
		return nil, closeEpoch, nil
	} else if idle != 0 {
		from := e.o.Now()
		err := e.clock.await(ctx, sooner(patience, idle))
		e.waited += e.o.Now().Sub(from)
		return nil, again, err
	}
	e.fallIdle(ep, p)
	return nil, again, nil
}

// patience is how long an epoch may wait for more, all that is there having been worked
// on: while it is fresh for ever, or until sinks have delivered something; not at all where
// idle time has moved in it; else to the end of the commit interval.
func (e *Engine) patience(ep *epoch) time.Duration {
	switch {
	case ep.fresh():
		return e.untilTold()
	case ep.stepped:
		return 0
	}
	return max(0, e.o.CommitEvery-e.o.Now().Sub(ep.begun))
}

// forever is a patience without end.
const forever time.Duration = -1

// sooner is the shorter of two patiences.
func sooner(a, b time.Duration) time.Duration {
	if a == forever || b != forever && b < a {
		return b
	}
	return a
}

// book adds what a worker counted in a job to the totals.
func (e *Engine) book(ep *epoch, j *job) {
	c := &j.counts
	e.stats.Undeclared += c.undeclared
	e.stats.Undecodable += c.undecodable
	for _, nils := range c.nilKeys {
		e.stats.Rules[nils.rule].NilKeys += nils.n
	}
	for i := range c.faults {
		e.stats.Rules[c.faults[i].Rule].blame(c.faults[i].Fault)
	}
	ep.dead = append(ep.dead, j.dead...)
}

// feed takes the next record of a job, which must have one: its event is dropped with
// its reason counted, or moves the partition's watermark and waits for its time.
func (e *Engine) feed(ep *epoch, p *partition, j *job) error {
	i := j.next
	r, at := &j.batch.Records[i], j.eventOf(i)
	j.next++
	ep.takes(1, int(r.End-r.Start), e.o.Now)
	e.stats.Records++
	p.next = j.after
	if j.next < len(j.batch.Records) {
		p.next = j.batch.Records[j.next].Offset
	}
	if at < 0 {
		return nil
	}
	j.taken++
	ev := &j.events[at]
	if p.whole && ev.Time >= p.until {
		return nil
	}
	if e.isCopy(p, ev) || e.dropAhead(ep, p, ev, r, j) {
		return nil
	}
	when, late := p.see(ev.Time)
	if late && e.dropLate(ep, p, ev, r) {
		return nil
	}
	ev.At = max(when, e.merge.reached)
	if ev.At > when {
		e.stats.Raised++
	}
	e.remember(p, ev)
	if p.waiting.len() >= e.o.Waiting {
		return &WaitingError{Partition: p.Partition, Limit: e.o.Waiting, Lateness: time.Duration(p.lateness), Types: e.laziest(p.lateness)}
	}
	p.arrived++
	p.unsaved.comes(ev)
	p.waiting.push(waits{ev: ev, job: j, event: at, order: p.arrived})
	j.held++
	return nil
}

// WaitingError says that more events of a partition wait for their time than may.
type WaitingError struct {
	Partition event.Partition
	Limit     int
	Lateness  time.Duration // of the partition: the greatest of its types
	Types     []string      // those of that lateness
}

// Error names what to change.
func (e *WaitingError) Error() string {
	return fmt.Sprintf("more than %d events of %s wait for their time: with a lateness of %s (event %s) it holds more than the limit of waiting events; declare a shorter lateness, or raise the limit",
		e.Limit, e.Partition.AppendName(nil), e.Lateness, strings.Join(e.Types, ", "))
}

// laziest names the types of a lateness.
func (e *Engine) laziest(lateness int64) (names []string) {
	for _, t := range e.o.Set.Types {
		if t.Schema.Lateness == lateness {
			names = append(names, t.Schema.Name)
		}
	}
	return names
}

// dropAhead gives an event that is too far ahead to the dead letters: of its record's
// time stamp, or, where the log keeps none, of the time that its partition has reached;
// of a partition's first event without a time stamp nothing can be said.
func (e *Engine) dropAhead(ep *epoch, p *partition, ev *event.Event, r *event.RecordRef, j *job) bool {
	span := e.o.Set.Types[ev.Type].Schema.Ahead
	if span == 0 {
		return false
	}
	from, what := e.merge.clock(p), "the watermark"
	if j.batch.Stamped {
		from, what = r.Time, "its record's time"
	} else if from == math.MinInt64 {
		return false
	}
	if ev.Time <= laterThan(from, span) {
		return false
	}
	e.stats.Ahead++
	e.bury(ep, p, ev, r, fmt.Sprintf("ahead: its time is %s, more than %s after %s, %s",
		event.AppendTime(nil, ev.Time), time.Duration(span), what, event.AppendTime(nil, from)))
	return true
}

// dropLate counts a late event and, where its type says so, gives it to the dead
// letters.
func (e *Engine) dropLate(ep *epoch, p *partition, ev *event.Event, r *event.RecordRef) bool {
	e.stats.Late++
	if e.o.Set.Types[ev.Type].Schema.Late == event.LateProcess {
		return false
	}
	e.stats.LateDropped++
	e.bury(ep, p, ev, r, fmt.Sprintf("late: its time is %s, the watermark %s", event.AppendTime(nil, ev.Time), event.AppendTime(nil, p.at)))
	return true
}

// bury gives an event's record to the dead letters.
func (e *Engine) bury(ep *epoch, p *partition, ev *event.Event, r *event.RecordRef, reason string) {
	ep.dead = append(ep.dead, Dead{
		Partition: p.Partition, Offset: ev.Offset, Time: r.Time, Record: bytes.Clone(ev.JSON()), Reason: reason,
	})
}

// admit puts an event whose time has come into the epoch and its work to the shards.
func (e *Engine) admit(ep *epoch, w waits) {
	e.stats.Events++
	ep.jobs = append(ep.jobs, w.job)
	items := w.job.items(w.event)
	if len(items) == 0 {
		return
	}
	w.ev.Side = sideOf(e.o.Set, w.ev.Type)
	ordinal := int32(len(ep.inputs))
	ep.inputs = append(ep.inputs, w.ev)
	for i := range items {
		it := &items[i]
		sh := e.shards[shardOf(it.Hash, len(e.shards))]
		at := sh.strata[it.Rule]
		sh.work[at] = append(sh.work[at], work{ev: w.ev, ordinal: ordinal, item: it, keys: w.job.found.Keys})
	}
}

// leave ends the taking of a job; at the end of the input the partition ends, at an error
// the run.
func (e *Engine) leave(p *partition, j *job) {
	r := e.readers[p.source]
	r.at = nil
	if j.broken != nil { // the position stays before it, and so does its fingerprint
		e.failed = j.broken
		return
	}
	p.mark, p.atEnd = j.mark, j.err == nil && j.batch.AtEnd
	if e.fed != nil {
		p.next = max(p.next, j.after) // also where there was nothing
	}
	switch {
	case j.err == nil:
	case errors.Is(j.err, io.EOF):
		p.ended = true
	default:
		e.failed = j.err
	}
	r.out++
	if j.held == 0 {
		r.recycle(j)
	}
}

// let lets go of the jobs whose events have all been through a round, and ends it.
func (e *Engine) let(ep *epoch) {
	for _, j := range ep.jobs {
		j.held--
		if r := e.readers[j.source]; j.held == 0 && r.at != j {
			r.recycle(j)
		}
	}
	clear(ep.jobs)
	clear(ep.inputs)
	clear(ep.stretch)
	ep.jobs, ep.inputs, ep.stretch, ep.events = ep.jobs[:0], ep.inputs[:0], ep.stretch[:0], 0
	ep.records, ep.bytes, ep.began, ep.beyond = 0, 0, ep.worked, false
	ep.rounds++
}

// end makes the epoch a new one.
func (ep *epoch) end() {
	clear(ep.dead)
	ep.rounds, ep.taken, ep.size, ep.dead, ep.stepped, ep.due = 0, 0, 0, ep.dead[:0], false, false
}
