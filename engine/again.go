package engine

import (
	"bytes"
	"context"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
)

// again makes the job's events, and what they matter to, those of the current generation.
// Nobody else has the job, of which nothing has been taken.
func (w *worker) again(j *job) {
	w.turn()
	if j.by == w.by || j.broken != nil {
		return
	}
	if through := decodesThrough(j.by, w.by); !through && j.batch.Decoded == nil {
		j.forgetEvents()
		w.work(j)
		return
	} else if !through {
		j.counts.undeclared += uint64(j.without(w.renew(j)))
	}
	j.counts.nilKeys, j.counts.faults = j.counts.nilKeys[:0], j.counts.faults[:0]
	w.routeAgain(j)
	w.count(j)
}

// without takes events out of a job of which nothing has been taken, and returns how many.
func (j *job) without(gone map[int32]error) int {
	if len(gone) == 0 {
		return 0
	}
	j.at = make([]int32, len(j.events))
	kept := j.events[:0]
	for i := range j.events {
		j.at[i] = -1
		if gone[int32(i)] == nil {
			j.at[i] = int32(len(kept))
			kept = append(kept, j.events[i])
		}
	}
	j.events = kept
	return len(gone)
}

// decodesThrough reports whether what is decoded by one generation is as by the other.
func decodesThrough(a, b *generation) bool {
	if len(a.set.Types) != len(b.set.Types) {
		return false
	}
	for n, m := range moves(a.set, b.set) {
		if m.again || m.to != int32(n) {
			return false
		}
	}
	return true
}

// forgetEvents makes a job that was only read of one that was decoded.
func (j *job) forgetEvents() {
	j.arena.Reset()
	clear(j.dead)
	j.at, j.dead, j.events, j.common = j.at[:0], j.dead[:0], nil, event.Common{}
	j.counts = counts{nilKeys: j.counts.nilKeys[:0], faults: j.counts.faults[:0]}
}

// routeAgain routes a job by the worker's generation.
func (w *worker) routeAgain(j *job) {
	w.routed.begin(j)
	defer w.routed.end()
	j.by = w.by
	j.routeAgain(w.router, w.direct)
}

// againTaken is again for a job of which some has been taken: what is still to come is
// decoded anew, what waits for its time is made anew, and all of it is routed. It returns
// which events are none any more.
func (w *worker) againTaken(j *job) (gone map[int32]error) {
	w.turn()
	if j.by == w.by || j.broken != nil {
		return nil
	}
	if !decodesThrough(j.by, w.by) {
		gone = w.renew(j)
	}
	w.routeAgain(j)
	w.router.Counted()
	return gone
}

// renew makes the events of a job those of the worker's generation: events that have been
// taken, and those that the source has decoded, one by one; the others come from the batch.
func (w *worker) renew(j *job) (gone map[int32]error) {
	n := j.taken
	if len(j.batch.Records) == 0 || j.batch.Decoded != nil {
		n = len(j.events)
	}
	var fresh event.Arena
	codec, all := newEventCodec(w.set, nil), moves(j.by.set, w.set)
	for i := range j.events[:n] {
		ev := j.events[i]
		if err := codec.again(&ev, j.by.set, all[ev.Type]); err != nil {
			if gone == nil {
				gone = map[int32]error{}
			}
			gone[int32(i)] = err
		}
		ev.Text, ev.Slots = bytes.Clone(ev.Text), slices.Clone(ev.Slots)
		fresh.Events = append(fresh.Events, ev)
	}
	if n == j.taken {
		w.decodeRest(j, &fresh)
	}
	j.arena, j.events = fresh, fresh.Events
	j.common = event.Common{} // they stand here and there
	return gone
}

// decodeRest decodes the records of a job that have not been taken.
func (w *worker) decodeRest(j *job, into *event.Arena) {
	at := make([]int32, len(j.batch.Records))
	for i := range j.next {
		at[i] = j.eventOf(i)
	}
	for i := j.next; i < len(at); i++ {
		at[i] = -1
		if outcome, _ := w.decoders[j.source].Decode(&j.batch, i, into); outcome == event.Decoded {
			at[i] = int32(len(into.Events) - 1)
			into.Events[at[i]].Part = w.bases[j.source]
		}
	}
	j.at = at
}

// giveBack has workers do again what has been read and waits for its turn, beside the run.
// What a worker still has is looked at when its turn comes.
func (e *Engine) giveBack(r *reader) {
	for range len(r.queue) {
		r.stale = append(r.stale, <-r.queue)
	}
	var list []*job
	for _, j := range r.stale {
		select {
		case <-j.done:
			j.done = make(chan struct{})
			list = append(list, j)
		default:
		}
	}
	if len(list) > 0 {
		e.redo(list)
	}
}

// handOn hands jobs to workers.
func handOn(ctx context.Context, list []*job, jobs chan<- *job) error {
	for _, j := range list {
		select {
		case jobs <- j:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// renewJobs has the jobs that epochs are taken from, and those of which events wait for
// their time, done again.
func (e *Engine) renewJobs() {
	if e.own == nil {
		return // the run has not begun: there are none but of restored events
	}
	gone := map[*job]map[int32]error{}
	renew := func(j *job) {
		if _, done := gone[j]; !done {
			gone[j] = e.own.againTaken(j)
		}
	}
	for _, r := range e.readers {
		// Of a job that is taken to its end there is nothing to route but events that wait.
		if e.giveBack(r); r.at != nil && r.at.next < r.at.size() {
			renew(r.at)
		}
	}
	for _, p := range e.merge.parts {
		p.waiting.each(func(w *waits) { renew(w.job) })
		e.renewWaiting(p, gone)
	}
}

// renewWaiting finds the events that wait where they are by now. What is no event any more
// goes to the dead letters.
func (e *Engine) renewWaiting(p *partition, gone map[*job]map[int32]error) {
	lost := false
	p.waiting.each(func(w *waits) {
		w.ev = &w.job.events[w.event]
		p.unsaved.is(w.order, w.ev)
		lost = lost || gone[w.job][w.event] != nil
	})
	if !lost {
		return
	}
	was := p.waiting
	p.waiting = waiting{}
	var all []waits
	was.each(func(w *waits) { all = append(all, *w) })
	slices.SortFunc(all, func(a, b waits) int { return int(a.order) - int(b.order) })
	for _, w := range all {
		err := gone[w.job][w.event]
		if err == nil {
			p.waiting.push(w)
			continue
		}
		p.unsaved.goes(w.order)
		e.epoch.jobs = append(e.epoch.jobs, w.job) // lets go of it after the round
		e.epoch.dead = append(e.epoch.dead, Dead{
			Partition: p.Partition, Offset: w.ev.Offset, Time: w.ev.Time, Record: bytes.Clone(w.ev.JSON()),
			Reason: fmt.Sprintf("it waited for its time, and is none of the new rule set's events: %v", err),
		})
	}
}

// is says where the event of an order is by now.
func (u *unsaved) is(order uint64, ev *event.Event) {
	if u.noted && order > u.upTo {
		u.came[order-u.upTo-1] = ev
	}
}

// each visits all events that wait.
func (q *waiting) each(visit func(*waits)) {
	for i := q.head; i < len(q.queue); i++ {
		visit(&q.queue[i])
	}
	for i := range q.heap {
		visit(&q.heap[i])
	}
}
