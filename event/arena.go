package event

import "slices"

// Arena holds the events decoded from a batch. Its memory is used again after
// Reset, and the events' texts are mostly parts of the batch's own: both must live
// as long as the events are read. The zero Arena is ready. One goroutine fills it.
type Arena struct {
	Events []Event
	slots  []uint64
	text   []byte
}

// Reset empties the arena and keeps its memory: all events from it are void.
func (a *Arena) Reset() { a.Events, a.slots, a.text = a.Events[:0], a.slots[:0], a.text[:0] }

// newSlots returns n zeroed slots.
func (a *Arena) newSlots(n int) []uint64 {
	s := a.takeSlots(n)
	clear(s)
	return s
}

// takeSlots returns n slots that hold anything. Where they do not fit a larger array is
// begun; events keep the old one.
func (a *Arena) takeSlots(n int) []uint64 {
	at := len(a.slots)
	if at+n > cap(a.slots) {
		a.slots, at = make([]uint64, 0, max(2*cap(a.slots), n, 1024)), 0
	}
	a.slots = a.slots[:at+n]
	return a.slots[at : at+n : at+n]
}

// freeSlots gives the last n slots back.
func (a *Arena) freeSlots(n int) { a.slots = a.slots[:len(a.slots)-n] }

// join returns a copy of raw with tail after it.
func (a *Arena) join(raw, tail []byte) []byte {
	at, n := len(a.text), len(raw)+len(tail)
	if at+n > cap(a.text) {
		a.text, at = make([]byte, 0, max(2*cap(a.text), n, 4096)), 0
	}
	a.text = append(append(a.text, raw...), tail...)
	return a.text[at : at+n : at+n]
}

// next returns the place of the next event, which holds anything.
func (a *Arena) next() *Event {
	n := len(a.Events)
	if n == cap(a.Events) {
		a.Events = slices.Grow(a.Events, 1)
	}
	a.Events = a.Events[:n+1]
	return &a.Events[n]
}
