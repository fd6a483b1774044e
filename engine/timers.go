package engine

import "math"

// timer says that a key of a unit wants to be settled at a time.
type timer struct {
	at   int64
	unit int32
	key  int32
}

// timers is a heap of timers, the earliest first; of equal times the order is that of
// unit and key number, so that the work of a shard is the same in every run.
type timers struct{ heap []timer }

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
