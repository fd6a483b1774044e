package engine

import (
	"math"
	"slices"
)

// timer says that a key of a unit wants to be settled at a time.
type timer struct {
	at   int64
	unit int32
	key  int32
}

// timers is a heap of timers, the earliest first; of equal times the order is that of
// unit and key number, so that the work of a shard is the same in every run.
//
// A timer that is overtaken by an earlier one, or whose key is forgotten, stays in the
// heap: finding it would cost more than passing it by. Where keys come and go faster
// than their timers' times come, such timers would pile up, so a heap that has grown to
// twice what was left after the last sweep is swept.
type timers struct {
	heap    []timer
	sweepAt int
}

// sweepAtLeast is the least length at which a heap is swept.
const sweepAtLeast = 64

// next is the time of the earliest timer; math.MaxInt64 where there is none: later than any time there is.
func (h *timers) next() int64 {
	if len(h.heap) == 0 {
		return math.MaxInt64
	}
	return h.heap[0].at
}

func (a timer) before(b timer) bool {
	if a.at != b.at {
		return a.at < b.at
	}
	if a.unit != b.unit {
		return a.unit < b.unit
	}
	return a.key < b.key
}

func (a timer) compare(b timer) int {
	switch {
	case a == b:
		return 0
	case a.before(b):
		return -1
	}
	return 1
}

// isFull reports whether it is time to sweep.
func (h *timers) isFull() bool { return len(h.heap) >= max(h.sweepAt, sweepAtLeast) }

// sweep drops the timers that do not count any more, and all but one of equal ones.
func (h *timers) sweep(counts func(timer) bool) {
	h.heap = slices.DeleteFunc(h.heap, func(t timer) bool { return !counts(t) })
	slices.SortFunc(h.heap, timer.compare) // what is in order is a heap
	h.heap = slices.Compact(h.heap)
	h.sweepAt = 2 * len(h.heap)
}

// push adds a timer.
func (h *timers) push(t timer) {
	h.heap = append(h.heap, t)
	i := len(h.heap) - 1
	for i > 0 {
		up := (i - 1) / 2
		if !h.heap[i].before(h.heap[up]) {
			return
		}
		h.heap[i], h.heap[up] = h.heap[up], h.heap[i]
		i = up
	}
}

// pop takes the earliest timer.
func (h *timers) pop() timer {
	first := h.heap[0]
	last := len(h.heap) - 1
	h.heap[0] = h.heap[last]
	h.heap = h.heap[:last]
	h.down(0)
	return first
}

func (h *timers) down(i int) {
	for {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < len(h.heap); kid++ {
			if h.heap[kid].before(h.heap[least]) {
				least = kid
			}
		}
		if least == i {
			return
		}
		h.heap[i], h.heap[least] = h.heap[least], h.heap[i]
		i = least
	}
}
