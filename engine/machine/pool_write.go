package machine

import (
	"math/bits"
	"sort"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// How the matches of a pool are written out. Since -> skips freely, a combination at a
// state can be completed by the event at hand if and only if it got there early enough:
// for each state there is a latest event to get there by. With these no way that is
// begun is a dead end, and the next event that a step can take is found in the list of
// its events by halving. From one match to the next it takes time in proportion to the
// length of the match and the moves of a state, times the logarithm of the events of a
// step; the window does not matter.

// writeOut hands on as many matches as the rule's limit asks for, the latest start
// first, then in order of events; with limit 0 the number alone.
func (p *Pattern) writeOut(x *Context, k *poolKey, ev *event.Event, mask uint64) {
	c, limit := p.pool, p.rule.Pattern.Limit
	if !c.asks && !p.holds(x, nil, nil, &p.having) {
		return
	}
	if !c.listed {
		p.matchNumber(x, ev)
		return
	}
	w := &x.pools.writer
	w.p, w.x, w.k, w.c = p, x, k, c
	w.ev, w.ref, w.mask, w.last = ev, x.hold(ev), mask, k.len()
	w.left, w.numberOnly = max(limit, 1), limit == 0
	w.findLate()
	w.all()
	x.Keep.Release(w.ref)
	w.p, w.x, w.k, w.c, w.ev = nil, nil, nil, nil, nil
	x.Frame.Event = ev
}

// matchNumber hands on the number of matches alone.
func (p *Pattern) matchNumber(x *Context, ev *event.Event) {
	r := &x.pools.count
	*r = run{ownStart: ev.Time, ownLast: ev.Time, id: ID{}.fold(-1, x.identity(ev)), accs: p.newStates()}
	p.match(x, nil, r, ev.At, false)
}

// poolWriter walks the combinations that the event at hand completes. An event is named
// by its place in the pool; the event at hand, not in it yet, has the place after.
type poolWriter struct {
	p          *Pattern
	x          *Context
	k          *poolKey
	c          *pool
	ev         *event.Event
	ref        keep.Ref // of the event at hand
	mask       uint64   // its steps
	last       int      // its place
	left       int      // matches that may still be written
	numberOnly bool
	late       []int // by state: the last place at which to get there is early enough; -1: none
	path       []chosen
	key        PatternKey // of the match being written, its run
	run        run
	view       event.Event
}

// chosen is an event with the step that takes it, and the identity of the combination
// up to there.
type chosen struct {
	at, step int
	id       ID
}

// findLate finds, from the last state to the first, how late is early enough.
func (w *poolWriter) findLate() {
	w.late = w.late[:0]
	for range w.c.moves {
		w.late = append(w.late, -1)
	}
	for w.delay() && w.c.cyclic {
	}
}

// delay moves each state's latest place to where its moves allow it, and reports whether
// some place has changed. Moves that lead back make it later no more than once a state.
func (w *poolWriter) delay() bool {
	changed := false
	for q := len(w.c.moves) - 1; q > 0; q-- {
		late := w.late[q]
		for _, m := range w.c.moves[q] {
			if m.completes && w.mask&m.step != 0 {
				late = w.last - 1
			} else if m.to > 0 {
				late = max(late, w.before(m.step, w.late[m.to])-1)
			}
		}
		changed = changed || late > w.late[q]
		w.late[q] = late
	}
	return changed
}

// leads reports whether taking the event at a place by a move leads to a match.
func (w *poolWriter) leads(m *poolMove, at int) bool {
	if at == w.last {
		return m.completes && w.mask&m.step != 0
	}
	return m.to > 0 && at <= w.late[m.to] && w.k.events.at(at).steps&m.step != 0
}

// all walks the combinations by where they begin, the latest first.
func (w *poolWriter) all() {
	begins := w.c.moves[0]
	for at := w.last; at >= 0 && w.left > 0; {
		w.takeAt(begins, at)
		next := -1
		for i := range begins {
			if m := &begins[i]; m.to > 0 {
				next = max(next, w.before(m.step, min(at-1, w.late[m.to])))
			}
		}
		at = next
	}
}

// onward walks those that go on from a state reached at a place, in order of events.
func (w *poolWriter) onward(q, at int) {
	moves := w.c.moves[q]
	for at < w.last && w.left > 0 {
		next := w.last
		for i := range moves {
			if m := &moves[i]; m.to > 0 {
				if to := w.after(m.step, at); to <= w.late[m.to] {
					next = min(next, to)
				}
			}
		}
		w.takeAt(moves, next)
		at = next
	}
}

// takeAt takes the event at a place by every move that leads to a match.
func (w *poolWriter) takeAt(moves []poolMove, at int) {
	for i := range moves {
		if m := &moves[i]; w.left > 0 && w.leads(m, at) {
			w.take(m, at)
		}
	}
}

// take takes an event and goes on from there; the event at hand is the end.
func (w *poolWriter) take(m *poolMove, at int) {
	var id ID
	if n := len(w.path); n > 0 {
		id = w.path[n-1].id
	}
	step := bits.TrailingZeros64(m.step)
	w.path = append(w.path, chosen{at: at, step: step, id: id.fold(step, w.identityAt(at))})
	if at == w.last {
		w.write()
		w.left--
	} else {
		w.onward(m.to, at)
	}
	w.path = w.path[:len(w.path)-1]
}

func (w *poolWriter) identityAt(at int) [2]uint64 {
	if at == w.last {
		return w.x.identity(w.ev)
	}
	return w.x.identities.of(w.x.Frame.World, w.x.Keep.View(w.refAt(at), &w.view))
}

func (w *poolWriter) refAt(at int) keep.Ref {
	if at == w.last {
		return w.ref
	}
	return w.k.events.at(at).ref
}

// before is the last place up to at of an event that a step can take; -1: none.
func (w *poolWriter) before(step uint64, at int) int {
	if w.k == nil || at < 0 {
		return -1
	}
	if !w.k.stacked {
		for at >= 0 && w.k.events.at(at).steps&step == 0 {
			at--
		}
		return at
	}
	places := w.places(step)
	if i := w.search(places, at+1); i > 0 {
		return w.place(places[i-1])
	}
	return -1
}

// after is the first place after at of an event that a step can take, the place of the
// event at hand where there is none in the pool.
func (w *poolWriter) after(step uint64, at int) int {
	if !w.k.stacked {
		for at++; at < w.last && w.k.events.at(at).steps&step == 0; at++ {
		}
		return at
	}
	places := w.places(step)
	if i := w.search(places, at+1); i < len(places) {
		return w.place(places[i])
	}
	return w.last
}

// places lists the numbers of the events that a step can take.
func (w *poolWriter) places(step uint64) []uint32 {
	return w.k.stacks.steps[bits.TrailingZeros64(step)].live()
}

// place is where an event stands whose number has that low half; a pool has less than
// 2^32 events.
func (w *poolWriter) place(number uint32) int { return int(number - uint32(w.k.base)) }

// search is the index of the first event that stands at a place or after it.
func (w *poolWriter) search(places []uint32, at int) int {
	return sort.Search(len(places), func(i int) bool { return w.place(places[i]) >= at })
}

// write hands on the match of the path: as a run that took its events.
func (w *poolWriter) write() {
	p, x := w.p, w.x
	w.replay()
	x.Frame.Event = w.ev
	switch {
	case w.c.asks && !p.holds(x, &w.key, &w.run, &p.having):
	case w.numberOnly:
		p.matchNumber(x, w.ev)
	default:
		p.match(x, &w.key, &w.run, w.ev.At, false)
	}
}

// replay lets a run take the events of the path. It holds none: the pool does.
func (w *poolWriter) replay() {
	first, end := &w.path[0], &w.path[len(w.path)-1]
	w.key.begin(w.x)
	w.key.lists = w.key.lists[:0]
	w.run = run{stage: -1, accs: w.p.newStates(), binds: w.run.binds[:0], total: int64(len(w.path)), id: end.id}
	w.run.ownStart, w.run.ownLast = w.x.Keep.Time(w.refAt(first.at)), w.ev.Time
	for i := range w.path {
		w.bind(&w.run, &w.path[i])
	}
}

// newList makes a list in the room of one of a match written before.
func (w *poolWriter) newList(leaf int32) int32 {
	n := len(w.key.lists)
	if n == cap(w.key.lists) {
		return w.key.newList(leaf)
	}
	w.key.lists = w.key.lists[:n+1]
	w.key.lists[n] = list{leaf: leaf, tail: w.key.lists[n].tail[:0]}
	return int32(n)
}

// bind lets the run take one event.
func (w *poolWriter) bind(r *run, c *chosen) {
	leaf := w.p.leafAt[c.step]
	l := &w.p.leaves[leaf]
	for len(r.binds) <= leaf {
		r.binds = append(r.binds, bind{list: -1})
	}
	b, ref := &r.binds[leaf], w.refAt(c.at)
	b.n++
	if l.repeats {
		if b.list < 0 {
			b.list = w.newList(int32(leaf))
		}
		list := &w.key.lists[b.list]
		list.tail = append(list.tail, ref)
	} else {
		b.ref = ref
	}
	if l.acc >= 0 {
		ev := w.x.Keep.View(ref, &w.view)
		w.x.Frame.Event = ev
		w.p.feed(w.x, r, l.acc, ev)
	}
}
