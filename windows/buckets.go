package windows

import (
	"math"
	"slices"
)

// Bucket is one open window of a kind that is evaluated at its end: [Start, End) of
// time, and what its events add up to. A session's End moves with its events; a
// batch has the times of its first and last event. Two are the caller's notes: First,
// the own time of its first event, and Alerted, that an `early` window has had its alert.
type Bucket struct {
	Start, End int64
	First      int64
	Alerted    bool
	State      State
}

// Buckets are the open windows of one key, in order of their starts. The zero Buckets
// has none. It belongs to one goroutine.
type Buckets struct {
	open []Bucket // behind its end: closed buckets, whose memory is used again
}

// Open returns the open windows, in order. After a Put at a time up to which was
// closed, these are the windows that hold the event. The slice is valid until the
// next Put or Close.
func (b *Buckets) Open() []Bucket { return b.open }

// Put adds an event to every window that holds it, opening those that are not open.
// Times never decrease; windows that end at or before at should have been closed.
// args is as in [Program.Add].
func (p *Program) Put(b *Buckets, at int64, args []Arg) { p.PutAtMost(b, at, args, math.MaxInt) }

// PutAtMost is Put for a caller that bounds what a key remembers: a window that
// remembers most single values (different ones, or those of a percentile) takes no
// more events. It returns how many windows did not take this one. A window without
// such aggregates takes the same memory whatever it holds, and a batch holds what the
// rule says: they take every event.
func (p *Program) PutAtMost(b *Buckets, at int64, args []Arg, most int) (refused int) {
	if p.totals && len(b.open) == 1 {
		if w := &b.open[0]; at < w.End && at >= w.Start && len(w.State.mem) == p.fixed {
			p.addTotals(&w.State, at, args)
			return 0
		}
	}
	return p.putAny(b, at, args, most)
}

// room is a window with the words of its State next to it: most keys have one at a time.
type room struct {
	window [1]Bucket
	words  [roomWords]uint64
}

// roomWords is how many words fill a room up to 128 bytes.
const roomWords = 6

// furnish gives a key its first memory.
func (p *Program) furnish(b *Buckets) {
	if p.fixed == 0 || p.fixed > roomWords {
		return
	}
	r := new(room)
	r.window[0].State.mem = r.words[:p.fixed:p.fixed]
	b.open = r.window[:0]
}

// putAny is PutAtMost for all kinds, open windows or none, and whatever they add up.
func (p *Program) putAny(b *Buckets, at int64, args []Arg, most int) (refused int) {
	if b.open == nil {
		p.furnish(b)
	}
	switch p.spec.Kind {
	case Tumbling:
		p.openTumbling(b, at)
		if w := &b.open[len(b.open)-1]; w.State.ext == nil && at >= w.Start {
			p.insert(&w.State, at, args, math.MaxInt)
			p.setSpan(w)
			return 0 // no other one holds it
		}
	case Hopping:
		p.openHopping(b, at)
	case Session:
		p.openSession(b, at)
	case Batch:
		if n := len(b.open); n == 0 || p.full(&b.open[n-1]) {
			b.push(at, at)
		}
		b.open[len(b.open)-1].End = at
	}
	for i := range b.open {
		w := &b.open[i]
		if p.spec.Kind == Batch {
			if p.full(w) {
				continue
			}
		} else if at < w.Start || at >= w.End {
			continue
		}
		if w.State.ext != nil && p.spec.Kind != Batch && w.State.remembers() >= max(1, most) {
			refused++
		} else {
			p.insert(&w.State, at, args, math.MaxInt)
		}
		p.setSpan(w)
	}
	return refused
}

// remembers is how many single values a State that only inserts, and has an ext, holds
// for one aggregate, at most: what of it grows with its events.
func (s *State) remembers() int {
	n := 0
	for i := range s.ext.dicts {
		n = max(n, int(s.ext.dicts[i].live))
	}
	for i := range s.ext.orders {
		n = max(n, s.ext.orders[i].n)
	}
	return n
}

// full reports that a batch has all its events.
func (p *Program) full(w *Bucket) bool { return w.State.inserted() >= p.spec.Count }

// setSpan notes the window's length, for rate.
func (p *Program) setSpan(w *Bucket) {
	if p.span >= 0 {
		w.State.mem[p.span] = uint64(w.End - w.Start)
	}
}

func (p *Program) openTumbling(b *Buckets, at int64) {
	if n := len(b.open); n > 0 && at < b.open[n-1].End {
		return
	}
	if p.zone != nil {
		b.push(calendar(at, p.spec.Size/int64(day), p.zone))
		return
	}
	b.push(tumbling(at, p.spec.Size))
}

func (p *Program) openHopping(b *Buckets, at int64) {
	latest, n := hopping(at, p.spec.Size, p.spec.Every)
	for i := n - 1; i >= 0; i-- {
		start := latest - int64(i)*p.spec.Every
		if m := len(b.open); m == 0 || b.open[m-1].Start < start {
			b.push(start, later(start, p.spec.Size))
		}
	}
}

func (p *Program) openSession(b *Buckets, at int64) {
	if n := len(b.open); n == 0 || at >= b.open[n-1].End {
		b.push(at, at)
	}
	w := &b.open[len(b.open)-1]
	w.End = later(at, p.spec.Size)
	if p.spec.Max > 0 {
		w.End = min(w.End, later(w.Start, p.spec.Max))
	}
}

// push opens a window, in memory of a closed one where there is some.
func (b *Buckets) push(start, end int64) {
	n := len(b.open)
	b.open = slices.Grow(b.open, 1)[:n+1]
	w := &b.open[n]
	w.Start, w.End, w.Alerted = start, end, false
}

// Close takes out every window that is over when the watermark is at now, and the
// batch that is full whatever the watermark, in order of their ends; f sees each for
// the last time and may keep nothing of it.
func (p *Program) Close(b *Buckets, now int64, f func(w *Bucket)) {
	n := 0
	for n < len(b.open) && p.over(&b.open[n], now) {
		f(&b.open[n])
		n++
	}
	if n == 0 {
		return
	}
	for i := range n {
		b.open[i].State.recycle()
	}
	slices.Reverse(b.open[:n]) // rotates, so that what is closed stays behind the end
	slices.Reverse(b.open[n:])
	slices.Reverse(b.open)
	b.open = b.open[:len(b.open)-n]
}

func (p *Program) over(w *Bucket, now int64) bool {
	if p.spec.Kind == Batch {
		return p.full(w)
	}
	return w.End <= now
}

// recycle empties a State that only inserts and keeps its words, not what it counted.
func (s *State) recycle() {
	clear(s.mem)
	s.base, s.live, s.ext = 0, 0, nil
}

// Spare is memory of windows that are over, of keys that have none any more: whatever the
// Program, for the windows of other keys. The zero Spare is ready. It belongs to one
// goroutine.
type Spare struct {
	of [16][]Buckets // by words of accumulators in a State
}

// Limits of a Spare: windows of a key whose memory is used again, and keys with
// accumulators of one size.
const (
	maxSpareWindows = 4
	maxSpareKeys    = 1 << 14
)

// Give gives the memory of a key without open windows to sp.
func (p *Program) Give(sp *Spare, b *Buckets) {
	if n := cap(b.open); n > 0 && n <= maxSpareWindows && p.fixed < len(sp.of) && len(sp.of[p.fixed]) < maxSpareKeys {
		sp.of[p.fixed] = append(sp.of[p.fixed], *b)
	}
	*b = Buckets{}
}

// Take gives a key without windows memory of sp, if it has some that fits.
func (p *Program) Take(sp *Spare, b *Buckets) {
	if cap(b.open) > 0 || p.fixed >= len(sp.of) {
		return
	}
	list := &sp.of[p.fixed]
	if last := len(*list) - 1; last >= 0 {
		*b = (*list)[last]
		(*list)[last] = Buckets{}
		*list = (*list)[:last]
	}
}

// Due returns the least end of the open windows: when to Close next; false where
// nothing ends by time.
func (p *Program) Due(b *Buckets) (int64, bool) {
	if len(b.open) == 0 || p.spec.Kind == Batch {
		return 0, false
	}
	return b.open[0].End, true
}

// BucketBytes estimates the memory that the windows of a key take.
func (p *Program) BucketBytes(b *Buckets) int {
	n := 24
	for i := range b.open[:cap(b.open)] {
		n += 24 + p.Bytes(&b.open[:cap(b.open)][i].State)
	}
	return n
}
