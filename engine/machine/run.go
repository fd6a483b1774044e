package machine

import (
	"bytes"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// PatternKey is what one key remembers of a pattern: that of a line has no more than line
// and seq, and is small.
type PatternKey struct {
	line     lineKey
	seq      uint64 // events seen so far
	*general        // of other patterns; nil: none of it
}

// general is what a key of the general machine remembers: its open runs in order of start,
// the lists of events that repeated stages share, and the last events of negations
// that stand at the start.
type general struct {
	waits bool
	runs  []run
	lists []list
	spare []int32  // free places in lists
	leads []int64  // counting times; math.MinInt64: none. Empty until one occurred
	due   int64    // no deadline of a run is before, where waits
	pool  *poolKey // instead of runs, where the pattern has a pool; nil: empty
}

// run is one place of a partial match: most runs have one place; where branches let an
// event be taken in several ways, a run has several, which began with the same event
// and stand next to each other.
type run struct {
	start, last       int64  // counting times of the first and last event taken
	ownStart, ownLast int64  // their own times
	began, took       uint64 // numbers (seq) of the first and last event taken
	id                ID
	hit               uint64 // negations that have occurred since the last event taken
	total             int64  // events taken
	stage, turns      int32
	stale             bool // an event of the named types came since and was not taken
	spent             bool // match all: the deadline it rests on has made its match
	gone              bool
	config            config          // within the stage, if it is a group
	binds             []bind          // by leaf, as far as it got
	accs              []windows.State // by Pattern.accs; nil where the rule has none
}

// bind is what a run took by one leaf: one event, or a stretch of a shared list.
type bind struct {
	ref  keep.Ref // a leaf that is not repeated
	list int32    // a repeated one; -1: none
	n    int64
	from int64 // number of its first event in the list
}

// Empty reports whether the key remembers nothing.
func (p *Pattern) Empty(k *PatternKey) bool {
	if p.line != nil {
		return k.line.open == 0
	}
	return k.general == nil || len(k.runs) == 0 && len(k.leads) == 0 && k.pool == nil
}

// Runs is the number of open runs.
func (k *PatternKey) Runs() int {
	if k.general == nil {
		return int(k.line.open)
	}
	return len(k.runs)
}

// begin gives the key a memory of the general machine, if it has none.
func (k *PatternKey) begin(x *Context) {
	if k.general != nil {
		return
	}
	if last := len(x.spareKeys) - 1; last >= 0 {
		k.general, x.spareKeys = x.spareKeys[last], x.spareKeys[:last]
		return
	}
	k.general = &general{}
}

// end gives the memory of a key that remembers nothing back.
func (p *Pattern) end(x *Context, k *PatternKey) {
	if k.general != nil && p.Empty(k) {
		*k.general = general{}
		if len(x.spareKeys) < mostSpareKeys {
			x.spareKeys = append(x.spareKeys, k.general)
		}
		k.general = nil
	}
}

// mostSpareKeys is how many memories of keys are kept to be used again.
const mostSpareKeys = 1024

// Gone is in place of the time at which a key wants to be settled where it remembers
// nothing any more.
const Gone = math.MinInt64

// Event takes an event of the key. mask is the set of steps whose tests it passed. It
// returns when the key wants to be settled next, as Due says, or math.MaxInt64 where that is
// no sooner than it was; Gone where it is Empty.
func (p *Pattern) Event(x *Context, k *PatternKey, ev *event.Event, mask uint64, until bool) int64 {
	if p.see(x, k, ev, mask, until); p.Empty(k) {
		return Gone
	}
	return p.Due(k)
}

func (p *Pattern) see(x *Context, k *PatternKey, ev *event.Event, mask uint64, until bool) {
	if x.parsed = false; p.line == nil || k.line.open > 0 && ev.At >= k.line.next {
		p.Settle(x, k, ev.At)
	}
	x.Frame.Event = ev
	if len(p.where) > 0 && !p.sees(x, ev) {
		return
	}
	if until && p.holds(x, k, nil, &p.until) {
		p.dropAll(x, k)
	}
	if until && mask == 0 && !slices.Contains(p.rule.Pattern.Types, int(ev.Type)) {
		return // the pattern itself does not see events of the type
	}
	if p.line != nil {
		p.lineEvent(x, k, ev, mask)
		return
	}
	if (k.general == nil || len(k.runs) == 0 && k.pool == nil) && mask&p.first == 0 {
		return
	}
	k.begin(x)
	k.seq++
	x.done = x.done[:0]
	if p.pool != nil {
		p.poolEvent(x, k, ev, mask)
	} else {
		p.runsEvent(x, k, ev, mask)
	}
	p.end(x, k)
}

// runsEvent lets all runs see an event.
func (p *Pattern) runsEvent(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	switch {
	case p.mode == plan.SelectAll:
		p.branchAll(x, k, ev, mask)
	case p.grouped:
		p.moveAll(x, k, ev, mask)
	default:
		for i := range k.runs {
			p.move(x, k, i, ev, mask)
		}
	}
	p.begin(x, k, ev, mask)
	p.selectFrom(x, k, ev.At, false)
	p.sweep(x, k)
	p.lead(x, k, ev, mask)
}

// sees reports whether what of `where` the index could not test lets the event through.
func (p *Pattern) sees(x *Context, ev *event.Event) bool {
	where := p.where[ev.Type]
	return where == nil || where(&x.Frame)
}

// move lets one run see an event: a negation may end it, else it goes on as far as it
// can, else it waits.
func (p *Pattern) move(x *Context, k *PatternKey, i int, ev *event.Event, mask uint64) {
	r := &k.runs[i]
	s := &p.stages[r.stage]
	if p.expired(r, ev.At) || p.isForbidden(x, k, r, s, ev, mask) {
		r.gone = true
		return
	}
	to := p.way(x, k, r, s, ev, mask)
	if to < 0 {
		r.stale = true
		r.gone = !p.alive(r, ev.At)
		return
	}
	p.take(x, k, r, alt{stage: to, leaf: p.stages[to].leaf}, ev)
	if p.isComplete(r) {
		x.done = append(x.done, i)
	}
}

// way is the furthest stage at which the run can take ev, -1 where there is none.
func (p *Pattern) way(x *Context, k *PatternKey, r *run, s *stage, ev *event.Event, mask uint64) int {
	if int(r.turns) >= s.min {
		for i := range s.next {
			t := &s.next[i]
			if mask&p.stages[t.to].steps != 0 && r.open(t) && r.inSpan(t, ev.At) && p.fit(x, k, r, t.to) {
				return t.to
			}
		}
	}
	again := mask&s.steps != 0 && (s.max < 0 || int(r.turns) < s.max) && !(s.strict && r.stale) && !(int(r.turns) >= s.min && r.isPast(s.past, ev.At))
	if again && p.fit(x, k, r, int(r.stage)) {
		return int(r.stage)
	}
	return -1
}

// open reports whether what has come since the last event leaves a way open.
func (r *run) open(t *transition) bool { return t.negs&r.hit == 0 && !(t.now && r.stale) }

func (r *run) inSpan(t *transition, now int64) bool {
	passed := now - r.last
	return passed >= t.minGap && passed < t.maxGap && !r.isPast(t.past, now)
}

// isPast reports whether the run has gone on behind a negation with `for`.
func (r *run) isPast(p passage, now int64) bool {
	return p.after > 0 && now-r.last >= p.after && r.hit&p.bit == 0
}

// fit asks the part of a step's condition that looks at the run.
func (p *Pattern) fit(x *Context, k *PatternKey, r *run, stage int) bool {
	return p.holds(x, k, r, &p.fits[p.leaves[p.stages[stage].leaf].step])
}

func (p *Pattern) holds(x *Context, k *PatternKey, r *run, c *cond) bool {
	if c.holds == nil {
		return true
	}
	p.bindFrame(x, k, r, c.steps, c.key)
	held := c.holds(&x.Frame)
	if p.watch != nil {
		p.watchAsked(x, r, c, held)
	}
	return held
}

// isForbidden notes the negations that ev is, and reports whether they end the run.
func (p *Pattern) isForbidden(x *Context, k *PatternKey, r *run, s *stage, ev *event.Event, mask uint64) bool {
	if len(s.forbids) == 0 || !p.enough(r, s) {
		return false
	}
	before := r.hit
	passed := ev.At - r.last
	for i := range s.forbids {
		f := &s.forbids[i]
		if mask&f.steps != 0 && r.hit&f.bit == 0 && passed >= f.from && passed < f.to && p.occurs(x, k, r, mask&f.steps) {
			r.hit |= f.bit
		}
	}
	return r.hit != before && !p.alive(r, ev.At)
}

// occurs reports whether the event at hand fits one of the negated steps.
func (p *Pattern) occurs(x *Context, k *PatternKey, r *run, steps uint64) bool {
	for step := range p.fits {
		if steps&(1<<step) != 0 && p.holds(x, k, r, &p.fits[step]) {
			return true
		}
	}
	return false
}

// alive reports whether the run can still go on or be complete. Once its turns are
// enough it needs a way forward: being able to repeat does not keep it.
func (p *Pattern) alive(r *run, now int64) bool {
	s := &p.stages[r.stage]
	if !p.enough(r, s) {
		if s.root != nil {
			return s.root.alive(r.config, now)
		}
		return !(s.strict && r.stale)
	}
	for i := range s.next {
		if r.open(&s.next[i]) {
			return true
		}
	}
	return s.final.ok && s.final.waits && s.final.negs&r.hit == 0
}

// expired reports whether the time of the run has passed.
func (p *Pattern) expired(r *run, now int64) bool { return now >= p.expiry(r) }

// expiry is when a run ends if nothing comes: the end of within, or of the last gap
// that it could go through. Deadlines of absence are not counted.
func (p *Pattern) expiry(r *run) int64 {
	end := int64(math.MaxInt64)
	if p.within > 0 {
		end = later(r.start, p.within)
	}
	s := &p.stages[r.stage]
	if !p.gaps || len(s.next) == 0 || p.mayRepeat(r, s) || p.runDeadline(r) != math.MaxInt64 {
		return end
	}
	gap := int64(0)
	for i := range s.next {
		if r.open(&s.next[i]) {
			gap = max(gap, s.next[i].maxGap)
		}
	}
	return min(end, later(r.last, gap))
}

// mayRepeat reports whether the run can take more where it is.
func (p *Pattern) mayRepeat(r *run, s *stage) bool {
	if s.root != nil {
		return !s.root.finished(r.config)
	}
	return s.max < 0 || int(r.turns) < max(s.min, s.max)
}

// begin starts a run if ev fits a step that can come first; in several places where
// branches let it be taken in several ways.
func (p *Pattern) begin(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	if p.led(k, ev.At) {
		return
	}
	a := asker{p: p, x: x, k: k, now: ev.At, mask: mask, all: p.mode == plan.SelectAll}
	for i := range p.start {
		to := p.start[i].to
		if mask&p.stages[to].steps == 0 {
			continue
		}
		if x.alts = p.enterStage(&a, to, x.alts[:0]); len(x.alts) > 0 {
			p.makeRoom(x, k, x.Limits.RunsPerKey)
			p.beginAt(x, k, ev)
			if !a.all {
				return
			}
		}
	}
}

// beginAt starts a run that takes ev in each of the ways in x.alts.
func (p *Pattern) beginAt(x *Context, k *PatternKey, ev *event.Event) {
	for _, way := range x.alts {
		r := run{start: ev.At, ownStart: ev.Time, began: k.seq, stage: -1, accs: p.newStates()}
		p.take(x, k, &r, way, ev)
		if p.mode != plan.SelectAll && len(x.alts) > 1 && p.isKnown(k, &r) {
			p.release(x, k, &r)
			continue
		}
		k.runs = append(k.runs, r)
		if p.isComplete(&r) {
			x.done = append(x.done, len(k.runs)-1)
		}
	}
}

// isKnown reports whether the run has a place at the same point.
func (p *Pattern) isKnown(k *PatternKey, r *run) bool {
	at := p.point(nil, r)
	for i := len(k.runs) - 1; i >= 0 && k.runs[i].began == r.began; i-- {
		if bytes.Equal(p.point(nil, &k.runs[i]), at) {
			return true
		}
	}
	return false
}

// makeRoom drops the oldest runs, each with all its places, until fewer than most places
// are open. Places that the event at hand completes do not count: they end with it.
func (p *Pattern) makeRoom(x *Context, k *PatternKey, most int) {
	if len(k.runs) < most {
		return
	}
	over := 1 - most
	for i := range k.runs {
		if k.isOpen(x, i) {
			over++
		}
	}
	last := uint64(0)
	for i := 0; i < len(k.runs) && (over > 0 || k.runs[i].began == last); i++ {
		if !k.isOpen(x, i) {
			continue
		}
		if k.runs[i].began != last {
			last = k.runs[i].began
			x.Dropped.Runs++
		}
		k.runs[i].gone = true
		over--
	}
}

// isOpen reports whether place i is neither gone nor complete.
func (k *PatternKey) isOpen(x *Context, i int) bool {
	return !k.runs[i].gone && !slices.Contains(x.done, i)
}

// boundPlaces holds the places to the limit after branches have made more of them: the
// oldest runs go, and of a run that is too much by itself the places written last.
func (p *Pattern) boundPlaces(x *Context, k *PatternKey) {
	if len(k.runs) <= x.Limits.RunsPerKey {
		return
	}
	newest := k.runs[len(k.runs)-1].began
	own := 0
	for i := len(k.runs) - 1; i >= 0 && k.runs[i].began == newest; i-- {
		own++
	}
	if over := own - x.Limits.RunsPerKey; over > 0 {
		for i := len(k.runs) - over; i < len(k.runs); i++ {
			k.runs[i].gone = k.isOpen(x, i)
		}
		x.Dropped.Runs++
	}
	p.makeRoom(x, k, x.Limits.RunsPerKey+1)
}

// led reports whether a negation at the start forbids a run that starts now.
func (p *Pattern) led(k *PatternKey, now int64) bool {
	for i, at := range k.leads {
		if at != math.MinInt64 && now-at < p.leads[i].span {
			return true
		}
	}
	return false
}

// lead remembers ev where it is a negation at the start.
func (p *Pattern) lead(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	for i := range p.leads {
		if mask&p.leads[i].steps == 0 || !p.occurs(x, k, nil, mask&p.leads[i].steps) {
			continue
		}
		if len(k.leads) == 0 {
			k.leads = make([]int64, len(p.leads))
			for j := range k.leads {
				k.leads[j] = math.MinInt64
			}
		}
		k.leads[i] = ev.At
	}
}

// take lets the run take ev in a way.
func (p *Pattern) take(x *Context, k *PatternKey, r *run, way alt, ev *event.Event) {
	l := &p.leaves[way.leaf]
	if way.stage != int(r.stage) {
		p.spare(k, r)
		r.stage, r.turns = int32(way.stage), 0
	}
	for len(r.binds) <= way.leaf {
		r.binds = append(r.binds, bind{list: -1})
	}
	r.config = way.config
	r.turns++
	r.total++
	r.last, r.ownLast, r.took = ev.At, ev.Time, k.seq
	r.hit, r.stale, r.spent = 0, false, false
	r.id = r.id.fold(l.step, x.identity(ev))
	p.bindEvent(x, k, l, &r.binds[way.leaf], ev)
	if l.acc >= 0 {
		p.feed(x, r, l.acc, ev)
	}
	if d := p.runDeadline(r); d != math.MaxInt64 && (!k.waits || d < k.due) {
		k.due, k.waits = d, true
	}
	if p.watch != nil {
		p.watchTook(x, r, l.step, ev)
	}
}

// feed adds the event at hand to the aggregates of a stage.
func (p *Pattern) feed(x *Context, r *run, acc int, ev *event.Event) {
	a := &p.accs[acc]
	if !a.program.AddAtMost(&r.accs[acc], ev.At, x.arguments(a.args), x.Limits.EventsPerRun) {
		x.Dropped.RunEvents++
	}
}

// newStates makes the states of a run's aggregates.
func (p *Pattern) newStates() []windows.State {
	if len(p.accs) == 0 {
		return nil
	}
	return make([]windows.State, len(p.accs))
}

// isComplete reports whether the event just taken completes the run.
func (p *Pattern) isComplete(r *run) bool {
	s := &p.stages[r.stage]
	return s.final.ok && !s.final.waits && p.enough(r, s)
}

// runDeadline is when the run is complete if nothing forbidden comes;
// math.MaxInt64 where it waits for an event.
func (p *Pattern) runDeadline(r *run) int64 {
	s := &p.stages[r.stage]
	f := &s.final
	if !f.ok || !f.waits || r.spent || f.negs&r.hit != 0 || !p.enough(r, s) {
		return math.MaxInt64
	}
	d := p.deadline(f, r.start, r.last)
	if p.within > 0 && !f.within && d >= later(r.start, p.within) {
		return math.MaxInt64
	}
	return d
}

// Settle completes the runs whose deadlines are at or before now, in order of
// deadline, then of start, and drops the runs whose time has passed.
func (p *Pattern) Settle(x *Context, k *PatternKey, now int64) {
	x.parsed = false
	if p.line != nil {
		if k.line.open > 0 && now >= k.line.next {
			p.settleLine(x, k, now)
		}
		return
	}
	if k.general == nil {
		return
	}
	for k.waits && k.due <= now {
		p.settleDue(x, k)
	}
	p.expire(x, k, now)
	p.expirePool(x, k, now)
	p.forgetLeads(k, now)
	p.end(x, k)
}

// settleDue completes the runs whose deadline is k.due, if there still are any, and
// finds the next deadline.
func (p *Pattern) settleDue(x *Context, k *PatternKey) {
	x.Frame.Event = nil
	x.done = x.done[:0]
	for i := range k.runs {
		if p.runDeadline(&k.runs[i]) == k.due {
			x.done = append(x.done, i)
		}
	}
	p.selectFrom(x, k, k.due, true)
	p.sweep(x, k)
	k.due = p.nextDeadline(k)
	k.waits = k.due != math.MaxInt64
}

// nextDeadline is the earliest deadline of the key's runs; math.MaxInt64: none.
func (p *Pattern) nextDeadline(k *PatternKey) int64 {
	first := int64(math.MaxInt64)
	for i := range k.runs {
		first = min(first, p.runDeadline(&k.runs[i]))
	}
	return first
}

// expire drops the runs whose time has passed. Runs are in order of start, so with
// within alone only the first ones need a look.
func (p *Pattern) expire(x *Context, k *PatternKey, now int64) {
	some := false
	for i := range k.runs {
		if p.expired(&k.runs[i], now) {
			k.runs[i].gone, some = true, true
		} else if !p.gaps {
			break
		}
	}
	if some {
		p.sweep(x, k)
	}
}

// forgetLeads forgets the events of negations at the start that can forbid nothing
// any more.
func (p *Pattern) forgetLeads(k *PatternKey, now int64) {
	for i, at := range k.leads {
		if at != math.MinInt64 && now-at < p.leads[i].span {
			return
		}
	}
	k.leads = nil
}

// Deadline is when the engine must call Settle next if no event comes: an exact
// deadline of an absence, or a time at which something can be forgotten.
// math.MaxInt64: never.
func (p *Pattern) Deadline(k *PatternKey) int64 {
	next := int64(math.MaxInt64)
	if k.line.open > 0 {
		return k.line.idle
	}
	if k.general == nil {
		return next
	}
	if n := len(k.runs); n > 0 {
		next = p.expiry(&k.runs[n-1])
		if k.waits {
			next = min(next, k.due)
		}
	}
	next = min(next, p.poolDeadline(k))
	for i, at := range k.leads {
		if at != math.MinInt64 {
			next = min(next, later(at, p.leads[i].span))
		}
	}
	return next
}

// selectFrom makes matches of the runs in x.done, by the selection mode, and marks
// the runs that end with them.
func (p *Pattern) selectFrom(x *Context, k *PatternKey, now int64, atDeadline bool) {
	if p.mode == plan.SelectAll {
		p.matchAll(x, k, now, atDeadline)
		return
	}
	matched := -1
	for n := range x.done {
		i := x.done[n]
		if p.mode == plan.SelectLast {
			i = p.latest(x, k, n)
		}
		r := &k.runs[i]
		if r.gone {
			continue // another place of the run is complete
		}
		p.endRun(k, i)
		if matched >= 0 && p.mode != plan.SelectEvery || !p.holds(x, k, r, &p.having) {
			continue
		}
		p.match(x, k, r, now, atDeadline)
		matched = i
	}
	if matched >= 0 && p.mode != plan.SelectEvery {
		p.consume(k, k.runs[matched].took)
	}
}

// latest is the n-th of the complete places from the run that began last, the places
// of each run in their order.
func (p *Pattern) latest(x *Context, k *PatternKey, n int) int {
	to := len(x.done)
	for to > 0 {
		from := to - 1
		for from > 0 && k.runs[x.done[from-1]].began == k.runs[x.done[to-1]].began {
			from--
		}
		if n < to-from {
			return x.done[from+n]
		}
		n -= to - from
		to = from
	}
	panic("machine: no such place")
}

// endRun marks all places of the run that place i is of.
func (p *Pattern) endRun(k *PatternKey, i int) {
	began := k.runs[i].began
	for j := i; j >= 0 && k.runs[j].began == began; j-- {
		k.runs[j].gone = true
	}
	for j := i + 1; j < len(k.runs) && k.runs[j].began == began; j++ {
		k.runs[j].gone = true
	}
}

// consume drops every run that began at or before the event of that number.
func (p *Pattern) consume(k *PatternKey, upTo uint64) {
	for i := range k.runs {
		if k.runs[i].began <= upTo {
			k.runs[i].gone = true
		}
	}
}

// Release lets go of all that the key holds.
func (p *Pattern) Release(x *Context, k *PatternKey) {
	p.dropAll(x, k)
	*k = PatternKey{}
}

func (p *Pattern) dropAll(x *Context, k *PatternKey) {
	p.dropLine(x, &k.line)
	if k.general == nil {
		return
	}
	p.dropPool(x, k, k.pool.len())
	for i := range k.runs {
		k.runs[i].gone = true
	}
	p.sweep(x, k)
}

// sweep removes the runs that are gone and what they held.
func (p *Pattern) sweep(x *Context, k *PatternKey) {
	if k.runs == nil {
		return
	}
	w := 0
	for i := range k.runs {
		if k.runs[i].gone {
			p.release(x, k, &k.runs[i])
			continue
		}
		if w != i {
			k.runs[w] = k.runs[i]
		}
		w++
	}
	clear(k.runs[w:])
	k.runs = k.runs[:w]
	if w == 0 {
		k.runs, k.lists, k.spare, k.waits = nil, nil, nil, false
		return
	}
	p.trimLists(x, k)
}
