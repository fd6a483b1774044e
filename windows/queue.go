package windows

// queue is a monotone queue of event numbers: a ring of 32-bit numbers in pairs, at
// most as many as there are events. Its state word holds the head and the length.
type queue struct {
	state *uint64
	ring  []uint64
	size  uint32
}

func (q queue) ends() (head, n uint32) { return uint32(*q.state >> 32), uint32(*q.state) }

func (q queue) set(head, n uint32) { *q.state = uint64(head)<<32 | uint64(n) }

func (q queue) at(i uint32) uint32 {
	head, _ := q.ends()
	i = q.wrap(head + i)
	return uint32(q.ring[i/2] >> (32 * (i % 2)))
}

func (q queue) wrap(i uint32) uint32 {
	if i >= q.size {
		return i - q.size
	}
	return i
}

func (q queue) push(number uint32) {
	head, n := q.ends()
	i := q.wrap(head + n)
	sh := 32 * (i % 2)
	q.ring[i/2] = q.ring[i/2]&^(0xffffffff<<sh) | uint64(number)<<sh
	q.set(head, n+1)
}

func (q queue) popBack() {
	head, n := q.ends()
	q.set(head, n-1)
}

func (q queue) popFront() {
	head, n := q.ends()
	q.set(q.wrap(head+1), n-1)
}

// moveTo copies the queue into an empty ring of another size.
func (q queue) moveTo(to queue) {
	_, n := q.ends()
	to.set(0, 0)
	for i := range n {
		to.push(q.at(i))
	}
}
