package windows

import (
	"math"

	"github.com/cepheus-cep/cepheus/event"
)

// Add puts an event into the window; at is the time it counts at. Sliding and last
// windows first let go of what has left; there at never decreases from one call to
// the next. args has one Arg for each aggregate of the Program; those of aggregates
// that have none, or share an earlier one's (see Agg.Same), are not read. Nothing of
// args is kept.
func (p *Program) Add(s *State, at int64, args []Arg) {
	if !p.evicts {
		p.insert(s, at, args, math.MaxInt)
		return
	}
	p.makeRoom(s, at)
	s.live++
	if p.rowless() {
		return
	}
	slot := s.slot(s.live - 1)
	if p.timed {
		p.row(s, slot)[0] = uint64(at)
	}
	for i := range p.cols {
		c := &p.cols[i]
		v, ok := take(c, &args[c.arg])
		if !ok {
			clearBit(p.bitmap(s, i), slot)
			continue
		}
		setBit(p.bitmap(s, i), slot)
		s.mem[c.taken]++
		if c.value >= 0 {
			p.keep(s, c, slot, v, args[c.arg].S)
		}
		p.sums(s, c, v, at, false)
	}
}

// take returns the word that an argument gives to a column, and whether it gives one.
func take(c *column, a *Arg) (uint64, bool) {
	if !a.Take || c.kind != event.Float {
		return a.N, a.Take
	}
	const exponent = 0x7ff << 52
	if a.N&exponent == exponent {
		return 0, false
	}
	if a.N == 1<<63 {
		return 0, true
	}
	return a.N, true
}

// makeRoom lets go of events so that one more, of time at, can be added.
func (p *Program) makeRoom(s *State, at int64) {
	limit := uint32(MaxEvents)
	if p.spec.Kind == Last {
		limit = uint32(p.spec.Count)
	} else {
		p.Expire(s, at)
	}
	for s.live >= limit {
		p.Drop(s)
	}
	if s.live == s.size && !p.rowless() {
		p.grow(s)
	}
}

// Expire drops from a sliding window what has left it at time now: events of time
// now − D and before. Other kinds do not change.
func (p *Program) Expire(s *State, now int64) {
	if p.spec.Kind != Sliding || !p.evicts || now < math.MinInt64+p.spec.Size {
		return
	}
	for s.live > 0 && int64(p.row(s, s.head)[0]) <= now-p.spec.Size {
		p.Drop(s)
	}
}

// Drop takes the oldest event out of a sliding or last window that is not empty: for
// a caller that bounds the events of a window.
func (p *Program) Drop(s *State) {
	if s.live == 0 || !p.evicts {
		return
	}
	number, slot := s.base, s.head
	s.base++
	s.live--
	if p.rowless() {
		return
	}
	s.head++
	if s.head == s.size {
		s.head = 0
	}
	for i := range p.cols {
		if b := p.bitmap(s, i); getBit(b, slot) {
			p.forget(s, i, slot, number)
		}
	}
	p.shrink(s)
}

// keep stores a value in its row and in what is ordered by events.
func (p *Program) keep(s *State, c *column, slot uint32, v uint64, text string) {
	number := s.base + s.live - 1
	word := v
	if c.dict >= 0 {
		word = p.count(s, c, v, text, number)
	}
	p.row(s, slot)[c.value] = word
	if c.ends >= 0 {
		first := uint32(s.mem[c.ends] >> 32)
		if s.mem[c.taken] == 1 {
			first = number
		}
		s.mem[c.ends] = uint64(first)<<32 | uint64(number)
	}
	for side := range c.best {
		if c.best[side] >= 0 {
			p.enqueue(s, c, side, number)
		}
	}
	if c.order >= 0 {
		p.extOf(s).orders[c.order].insert(orderKey(c.kind, v))
	}
}

// count enters a value into the dictionary and returns its word in the row: the entry
// and, where values are listed by their first events, the number of the next event with
// the same value, which that event will write.
func (p *Program) count(s *State, c *column, v uint64, text string, number uint32) uint64 {
	id, before, again := p.extOf(s).dicts[c.dict].add(v, text, number)
	if again && c.listed {
		p.row(s, s.slot(before-s.base))[c.value] = uint64(id)<<32 | uint64(number)
	}
	return uint64(id) << 32
}

// value returns the number, or the text, that the event in a slot gave to a column.
func (p *Program) value(s *State, c *column, slot uint32) (uint64, string) {
	w := p.row(s, slot)[c.value]
	if c.dict < 0 {
		return w, ""
	}
	d := &s.ext.dicts[c.dict]
	e := &d.entries[w>>32]
	if c.text {
		return 0, d.view(e)
	}
	return e.value, ""
}

func (p *Program) queueOf(s *State, c *column, side int) queue {
	l := p.layout(s.size)
	at := l.queues + c.queue[side]*l.queueWords
	return queue{&s.mem[c.best[side]], s.mem[at : at+l.queueWords], s.size}
}

// enqueue enters the newest event into a monotone queue: whatever it beats can never
// be the best again.
func (p *Program) enqueue(s *State, c *column, side int, number uint32) {
	q := p.queueOf(s, c, side)
	v, text := p.value(s, c, s.slot(number-s.base))
	for {
		_, n := q.ends()
		if n == 0 {
			break
		}
		w, other := p.value(s, c, s.slot(q.at(n-1)-s.base))
		if better(c, side, w, other, v, text) {
			break
		}
		q.popBack()
	}
	q.push(number)
}

// better reports whether value a is strictly the better minimum (side 0) or maximum.
func better(c *column, side int, a uint64, as string, b uint64, bs string) bool {
	if side == 1 {
		a, as, b, bs = b, bs, a, as
	}
	switch {
	case c.text:
		return as < bs
	case c.kind == event.Float:
		return math.Float64frombits(a) < math.Float64frombits(b)
	}
	return int64(a) < int64(b)
}

// forget takes the value of the event that just left, number in slot, out of column i.
func (p *Program) forget(s *State, i int, slot, number uint32) {
	c := &p.cols[i]
	s.mem[c.taken]--
	if c.value < 0 {
		return
	}
	row := p.row(s, slot)
	word := row[c.value]
	v := word
	if c.dict >= 0 && !c.text {
		v = s.ext.dicts[c.dict].entries[word>>32].value
	}
	for side := range c.best {
		if c.best[side] >= 0 {
			if q := p.queueOf(s, c, side); q.at(0) == number {
				q.popFront()
			}
		}
	}
	if c.ends >= 0 && s.mem[c.taken] > 0 && uint32(s.mem[c.ends]>>32) == number {
		first := p.nextTaken(s, i)
		s.mem[c.ends] = uint64(first)<<32 | uint64(uint32(s.mem[c.ends]))
	}
	if c.order >= 0 {
		s.ext.orders[c.order].remove(orderKey(c.kind, v))
	}
	if c.dict >= 0 {
		s.ext.dicts[c.dict].drop(uint32(word>>32), uint32(word))
	}
	p.sums(s, c, v, int64(row[0]), true)
}

// nextTaken finds the oldest live event that gave column i a value; there is one.
func (p *Program) nextTaken(s *State, i int) uint32 {
	b := p.bitmap(s, i)
	position := uint32(0)
	for !getBit(b, s.slot(position)) {
		position++
	}
	return s.base + position
}

// sums adds a value, at its time, to a column's sums, or takes it out again.
func (p *Program) sums(s *State, c *column, v uint64, at int64, out bool) {
	w := c.sum[sumX]
	if w < 0 {
		return
	}
	var x term
	if c.kind == event.Float {
		in := (*[4]uint64)(s.mem[w : w+4])
		fits := in[0] != spilled && addFloat(in, v, out)
		if fits && c.sum[sumXX] < 0 && c.sum[sumT] < 0 {
			return
		}
		if x = floatTerm(v); !fits {
			p.sum(s, c, sumX, x, out)
		}
	} else {
		x = intTerm(int64(v))
		addWhole(s.mem[w:w+3], int64(v), out)
	}
	if c.sum[sumXX] >= 0 {
		p.sum(s, c, sumXX, x.times(x), out)
	}
	if c.sum[sumT] >= 0 {
		t := intTerm(at)
		p.sum(s, c, sumT, t, out)
		p.sum(s, c, sumTT, t.times(t), out)
		p.sum(s, c, sumTX, t.times(x), out)
	}
}

// sum adds to or takes from one sum, in line or spilled.
func (p *Program) sum(s *State, c *column, which int, t term, out bool) {
	if out {
		t = t.negated()
	}
	w := s.mem[c.sum[which]:][:1+inlineLimbs(c.kind, which)]
	if w[0] != spilled {
		f, sign := addInline(w, t)
		if f == fits {
			return
		}
		big := p.spill(s, c, which, w)
		if f == overflow {
			big.limbs = append(big.limbs, sign)
			return
		}
	}
	big := &s.ext.wides[c.wide[which]]
	big.add(t)
	if len(big.limbs) < len(w) {
		w[0] = uint64(int64(big.lo))
		extendInto(w[1:], big.limbs, 0)
		big.limbs = nil
	}
}

// spill moves a sum out of line.
func (p *Program) spill(s *State, c *column, which int, w []uint64) *wide {
	big := &p.extOf(s).wides[c.wide[which]]
	*big = wide{lo: int(int64(w[0])), limbs: append([]uint64(nil), w[1:]...)}
	w[0] = spilled
	return big
}

// sumOf reads a sum.
func (p *Program) sumOf(s *State, sc *scratch, c *column, which int) number {
	w := s.mem[c.sum[which]:][:1+inlineLimbs(c.kind, which)]
	if w[0] == spilled {
		big := &s.ext.wides[c.wide[which]]
		return sc.number(big.lo, big.limbs)
	}
	return sc.number(int(int64(w[0])), w[1:])
}
