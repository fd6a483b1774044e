package windows

import (
	"math"
	"slices"
	"unsafe"
)

// State is what one key remembers of one window. The zero State is empty. It belongs
// to one goroutine and to Programs of the same window and aggregates.
//
// All numbers are in one slab: the fixed accumulators, then, where events are kept, a
// bitmap a column (which events gave it a value), the ring of rows, and the monotone
// queues: accumulators and bitmaps, read at each event, are next to each other. Position i of the ring, oldest first, is slot head+i, wrapped at size.
// Events are numbered from base on, wrapping at 2^32; a number less base is a position.
// A State that only inserts has the fixed part alone, and counts in base and live.
type State struct {
	mem              []uint64
	ext              *ext
	base             uint32
	head, size, live uint32 // live: number of live events
}

// ext holds what does not fit words. Programs that need none of it make none.
type ext struct {
	wides  []wide
	dicts  []dict
	orders []ordered
	tails  []tail
	texts  [][]byte
}

func (p *Program) extOf(s *State) *ext {
	if s.ext == nil {
		s.ext = &ext{
			wides: make([]wide, p.ext.wides), dicts: make([]dict, p.ext.dicts), orders: make([]ordered, p.ext.orders),
			tails: make([]tail, p.ext.tails), texts: make([][]byte, p.ext.texts),
		}
		for i := range p.cols {
			if c := &p.cols[i]; c.dict >= 0 {
				s.ext.dicts[c.dict] = newDict(c.text)
			}
		}
	}
	return s.ext
}

// layout is where the parts of a ring of size rows begin in a State's memory.
type layout struct {
	bits, bitWords, rows, queues, queueWords, end int
}

func (p *Program) layout(size uint32) layout {
	var l layout
	l.bitWords = int(size+63) / 64
	l.queueWords = int(size+1) / 2
	l.bits = p.fixed
	l.rows = l.bits + p.bits*l.bitWords
	l.queues = l.rows + p.width*int(size)
	l.end = l.queues + p.queue*l.queueWords
	return l
}

// slot is the ring slot of the event at a position.
func (s *State) slot(position uint32) uint32 {
	i := s.head + position
	if i >= s.size {
		i -= s.size
	}
	return i
}

// row returns the row in a slot.
func (p *Program) row(s *State, slot uint32) []uint64 {
	at := p.fixed + p.bits*(int(s.size+63)/64) + int(slot)*p.width
	return s.mem[at : at+p.width]
}

// bitmap returns the bitmap of column c.
func (p *Program) bitmap(s *State, c int) []uint64 {
	w := int(s.size+63) / 64
	at := p.fixed + c*w
	return s.mem[at : at+w]
}

func getBit(b []uint64, i uint32) bool { return b[i/64]&(1<<(i%64)) != 0 }
func setBit(b []uint64, i uint32)      { b[i/64] |= 1 << (i % 64) }
func clearBit(b []uint64, i uint32)    { b[i/64] &^= 1 << (i % 64) }

// orBits sets those of n bits of a bitmap, from bit to on, that are set in another one
// from bit i on.
func orBits(b []uint64, to uint32, from []uint64, i, n uint32) {
	for n > 0 {
		k := min(n, 64-i%64, 64-to%64) // stays in a word of each
		b[to/64] |= from[i/64] >> (i % 64) & (math.MaxUint64 >> (64 - k)) << (to % 64)
		to, i, n = to+k, i+k, n-k
	}
}

// rowless reports that events leave nothing but their number.
func (p *Program) rowless() bool { return p.width == 0 && p.bits == 0 }

// grow makes room for one more event: by one or two while the ring is small, since
// most keys stay small, then by half.
func (p *Program) grow(s *State) {
	size := s.size
	switch {
	case size < 2:
		size++
	case size < 8:
		size += 2
	default:
		size += size / 2
	}
	if p.spec.Kind == Last {
		size = min(size, uint32(p.spec.Count))
	}
	p.resize(s, min(size, MaxEvents))
}

// shrink gives back half of a ring that is three quarters empty.
func (p *Program) shrink(s *State) {
	if s.size > 8 && s.live <= s.size/4 && !p.rowless() {
		p.resize(s, s.size/2)
		p.thin(s)
	}
}

// thin gives back the memory of dictionary entries that are long gone.
func (p *Program) thin(s *State) {
	for i := range p.cols {
		c := &p.cols[i]
		if c.dict < 0 || s.ext == nil || !s.ext.dicts[c.dict].sparse() {
			continue
		}
		numbers := s.ext.dicts[c.dict].renumber()
		taken := p.bitmap(s, i)
		for slot := range s.live { // just resized: the events are in the first slots
			if getBit(taken, slot) {
				row := p.row(s, slot)
				row[c.value] = uint64(numbers[row[c.value]>>32])<<32 | row[c.value]&math.MaxUint32
			}
		}
	}
}

// resize moves the live events into a ring of size rows, from slot 0 on.
func (p *Program) resize(s *State, size uint32) {
	from, to := p.layout(s.size), p.layout(size)
	mem := make([]uint64, to.end)
	if len(s.mem) > 0 {
		copy(mem, s.mem[:p.fixed])
		rows, first := s.mem[from.rows:from.queues], int(s.head)*p.width
		n := copy(mem[to.rows:], rows[first:min(first+int(s.live)*p.width, len(rows))])
		copy(mem[to.rows+n:], rows[:int(s.live)*p.width-n])
		for c := range p.bits {
			old, moved := s.mem[from.bits+c*from.bitWords:], mem[to.bits+c*to.bitWords:]
			n := min(s.live, s.size-s.head)
			orBits(moved, 0, old, s.head, n)
			orBits(moved, n, old, 0, s.live-n)
		}
		for i := range p.cols {
			for side, w := range p.cols[i].best {
				if w < 0 {
					continue
				}
				q := p.cols[i].queue[side]
				old := queue{&s.mem[w], s.mem[from.queues+q*from.queueWords:][:from.queueWords], s.size}
				moved := queue{&mem[w], mem[to.queues+q*to.queueWords:][:to.queueWords], size}
				old.moveTo(moved)
			}
		}
	}
	s.mem, s.head, s.size = mem, 0, size
}

// Len returns the number of events in the window.
func (p *Program) Len(s *State) int {
	if p.evicts {
		return int(s.live)
	}
	return s.inserted()
}

// inserted is the number of events of a State that only inserts: live, and where
// 32 bits do not hold it, base above it.
func (s *State) inserted() int { return int(uint64(s.base)<<32 | uint64(s.live)) }

func (s *State) setInserted(n int) { s.base, s.live = uint32(n>>32), uint32(n) }

// Newest returns the time of the newest event of a sliding window; false where it is
// empty or of another kind.
func (p *Program) Newest(s *State) (int64, bool) {
	if s.live == 0 || p.spec.Kind != Sliding || !p.evicts {
		return 0, false
	}
	return int64(p.row(s, s.slot(s.live-1))[0]), true
}

// Expiry returns the time at which a sliding window will be empty if nothing comes;
// false where it is empty already or never will be by time alone.
func (p *Program) Expiry(s *State) (int64, bool) {
	t, ok := p.Newest(s)
	return later(t, p.spec.Size), ok
}

// Reset empties the State and gives back its memory.
func (s *State) Reset() { *s = State{} }

// Bytes estimates the memory that a State takes, itself included.
func (p *Program) Bytes(s *State) int {
	n := int(unsafe.Sizeof(*s)) + 8*cap(s.mem)
	if e := s.ext; e != nil {
		n += int(unsafe.Sizeof(*e)) + e.bytes()
	}
	return n
}

func (e *ext) bytes() int {
	n := 0
	for i := range e.wides {
		n += int(unsafe.Sizeof(e.wides[i])) + 8*cap(e.wides[i].limbs)
	}
	for i := range e.dicts {
		n += e.dicts[i].bytes()
	}
	for i := range e.orders {
		n += e.orders[i].bytes()
	}
	for i := range e.tails {
		n += e.tails[i].bytes()
	}
	for _, t := range e.texts {
		n += int(unsafe.Sizeof(t)) + cap(t)
	}
	return n
}

// Copy makes dst a State equal to src and independent of it. What dst held is gone.
func (p *Program) Copy(dst, src *State) {
	*dst = *src
	dst.mem = slices.Clone(src.mem)
	if src.ext == nil {
		return
	}
	e := &ext{wides: slices.Clone(src.ext.wides), dicts: slices.Clone(src.ext.dicts)}
	for i := range e.wides {
		e.wides[i].limbs = slices.Clone(e.wides[i].limbs)
	}
	for i := range e.dicts {
		d := &e.dicts[i]
		d.table, d.entries, d.text, d.ranked = slices.Clone(d.table), slices.Clone(d.entries), slices.Clone(d.text), nil
	}
	for i := range src.ext.orders {
		e.orders = append(e.orders, src.ext.orders[i].clone())
	}
	for _, t := range src.ext.tails {
		e.tails = append(e.tails, tail{words: slices.Clone(t.words), texts: cloneTexts(t.texts), head: t.head})
	}
	e.texts = cloneTexts(src.ext.texts)
	dst.ext = e
}

func cloneTexts(texts [][]byte) [][]byte {
	c := slices.Clone(texts)
	for i := range c {
		c[i] = slices.Clone(c[i])
	}
	return c
}
