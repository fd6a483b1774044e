package machine

import (
	"math"
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/keep"
)

// trail is the events of a key's largest window, oldest first, without pointers: of each
// the time it counts at, and of the newest MaxEvidence what an alert shows. Its room, in
// the context's blobs, is a ring of times, then a ring of what is shown, which has at
// most MaxEvidence places.
type trail struct {
	room             keep.Blob
	newest           int64  // time of the newest event, if there is one
	head, size, live uint32 // of the ring of times: the oldest, the places, the events
	next             uint8  // in the ring of what is shown: where the next one goes

	// Notes of a WindowKey, which stand where there is room. They stay when events go.
	held bool // for `once`: having held at the event before
	rich bool // the key has more
}

// wordsOfTrail is the room of a trail of size events.
func wordsOfTrail(size uint32) int { return int(size) + (shownOf(size)+1)/2 }

// shownOf is how many of so many events are shown.
func shownOf(n uint32) int { return int(min(n, MaxEvidence)) }

// smallTrails are the sizes of small trails, which fill the blobs they are in.
var smallTrails = [...]uint8{0: 1, 1: 2, 2: 4, 4: 5, 5: 8, 8: 10, 10: 13, 13: 16, 16: 20}

// moreOf is the size of a trail that has grown: by little while it is small, since most
// keys stay small, then by half.
func moreOf(size uint32) uint32 {
	if int(size) < len(smallTrails) && smallTrails[size] != 0 {
		return uint32(smallTrails[size])
	}
	return size + size/2 + 1
}

// rings are the two rings of a trail, as long as it is not resized: of times, and of what
// is shown. They are two results and not one value, which would go through memory, where
// its words are written one by one and read two by two: that waits for all that was written
// before.
func (t *trail) rings(x *Context) ([]uint64, []keep.Shown) {
	return t.split(x.rooms.Get(t.room))
}

// split gives the two rings in a trail's room.
func (t *trail) split(room []uint64) ([]uint64, []keep.Shown) {
	return room[:t.size], asShown(room[t.size:], shownOf(t.size))
}

// asShown views words as n names of what is shown.
func asShown(words []uint64, n int) []keep.Shown {
	return unsafe.Slice((*keep.Shown)(unsafe.Pointer(unsafe.SliceData(words))), n)
}

// place is where the event at a position is in the ring of times.
func (t *trail) place(position uint32) uint32 {
	if i := t.head + position; i < t.size {
		return i
	}
	return t.head + position - t.size
}

// at is the time that the event at a position counts at.
func (t *trail) at(x *Context, position uint32) int64 {
	return int64(x.rooms.Get(t.room)[t.place(position)])
}

// add adds an event, with what is shown of it, which it takes over.
func (t *trail) add(x *Context, at int64, ref keep.Shown) { t.addAfter(x, math.MinInt64, at, ref) }

// addAfter drops the events of a time and before, none for the least time there is, and
// adds one. The oldest one is not looked at for nothing: in a long ring it is far from all
// else that is needed.
func (t *trail) addAfter(x *Context, until, at int64, ref keep.Shown) {
	first := x.rooms.First(t.room)
	if until != math.MinInt64 {
		t.dropUntil(x, first, until)
	}
	t.push(x, first, at, ref)
}

// push adds an event to a trail whose room has the first word that is given.
func (t *trail) push(x *Context, first *uint64, at int64, ref keep.Shown) {
	if t.live == t.size {
		t.resize(x, moreOf(t.size))
		first = x.rooms.First(t.room)
	}
	*timeAt(first, t.place(t.live)) = at
	next := uint32(t.next)
	place := shownAt(first, t.size, next)
	if t.live >= MaxEvidence {
		x.Log.Release(*place)
	}
	*place = ref
	if next++; next == min(t.size, MaxEvidence) {
		next = 0
	}
	t.next, t.newest = uint8(next), at
	t.live++
}

// timeAt and shownAt are places of the rings in a room whose first word is given. Nothing
// looks at their bounds: place is below the size, or below shownOf of it.
func timeAt(first *uint64, place uint32) *int64 {
	return (*int64)(unsafe.Add(unsafe.Pointer(first), uintptr(place)*8))
}

func shownAt(first *uint64, size, place uint32) *keep.Shown {
	return (*keep.Shown)(unsafe.Add(unsafe.Pointer(first), uintptr(size)*8+uintptr(place)*4))
}

// expire drops the events of a time and before.
func (t *trail) expire(x *Context, until int64) {
	if t.live == 0 {
		return
	}
	t.dropUntil(x, x.rooms.First(t.room), until)
}

// dropUntil drops the events of a time and before, given the first word of the room.
func (t *trail) dropUntil(x *Context, first *uint64, until int64) {
	live, head, size := t.live, t.head, t.size
	for live > 0 && *timeAt(first, head) <= until {
		if size <= MaxEvidence {
			x.Log.Release(*shownAt(first, size, head)) // the two rings go together
		} else if live <= MaxEvidence {
			x.Log.Release(*shownAt(first, size, uint32(oldestOf(int(t.next), int(live), MaxEvidence))))
		}
		live--
		if head++; head == size {
			head = 0
		}
	}
	t.live, t.head = live, head
}

// drop takes the oldest event out, given the ring of what is shown.
func (t *trail) drop(x *Context, shown []keep.Shown) {
	if t.live <= MaxEvidence {
		x.Log.Release(shown[t.oldest(len(shown))])
	}
	t.live--
	if t.head++; t.head == t.size {
		t.head = 0
	}
}

// oldest is where the oldest event that is shown is in its ring of n places.
func (t *trail) oldest(n int) int { return oldestOf(int(t.next), shownOf(t.live), n) }

// oldestOf is the place of the oldest of live things in a ring of n, given the place
// after the newest one.
func oldestOf(next, live, n int) int {
	if next < live {
		return next - live + n
	}
	return next - live
}

// keepNewest drops all but the newest n events.
func (t *trail) keepNewest(x *Context, n uint32) {
	if t.live <= n {
		return
	}
	_, shown := t.rings(x)
	for t.live > n {
		t.drop(x, shown)
	}
}

// isSparse reports that half of the room would be enough, with some to spare.
func (t *trail) isSparse() bool { return t.size > 8 && t.live <= t.size/4 }

// shrink gives back room that is too large for the events.
func (t *trail) shrink(x *Context) {
	switch {
	case t.live == 0:
		t.release(x)
	case t.isSparse():
		t.resize(x, t.size/2)
	}
}

// release lets go of all.
func (t *trail) release(x *Context) {
	t.keepNewest(x, 0)
	x.rooms.Free(t.room)
	*t = trail{held: t.held, rich: t.rich}
}

// resize moves the events to rings of another size.
func (t *trail) resize(x *Context, size uint32) {
	room, words := x.rooms.Put(wordsOfTrail(size))
	moved := trail{room: room, newest: t.newest, size: size, live: t.live, held: t.held, rich: t.rich}
	if t.live > 0 {
		times, _ := t.rings(x)
		n := copy(words, times[t.head:min(t.head+t.live, t.size)])
		copy(words[n:], times[:t.live-uint32(n)])
		ring := asShown(words[size:], shownOf(size))
		n = copy(ring, t.shown(x))
		moved.next = uint8(n % len(ring))
	}
	x.rooms.Free(t.room)
	*t = moved
}

// shown lists what is shown of the newest events, oldest first; valid until the next
// call.
func (t *trail) shown(x *Context) []keep.Shown {
	if t.live == 0 {
		return nil
	}
	_, ring := t.rings(x)
	return x.unroll(ring, t.oldest(len(ring)), shownOf(t.live))
}

// unroll lists n places of a ring from one on; valid until the next call.
func (x *Context) unroll(ring []keep.Shown, from, n int) []keep.Shown {
	x.shown = append(x.shown[:0], ring[from:min(from+n, len(ring))]...)
	x.shown = append(x.shown, ring[:n-len(x.shown)]...)
	return x.shown
}

// tail is what an alert shows of a key's newest events, without their times: a ring.
type tail struct {
	live, next uint8
	ring       [MaxEvidence]keep.Shown
}

// add adds an event, which takes the place of the oldest of MaxEvidence.
func (t *tail) add(x *Context, ref keep.Shown) {
	if t.live == MaxEvidence {
		x.Log.Release(t.ring[t.next])
		t.live--
	}
	t.ring[t.next] = ref
	if t.next++; t.next == MaxEvidence {
		t.next = 0
	}
	t.live++
}

// keepNewest lets go of all but the newest n events.
func (t *tail) keepNewest(x *Context, n int) {
	for ; int(t.live) > n; t.live-- {
		x.Log.Release(t.ring[oldestOf(int(t.next), int(t.live), MaxEvidence)])
	}
}

// shown lists the newest n events, or as many as there are, oldest first; valid until
// the next call.
func (t *tail) shown(x *Context, n int) []keep.Shown {
	n = min(n, int(t.live))
	return x.unroll(t.ring[:], oldestOf(int(t.next), n, MaxEvidence), n)
}
