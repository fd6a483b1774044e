package machine

import (
	"slices"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
)

// list holds the events that runs of one key took at a repeated step, in order. Runs
// that took the same events share a list: each has a stretch of it. Events that no
// holder shows, being neither among its first nor its last ones, are left out of the
// middle: head, then skipped ones, then tail.
type list struct {
	head    []keep.Ref
	skipped int64
	tail    []keep.Ref
	base    int64 // number of the list's first event
	newest  int64 // number of the first event of the holder that came last
	holders int32
	leaf    int32
	took    uint64 // number (seq) of the event appended last
	trim    int64  // length at which to look for events before every holder's stretch
	id      ID     // of a line: fold of all events that the list ever had
	before  ID     // the same without the last one
}

// trimAtLeast is the least length at which a list is looked through for events that
// no holder needs; it then doubles, so that looking costs O(1) an event.
const trimAtLeast = 64

// end is the number after the list's last event.
func (l *list) end() int64 {
	return l.base + int64(len(l.head)) + l.skipped + int64(len(l.tail))
}

// at is the event of a number; 0 where it was left out.
func (l *list) at(n int64) keep.Ref {
	n -= l.base
	if n < 0 {
		return 0
	}
	if n < int64(len(l.head)) {
		return l.head[n]
	}
	n -= int64(len(l.head)) + l.skipped
	if n < 0 {
		return 0
	}
	return l.tail[n]
}

// bindEvent adds the event at hand to what a run took by a leaf.
func (p *Pattern) bindEvent(x *Context, k *PatternKey, s *leaf, b *bind, ev *event.Event) {
	if !s.repeats {
		b.ref, b.n = x.hold(ev), 1
		return
	}
	leaf := int32(s.index)
	if b.list < 0 {
		p.join(k, b, leaf)
	}
	l := &k.lists[b.list]
	switch at := b.from + b.n; {
	case at == l.end():
		p.append(x, l, k.seq, ev, s.keepAll)
	case at == l.end()-1 && l.took == k.seq:
		// another run of the same stretch has just taken this event
	default:
		p.part(x, k, b, leaf)
		p.append(x, &k.lists[b.list], k.seq, ev, s.keepAll)
	}
	b.n++
}

// join makes a run a holder of the step's list that grew last, from its end on.
func (p *Pattern) join(k *PatternKey, b *bind, leaf int32) {
	best := int32(-1)
	for i := range k.lists {
		l := &k.lists[i]
		if l.holders > 0 && l.leaf == leaf && (best < 0 || l.took > k.lists[best].took) {
			best = int32(i)
		}
	}
	if best < 0 {
		best = k.newList(leaf)
	}
	l := &k.lists[best]
	b.list, b.n, b.from = best, 0, l.end()
	if l.took == k.seq && l.end() > l.base {
		b.from-- // the event at hand is there already
	}
	l.newest = b.from
	l.holders++
}

func (k *PatternKey) newList(leaf int32) int32 {
	if last := len(k.spare) - 1; last >= 0 {
		i := k.spare[last]
		k.spare = k.spare[:last]
		k.lists[i] = list{leaf: leaf}
		return i
	}
	k.lists = append(k.lists, list{leaf: leaf})
	return int32(len(k.lists) - 1)
}

// part gives a run a list of its own: it has not taken what the others have.
func (p *Pattern) part(x *Context, k *PatternKey, b *bind, leaf int32) {
	own := k.newList(leaf)
	from, to := &k.lists[b.list], &k.lists[own]
	for n, end := b.from, b.from+b.n; n < end; {
		ref := from.at(n)
		if ref != 0 {
			to.tail = append(to.tail, x.Keep.Share(ref))
			n++
			continue
		}
		if to.skipped == 0 {
			to.head, to.tail = to.tail, nil
		}
		out := min(end, from.base+int64(len(from.head))+from.skipped) - n
		to.skipped += out
		n += out
	}
	to.holders, to.took = 1, from.took
	p.leave(x, k, b)
	b.list, b.from = own, 0
}

// append adds the event at hand to a list, and lets go of the one that is no more
// among anyone's last ones.
func (p *Pattern) append(x *Context, l *list, seq uint64, ev *event.Event, keepAll bool) {
	l.tail = append(l.tail, x.hold(ev))
	l.took = seq
	if keepAll {
		p.bound(x, l)
		return
	}
	if old := l.end() - evidenceEnds - 1; old >= l.newest+evidenceEnds {
		l.drop(x, old)
	}
	p.bound(x, l)
}

// spare notes that a stretch ends before the event of a number while others go on: its
// last events are of those that are shown.
func (l *list) spare(end int64) { l.newest = max(l.newest, end-evidenceEnds) }

// spare sees to the list of the step that a run leaves.
func (p *Pattern) spare(k *PatternKey, r *run) {
	if p.grouped || r.stage < 0 {
		return // of a group the runs go on to take what others have not
	}
	if b := &r.binds[p.stages[r.stage].leaf]; b.list >= 0 {
		k.lists[b.list].spare(b.from + b.n)
	}
}

// drop leaves the event of a number out of the list if it stands at the edge of what
// is left out already, or nothing is left out yet.
func (l *list) drop(x *Context, n int64) {
	if l.skipped == 0 {
		cut := int(n - l.base - int64(len(l.head)))
		if cut < 0 {
			return
		}
		l.head = append(l.head, l.tail[:cut]...)
		l.tail = append(l.tail[:0], l.tail[cut:]...)
	}
	if l.at(n) == 0 || n != l.base+int64(len(l.head))+l.skipped {
		return
	}
	x.Keep.Release(l.tail[0])
	l.tail = append(l.tail[:0], l.tail[1:]...)
	l.skipped++
}

// bound holds a list to the greatest number of events: the oldest of its tail goes.
func (p *Pattern) bound(x *Context, l *list) {
	if len(l.tail) <= x.Limits.EventsPerRun {
		return
	}
	x.Keep.Release(l.tail[0])
	l.tail = l.tail[1:]
	l.skipped++
	x.Dropped.RunEvents++
}

// trimLists lets go of events that stand before the stretches of all holders.
func (p *Pattern) trimLists(x *Context, k *PatternKey) {
	for i := range k.lists {
		l := &k.lists[i]
		if l.holders == 0 || l.end()-l.base < max(l.trim, trimAtLeast) {
			continue
		}
		first := l.end()
		for j := range k.runs {
			r := &k.runs[j]
			if int(l.leaf) < len(r.binds) && r.binds[l.leaf].list == int32(i) {
				first = min(first, r.binds[l.leaf].from)
			}
		}
		l.advance(x, first)
		l.trim = 2 * (l.end() - l.base)
	}
}

// advance drops the events before number n.
func (l *list) advance(x *Context, n int64) {
	head, tail := 0, 0
	for l.base < n {
		by := int64(1)
		switch {
		case head < len(l.head):
			x.Keep.Release(l.head[head])
			head++
		case l.skipped > 0:
			by = min(l.skipped, n-l.base)
			l.skipped -= by
		default:
			x.Keep.Release(l.tail[tail])
			tail++
		}
		l.base += by
	}
	l.head, l.tail = slices.Delete(l.head, 0, head), slices.Delete(l.tail, 0, tail)
}

// leave takes a run off its list; the last holder frees the events.
func (p *Pattern) leave(x *Context, k *PatternKey, b *bind) {
	if b.list < 0 {
		return
	}
	l := &k.lists[b.list]
	l.holders--
	if l.holders == 0 {
		releaseAll(x, l.head)
		releaseAll(x, l.tail)
		*l = list{}
		k.spare = append(k.spare, b.list)
	}
	b.list = -1
}

func releaseAll(x *Context, refs []keep.Ref) {
	for _, ref := range refs {
		x.Keep.Release(ref)
	}
}

// release lets go of all that a run holds.
func (p *Pattern) release(x *Context, k *PatternKey, r *run) {
	for i := range r.binds {
		b := &r.binds[i]
		x.Keep.Release(b.ref)
		p.leave(x, k, b)
	}
	r.binds = nil
}
