package machine

import (
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// order is how runs of a room are kept where the way on compares a value of the event
// with one of what the run took. Values are numbers in a common order, turned about where
// the condition asks for greater ones in the run, so that an event with the number n finds
// the runs with less than n, at most n, or n itself.
type order struct {
	steps   uint64                           // that the run's side reads
	step    int                              // one of them
	own     bool                             // it is the only one, and that of the room
	run     func(*eval.Frame) event.Value    // the run's side; neither can fail as it runs
	event   func(*eval.Frame) event.Value    // the event's side
	runBits func(*eval.Frame) (uint64, bool) // run of numbers, without making a Value; else nil
	bits    func(*eval.Frame) (uint64, bool) // event of numbers
	field   int                              // the event's side is this slot, a number of that kind; -1: it is more
	words   int                              // of the layout, before the slots
	kind    event.Kind
	turn    uint64 // all bits set: greater ones are found
	equal   bool
	most    bool  // the number itself is found too
	indexAt int32 // runs up to which a room is a queue; with more it is a heap, or a table where equal ones are found
}

// newOrder finds the comparison by which the runs of a room can be kept, nil where there is
// none. What stands before it in the condition must not fail as it runs: it is
// looked at only for those that the comparison finds.
func (p *Pattern) newOrder(c eval.Compiler, r *room) *order {
	if r.log >= 0 || r.minGap > 0 || r.maxGap < math.MaxInt64 || len(r.next) != 1 || r.next[0].fit.holds == nil {
		return nil
	}
	way := &r.next[0]
	step := &p.rule.Pattern.Steps[p.leaves[way.leaf].step]
	c.Event = step.Type
	_, conds := split(step.Cond)
	for i, e := range conds {
		if o := p.orderBy(c, e); o != nil {
			o.own = o.steps == r.step
			if way.rest = way.fit; !o.equal {
				way.rest = newCond(c, Conjunction(append(append([]*plan.Expr{}, conds[:i]...), conds[i+1:]...)))
			}
			return o
		}
		if !isSafe(e) {
			return nil
		}
	}
	return nil
}

// orderBy makes the order of a comparison, nil where it is none that orders.
func (p *Pattern) orderBy(c eval.Compiler, e *plan.Expr) *order {
	o := &order{}
	switch e.Op {
	case plan.OpEq:
		o.equal = true
	case plan.OpGt:
	case plan.OpGe:
		o.most = true
	case plan.OpLt:
		o.turn = math.MaxUint64
	case plan.OpLe:
		o.turn, o.most = math.MaxUint64, true
	default:
		return nil
	}
	mine, run := e.Args[0], e.Args[1]
	if !isLocal(mine) {
		mine, run = run, mine
		o.turn = ^o.turn
	}
	if mine.Type.Kind != run.Type.Kind || !o.compares(mine.Type.Kind) || !isLocal(mine) || !isSafe(mine) || !p.isFixed(run) {
		return nil
	}
	if o.equal {
		o.turn = 0
	}
	o.step = bits.TrailingZeros64(stepsRead(run))
	o.field, o.words = -1, c.Types[c.Event].Layout.Words()
	if mine.Op == plan.OpField && mine.Type.Kind != event.String && mine.Type.Kind != event.IP {
		o.field = mine.Index
	}
	o.steps, o.run, o.event, o.indexAt = stepsRead(run), c.Value(run), c.Value(mine), indexAtLeast
	if o.kind = mine.Type.Kind; o.kind != event.String && o.kind != event.IP {
		o.runBits, o.bits = c.Bits(run), c.Bits(mine)
	}
	return o
}

// compares reports whether values of a kind have a number each.
func (o *order) compares(k event.Kind) bool {
	switch k {
	case event.Int, event.Float, event.Time, event.Duration:
		return true
	case event.String, event.IP:
		return o.equal
	}
	return false
}

// isFixed reports whether e looks at nothing but events that a run has taken by steps that
// are not repeated, so that its value stays while the run waits.
func (p *Pattern) isFixed(e *plan.Expr) bool {
	steps := stepsRead(e)
	for i := range p.leaves {
		if l := &p.leaves[i]; l.repeats {
			steps &^= 1 << l.step
		}
	}
	return steps != 0 && steps == stepsRead(e) && isSafe(e) && !reads(e, plan.OpField) && !reads(e, plan.OpMeta)
}

// isSafe reports whether e cannot fail as it runs, and reads nothing of the engine but
// events. It knows what conditions are made of mostly.
func isSafe(e *plan.Expr) bool {
	for _, a := range e.Args {
		if !isSafe(a) {
			return false
		}
	}
	switch e.Op {
	case plan.OpConst, plan.OpField, plan.OpTaken, plan.OpAnd, plan.OpOr, plan.OpNot:
		return e.Type.Kind != event.Any
	case plan.OpStepField:
		return e.Type.Kind != event.Any && (e.Pick == plan.PickFirst || e.Pick == plan.PickLast)
	case plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe:
		return e.Args[0].Type.Kind == e.Args[1].Type.Kind
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpDiv, plan.OpNeg:
		return e.Type.Kind == event.Float && e.Args[0].Type.Kind == event.Float
	case plan.OpConvert:
		return e.Type.Kind == event.Float && e.Args[0].Type.Kind == event.Int
	}
	return false
}

// number is a value's number in the order; false for nil, which compares with nothing.
func (o *order) number(v event.Value) (uint64, bool) {
	switch v.Kind {
	case event.Nil:
		return 0, o.equal
	case event.String, event.IP:
		return event.Hash([]byte(v.S)), true
	case event.Float:
		return floatNumber(v.Float()) ^ o.turn, !math.IsNaN(v.Float())
	}
	return v.N ^ 1<<63 ^ o.turn, true
}

// numberOf is number of what one of the sides gives for a frame; bits nil: by its Value.
func (o *order) numberOf(f *eval.Frame, bits func(*eval.Frame) (uint64, bool), value func(*eval.Frame) event.Value) (uint64, bool) {
	if bits == nil {
		return o.number(value(f))
	}
	n, ok := bits(f)
	if !ok {
		return 0, o.equal
	}
	return o.numberOfBits(n)
}

// numberOfBits is number of a number that is there.
func (o *order) numberOfBits(n uint64) (uint64, bool) {
	if o.kind != event.Float {
		return n ^ 1<<63 ^ o.turn, true
	}
	x := math.Float64frombits(n)
	return floatNumber(x) ^ o.turn, !math.IsNaN(x)
}

// asked is the number of the event at hand.
func (o *order) asked(f *eval.Frame) (uint64, bool) {
	if o.field < 0 || !f.Event.Has(o.field) {
		return o.numberOf(f, o.bits, o.event)
	}
	return o.numberOfBits(f.Event.Slots[o.field+o.words])
}

// floatNumber puts floats in order; -0 is 0.
func floatNumber(f float64) uint64 {
	if f == 0 {
		f = 0
	}
	n := math.Float64bits(f)
	if n>>63 != 0 {
		return ^n
	}
	return n | 1<<63
}

// rank works out the value of a run that comes into an ordered room, having just taken ev
// (nil: some time ago).
func (p *Pattern) rank(x *Context, k *lineKey, o *order, i int32, ev *event.Event) {
	x.roomFor(len(p.leafAt))
	if b := &x.Frame.Steps[o.step]; o.own && ev != nil {
		b.N, b.First, b.Last, b.List = 1, ev, ev, nil
	} else {
		p.bindFrame(x, &x.lineView, p.show(x, k, i), o.steps, false)
	}
	n, ok := o.numberOf(&x.Frame, o.runBits, o.run)
	if !ok {
		n = math.MaxUint64 // less than nothing, and at the bottom of a heap
	}
	w := &k.store.runs[i]
	w.value, w.unknown = n, !ok
}

// find lists the runs of a room that the event at hand finds, in x.found.
func (k *lineKey) find(x *Context, o *order, st *roomState) []int32 {
	n, ok := o.asked(&x.Frame)
	if !ok || !o.equal && (n < st.least || n == st.least && !o.most) {
		return nil // mostly, and no run has been looked at
	}
	x.found = x.found[:0]
	switch {
	case o.equal:
		k.findEqual(x, st, n)
	case st.index > 0:
		return k.findInHeap(x, o, st, n)
	default:
		k.findInQueue(x, o, st, n)
	}
	return x.found
}

// findEqual finds the runs of a room that have the number n.
func (k *lineKey) findEqual(x *Context, st *roomState, n uint64) {
	i, runs := st.head, k.store.runs
	if st.index < 0 {
		i = *k.store.tables[-st.index].bucket(n)
	}
	for ; i != 0; i = runs[i].behind {
		if w := &runs[i]; w.value == n && !w.unknown {
			x.found = append(x.found, i)
		}
	}
}

// findInQueue finds the runs of a room that is a queue, and what the least number is.
func (k *lineKey) findInQueue(x *Context, o *order, st *roomState, n uint64) {
	before := st.least
	st.least = math.MaxUint64
	for i, runs := st.head, k.store.runs; i != 0; i = runs[i].behind {
		w := &runs[i]
		st.least = min(st.least, w.value)
		if w.value < n || w.value == n && o.most && !w.unknown {
			x.found = append(x.found, i)
		}
	}
	k.store.moved = k.store.moved || st.least > before // fewer events matter
}

// findInHeap finds the runs of a room that has a heap.
func (k *lineKey) findInHeap(x *Context, o *order, st *roomState, n uint64) []int32 {
	if !o.most {
		if n == 0 {
			return nil
		}
		n--
	}
	x.found = k.store.heaps[st.index].upTo(x.found, n)
	return slices.DeleteFunc(x.found, func(i int32) bool { return k.store.runs[i].unknown })
}

// enterIndex puts a run into the heap or table of a room.
func (k *lineKey) enterIndex(o *order, st *roomState, i int32) {
	if o.equal {
		k.enterTable(st, i)
		return
	}
	k.enterHeap(st, i)
}

// leaveIndex takes a run out.
func (k *lineKey) leaveIndex(st *roomState, w *waiter) {
	if st.index < 0 {
		k.leaveTable(st, w)
		return
	}
	k.leaveHeap(st, w)
}

// all lists the runs of a room that has a heap or a table.
func (s *lineStore) all(st *roomState, into []int32) []int32 {
	if st.index < 0 {
		return s.listTable(s.tables[-st.index], into)
	}
	for _, e := range s.heaps[st.index] {
		into = append(into, e.run)
	}
	return into
}

// heap is a room's runs with the least value on top. Where a run stands in it is kept
// with the run, so that one that ends is taken out in O(log n).
type heap []ranked

type ranked struct {
	value uint64
	run   int32
}

// indexAtLeast is the number of runs up to which looking at each costs less than a heap or
// a table.
const indexAtLeast = 16

// upTo lists the runs with at most the value n, and no more than twice as many others are
// looked at.
func (h heap) upTo(found []int32, n uint64) []int32 {
	from := len(found)
	if len(h) == 0 || h[0].value > n {
		return found
	}
	found = append(found, 0) // first places in the heap, in the order of a breadth-first walk
	for at := from; at < len(found); at++ {
		for kid := 2*int(found[at]) + 1; kid <= 2*int(found[at])+2 && kid < len(h); kid++ {
			if h[kid].value <= n {
				found = append(found, int32(kid))
			}
		}
	}
	for at := from; at < len(found); at++ {
		found[at] = h[found[at]].run
	}
	return found
}

// enterHeap puts a run into the heap of a room, making one of the room's links first.
func (k *lineKey) enterHeap(st *roomState, i int32) {
	s := k.store
	if st.index == 0 {
		st.index = s.newHeap()
		for j := st.head; j != 0; {
			behind := s.runs[j].behind
			s.push(st.index, j)
			j = behind
		}
		st.head, st.tail = 0, 0
	}
	s.push(st.index, i)
}

// leaveHeap takes a run out; an empty heap goes back.
func (k *lineKey) leaveHeap(st *roomState, w *waiter) {
	s := k.store
	s.take(st.index, w.behind)
	if st.n == 0 {
		s.spareHeaps = append(s.spareHeaps, st.index)
		st.index = 0
	}
}

func (s *lineStore) newHeap() int32 {
	if last := len(s.spareHeaps) - 1; last >= 0 {
		h := s.spareHeaps[last]
		s.spareHeaps = s.spareHeaps[:last]
		return h
	}
	s.heaps = append(s.heaps, nil)
	return int32(len(s.heaps) - 1)
}

func (s *lineStore) push(number, i int32) {
	s.heaps[number] = append(s.heaps[number], ranked{s.runs[i].value, i})
	s.up(s.heaps[number], int32(len(s.heaps[number])-1))
}

// take takes out what stands at a place.
func (s *lineStore) take(number, at int32) {
	h := s.heaps[number]
	last := int32(len(h) - 1)
	moved := h[last]
	h = h[:last]
	s.heaps[number] = h
	if at == last {
		return
	}
	h[at] = moved
	s.down(h, at)
	if s.runs[moved.run].behind == at {
		s.up(h, at)
	}
}

// up and down move what stands at a place to where it belongs.
func (s *lineStore) up(h heap, at int32) {
	e := h[at]
	for at > 0 && h[(at-1)/2].value > e.value {
		h[at] = h[(at-1)/2]
		s.runs[h[at].run].behind = at
		at = (at - 1) / 2
	}
	h[at] = e
	s.runs[e.run].behind = at
}

func (s *lineStore) down(h heap, at int32) {
	e := h[at]
	for {
		kid := 2*at + 1
		if kid >= int32(len(h)) {
			break
		}
		if kid+1 < int32(len(h)) && h[kid+1].value < h[kid].value {
			kid++
		}
		if h[kid].value >= e.value {
			break
		}
		h[at] = h[kid]
		s.runs[h[at].run].behind = at
		at = kid
	}
	h[at] = e
	s.runs[e.run].behind = at
}
