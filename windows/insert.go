package windows

import (
	"unsafe"

	"github.com/cepheus-cep/cepheus/event"
)

// AddAtMost is Add for a caller that bounds what a State of [NewAcc] remembers, and
// which must not stop: once an aggregate remembers most single values (different ones,
// or those of a percentile), it takes no new ones, and all others go on. It reports
// whether the event was taken whole.
func (p *Program) AddAtMost(s *State, at int64, args []Arg, most int) bool {
	if p.evicts {
		p.Add(s, at, args)
		return true
	}
	return p.insert(s, at, args, max(1, most))
}

// insert is Add for Programs that never let go of an event.
func (p *Program) insert(s *State, at int64, args []Arg, most int) (whole bool) {
	whole = true
	s.setInserted(s.inserted() + 1)
	if s.mem == nil && p.fixed > 0 {
		s.mem = make([]uint64, p.fixed)
	}
	for i := range p.cols {
		c := &p.cols[i]
		v, ok := take(c, &args[c.arg])
		switch {
		case c.total && ok && p.addTotal(s, c, v):
			s.mem[c.taken]++
		case c.plain && ok:
			s.mem[c.taken]++
			p.sums(s, c, v, at, false)
		case c.plain:
		default:
			whole = p.insertValue(s, c, v, args[c.arg].S, ok, at, most) && whole
		}
	}
	if p.ext.tails > 0 {
		p.insertTails(s, args)
	}
	return whole
}

// addTotals is insert for a State that has its memory, where columns keep counts and sums
// alone.
func (p *Program) addTotals(s *State, at int64, args []Arg) {
	s.setInserted(s.inserted() + 1)
	for i := range p.cols {
		c := &p.cols[i]
		v, ok := take(c, &args[c.arg])
		if !ok {
			continue
		}
		s.mem[c.taken]++
		if !c.total || !p.addTotal(s, c, v) {
			p.sums(s, c, v, at, false)
		}
	}
}

// addTotal adds a value to the only sum of a column, where that is done without a detour.
func (p *Program) addTotal(s *State, c *column, v uint64) bool {
	w := c.sum[sumX]
	if c.kind == event.Float {
		in := (*[4]uint64)(s.mem[w:])
		return in[0] != spilled && addFloat(in, v, false)
	}
	addWhole(s.mem[w:w+3], int64(v), false)
	return true
}

// insertValue gives a column what an event gives to it, if it gives anything.
func (p *Program) insertValue(s *State, c *column, v uint64, text string, ok bool, at int64, most int) bool {
	if c.fresh >= 0 {
		s.mem[c.fresh] = 0
	}
	return !ok || p.absorb(s, c, v, text, at, most)
}

// insertTails gives an event's values to the aggregates that collect.
func (p *Program) insertTails(s *State, args []Arg) {
	for i := range p.aggs {
		a := &p.aggs[i]
		if a.tail < 0 {
			continue
		}
		c := &p.cols[a.col]
		if v, ok := take(c, &args[c.arg]); ok {
			p.extOf(s).tails[a.tail].push(int(a.param), c.text, v, args[c.arg].S)
		}
	}
}

// absorb gives a value to everything that a column accumulates; false where it was one
// more than may be remembered.
func (p *Program) absorb(s *State, c *column, v uint64, text string, at int64, most int) bool {
	s.mem[c.taken]++
	only := s.mem[c.taken] == 1
	if c.first >= 0 && only {
		p.put(s, c, c.first, v, text)
	}
	if c.last >= 0 {
		p.put(s, c, c.last, v, text)
		s.mem[c.fresh] = 1
	}
	for side, slot := range c.best {
		if slot < 0 {
			continue
		}
		if only {
			p.put(s, c, slot, v, text)
			continue
		}
		w, other := p.got(s, c, slot)
		if better(c, side, v, text, w, other) {
			p.put(s, c, slot, v, text)
		}
	}
	p.sums(s, c, v, at, false)
	return p.remember(s, c, v, text, most)
}

// remember adds a value to the aggregates that keep values one by one, of which each
// may have most; false where one has no room for it.
func (p *Program) remember(s *State, c *column, v uint64, text string, most int) bool {
	whole := true
	if c.dict >= 0 {
		d := &p.extOf(s).dicts[c.dict]
		if int(d.live) < most || d.has(v, text) {
			d.add(v, text, 0)
		} else {
			whole = false
		}
	}
	if c.order >= 0 {
		o := &p.extOf(s).orders[c.order]
		if o.n < most {
			o.insert(orderKey(c.kind, v))
		} else {
			whole = false
		}
	}
	return whole
}

// put stores a value in a slot of its own; got reads it.
func (p *Program) put(s *State, c *column, slot int, v uint64, text string) {
	if c.text {
		e := p.extOf(s)
		e.texts[slot] = append(e.texts[slot][:0], text...)
		return
	}
	s.mem[slot] = v
}

// got returns what put stored; text is valid until the next put.
func (p *Program) got(s *State, c *column, slot int) (v uint64, text string) {
	if c.text {
		b := p.extOf(s).texts[slot]
		return 0, unsafe.String(unsafe.SliceData(b), len(b))
	}
	return s.mem[slot], ""
}

// tail is the last k values of collect, a ring once it is full.
type tail struct {
	words []uint64
	texts [][]byte
	head  int
}

func (t *tail) push(k int, isText bool, v uint64, text string) {
	if isText {
		if len(t.texts) < k {
			t.texts = append(t.texts, []byte(text))
			return
		}
		t.texts[t.head] = append(t.texts[t.head][:0], text...)
	} else {
		if len(t.words) < k {
			t.words = append(t.words, v)
			return
		}
		t.words[t.head] = v
	}
	t.head = (t.head + 1) % k
}

func (t *tail) len() int { return len(t.words) + len(t.texts) }

// at returns value i, oldest first; text is valid until the next push.
func (t *tail) at(i int) (v uint64, text string) {
	i = (t.head + i) % t.len()
	if t.texts == nil {
		return t.words[i], ""
	}
	b := t.texts[i]
	return 0, unsafe.String(unsafe.SliceData(b), len(b))
}

func (t *tail) bytes() int {
	n := int(unsafe.Sizeof(*t)) + 8*cap(t.words) + int(unsafe.Sizeof([]byte(nil)))*cap(t.texts)
	for _, b := range t.texts {
		n += cap(b)
	}
	return n
}
