package engine

import (
	"sort"

	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/event"
)

// The direct lane is the way of events that need not wait for anything: they come from one
// partition, none may be late and none is dropped for what it says, and all rules are of
// one stratum. Then their order is that of arrival, and a batch goes to the shards in
// stretches, without a look at each event where its times never decrease: what an event
// that matters to no rule costs is what its tests cost. What an event counts at, and so
// every alert, is the same as in the other lane.

// stretch is events of one job, next to each other: all that the direct lane hands on.
type stretch struct {
	job      *job
	from, to int32 // events of the job
	ordinal  int32 // of the first
}

// isDirect reports whether the engine's events can go the direct lane.
func (e *Engine) isDirect() bool {
	if e.strata > 1 || len(e.merge.parts) != 1 || e.quiet.given != nil || e.merge.parts[0].waiting.len() > 0 {
		return false
	}
	for _, t := range e.o.Set.Types {
		if s := &t.Schema; s.Lateness != 0 || s.Dedup != 0 || s.Ahead != 0 || s.Late != event.LateProcess {
			return false
		}
	}
	return true
}

// feedStretch takes as many of a job's records as the epoch has room for.
func (e *Engine) feedStretch(ep *epoch, p *partition, j *job) {
	records := j.batch.Records
	first, n := j.next, e.within(j, min(len(records)-j.next, e.room(ep)))
	if n == 0 {
		ep.beyond = true
		return
	}
	j.next += n
	ep.takes(n, int(records[j.next-1].End-records[first].Start), e.o.Now)
	e.stats.Records += uint64(n)
	p.next = j.after
	if j.next < len(records) {
		p.next = records[j.next].Offset
	}
	from := int32(j.taken)
	j.taken += j.eventsIn(first, j.next)
	if to := int32(j.taken); to > from {
		e.pass(p, j, from, to)
		ep.stretch = append(ep.stretch, stretch{job: j, from: from, to: to, ordinal: ep.events})
		ep.events += to - from
		ep.jobs = append(ep.jobs, j)
		j.held++
		e.stats.Events += uint64(to - from)
	}
}

// eventsIn counts the events among records.
func (j *job) eventsIn(from, to int) (n int) {
	if len(j.at) == 0 {
		return to - from
	}
	for _, at := range j.at[from:to] {
		if at >= 0 {
			n++
		}
	}
	return n
}

// pass moves time on by the events of a stretch, and sets the times that late ones count at.
func (e *Engine) pass(p *partition, j *job, from, to int32) {
	p.arrived += uint64(to - from)
	if first, last := &j.events[from], &j.events[to-1]; j.common.InOrder && first.Time >= e.merge.clock(p) {
		p.see(last.Time)
		e.merge.reached = last.Time
		return
	}
	for i := from; i < to; i++ {
		ev := &j.events[i]
		when, late := p.see(ev.Time)
		if late {
			e.stats.Late++
		}
		ev.At = max(when, e.merge.reached)
		if ev.At > when {
			e.stats.Raised++
		}
		e.merge.reached = ev.At
	}
}

// runStretch takes the shard's items of a stretch, those of one rule that follow each other
// at once.
func (sh *shard) runStretch(s *stretch) {
	items := s.job.found.Lists[sh.number][s.job.cursors[sh.number]:]
	n := len(items)
	if n > 0 && items[n-1].Event >= s.to {
		n = sort.Search(n, func(i int) bool { return items[i].Event >= s.to })
	}
	s.job.cursors[sh.number] += n
	sh.turned = -1
	for items = items[:n]; len(items) > 0; items = items[n:] {
		rule := items[0].Rule
		for n = 1; n < len(items) && items[n].Rule == rule; n++ {
		}
		sh.now = cause{event: true, rule: rule}
		from := sh.stopwatch() // timers that fire meanwhile are the rule's as well
		sh.unit(rule).stretch(sh, s, items[:n])
		sh.spend(rule, from)
	}
}

// turnIn makes the event of an item of a stretch the one at hand, as turnTo does. Between
// the items of one rule only the ordinal of what they cause is another.
func (sh *shard) turnIn(it *index.Item, at int64) {
	sh.turned = it.Event
	if sh.x.Turn(); sh.timers[0].next() <= at {
		sh.catchUp(it.Rule, at)
	}
}

// catchUp does what was to happen before an event of a rule.
func (sh *shard) catchUp(rule int32, at int64) {
	now := sh.now
	sh.account(rule)
	sh.advance(0, at)
	sh.x.Begin()
	sh.now = now
}

// reachedIn is the ordinal of the first event of the stretches at which the time of a
// deadline has come; their number where none has.
func (ep *epoch) reachedIn(deadline int64) int32 {
	n := sort.Search(len(ep.stretch), func(i int) bool {
		s := &ep.stretch[i]
		return s.job.events[s.to-1].At >= deadline
	})
	if n == len(ep.stretch) {
		return ep.events
	}
	s := &ep.stretch[n]
	events := s.job.events[s.from:s.to]
	return s.ordinal + int32(sort.Search(len(events), func(i int) bool { return events[i].At >= deadline }))
}
