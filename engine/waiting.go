package engine

import "github.com/cepheus-cep/cepheus/event"

// waits is an event that waits for its time.
type waits struct {
	ev    *event.Event
	job   *job
	event int32  // its number in the job
	order uint64 // of arrival
}

// waiting are events by time, then arrival. Most come in that order, and stand in a queue;
// those that come before the last of it stand in a heap.
type waiting struct {
	queue []waits // from head on
	head  int
	heap  []waits
}

func (w *waits) before(v *waits) bool {
	if w.ev.At != v.ev.At {
		return w.ev.At < v.ev.At
	}
	return w.order < v.order
}

func (q *waiting) len() int { return len(q.queue) - q.head + len(q.heap) }

// first is the one whose turn is next; there must be one.
func (q *waiting) first() *waits {
	if q.head == len(q.queue) || len(q.heap) > 0 && q.heap[0].before(&q.queue[q.head]) {
		return &q.heap[0]
	}
	return &q.queue[q.head]
}

// push adds an event, of an order after all others.
func (q *waiting) push(w waits) {
	if last := len(q.queue) - 1; last < q.head || !w.before(&q.queue[last]) {
		q.queue = append(q.queue, w)
		return
	}
	q.heap = append(q.heap, w)
	for i := len(q.heap) - 1; i > 0; {
		up := (i - 1) / 2
		if !q.heap[i].before(&q.heap[up]) {
			return
		}
		q.heap[i], q.heap[up] = q.heap[up], q.heap[i]
		i = up
	}
}

// pop takes the first out.
func (q *waiting) pop() waits {
	w := q.first()
	first := *w
	if len(q.heap) > 0 && w == &q.heap[0] {
		q.popHeap()
		return first
	}
	*w = waits{}
	if q.head++; 2*q.head > len(q.queue) {
		n := copy(q.queue, q.queue[q.head:])
		clear(q.queue[n:])
		q.queue, q.head = q.queue[:n], 0
	}
	return first
}

func (q *waiting) popHeap() {
	last := len(q.heap) - 1
	q.heap[0], q.heap[last] = q.heap[last], waits{}
	q.heap = q.heap[:last]
	for i := 0; ; {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < last; kid++ {
			if q.heap[kid].before(&q.heap[least]) {
				least = kid
			}
		}
		if least == i {
			return
		}
		q.heap[i], q.heap[least] = q.heap[least], q.heap[i]
		i = least
	}
}
