package engine

import (
	"cmp"
	"math"
	"time"

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
	atEnd    bool          // all that its source gave is taken, and that was the end of its log
	idle     bool          // left out of the least until it brings something
	idleWait time.Duration // how long nothing must come until it is
	next     int64         // position after the last record taken
	mark     []byte        // fingerprint of the source, kept with next
	waiting  waiting
	arrived  uint64   // events that have come to wait
	unsaved  unsaved  // where the store is durable
	marks    []*marks // by type, of dedup; nil: the type, or every type, has none

	// Of an engine that follows another (see follow.go): the other one does not have it, and
	// events of it from a time on are left out.
	whole bool
	until int64
}

// out reports whether the partition is left out of the least.
func (p *partition) out() bool { return p.ended || p.idle }

// unsaved is how the events that wait differ from those that the store has: what an epoch
// writes of them, and no more.
type unsaved struct {
	noted bool           // the store outlives the process
	upTo  uint64         // the store has those that wait up to this order
	came  []*event.Event // of the orders after it, one by one; nil: no longer waits
	went  []uint64       // orders up to it that no longer wait
}

// comes notes the next event in order of arrival.
func (u *unsaved) comes(ev *event.Event) {
	if u.noted {
		u.came = append(u.came, ev)
	}
}

// goes notes that the event of an order no longer waits.
func (u *unsaved) goes(order uint64) {
	switch {
	case !u.noted:
	case order > u.upTo:
		u.came[order-u.upTo-1] = nil
	default:
		u.went = append(u.went, order)
	}
}

// saved says that the store has it all.
func (u *unsaved) saved() {
	u.upTo += uint64(len(u.came))
	clear(u.came)
	u.came, u.went = u.came[:0], u.went[:0]
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

// merger puts the events of all partitions into one order: of the time they count at,
// then source, topic, partition, arrival. An event is let through when no partition
// that is still read can bring one before it; so the order does not depend on which
// partition was read first.
//
// The merged time is the least watermark of the partitions that are not left out, and
// never goes back: what a partition that was left out brings from before it counts at
// it. Between two changes of who is left out it follows from where the partitions stand
// alone, and so does the time that an event counts at: of a partition in the least, no
// event that is in time is older than the merged time, however far that was told.
type merger struct {
	parts   []*partition // in order of compare
	flush   bool         // the end of time has come: everything is let through
	reached int64        // the merged time, as far as it was looked at
	limit   int64        // no event of a later time is let through: see slices.go
}

// take returns the next event in order, false where it is not known yet.
func (m *merger) take() (waits, bool) {
	var p *partition
	for _, q := range m.parts {
		if q.waiting.len() > 0 && (p == nil || q.waiting.first().ev.At < p.waiting.first().ev.At) {
			p = q
		}
	}
	if p == nil || p.waiting.first().ev.At > m.limit || !m.flush && !m.mayTake(p) {
		return waits{}, false
	}
	w := p.waiting.pop()
	p.unsaved.goes(w.order)
	m.reached = max(m.reached, w.ev.At)
	return w, true
}

// mayTake reports whether p's first event, the first of all that wait, can be the next
// in order.
func (m *merger) mayTake(p *partition) bool {
	t := p.waiting.first().ev.At
	before, read := true, false
	for _, q := range m.parts {
		if q == p {
			before = false
		}
		if q.out() {
			continue
		}
		read = true
		if at := m.clock(q); at < t || at == t && before {
			return false
		}
	}
	return read || t <= m.watermark()
}

// clock is the time that a partition's next event in time counts at or after: its own
// watermark, or the merged time, which it may have fallen behind while it was left out.
func (m *merger) clock(p *partition) int64 { return max(p.at, m.reached) }

// watermark is the merged time: up to it nothing more will come. Where every partition
// is left out it is the greatest of their watermarks, as in Flink.
func (m *merger) watermark() int64 {
	least, most, read := int64(math.MaxInt64), int64(math.MinInt64), false
	for _, p := range m.parts {
		most = max(most, p.at)
		if !p.out() {
			least, read = min(least, p.at), true
		}
	}
	if !read {
		least = most
	}
	return max(least, m.reached)
}

// tell moves the merged time to where it is by now, and at least to a given one.
func (m *merger) tell(least int64) { m.reached = max(m.watermark(), least) }

// slowest is the partition to read next: of those that are not left out, and that may
// says yes to (nil: all), the one that holds back the others; nil where there is none.
func (m *merger) slowest(may func(*partition) bool) *partition {
	var s *partition
	for _, p := range m.parts {
		if !p.out() && (s == nil || m.clock(p) < m.clock(s)) && (may == nil || may(p)) {
			s = p
		}
	}
	return s
}

// ended reports whether no partition has more to give.
func (m *merger) ended() bool {
	for _, p := range m.parts {
		if !p.ended {
			return false
		}
	}
	return true
}
