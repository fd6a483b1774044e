package engine

import (
	"cmp"
	"math"
	"math/bits"
	"slices"
)

// timer says that a key of a unit wants to be settled at a time.
type timer struct {
	at   int64
	unit int32
	key  int32
}

// timers gives timers back in order of time; those of equal times in any order, since what
// comes of them is put in order later (compareEffects). It is a radix heap
// (Ahuja, Mehlhorn, Orlin, Tarjan, JACM 37(2), 1990): time only goes on, so a timer is put
// into a bucket by the highest bit in which its time differs from that of the last one
// taken, and moves to lower buckets as time comes near: a push costs O(1), and each timer
// moves a few times on the way, in line with its neighbours.
//
// A timer that is overtaken by an earlier one, or whose key is forgotten, stays: finding it
// would cost more than passing it by. Where keys come and go faster than their timers'
// times come, such timers would pile up, so timers that have grown to twice what was left
// after the last sweep are swept.
type timers struct {
	due     []timer     // of the time last, or before; the first to go stands at the end
	buckets [64][]timer // bucket b: those that differ from last in bit b, and in none above
	least   [64]int64   // by bucket: its earliest time
	some    uint64      // buckets that are not empty, as a set
	last    uint64      // key of the time last taken
	soon    uint64      // how much the earliest time is before math.MaxInt64; 0: there is no timer
	n       int
	sweepAt int
}

// sweepAtLeast is the least number of timers that are swept.
const sweepAtLeast = 64

// mostSpareTimers is the length up to which an empty bucket keeps its memory.
const mostSpareTimers = 4096

// timeKey maps times to unsigned numbers of the same order.
func timeKey(at int64) uint64 { return uint64(at) ^ 1<<63 }

func (h *timers) len() int { return h.n }

// next is the time of the earliest timer; math.MaxInt64 where there is none: later than any time there is.
func (h *timers) next() int64 { return int64(math.MaxInt64 - h.soon) }

// look finds the earliest timer again.
func (h *timers) look() {
	at := int64(math.MaxInt64)
	if n := len(h.due); n > 0 {
		at = h.due[n-1].at
	} else if h.some != 0 {
		at = h.least[bits.TrailingZeros64(h.some)]
	}
	h.soon = uint64(math.MaxInt64) - uint64(at)
}

// push adds a timer.
func (h *timers) push(t timer) {
	h.n++
	h.soon = max(h.soon, uint64(math.MaxInt64)-uint64(t.at))
	if key := timeKey(t.at); key > h.last {
		h.put(t, bits.Len64(key^h.last)-1)
		return
	}
	h.due = append(h.due, t)
	for i := len(h.due) - 1; i > 0 && h.due[i-1].at < t.at; i-- { // those before last are few
		h.due[i-1], h.due[i] = h.due[i], h.due[i-1]
	}
}

// put adds a timer to a bucket.
func (h *timers) put(t timer, b int) {
	if h.some&(1<<b) == 0 {
		h.some |= 1 << b
		h.least[b] = t.at
	}
	h.buckets[b] = append(h.buckets[b], t)
	h.least[b] = min(h.least[b], t.at)
}

// pop takes the earliest timer; there must be one.
func (h *timers) pop() timer {
	if len(h.due) == 0 {
		h.refill()
	}
	last := len(h.due) - 1
	t := h.due[last]
	h.due = h.due[:last]
	h.n--
	h.look()
	return t
}

// refill moves the earliest bucket down: those of its earliest time are due.
func (h *timers) refill() {
	b := bits.TrailingZeros64(h.some)
	h.last = timeKey(h.least[b])
	list := h.buckets[b]
	h.buckets[b] = list[:0]
	if cap(list) > mostSpareTimers {
		h.buckets[b] = nil
	}
	h.some &^= 1 << b
	for _, t := range list {
		if key := timeKey(t.at); key != h.last {
			h.put(t, bits.Len64(key^h.last)-1)
		} else {
			h.due = append(h.due, t)
		}
	}
}

// isFull reports whether it is time to sweep.
func (h *timers) isFull() bool { return h.n >= max(h.sweepAt, sweepAtLeast) }

// sweep drops the timers that do not count any more, and all but one of equal ones.
func (h *timers) sweep(counts func(timer) bool) {
	h.due = swept(h.due, counts)
	h.n, h.some = len(h.due), 0
	for b := range h.buckets {
		list := swept(h.buckets[b], counts)
		h.buckets[b] = list
		if n := len(list); n > 0 {
			h.some |= 1 << b
			h.least[b] = list[n-1].at
			h.n += n
		}
	}
	h.sweepAt = 2 * h.n
	h.look()
}

// renumber gives timers other units, and drops those for which it is said that they do not
// stay. Their times are what they were, and so is where they stand.
func (h *timers) renumber(stays func(*timer) bool) {
	h.due = renumbered(h.due, stays)
	h.n = len(h.due)
	for some := h.some; some != 0; some &= some - 1 {
		b := bits.TrailingZeros64(some)
		before := len(h.buckets[b])
		h.buckets[b] = renumbered(h.buckets[b], stays)
		h.n += len(h.buckets[b])
		if len(h.buckets[b]) < before {
			h.findLeast(b)
		}
	}
	h.look()
}

// findLeast finds the earliest time of a bucket again, if there is one.
func (h *timers) findLeast(b int) {
	if len(h.buckets[b]) == 0 {
		h.some &^= 1 << b
		return
	}
	h.least[b] = math.MaxInt64
	for i := range h.buckets[b] {
		h.least[b] = min(h.least[b], h.buckets[b][i].at)
	}
}

// renumbered is a list with other units, in place and in order.
func renumbered(list []timer, stays func(*timer) bool) []timer {
	kept := list[:0]
	for i := range list {
		if t := list[i]; stays(&t) {
			kept = append(kept, t)
		}
	}
	return kept
}

// swept is a list without what does not count, in order.
func swept(list []timer, counts func(timer) bool) []timer {
	list = slices.DeleteFunc(list, func(t timer) bool { return !counts(t) })
	slices.SortFunc(list, func(a, b timer) int {
		return cmp.Or(cmp.Compare(b.at, a.at), cmp.Compare(a.unit, b.unit), cmp.Compare(a.key, b.key))
	})
	return slices.Compact(list)
}
