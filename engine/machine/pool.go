package machine

import (
	"math"
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// A match all whose conditions look at one event each needs no place for each
// combination: what an event can be taken by says all. The pattern is an automaton whose
// moves are steps (see automaton.go), and a combination is a way through it, so that a
// key remembers only its events, in a pool, and how to count ways (see stacks.go). The
// number is exact up to 2^63-1 and takes amortised constant time an event, whatever the
// window and the number of combinations; as many as the rule's limit are written out
// past every dead end (see pool_write.go). The idea of keeping all partial matches of an
// automaton at once, with constant time an event and a delay that depends on the match
// alone, is CORE's (Bucchi, Grez, Quintana, Riveros, Vansummeren, PVLDB 15(9), 2022);
// numbers in place of their tree of nodes need no memory for each node.

// pool is the compiled form of such a pattern: its states, and the moves between them.
// State 0 is the start; states from which no match can come are left out. Unless it is
// cyclic, moves lead from a state to a later one or to itself.
type pool struct {
	moves  [][]poolMove // by state, in order of steps
	cyclic bool         // some repeated group leads back to where it was
	copies bool         // numbers are copied before an event changes them: see before
	folds  []poolWay    // moves between states, in the order for a column each (see stacks.fold)
	flips  []poolWay    // the same for a row each (see stacks.restack)
	ends   []poolEnd    // moves that complete a combination
	begins uint64       // steps that begin a combination which can go on
	leads  uint64       // steps that lead on from a combination
	ending uint64       // steps that complete one that has begun
	listed bool         // matches are written out: the events are kept
	asks   bool         // having must see the match
	few    int          // events that are counted by a pass over them
	most   int          // events for which there is room
}

// poolMove is a way on: the next event taken by a step leads to a state.
type poolMove struct {
	step      uint64 // as a set of one
	to        int    // 0: no match can come from there
	completes bool
}

// poolWay is a move between states as what it does to a matrix: n numbers from src on
// are added to those from dst on.
type poolWay struct {
	step        uint64
	from, to    int32
	dst, src, n int32
}

// poolEnd is a move that completes combinations.
type poolEnd struct {
	step uint64
	from int
}

const (
	maxPoolStates = 256     // but the start; a pattern with more goes place by place
	maxPoolWays   = 1 << 24 // numbers that the rows of a key take: 128 MiB
	fewPooled     = 8
)

// pooled is one event of a pool.
type pooled struct {
	at    int64
	steps uint64   // that can take it
	ref   keep.Ref // none where matches are counted only
}

// poolKey is the pool of a key: the events that a combination can begin with or go on
// by, in order. The first one can begin one. Few events are counted by a pass over
// them; more have stacks.
type poolKey struct {
	events  queue[pooled]
	base    uint64 // number of the first event, among all that the pool has taken
	stacked bool
	stacks  *stacks
}

// poolScratch is what a shard works with; nothing in it outlives an event but room.
type poolScratch struct {
	ways   []uint64 // by state: to it through all events of the pool at hand
	matrix []uint64
	before []uint64 // what a cyclic pattern's numbers were before an event
	spare  []*poolKey
	writer poolWriter
	count  run // the match that stands for the number of them alone
}

func (k *poolKey) len() int {
	if k == nil {
		return 0
	}
	return k.events.len()
}

// poolEvent makes the matches that an event completes and takes it into the pool if it
// can be in a later one.
func (p *Pattern) poolEvent(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	c := p.pool
	if mask&(c.leads|c.ending) != 0 {
		k.pool.reach(c, x)
	}
	if total := k.pool.count(c, x, mask); total > 0 {
		x.Frame.Matches = int64(total)
		p.writeOut(x, k.pool, ev, mask)
		x.Frame.Matches = 0
	}
	if k.pool.serves(c, x, mask) {
		p.poolAdd(x, k, ev, mask)
	}
}

// poolAdd adds the event at hand to the pool.
func (p *Pattern) poolAdd(x *Context, k *PatternKey, ev *event.Event, mask uint64) {
	if over := k.pool.len() + 1 - min(x.Limits.EventsPerWindow, p.pool.most); over > 0 {
		x.Dropped.WindowEvents += uint64(p.dropPool(x, k, over))
	}
	if k.pool == nil {
		k.pool = x.pools.newKey()
	}
	e := pooled{at: ev.At, steps: mask & (p.pool.begins | p.pool.leads)}
	if p.pool.listed {
		e.ref = x.hold(ev)
	}
	k.pool.push(p.pool, x, e)
}

// serves reports whether an event can be in a match with later ones: it begins a
// combination, or there is one that it leads on from.
func (k *poolKey) serves(c *pool, x *Context, mask uint64) bool {
	if mask&c.begins != 0 {
		return true
	}
	if mask&c.leads == 0 || k == nil {
		return false
	}
	for i := range c.folds {
		if w := &c.folds[i]; mask&w.step != 0 && k.isReached(x, int(w.from)) {
			return true
		}
	}
	return false
}

// expirePool drops the events that can be in no match with one of a time.
func (p *Pattern) expirePool(x *Context, k *PatternKey, now int64) {
	if p.within == 0 || k.pool == nil {
		return
	}
	n := 0
	for n < k.pool.len() && now >= later(k.pool.events.at(n).at, p.within) {
		n++
	}
	if n > 0 {
		p.dropPool(x, k, n)
	}
}

// dropPool drops the first n events, and with them those that then can be in no match;
// it returns how many.
func (p *Pattern) dropPool(x *Context, k *PatternKey, n int) int {
	if k.pool == nil {
		return 0
	}
	for n < k.pool.len() && k.pool.events.at(n).steps&p.pool.begins == 0 {
		n++
	}
	for i := range n {
		x.Keep.Release(k.pool.events.at(i).ref)
	}
	if n < k.pool.len() {
		k.pool.drop(p.pool, x, n)
		return n
	}
	x.pools.retire(k.pool)
	k.pool = nil
	return n
}

// poolDeadline is when a pool's last event can be forgotten.
func (p *Pattern) poolDeadline(k *PatternKey) int64 {
	if n := k.pool.len(); n > 0 && p.within > 0 {
		return later(k.pool.events.at(n-1).at, p.within)
	}
	return math.MaxInt64
}

// Room of emptied pools is used again: a key's pool is empty between two bursts.
const (
	maxSparePools = 64
	maxSpareRoom  = 64 // events
)

func (s *poolScratch) newKey() *poolKey {
	if last := len(s.spare) - 1; last >= 0 {
		k := s.spare[last]
		s.spare = s.spare[:last]
		return k
	}
	return &poolKey{}
}

func (s *poolScratch) retire(k *poolKey) {
	if len(s.spare) < maxSparePools && cap(k.events.items) <= maxSpareRoom {
		*k = poolKey{events: queue[pooled]{items: k.events.items[:0]}}
		s.spare = append(s.spare, k)
	}
}

// appendPool writes a pool. How it is counted is not written: it is made anew.
func (p *Pattern) appendPool(out *recordWriter, k *poolKey) {
	out.uint(uint64(k.len()))
	before := out.x.Since
	for i := range k.len() {
		e := k.events.at(i)
		out.ref(e.ref)
		out.span(e.at, before)
		before = e.at
		out.uint(e.steps)
	}
}

func (p *Pattern) readPool(in *recordReader, x *Context, k *PatternKey) {
	n := in.count()
	if n == 0 {
		return
	}
	if p.pool == nil {
		in.fail("%d events of a pool, which the pattern has not", n)
		return
	}
	k.pool = x.pools.newKey()
	before := in.x.Since
	for range n {
		e := pooled{ref: in.ref(), at: in.span(before), steps: in.uint()}
		before = e.at
		if (e.ref != 0) != p.pool.listed || e.steps == 0 || bits.Len64(e.steps) > len(p.leafAt) || p.pool.listed && !p.couldPool(x, e.ref, e.steps) {
			in.fail("an event of a pool for the steps %b", e.steps)
			return
		}
		k.pool.push(p.pool, x, e)
	}
}

// queue is a slice that grows at its end and is dropped from at its front. It takes
// memory in proportion to the most that it has held since half of it was last unused.
type queue[T any] struct {
	items []T
	head  int
}

func (q *queue[T]) len() int    { return len(q.items) - q.head }
func (q *queue[T]) at(i int) *T { return &q.items[q.head+i] }
func (q *queue[T]) live() []T   { return q.items[q.head:] }
func (q *queue[T]) drop(n int)  { q.head += n }
func (q *queue[T]) push(item T) {
	if len(q.items) == cap(q.items) && q.head > len(q.items)/2 {
		q.compact()
	}
	q.items = append(q.items, item)
}

// compact moves what is left to the front, of less room where most was unused.
func (q *queue[T]) compact() {
	to := q.items[:0]
	if cap(to) > 64 && q.len() < cap(to)/8 {
		to = make([]T, 0, cap(to)/2)
	}
	q.items, q.head = append(to, q.live()...), 0
}
