package engine

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
)

// EndOfPartition is the offset, in an [IdleStep], of a partition that has ended.
const EndOfPartition = math.MaxInt64

// IdleStep is what the wall clock did to time at one place of the input: a partition
// fell idle or came back, or time grew while all were idle. What a run's rules said
// follows from its records and these steps; see [Options.Steps].
type IdleStep struct {
	At   []event.Position  // where each partition stood, in order of their names; perhaps EndOfPartition
	Idle []event.Partition // left out of the least from there on
	Time int64             // the merged time from there on, at least
}

// maxSteps is how many steps the store keeps; the oldest go first. Growing again and
// again at one place is one step.
const maxSteps = 1 << 16

// growEvery is the least time between two steps in which time grows: each is an epoch.
const growEvery = 100 * time.Millisecond

// longestWait bounds one wait for something far in the future, to be safe from overflow.
const longestWait = time.Hour

// quiet is what the engine knows of silence.
type quiet struct {
	resting bool          // every partition is idle or has ended, and since then:
	since   time.Duration // when that was, by clock.elapsed
	base    int64         // the merged time then
	grown   time.Duration // when time last grew
	given   []IdleStep    // still to be taken, instead of what the wall clock says; nil: it says

	noted       *IdleStep // of the epoch at hand, to be saved
	last        IdleStep  // the last one saved
	first, next uint64    // numbers of those in the store: [first, next)
}

// untilIdle is how long nothing more must come from a partition for it to be idle. Only
// what stands at the end of its log can be.
func (e *Engine) untilIdle(p *partition) time.Duration {
	if !p.atEnd || e.quiet.given != nil {
		return forever
	}
	return max(0, p.idleWait-e.readers[p.source].silent())
}

// fallIdle leaves a partition out of the least, at the start of an epoch.
func (e *Engine) fallIdle(ep *epoch, p *partition) {
	p.idle = true
	e.merge.tell(math.MinInt64)
	e.noteStep(ep)
}

// returned is an idle partition that has brought something; nil where none has.
func (e *Engine) returned() *partition {
	for _, p := range e.merge.parts {
		if p.idle && e.readers[p.source].hasRead() {
			return p
		}
	}
	return nil
}

// wake takes a partition into the least again, at the start of an epoch. Time has grown
// until now.
func (e *Engine) wake(ep *epoch, p *partition) {
	e.merge.tell(e.quiet.time(e.clock.elapsed()))
	e.quiet.resting = false
	p.idle = false
	e.noteStep(ep)
}

// time is what the merged time has grown to while all partitions rest; before the first
// event there is no time that could grow.
func (q *quiet) time(now time.Duration) int64 {
	if !q.resting || q.base == math.MinInt64 {
		return math.MinInt64
	}
	return laterThan(q.base, int64(now-q.since))
}

// rest waits, while every partition is idle or has ended, until one comes back, or until
// time has grown to where something is due, and then lets time grow.
func (e *Engine) rest(ctx context.Context, ep *epoch) (verdict, error) {
	if !ep.fresh() {
		return closeEpoch, nil
	}
	now, q := e.clock.elapsed(), &e.quiet
	if !q.resting {
		q.resting, q.since, q.base, q.grown = true, now, e.merge.watermark(), now-growEvery
	}
	if wait := e.untilDue(now); wait != 0 {
		patience := e.patience(ep)
		if patience == 0 {
			return closeEpoch, nil
		}
		return again, e.clock.await(ctx, sooner(wait, patience))
	}
	q.grown = now
	e.merge.tell(q.time(now))
	e.noteStep(ep)
	return again, nil
}

// untilDue is how long it takes until time has grown to the next timer, or to the next
// event that waits.
func (e *Engine) untilDue(now time.Duration) time.Duration {
	due, q := e.nextDue(), &e.quiet
	if due > endOfTime || q.base == math.MinInt64 {
		return forever
	}
	wait := q.grown + growEvery - now
	if due > q.base {
		left := uint64(due) - uint64(q.base) // may be beyond an int64
		if gone := uint64(now - q.since); left > gone {
			wait = max(wait, time.Duration(min(left-gone, uint64(longestWait))))
		}
	}
	return max(0, wait)
}

// nextDue is the earliest time at which something happens without a further event: of keys
// that are in memory, of those that are in the store alone, and of events that wait.
func (e *Engine) nextDue() int64 {
	due := int64(math.MaxInt64)
	if e.store.Durable() {
		due = e.diary.next[exact]
	}
	for _, sh := range e.shards {
		due = min(due, sh.nextTimer())
	}
	for _, p := range e.merge.parts {
		if p.waiting.len() > 0 {
			due = min(due, p.waiting.first().ev.At)
		}
	}
	return due
}

// follow is turn where the steps are given: partitions are read up to the places of the
// next step, then it is taken. After the last, all that is left is read.
func (e *Engine) follow(ep *epoch) (*partition, verdict) {
	if len(e.quiet.given) == 0 {
		p := e.merge.slowest(nil)
		if p != nil {
			return p, feed
		}
		e.merge.tell(math.MinInt64)
		for _, p := range e.merge.parts {
			p.idle = false
		}
		return nil, again
	}
	s := &e.quiet.given[0]
	if p := e.merge.slowest(func(p *partition) bool { return !e.standsAt(p, s) }); p != nil {
		return p, feed
	}
	if !ep.fresh() {
		return nil, closeEpoch
	}
	for _, p := range e.merge.parts {
		p.idle = slices.Contains(s.Idle, p.Partition)
	}
	e.merge.tell(s.Time)
	e.noteStep(ep)
	e.quiet.given = e.quiet.given[1:]
	return nil, again
}

// standsAt reports whether a partition has been read up to where it was at a step. One
// that the step does not know is not read before it.
func (e *Engine) standsAt(p *partition, s *IdleStep) bool {
	i := slices.IndexFunc(s.At, func(at event.Position) bool { return at.Partition == p.Partition })
	if p.ended || i < 0 || p.next >= s.At[i].Offset {
		return true
	}
	j := e.readers[p.source].at
	return j != nil && j.next < j.size() && j.batch.Records[j.next].Offset >= s.At[i].Offset
}

// noteStep keeps the step that was just taken for the epoch, of which it is the start.
func (e *Engine) noteStep(ep *epoch) {
	ep.stepped = true
	e.stats.IdleSteps++
	e.showStep()
	if !e.store.Durable() {
		return
	}
	s := &IdleStep{Time: e.merge.reached}
	for _, p := range e.merge.parts {
		at := event.Position{Partition: p.Partition, Offset: p.next}
		if p.ended {
			at.Offset = EndOfPartition
		} else if p.idle {
			s.Idle = append(s.Idle, p.Partition)
		}
		s.At = append(s.At, at)
	}
	e.quiet.noted = s
}

// saveStep puts the epoch's step into the batch.
//
//	TableIdle  number of the step → see appendStep
func (e *Engine) saveStep() {
	q := &e.quiet
	if q.noted == nil {
		return
	}
	n := q.next
	if q.next > q.first && slices.Equal(q.last.At, q.noted.At) && slices.Equal(q.last.Idle, q.noted.Idle) {
		n-- // time has only grown on
	}
	q.last, q.noted, q.next = *q.noted, nil, n+1
	e.commits.batch().Put(state.TableIdle, binary.BigEndian.AppendUint64(nil, n), appendStep(nil, &q.last))
	for ; q.next-q.first > maxSteps; q.first++ {
		e.commits.batch().Delete(state.TableIdle, binary.BigEndian.AppendUint64(nil, q.first))
	}
}

// appendStep encodes a step: its time, then each partition's name, place and whether it
// is idle.
func appendStep(b []byte, s *IdleStep) []byte {
	b = binary.AppendVarint(b, s.Time)
	for _, at := range s.At {
		for _, name := range []string{at.Partition.Source, at.Partition.Topic} {
			b = binary.AppendUvarint(b, uint64(len(name)))
			b = append(b, name...)
		}
		b = binary.AppendVarint(b, int64(at.Partition.Number))
		b = binary.AppendVarint(b, at.Offset)
		idle := byte(0)
		if slices.Contains(s.Idle, at.Partition) {
			idle = 1
		}
		b = append(b, idle)
	}
	return b
}

// decodeStep is the inverse of appendStep.
func decodeStep(b []byte) (IdleStep, error) {
	r := stepReader{b: b}
	s := IdleStep{Time: r.varint()}
	for len(r.b) > 0 && !r.bad {
		p := event.Partition{Source: r.text(), Topic: r.text(), Number: int32(r.varint())}
		s.At = append(s.At, event.Position{Partition: p, Offset: r.varint()})
		if r.flag() {
			s.Idle = append(s.Idle, p)
		}
	}
	if r.bad {
		return IdleStep{}, fmt.Errorf("%w: idle step", errState)
	}
	return s, nil
}

// stepReader takes the parts of an encoded step; bad, once set, stays.
type stepReader struct {
	b   []byte
	bad bool
}

func (r *stepReader) varint() int64 {
	n, used := binary.Varint(r.b)
	if used <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[used:]
	return n
}

func (r *stepReader) uvarint() uint64 {
	n, used := binary.Uvarint(r.b)
	if used <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[used:]
	return n
}

// span reads a time that was written as its distance from another one.
func (r *stepReader) span(base int64) int64 {
	t, used := event.ReadSpan(r.b, base)
	if used <= 0 {
		r.b, r.bad = nil, true
		return 0
	}
	r.b = r.b[used:]
	return t
}

func (r *stepReader) text() string { return string(r.bytes(r.uvarint())) }

// bytes takes n bytes, which are part of what is read.
func (r *stepReader) bytes(n uint64) []byte {
	if n > uint64(len(r.b)) {
		r.b, r.bad = nil, true
		return nil
	}
	taken := r.b[:n:n]
	r.b = r.b[n:]
	return taken
}

func (r *stepReader) flag() bool {
	if len(r.b) == 0 || r.b[0] > 1 {
		r.b, r.bad = nil, true
		return false
	}
	flag := r.b[0] == 1
	r.b = r.b[1:]
	return flag
}

// IdleSteps returns the idle steps that a store has of its runs, in order; at most the
// last 65,536.
func IdleSteps(ctx context.Context, s Store) ([]IdleStep, error) {
	var steps []IdleStep
	err := s.Scan(ctx, state.TableIdle, nil, nil, func(_, value []byte) error {
		step, err := decodeStep(value)
		steps = append(steps, step)
		return err
	})
	return steps, err
}

// restoreSteps takes back where the numbers of steps go on. Given steps go on after
// those that the store has; without them, what was idle must fall silent anew.
func (e *Engine) restoreSteps(ctx context.Context) error {
	q := &e.quiet
	err := e.store.Scan(ctx, state.TableIdle, nil, nil, func(key, value []byte) (err error) {
		if len(key) != 8 {
			return fmt.Errorf("%w: number of an idle step", errState)
		}
		n := binary.BigEndian.Uint64(key)
		if q.next == 0 {
			q.first = n
		}
		q.next = n + 1
		q.last, err = decodeStep(value)
		return err
	})
	if err != nil || len(q.last.Idle) == 0 && q.given == nil {
		return err
	}
	if q.given == nil {
		e.noteStep(&e.epoch)
		return nil
	}
	q.given = q.given[min(q.next, uint64(len(q.given))):]
	for _, p := range e.merge.parts {
		p.idle = slices.Contains(q.last.Idle, p.Partition)
	}
	return nil
}
