package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cepheus-cep/cepheus/event"
)

// endOfTime is the last moment there is: a watermark there closes everything.
const endOfTime = math.MaxInt64 - 1

// epoch is the unit of work and of commit: inputs in order, then the time up to which
// nothing more will come.
type epoch struct {
	rules   []compiled
	inputs  []*event.Event // that matter to some rule, in order
	jobs    []*job         // whose events are in it, to be let go of after it
	records int            // taken, whatever became of them
	bytes   int
	until   int64
	known   int64 // the watermark that the inputs gave; beyond it only the end of the input decides
	begun   time.Time
	dead    []Dead
}

func (ep *epoch) empty() bool { return ep.records == 0 }

// fill takes records into the epoch until it is full, or nothing more is there for now,
// or everything has ended; more is false in the last case.
func (e *Engine) fill(ctx context.Context, ep *epoch) (more bool, err error) {
	for ep.records < e.o.EpochEvents && ep.bytes < e.o.EpochBytes {
		if w, ok := e.merge.take(); ok {
			e.admit(ep, w)
			continue
		}
		p := e.merge.slowest()
		if p == nil || e.failed != nil {
			return false, nil
		}
		j, err := e.current(ctx, p, ep)
		if err != nil || j == nil {
			return true, err
		}
		if !e.feed(ep, p, j) {
			e.leave(p, j)
		}
	}
	return true, nil
}

// current is the job that a partition is being read from; it waits for the next one
// where need be. nil: the epoch should be closed rather than wait.
func (e *Engine) current(ctx context.Context, p *partition, ep *epoch) (*job, error) {
	r := e.readers[p.source]
	if r.at != nil {
		return r.at, nil
	}
	if r.out == r.total {
		if !ep.empty() {
			return nil, nil // the epoch holds jobs that reading needs
		}
		r.grow()
	}
	j, err := r.wait(ctx, e.patience(ep))
	if err != nil || j == nil {
		return nil, err
	}
	select {
	case <-j.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	r.at = j
	e.book(ep, j)
	return j, nil
}

// patience is how long an open epoch may wait for more: for ever while it is empty; not
// at all where commits cost nothing; else to the end of the commit interval.
func (e *Engine) patience(ep *epoch) time.Duration {
	switch {
	case ep.empty():
		return -1
	case !e.store.Durable():
		return 0
	}
	return max(0, e.o.CommitEvery-e.o.Now().Sub(ep.begun))
}

// book adds what a worker counted in a job to the totals.
func (e *Engine) book(ep *epoch, j *job) {
	c := &j.counts
	e.stats.Undeclared += c.undeclared
	e.stats.Undecodable += c.undecodable
	for rule, n := range c.nilKeys {
		e.stats.Rules[rule].NilKeys += n
		e.stats.Rules[rule].blame(c.faults[rule])
	}
	ep.dead = append(ep.dead, j.dead...)
}

// feed takes the job's next record: its event waits for its time, or is dropped late.
// It returns false at the job's end.
func (e *Engine) feed(ep *epoch, p *partition, j *job) bool {
	if j.next == len(j.records) {
		return false
	}
	if ep.empty() {
		ep.begun = e.o.Now()
	}
	i := j.next
	r, out := &j.batch.Records[i], &j.records[i]
	j.next++
	ep.records++
	ep.bytes += int(r.End - r.Start)
	e.stats.Records++
	p.next = j.after
	if j.next < len(j.records) {
		p.next = j.batch.Records[j.next].Offset
	}
	if out.event < 0 {
		return true
	}
	ev := &j.arena.Events[out.event]
	at, late := p.see(ev.Time)
	ev.At = at
	if late && e.dropLate(ep, p, ev, r, j) {
		return true
	}
	p.arrived++
	p.waiting.push(waits{ev: ev, job: j, record: int32(i), order: p.arrived})
	j.held++
	return true
}

// dropLate counts a late event and, where its type says so, gives it to the dead
// letters.
func (e *Engine) dropLate(ep *epoch, p *partition, ev *event.Event, r *event.RecordRef, j *job) bool {
	e.stats.Late++
	if e.o.Set.Types[ev.Type].Schema.Late == event.LateProcess {
		return false
	}
	e.stats.LateDropped++
	ep.dead = append(ep.dead, Dead{
		Partition: p.Partition, Offset: ev.Offset, Time: r.Time, Record: append([]byte(nil), ev.JSON()...),
		Reason: fmt.Sprintf("late: its time is %s, the watermark %s", event.AppendTime(nil, ev.Time), event.AppendTime(nil, p.at)),
	})
	return true
}

// admit puts an event whose time has come into the epoch and its work to the shards.
func (e *Engine) admit(ep *epoch, w waits) {
	e.stats.Events++
	out := &w.job.records[w.record]
	ep.jobs = append(ep.jobs, w.job)
	if out.from == out.to {
		return
	}
	input := int32(len(ep.inputs))
	ep.inputs = append(ep.inputs, w.ev)
	for i := out.from; i < out.to; i++ {
		it := &w.job.items[i]
		sh := e.shards[shardOf(it.Hash, len(e.shards))]
		sh.work = append(sh.work, work{input: input, item: it, keys: w.job.keys})
	}
}

// leave ends the taking of a job; at the end of the input the partition ends.
func (e *Engine) leave(p *partition, j *job) {
	r := e.readers[p.source]
	r.at = nil
	p.mark = j.mark
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

// let lets go of the jobs whose events have all been through an epoch, and empties the
// epoch.
func (e *Engine) let(ep *epoch) {
	for _, j := range ep.jobs {
		j.held--
		if r := e.readers[j.source]; j.held == 0 && r.at != j {
			r.recycle(j)
		}
	}
	clear(ep.jobs)
	clear(ep.inputs)
	clear(ep.dead)
	ep.jobs, ep.inputs, ep.dead = ep.jobs[:0], ep.inputs[:0], ep.dead[:0]
	ep.records, ep.bytes = 0, 0
}

// process runs the shards over the epoch up to the barrier and returns their effects in
// order.
func (e *Engine) process(ep *epoch) ([]effect, error) {
	if len(e.shards) == 1 {
		if err := e.shards[0].run(ep); err != nil {
			return nil, err
		}
	} else {
		var all errgroup.Group
		for _, sh := range e.shards {
			all.Go(func() error { return sh.run(ep) })
		}
		if err := all.Wait(); err != nil {
			return nil, err
		}
	}
	e.effects = e.effects[:0]
	for _, sh := range e.shards {
		e.effects = append(e.effects, sh.made...)
		clear(sh.made)
		sh.made = sh.made[:0]
	}
	inOrder(e.effects)
	return e.effects, nil
}
