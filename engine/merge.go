package engine

import (
	"cmp"
	"math"

	"github.com/cepheus-cep/cepheus/event"
)

// partition is the engine's view of one ordered part of a source: its watermark, and
// the events that wait for their time.
type partition struct {
	event.Partition
	source   int
	number   int32 // global: events carry it
	lateness int64
	greatest int64 // time of its records so far; math.MinInt64: none
	at       int64 // watermark: greatest less lateness
	ended    bool
	next     int64  // position after the last record taken
	mark     []byte // fingerprint of the source, kept with next
	waiting  waiting
	arrived  uint64          // events that have come to wait
	saved    map[uint64]bool // waiting events, by order, that the store has
}

// waits is an event that waits for its time.
type waits struct {
	ev     *event.Event
	job    *job
	record int32
	order  uint64 // of arrival
}

// waiting is a heap of events by time, then arrival.
type waiting []waits

func (w waits) before(v waits) bool {
	if w.ev.At != v.ev.At {
		return w.ev.At < v.ev.At
	}
	return w.order < v.order
}

func (h *waiting) push(w waits) {
	*h = append(*h, w)
	list := *h
	for i := len(list) - 1; i > 0; {
		up := (i - 1) / 2
		if !list[i].before(list[up]) {
			return
		}
		list[i], list[up] = list[up], list[i]
		i = up
	}
}

func (h *waiting) pop() waits {
	list := *h
	first, last := list[0], len(list)-1
	list[0] = list[last]
	list[last] = waits{}
	*h = list[:last]
	list = list[:last]
	for i := 0; ; {
		least := i
		for kid := 2*i + 1; kid <= 2*i+2 && kid < last; kid++ {
			if list[kid].before(list[least]) {
				least = kid
			}
		}
		if least == i {
			return first
		}
		list[i], list[least] = list[least], list[i]
		i = least
	}
}

// see moves the watermark on by an event's time and says at which time the event
// counts; late reports that it is older than the watermark was.
func (p *partition) see(time int64) (at int64, late bool) {
	if time < p.at {
		return p.at, true
	}
	if time > p.greatest {
		p.greatest = time
		p.at = max(p.at, earlier(time, p.lateness))
	}
	return time, false
}

// earlier takes a span from a time; before the beginning of time it is that.
func earlier(t, span int64) int64 {
	if t < math.MinInt64+span {
		return math.MinInt64
	}
	return t - span
}

// compare orders partitions by source, topic, number.
func (p *partition) compare(q *partition) int {
	return cmp.Or(cmp.Compare(p.Source, q.Source), cmp.Compare(p.Topic, q.Topic), cmp.Compare(p.Number, q.Number))
}

// merger puts the events of all partitions into one order: of time, then source, topic,
// partition, offset. An event is let through when no partition that is still read can
// bring one before it; so the order does not depend on which partition was read first.
type merger struct {
	parts []*partition // in order of compare
	flush bool         // the end of time has come: everything is let through
	last  int64        // counting time of the last event let through
}

// take returns the next event in order, false where it is not known yet.
func (m *merger) take() (waits, bool) {
	var p *partition
	for _, q := range m.parts {
		if len(q.waiting) > 0 && (p == nil || q.waiting[0].ev.At < p.waiting[0].ev.At) {
			p = q
		}
	}
	if p == nil || !m.mayTake(p) {
		return waits{}, false
	}
	w := p.waiting.pop()
	if w.ev.At < m.last {
		w.ev.At = m.last // a partition that was left out has come back
	}
	m.last = w.ev.At
	return w, true
}

// mayTake reports whether p's first event can be the next in order.
func (m *merger) mayTake(p *partition) bool {
	t := p.waiting[0].ev.At
	if m.flush {
		return true
	}
	if t > p.at {
		return false
	}
	before := true
	for _, q := range m.parts {
		switch {
		case q == p:
			before = false
		case q.ended:
		case q.at < t, q.at == t && before:
			return false
		}
	}
	return true
}

// watermark is the time up to which nothing more will come: the least of the partitions
// that are still read, the greatest where none is.
func (m *merger) watermark() int64 {
	least, most := int64(math.MaxInt64), int64(math.MinInt64)
	for _, p := range m.parts {
		most = max(most, p.at)
		if !p.ended {
			least = min(least, p.at)
		}
	}
	if least == math.MaxInt64 {
		return most
	}
	return max(least, m.last)
}

// slowest is the partition to read next: of those still read the one whose watermark
// holds back the others; nil where none is read.
func (m *merger) slowest() *partition {
	var s *partition
	for _, p := range m.parts {
		if !p.ended && (s == nil || p.at < s.at) {
			s = p
		}
	}
	return s
}
