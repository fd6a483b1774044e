package machine

import (
	"math"
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// A match all over steps in sequence whose conditions look at one event each needs no
// place for each combination: what an event can be taken by says all. Such a pattern
// keeps the events of a key in a pool, and counts, when one of them can complete it,
// the ways that lead to it from every event before: back from the completing event,
// one event at a time, the number of ways from each state to the end. The count is
// exact up to 2^63-1, however many combinations there are; the same numbers lead the
// writing out of matches past every dead end. A completing event costs one pass over
// the pool.

// pooled is one event of the pool.
type pooled struct {
	ref     keep.Ref
	at, own int64
	steps   uint64 // that can take it
}

// state of a combination: the stage that took last, and its turns so far, those beyond
// what matters taken together.
type poolState struct {
	stage, turns int
	accepts      bool
	moves        []poolMove
}

// poolMove is a way on: the next event taken by a step leads to a state.
type poolMove struct {
	step uint64 // as a set of one
	to   int
}

// pool is the compiled form of such a pattern: its states, and the moves that begin it.
type pool struct {
	states []poolState
	start  []poolMove
}

// maxPoolStates bounds the states: a pattern with more goes place by place.
const maxPoolStates = 256

// newPool makes the pool of a pattern, nil where it needs places.
func (p *Pattern) newPool() *pool {
	if p.grouped || p.gaps || p.seesAll || len(p.leads) > 0 {
		return nil
	}
	for i := range p.stages {
		s := &p.stages[i]
		if len(s.forbids) > 0 || s.final.waits || p.fits[p.leaves[s.leaf].step].holds != nil || s.hasMinGap() {
			return nil
		}
	}
	return p.poolOf()
}

func (s *stage) hasMinGap() bool {
	for i := range s.next {
		if s.next[i].minGap > 0 {
			return true
		}
	}
	return false
}

func (p *Pattern) poolOf() *pool {
	first := make([]int, len(p.stages))
	out := &pool{}
	for i := range p.stages {
		s := &p.stages[i]
		first[i] = len(out.states)
		last := max(s.max, s.min, 1)
		for turns := 1; turns <= last; turns++ {
			out.states = append(out.states, poolState{stage: i, turns: turns, accepts: s.final.ok && turns >= s.min})
		}
		if len(out.states) > maxPoolStates {
			return nil
		}
	}
	for q := range out.states {
		st := &out.states[q]
		s := &p.stages[st.stage]
		switch again := st.turns < max(s.max, s.min); {
		case again:
			st.moves = append(st.moves, poolMove{s.steps, q + 1})
		case s.max < 0:
			st.moves = append(st.moves, poolMove{s.steps, q})
		}
		if st.turns < s.min {
			continue
		}
		for i := len(s.next) - 1; i >= 0; i-- {
			to := s.next[i].to
			st.moves = append(st.moves, poolMove{p.stages[to].steps, first[to]})
		}
	}
	for i := len(p.start) - 1; i >= 0; i-- {
		to := p.start[i].to
		out.start = append(out.start, poolMove{p.stages[to].steps, first[to]})
	}
	return out
}

// poolEvent takes an event into the pool and makes the matches that it completes.
func (p *Pattern) poolEvent(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	p.expirePool(x, k, ev.At)
	if mask == 0 {
		return
	}
	if len(k.pool) >= x.Limits.RunsPerKey {
		p.dropPool(x, k, 1)
		x.Dropped.Runs++
	}
	k.pool = append(k.pool, pooled{ref: x.hold(ev), at: ev.At, own: ev.Time, steps: mask})
	if total := p.count(x, k); total > 0 {
		x.Frame.Matches = total
		p.writeOut(x, k, ev)
		x.Frame.Matches = 0
	}
}

// expirePool drops the events that can be in no match with one of a time.
func (p *Pattern) expirePool(x *Context, k *PatternKey, now int64) {
	if p.within == 0 {
		return
	}
	n := 0
	for n < len(k.pool) && now >= later(k.pool[n].at, p.within) {
		n++
	}
	p.dropPool(x, k, n)
}

func (p *Pattern) dropPool(x *Context, k *PatternKey, n int) {
	for i := range k.pool[:n] {
		x.Keep.Release(k.pool[i].ref)
	}
	if k.pool = k.pool[n:]; len(k.pool) == 0 {
		k.pool = nil
	}
}

// row is the numbers of ways from each state to the end, as seen before event i of the
// pool; the last row is of nothing left to come.
func (p *Pattern) row(x *Context, i int) []uint64 {
	n := len(p.pool.states)
	return x.ways[i*n : (i+1)*n]
}

// count fills the rows and returns the number of combinations that the last event of
// the pool completes; math.MaxInt64 stands for that many and more.
func (p *Pattern) count(x *Context, k *PatternKey) int64 {
	last := len(k.pool) - 1
	if !p.mayComplete(k.pool[last].steps) {
		return 0
	}
	states := len(p.pool.states)
	if need := (last + 2) * states; cap(x.ways) < need {
		x.ways = make([]uint64, need+need/2)
	}
	x.ways = x.ways[:(last+2)*states]
	clear(p.row(x, last+1))
	total := uint64(0)
	for i := last; i >= 0; i-- {
		row, after := p.row(x, i), p.row(x, i+1)
		steps := k.pool[i].steps
		for q := range row {
			row[q] = after[q]
			for _, m := range p.pool.states[q].moves {
				if steps&m.step != 0 {
					row[q] = addWays(row[q], p.onward(x, m.to, i, last))
				}
			}
		}
		for _, m := range p.pool.start {
			if steps&m.step != 0 {
				total = addWays(total, p.onward(x, m.to, i, last))
			}
		}
	}
	return int64(total)
}

// mayComplete reports whether an event that those steps can take can be a last one.
func (p *Pattern) mayComplete(steps uint64) bool {
	for i := range p.stages {
		if p.stages[i].final.ok && steps&p.stages[i].steps != 0 {
			return true
		}
	}
	return false
}

// onward is the number of ways to the end from a state entered by event i; the last
// event must be the end itself.
func (p *Pattern) onward(x *Context, q, i, last int) uint64 {
	if i < last {
		return p.row(x, i+1)[q]
	}
	if p.pool.states[q].accepts {
		return 1
	}
	return 0
}

// addWays adds numbers of ways; the sum stays at 2^63-1.
func addWays(a, b uint64) uint64 {
	sum, carry := bits.Add64(a, b, 0)
	if carry != 0 || sum > math.MaxInt64 {
		return math.MaxInt64
	}
	return sum
}

// writeOut hands on as many matches as the rule's limit asks for, the latest start
// first, then in order of events; with limit 0 the number alone.
func (p *Pattern) writeOut(x *Context, k *PatternKey, ev *event.Event) {
	limit := p.rule.Pattern.Limit
	w := poolWriter{p: p, x: x, k: k, last: len(k.pool) - 1, left: max(limit, 1)}
	for i := w.last; i >= 0 && w.left > 0; i-- {
		for _, m := range p.pool.start {
			if k.pool[i].steps&m.step != 0 && p.onward(x, m.to, i, w.last) > 0 {
				w.take(i, m, limit == 0)
			}
		}
	}
	x.Frame.Event = ev
}

// poolWriter walks the combinations that end at the pool's last event.
type poolWriter struct {
	p    *Pattern
	x    *Context
	k    *PatternKey
	last int
	left int // matches that may still be written
	path []chosen
}

// chosen is an event of the pool with the step that takes it.
type chosen struct {
	event int
	step  uint64
}

// take goes on from an event taken by a move to the end, in order of events.
func (w *poolWriter) take(i int, m poolMove, countOnly bool) {
	w.path = append(w.path, chosen{i, m.step})
	if i == w.last {
		w.write(countOnly)
		w.left--
	}
	for j := i + 1; j <= w.last && w.left > 0; j++ {
		for _, next := range w.p.pool.states[m.to].moves {
			if w.left > 0 && w.k.pool[j].steps&next.step != 0 && w.p.onward(w.x, next.to, j, w.last) > 0 {
				w.take(j, next, countOnly)
			}
		}
	}
	w.path = w.path[:len(w.path)-1]
}

// write hands on the match of the path: as a run that took its events.
func (w *poolWriter) write(countOnly bool) {
	p, x := w.p, w.x
	key := PatternKey{}
	r := run{stage: -1, accs: p.newStates()}
	for _, c := range w.path {
		p.replay(x, w.k, &key, &r, c)
	}
	x.Frame.Event = x.Keep.View(w.k.pool[w.last].ref, &x.poolView)
	switch {
	case !p.holds(x, &key, &r, &p.having):
	case countOnly:
		count := run{ownStart: r.ownLast, ownLast: r.ownLast, id: ID{}.fold(-1, identity(x.Frame.World, x.Frame.Event))}
		p.match(x, &key, &count, w.k.pool[w.last].at, false)
	default:
		p.match(x, &key, &r, w.k.pool[w.last].at, false)
	}
	p.release(x, &key, &r)
}

// replay lets a run take an event of the pool.
func (p *Pattern) replay(x *Context, k, key *PatternKey, r *run, c chosen) {
	e := &k.pool[c.event]
	leaf := p.leafAt[bits.TrailingZeros64(c.step)]
	l := &p.leaves[leaf]
	for len(r.binds) <= leaf {
		r.binds = append(r.binds, bind{list: -1})
	}
	b := &r.binds[leaf]
	if l.repeats {
		if b.list < 0 {
			b.list = key.newList(int32(leaf))
			key.lists[b.list].holders = 1
		}
		key.lists[b.list].tail = append(key.lists[b.list].tail, x.Keep.Share(e.ref))
	} else {
		b.ref = x.Keep.Share(e.ref)
	}
	b.n++
	ev := x.Keep.View(e.ref, &x.poolView)
	if r.total == 0 {
		r.start, r.ownStart = e.at, e.own
	}
	r.total++
	r.last, r.ownLast = e.at, e.own
	r.id = r.id.fold(l.step, identity(x.Frame.World, ev))
	if l.acc >= 0 {
		x.Frame.Event = ev
		p.feed(x, r, l.acc, ev)
	}
}
