package machine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// lineEvent lets the rooms that an event of the key matters to see it.
func (p *Pattern) lineEvent(x *Context, key *PatternKey, ev *event.Event, mask uint64) {
	k, l := &key.line, p.line
	if mask&(k.wants|l.starts) == 0 && (!l.sees || k.open == 0) {
		return
	}
	key.seq++
	if l.sieve != nil && mask&l.starts == 0 {
		if n, ok := l.sieve.asked(&x.Frame); !ok || n < k.least {
			return
		}
	}
	x.done32 = x.done32[:0]
	if mask&k.wants != 0 || l.sees && k.open > 0 {
		states := k.rooms()[:l.awake]
		for r := len(states) - 1; r >= 0; r-- {
			if states[r].n > 0 && (mask&l.rooms[r].wakes != 0 || l.rooms[r].only) {
				p.wake(x, key, &states[r], &l.rooms[r], ev, mask)
			}
		}
	}
	if mask&l.starts != 0 {
		p.beginLine(x, key, ev, mask)
	}
	if len(x.done32) > 0 {
		p.selectLine(x, key, ev.At, false)
	}
	if k.store != nil && k.store.moved {
		k.store.moved = false
		p.tidy(k)
	}
}

// wake lets the runs of a room see an event: a negation ends them, else they go on, the
// furthest way first, else they take it where they are.
func (p *Pattern) wake(x *Context, key *PatternKey, st *roomState, r *room, ev *event.Event, mask uint64) {
	if r.sieved {
		// A room with an order has neither a log nor a second way on.
		if list := key.line.find(x, r.order, st); len(list) > 0 {
			p.goOn(x, key, list, r, &r.next[0], ev)
		}
		return
	}
	if mask&r.barred != 0 {
		p.dropAllOf(x, &key.line, key.line.enough(x, st, r))
	}
	for w := range r.next {
		if way := &r.next[w]; mask&way.step != 0 && st.n > 0 {
			p.goOn(x, key, key.line.able(x, st, r), r, way, ev)
		}
	}
	if r.log >= 0 && mask&r.step != 0 && st.n > 0 {
		p.grow(x, key, r, ev)
		if st.end++; st.end == st.enough {
			key.line.store.moved = true // more matters to the room
		}
		p.repeat(x, key, st, r, ev)
	}
	if r.only && st.n > 0 {
		p.dropAllOf(x, &key.line, key.line.enough(x, st, r))
	}
}

func (p *Pattern) dropAllOf(x *Context, k *lineKey, runs []int32) {
	for _, i := range runs {
		p.drop(x, k, i)
	}
}

// enough lists the runs of a room that have the turns to go on, in x.found. Those with
// more turns came first.
func (k *lineKey) enough(x *Context, st *roomState, r *room) []int32 {
	x.found = x.found[:0]
	s := k.store
	if st.index != 0 {
		x.found = s.all(st, x.found)
		return x.found
	}
	if r.log >= 0 {
		k.enoughOfLog(x, st, r)
		return x.found
	}
	for i := st.head; i != 0; i = s.runs[i].behind {
		x.found = append(x.found, i)
	}
	return x.found
}

// enoughOfLog is enough for a room with a log. Runs stand in it in the order in which their
// stretches begin.
func (k *lineKey) enoughOfLog(x *Context, st *roomState, r *room) {
	if st.end < st.enough {
		return
	}
	s := k.store
	for i := st.head; i != 0; i = s.runs[i].behind {
		from := s.spansOf(i)[r.log].from
		if st.end-from < int64(r.min) {
			if i == st.head {
				st.enough = from + int64(r.min) // that of a run which has left
			}
			return
		}
		x.found = append(x.found, i)
	}
}

// able lists the runs of a room that may be able to go on, in x.found.
func (k *lineKey) able(x *Context, st *roomState, r *room) []int32 {
	if r.order != nil {
		return k.find(x, r.order, st)
	}
	return k.enough(x, st, r)
}

// goOn moves those of the listed runs of a room that can take the event by a way.
func (p *Pattern) goOn(x *Context, key *PatternKey, list []int32, r *room, way *roomWay, ev *event.Event) {
	k, fit := &key.line, &way.fit
	if r.order != nil {
		fit = &way.rest
	}
	for _, i := range list {
		if r.minGap > 0 && ev.At-int64(k.store.runs[i].value) < r.minGap {
			break // those behind it came later
		}
		if fit.holds != nil && !p.fitsLine(x, k, i, fit, way.bare) {
			continue
		}
		k.settleLog(i, r)
		k.leave(i)
		p.arrive(x, key, way.to, i, ev)
	}
}

// fitsLine asks a condition of a run; bare: see [roomWay].
func (p *Pattern) fitsLine(x *Context, k *lineKey, i int32, c *cond, bare bool) bool {
	if !bare {
		return p.holds(x, &x.lineView, p.show(x, k, i), c)
	}
	x.roomFor(len(p.leafAt))
	refs := k.store.held(i)
	for steps := c.steps; steps != 0; steps &= steps - 1 {
		step := bits.TrailingZeros64(steps)
		p.bindHeld(x, refs, step)
	}
	return c.holds(&x.Frame)
}

// bindHeld makes the frame show the event that a run took by a step that is not repeated.
func (p *Pattern) bindHeld(x *Context, refs []keep.Ref, step int) {
	b := &x.Frame.Steps[step]
	b.N, b.First, b.Last, b.List = 0, nil, nil, nil
	if leaf := p.leafAt[step]; leaf >= 0 && refs[leaf] != 0 {
		b.N, b.First = 1, x.Keep.View(refs[leaf], &x.views[2*step])
		b.Last = b.First
	}
}

// arrive lets a run take the event at hand as the first of a room.
func (p *Pattern) arrive(x *Context, key *PatternKey, to int, i int32, ev *event.Event) {
	k, l := &key.line, p.line
	r := &l.rooms[to]
	p.bindLine(x, key, i, r, ev)
	w := &k.store.runs[i]
	w.took = key.seq
	if r.isEnd() {
		k.settleLog(i, r)
		k.finish(x, i)
		return
	}
	p.seat(x, k, to, i, ev)
}

// seat puts a run, which has just taken ev, into a room.
func (p *Pattern) seat(x *Context, k *lineKey, to int, i int32, ev *event.Event) {
	r, w := &p.line.rooms[to], &k.store.runs[i]
	if w.value = uint64(ev.At); r.order != nil {
		p.rank(x, k, r.order, i, ev)
	}
	if to == p.line.ends {
		due := later(ev.At, r.after)
		if w.value = uint64(due); due >= p.ends(w) {
			to = r.late
		}
	}
	k.enter(to, i)
}

// repeat sees to the runs whose room has just taken an event: those that are complete,
// and those that have the most turns.
func (p *Pattern) repeat(x *Context, key *PatternKey, st *roomState, r *room, ev *event.Event) {
	k := &key.line
	for r.done && st.head != 0 && k.turns(st.head, r) >= int64(r.min) {
		i := st.head
		k.settleLog(i, r)
		k.leave(i)
		k.finish(x, i)
	}
	for r.max > 0 && st.head != 0 && k.turns(st.head, r) >= int64(r.max) {
		i := st.head
		k.settleLog(i, r)
		k.leave(i)
		p.seat(x, k, r.full, i, ev)
	}
}

// finish notes that a run is complete: it is open no more.
func (k *lineKey) finish(x *Context, i int32) {
	k.unlink(i)
	x.done32 = append(x.done32, i)
}

// beginLine starts a run by the furthest way that the event fits.
func (p *Pattern) beginLine(x *Context, key *PatternKey, ev *event.Event, mask uint64) {
	k := &key.line
	for n := range p.line.start {
		way := &p.line.start[n]
		if mask&way.step == 0 || !p.holds(x, key, nil, &way.fit) {
			continue
		}
		for k.open > 0 && int(k.open) >= x.Limits.RunsPerKey {
			p.drop(x, k, k.oldest)
			x.Dropped.Runs++
		}
		if k.store == nil {
			k.store = x.lineOf(p)
		}
		if k.row == 0 {
			k.row = k.store.newRow()
		}
		i := k.store.newRun()
		w := &k.store.runs[i]
		w.start, w.ownStart, w.began = ev.At, ev.Time, key.seq
		k.link(i)
		p.arrive(x, key, way.to, i, ev)
		return
	}
}

// drop ends an open run without a match.
func (p *Pattern) drop(x *Context, k *lineKey, i int32) {
	k.leave(i)
	k.unlink(i)
	p.free(x, k, i)
}

// free gives back what a run holds, and itself.
func (p *Pattern) free(x *Context, k *lineKey, i int32) {
	s := k.store
	refs := s.held(i)
	for n, ref := range refs {
		x.Keep.Release(ref)
		refs[n] = 0
	}
	spans := s.spansOf(i)
	for n := range spans {
		if sp := &spans[n]; sp.n != 0 {
			*sp = span{}
			p.leaveLog(x, k, k.log(n))
		}
	}
	s.runs[i].newer = s.spare
	s.spare = i
	s.spares++
}

// leaveLog takes a holder off a log; the last one frees the events.
func (p *Pattern) leaveLog(x *Context, k *lineKey, n int) {
	s := k.store
	l := &s.logs[n]
	if l.holders--; l.holders > 0 {
		return
	}
	releaseAll(x, l.head)
	releaseAll(x, l.tail)
	*l = list{head: reuse(l.head), tail: reuse(l.tail)}
}

// reuse is an empty list with the memory of one, unless that is much.
func reuse[T any](list []T) []T {
	if cap(list) > 4*trimAtLeast {
		return nil
	}
	return list[:0]
}

// freeRow gives the rooms of a key without open runs back.
func (k *lineKey) freeRow() {
	if k.row != 0 {
		k.store.rows = append(k.store.rows, k.row)
		k.row = 0
	}
}

// trimLogs lets go of events that stand before the stretches of all open runs.
func (p *Pattern) trimLogs(x *Context, k *lineKey) {
	for n := range p.line.logs {
		l := &k.store.logs[k.log(n)]
		if l.holders == 0 || l.end()-l.base < max(l.trim, trimAtLeast, int64(k.open)/8) {
			continue
		}
		first := l.end()
		for i := k.oldest; i != 0; i = k.store.runs[i].newer {
			if sp := &k.store.spansOf(i)[n]; sp.n != 0 {
				if first = min(first, sp.from); p.line.inOrder {
					break
				}
			}
		}
		l.advance(x, first)
		l.trim = 2 * (l.end() - l.base)
	}
}

// selectLine makes matches of the runs in x.done32, by the selection mode.
func (p *Pattern) selectLine(x *Context, key *PatternKey, now int64, atDeadline bool) {
	k := &key.line
	p.sortDone(x, k.store)
	upTo := uint64(0)
	for _, i := range x.done32 {
		if upTo > 0 && p.mode != plan.SelectEvery {
			break
		}
		r := p.show(x, k, i)
		if p.holds(x, &x.lineView, r, &p.having) {
			p.sum(x, k, i, r)
			p.match(x, &x.lineView, r, now, atDeadline)
			upTo = r.took
		}
	}
	for p.mode != plan.SelectEvery && k.oldest != 0 && k.store.runs[k.oldest].began <= upTo {
		p.drop(x, k, k.oldest)
	}
	for _, i := range x.done32 {
		p.free(x, k, i)
	}
	if k.open > 0 {
		p.trimLogs(x, k)
	}
}

// sortDone puts the complete runs into the order in which the mode looks at them.
func (p *Pattern) sortDone(x *Context, s *lineStore) {
	if len(x.done32) < 2 {
		return
	}
	sign := 1
	if p.mode == plan.SelectLast {
		sign = -1
	}
	slices.SortFunc(x.done32, func(a, b int32) int { return sign * cmp.Compare(s.runs[a].began, s.runs[b].began) })
}

// show makes of a run of a line one like those of other patterns, without its fold and
// its number of events. It is valid until the next call.
func (p *Pattern) show(x *Context, k *lineKey, i int32) *run {
	s, r := k.store, &x.lineRun
	if x.lineView.begin(x); s.l.logs > 0 {
		x.lineView.lists = s.logs
	}
	w := &s.runs[i]
	binds := r.binds[:0]
	refs, spans := s.held(i), s.spansOf(i)
	log := 0
	for n := range p.leaves {
		b := bind{list: -1}
		if p.leaves[n].repeats {
			if sp := &spans[log]; sp.n != 0 {
				b = bind{list: int32(k.log(log)), from: sp.from, n: k.taken(sp, log)}
			}
			log++
		} else if refs[n] != 0 {
			b.ref, b.n = refs[n], 1
		}
		binds = append(binds, b)
	}
	r.start, r.ownStart, r.began, r.took, r.binds = w.start, w.ownStart, w.began, w.took, binds
	r.id, r.total, r.ownLast = ID{}, 0, 0
	return r
}

// sum adds to a complete run, as show makes it, the fold of its events, their number and
// the time of the last one.
func (p *Pattern) sum(x *Context, k *lineKey, i int32, r *run) {
	spans, log := k.store.spansOf(i), 0
	for n := range r.binds {
		b, l := &r.binds[n], &p.leaves[n]
		r.total += b.n
		switch {
		case b.n == 0:
		case b.list < 0:
			ev := x.Keep.View(b.ref, &x.seen)
			r.id, r.ownLast = r.id.fold(l.step, x.identities.of(x.Frame.World, ev)), ev.Time
		default:
			sp := &spans[log]
			r.id = r.id.join(sp.id.stretch(sp.before, b.n), b.n)
			r.ownLast = x.Keep.Time(k.store.logs[b.list].at(b.from + b.n - 1))
		}
		if l.repeats {
			log++
		}
	}
}

// settleLine completes the runs whose deadlines are at or before now, in order of
// deadline, then of start, and drops the runs whose time has passed.
func (p *Pattern) settleLine(x *Context, key *PatternKey, now int64) {
	k := &key.line
	for due := p.absent(k); due <= now && due != math.MaxInt64; due = p.absent(k) {
		p.ripen(x, key, due)
	}
	for k.open > 0 && p.ends(&k.store.runs[k.oldest]) <= now {
		p.drop(x, k, k.oldest)
	}
	for _, r := range p.line.gaps {
		for k.open > 0 && k.room(r).n > 0 && p.gapEnds(&k.store.runs[k.room(r).head]) <= now {
			p.drop(x, k, k.room(r).head)
		}
	}
	p.trimLogs(x, k)
	p.tidy(k)
}

// ripen completes the runs with a deadline.
func (p *Pattern) ripen(x *Context, key *PatternKey, due int64) {
	k := &key.line
	x.Frame.Event = nil
	x.done32 = x.done32[:0]
	for k.open > 0 && p.absent(k) == due {
		i := k.room(max(p.line.ends, p.line.ripens)).head
		k.leave(i)
		k.finish(x, i)
	}
	p.selectLine(x, key, due, true)
}

// dropLine ends all runs of the key.
func (p *Pattern) dropLine(x *Context, k *lineKey) {
	if k.open == 0 {
		return
	}
	for k.open > 0 {
		p.drop(x, k, k.oldest)
	}
	p.tidy(k)
}
