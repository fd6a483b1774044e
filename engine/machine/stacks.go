package machine

import (
	"math"
	"math/bits"
)

// How the combinations of a pool are counted. An event is a matrix over the states of
// the automaton: the number at (q, r) is 1 where the event leads from q to r, and 1 more
// where q is r, for every combination also goes on without it. The product over the
// events of the pool, in order, has at (q, r) the number of ways from q to r through
// them; the row of the start is what is wanted. Events come at one end and go at the
// other, and a product cannot be divided, so it is kept in two stacks, as a queue is
// made of two: the front has, for each of its events, the start's row of the product
// from there to the front's end; the back is one matrix, the product of the events that
// came since. When the front is used up, all events become its rows. An event is
// multiplied twice in its life, once on either side, by one addition of a column or of a
// row for each move: amortised constant time, and no number is ever taken away, so that
// adding and multiplying may stop at 2^63-1 and stay exact below.

// stacks counts the ways through a pool of more than a few events.
type stacks struct {
	front  int             // the first events of the pool, which have a row each
	rows   queue[uint64]   // theirs: of each state but the start, the ways to it at the front's end
	back   []uint64        // of the other events, by columns (see pool.column)
	latest []uint64        // by state: 1 + the number of the latest event that a way to it begins with; 0: none
	steps  []queue[uint32] // by step: the low half of the numbers of its events; nil where none is written out
}

// push adds an event.
func (k *poolKey) push(c *pool, x *Context, e pooled) {
	k.events.push(e)
	if k.stacked {
		c.apply(x, c.folds, e.steps, k.stacks.back)
		k.stacks.note(c, x, e.steps, k.base+uint64(k.len()-1))
	} else if k.len() > c.few {
		k.stack(c, x)
	}
}

// drop drops the first n events; there are more.
func (k *poolKey) drop(c *pool, x *Context, n int) {
	if k.stacked {
		k.stacks.forget(k.events.live()[:n])
	}
	k.events.drop(n)
	k.base += uint64(n)
	switch {
	case !k.stacked:
	case n <= k.stacks.front:
		k.stacks.front -= n
		k.stacks.rows.drop(n * (len(c.moves) - 1))
	case k.len() <= c.few:
		k.unstack(c)
	default:
		k.stacks.restack(c, x, k.events.live())
	}
}

// stack goes over from passes to stacks.
func (k *poolKey) stack(c *pool, x *Context) {
	if k.stacks == nil {
		k.stacks = newStacks(c)
	}
	s := k.stacks
	k.stacked = true
	for i := range k.len() {
		s.note(c, x, k.events.at(i).steps, k.base+uint64(i))
	}
	s.restack(c, x, k.events.live())
}

func newStacks(c *pool) *stacks {
	s := &stacks{latest: make([]uint64, len(c.moves)), back: make([]uint64, c.size())}
	if c.listed {
		s.steps = make([]queue[uint32], bits.Len64(c.begins|c.leads))
	}
	return s
}

// unstack goes over from stacks to passes. Small stacks keep their room: a pool may
// have about as many events as that for long.
func (k *poolKey) unstack(c *pool) {
	k.stacked = false
	s := k.stacks
	if cap(s.rows.items) > 4*c.few*len(c.moves) {
		k.stacks = nil
		return
	}
	clear(s.latest)
	for i := range s.steps {
		s.steps[i] = queue[uint32]{items: s.steps[i].items[:0]}
	}
}

// note takes the number of an event that came last into what is known by state and by
// step.
func (s *stacks) note(c *pool, x *Context, steps, number uint64) {
	before := c.before(x, s.latest)
	for i := range c.folds {
		switch w := &c.folds[i]; {
		case steps&w.step == 0:
		case w.from == 0:
			s.latest[w.to] = number + 1
		default:
			s.latest[w.to] = max(s.latest[w.to], before[w.from])
		}
	}
	for rest := steps; rest != 0 && s.steps != nil; rest &= rest - 1 {
		if step := bits.TrailingZeros64(rest); step < len(s.steps) {
			s.steps[step].push(uint32(number))
		}
	}
}

// forget drops the numbers of the first events from what is known by step.
func (s *stacks) forget(events []pooled) {
	if s.steps == nil {
		return
	}
	for i := range events {
		for rest := events[i].steps; rest != 0; rest &= rest - 1 {
			if step := bits.TrailingZeros64(rest); step < len(s.steps) {
				s.steps[step].drop(1)
			}
		}
	}
}

// apply multiplies a matrix by an event. On its right, by the folds: column r of the
// product is column r and those of all states that the event leads to r from. On its
// left, by the flips: row q is row q and those of all states that it leads to from q.
func (c *pool) apply(x *Context, ways []poolWay, steps uint64, matrix []uint64) {
	before := c.before(x, matrix)
	for i := range ways {
		if w := &ways[i]; steps&w.step != 0 {
			addAll(matrix[w.dst:w.dst+w.n], before[w.src:w.src+w.n])
		}
	}
}

// before gives the numbers as they were before the event that will be added to them.
// Where no move leads back, and no state to itself in several ways, the order of the moves
// sees to it.
func (c *pool) before(x *Context, numbers []uint64) []uint64 {
	if !c.copies {
		return numbers
	}
	out := sized(&x.pools.before, len(numbers))
	copy(out, numbers)
	return out
}

// restack makes all events the front: the product is multiplied by one event after the
// other on its left, from the last to the first.
func (s *stacks) restack(c *pool, x *Context, events []pooled) {
	n := len(c.moves)
	product := sized(&x.pools.matrix, c.size())
	clear(product)
	for q := range n {
		product[c.row(q, q)] = 1
	}
	rows := s.roomFor(len(events) * (n - 1))
	for i := len(events) - 1; i >= 0; i-- {
		c.apply(x, c.flips, events[i].steps, product)
		copy(rows[i*(n-1):], product[1:n])
	}
	s.front = len(events)
	clear(s.back)
	for q := range n {
		s.back[c.column(q)+q] = 1
	}
}

// roomFor makes the rows n numbers long.
func (s *stacks) roomFor(n int) []uint64 {
	if c := cap(s.rows.items); c < n || c > 4*n+64 {
		s.rows.items = make([]uint64, n+n/4)
	}
	s.rows.items, s.rows.head = s.rows.items[:n], 0
	return s.rows.items
}

// reach makes ready for ways and isReached: without stacks, by a pass over the events.
func (k *poolKey) reach(c *pool, x *Context) {
	if k == nil || k.stacked {
		return
	}
	ways := sized(&x.pools.ways, len(c.moves))
	clear(ways)
	ways[0] = 1
	for i := range k.len() {
		steps, before := k.events.at(i).steps, c.before(x, ways)
		for j := range c.folds {
			if w := &c.folds[j]; steps&w.step != 0 {
				ways[w.to] = addWays(ways[w.to], before[w.from])
			}
		}
	}
}

// ways is the number of combinations that are at a state.
func (k *poolKey) ways(c *pool, x *Context, q int) uint64 {
	switch {
	case q == 0:
		return 1
	case k == nil:
		return 0
	case !k.stacked:
		return x.pools.ways[q]
	}
	s := k.stacks
	column := s.back[c.column(q):][:c.height(q)]
	total := column[0]
	if s.front == 0 {
		return total
	}
	for r, front := range s.rows.live()[:len(column)-1] {
		total = addWays(total, mulWays(front, column[r+1]))
	}
	return total
}

// isReached reports whether some combination is at a state.
func (k *poolKey) isReached(x *Context, q int) bool {
	if k.stacked {
		return k.stacks.latest[q] > k.base
	}
	return x.pools.ways[q] > 0
}

// count is the number of combinations that an event completes; math.MaxInt64 stands for
// that many and more.
func (k *poolKey) count(c *pool, x *Context, mask uint64) uint64 {
	total := uint64(0)
	for i := range c.ends {
		if e := &c.ends[i]; mask&e.step != 0 {
			total = addWays(total, k.ways(c, x, e.from))
		}
	}
	return total
}

// sized makes *room n long; what is in it is left from before.
func sized(room *[]uint64, n int) []uint64 {
	if cap(*room) < n {
		*room = make([]uint64, n)
	}
	return (*room)[:n]
}

// addWays adds numbers of ways, neither more than 2^63-1; nor is the sum.
func addWays(a, b uint64) uint64 { return min(a+b, math.MaxInt64) }

// mulWays multiplies numbers of ways; the product is at most 2^63-1.
func mulWays(a, b uint64) uint64 {
	high, low := bits.Mul64(a, b)
	if high != 0 {
		return math.MaxInt64
	}
	return min(low, math.MaxInt64)
}

// addAll adds the numbers of src to those of dst, which are as many.
func addAll(dst, src []uint64) {
	src = src[:len(dst)]
	for i := range dst {
		dst[i] = addWays(dst[i], src[i])
	}
}
