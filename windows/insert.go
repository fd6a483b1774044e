package windows

import "unsafe"

// insert is Add for Programs that never let go of an event.
func (p *Program) insert(s *State, at int64, args []Arg) {
	s.setInserted(s.inserted() + 1)
	if s.mem == nil && p.fixed > 0 {
		s.mem = make([]uint64, p.fixed)
	}
	for i := range p.cols {
		c := &p.cols[i]
		v, ok := take(c, &args[c.arg])
		if c.fresh >= 0 {
			s.mem[c.fresh] = 0
		}
		if ok {
			p.absorb(s, c, v, args[c.arg].S, at)
		}
	}
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

// absorb gives a value to everything that a column accumulates.
func (p *Program) absorb(s *State, c *column, v uint64, text string, at int64) {
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
	if c.dict >= 0 {
		p.extOf(s).dicts[c.dict].add(v, text, 0)
	}
	if c.order >= 0 {
		p.extOf(s).orders[c.order].insert(orderKey(c.kind, v))
	}
	p.sums(s, c, v, at, false)
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
