package index

import (
	"bytes"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
)

// Routed is what a Router found for a batch: items in lists, each in order of event, then
// rule, and the keys they point into. Its memory is used again for the next batch.
type Routed struct {
	Lists [][]Item
	Keys  []byte
}

// Reset empties it and keeps its memory.
func (d *Routed) Reset() {
	for i := range d.Lists {
		d.Lists[i] = d.Lists[i][:0]
	}
	d.Keys = d.Keys[:0]
}

// Spread says which of how many lists an item goes to, by its rule and the hash of its
// key. Where there is one, as in the zero Spread, Of is not asked.
type Spread struct {
	Lists int
	Of    func(rule int32, hash uint64) int
}

// Router routes events for one goroutine.
type Router struct {
	NilKeys Tally     // by rule: events passed by for their nil key
	Faults  []FaultOf // conditions and keys that failed as they ran, one a rule

	ix     *Index
	spread Spread
	frame  eval.Frame
	types  []typeWork
	batch  uint64
	event  uint64  // number of the event at hand
	at     int32   // its place in the batch
	each   []int32 // every number up to the longest batch that was of one type
	keys   []keyValue
	head   []int32 // by event of the batch: its first hit, + 1
	hits   []hit
	order  []int32 // hits of the event at hand
	bits   []uint64
	narrow []uint64 // of a type with groups: the lanes at which each test holds
	word   []uint64 // of narrow: those of the lanes at hand, by test
	seen   []uint64 // by part: the event that it was last found in
	into   *Routed
	starts []int // by list: where the items of the event at hand begin

	nilRule int32 // the rule last counted in NilKeys for the event at hand; -1: none
}

// FaultOf is what failed for one rule.
type FaultOf struct {
	Rule int32
	eval.Fault
}

// Tally counts by rule, and knows which rules have a count.
type Tally struct {
	N     []uint64
	Rules []int32 // those that have one, in order of their first
}

func (t *Tally) add(rule int32) {
	if t.N[rule] == 0 {
		t.Rules = append(t.Rules, rule)
	}
	t.N[rule]++
}

// Reset sets all counts to zero.
func (t *Tally) Reset() {
	for _, rule := range t.Rules {
		t.N[rule] = 0
	}
	t.Rules = t.Rules[:0]
}

// hit is a test that an event passed; next is the event's next hit, + 1.
type hit struct{ test, next int32 }

// typeWork is what a router has of one type while it routes a batch.
type typeWork struct {
	lanes   lanes
	own     []int32  // memory for lanes.at
	columns []column // by condition
	lane    int      // of the event at hand
}

// keyValue is the key of the event at hand under one spec.
type keyValue struct {
	event uint64 // the event it is of
	isNil bool
	plain bool // see Item
	ref   event.Ref
	hash  uint64
}

// NewRouter makes a router over the index.
func (ix *Index) NewRouter(world *eval.World, spread Spread) *Router {
	spread.Lists = max(1, spread.Lists)
	r := &Router{
		ix: ix, spread: spread, frame: eval.Frame{World: world}, types: make([]typeWork, len(ix.types)),
		NilKeys: Tally{N: make([]uint64, len(ix.rules))}, starts: make([]int, spread.Lists),
	}
	most, parts := 0, 0
	for i := range ix.types {
		ti := &ix.types[i]
		most = max(most, len(ti.keys))
		r.types[i].columns = make([]column, len(ti.conds))
		for j := range ti.paths {
			if a := ti.paths[j].parts; a != nil {
				parts = max(parts, len(a.parts))
			}
		}
	}
	r.keys, r.seen = make([]keyValue, most), make([]uint64, parts)
	return r
}

// Counted forgets what was counted so far, in NilKeys and Faults.
func (r *Router) Counted() {
	r.NilKeys.Reset()
	r.Faults = r.Faults[:0]
}

// blame books a condition or key that failed as it ran.
func (r *Router) blame(rule int32) {
	f := &r.frame.Fault
	i := slices.IndexFunc(r.Faults, func(o FaultOf) bool { return o.Rule == rule })
	if i < 0 {
		i = len(r.Faults)
		r.Faults = append(r.Faults, FaultOf{Rule: rule})
	}
	r.Faults[i].Count += f.Count
	r.Faults[i].Last = f.Last
	*f = eval.Fault{}
}

// RouteOne routes a single event.
func (r *Router) RouteOne(ev *event.Event, into *Routed) { r.Route(unsafe.Slice(ev, 1), into) }

// Route fills into with an item for each event, rule and key that matter to each other.
func (r *Router) Route(events []event.Event, into *Routed) {
	r.RouteAs(events, &event.Common{}, into)
}

// RouteAs is Route of events of which something is known.
func (r *Router) RouteAs(events []event.Event, common *event.Common, into *Routed) {
	if len(into.Lists) == 0 {
		into.Lists = make([][]Item, r.spread.Lists)
	}
	into.Reset()
	r.into = into
	if r.batch++; !common.Known || common.Type < 0 || len(events) == 0 {
		r.part(events)
	} else {
		r.partAs(events, common)
	}
	if t := r.onlyType(events); t >= 0 && r.ix.types[t].groups != nil {
		r.routeNarrow(&r.ix.types[t], &r.types[t])
		return
	}
	r.forgetHits(len(events))
	for t := range r.types {
		if len(r.types[t].lanes.at) > 0 {
			r.askColumns(t)
		}
	}
	for i := range events {
		ti := &r.ix.types[events[i].Type]
		if r.head[i] == 0 && len(ti.paths) == 0 {
			continue
		}
		r.routeOne(ti, &events[i], int32(i))
	}
}

// onlyType is the type of all events of a batch, -1 where they have several.
func (r *Router) onlyType(events []event.Event) int {
	if len(events) == 0 || len(r.types[events[0].Type].lanes.at) < len(events) {
		return -1
	}
	return int(events[0].Type)
}

// part sorts the events of a batch by type.
func (r *Router) part(events []event.Event) {
	for t := range r.types {
		r.types[t].begin(events)
	}
	for i := range events {
		l := &r.types[events[i].Type].lanes
		l.at = append(l.at, int32(i))
	}
	for t := range r.types {
		r.types[t].own = r.types[t].lanes.at
	}
}

// partAs is part of a batch whose events are known to be of one type.
func (r *Router) partAs(events []event.Event, common *event.Common) {
	for t := range r.types {
		r.types[t].begin(events)
	}
	l := &r.types[common.Type].lanes
	l.slots, l.width = common.Words, common.Width
	for len(r.each) < len(events) {
		r.each = append(r.each, int32(len(r.each)))
	}
	l.at = r.each[:len(events)]
}

// begin forgets the batch before.
func (w *typeWork) begin(events []event.Event) {
	w.lane = 0
	w.lanes = lanes{events: events, at: w.own[:0]}
}

// forgetHits makes room for the hits of n events.
func (r *Router) forgetHits(n int) {
	if cap(r.head) < n {
		r.head = make([]int32, n, 2*n)
	}
	r.head = r.head[:n]
	clear(r.head)
	r.hits = r.hits[:0]
}

// askColumns evaluates the tests of a type that are columns. It goes from the last to the
// first, so that each event's hits are in order.
func (r *Router) askColumns(t int) {
	ti, w := &r.ix.types[t], &r.types[t]
	for c := len(ti.columns) - 1; c >= 0; c-- {
		n := ti.columns[c]
		r.askColumn(ti, w, &ti.tests[n])
		for i, word := range r.bits {
			for ; word != 0; word &= word - 1 {
				at := w.lanes.at[64*i+bits.TrailingZeros64(word)]
				r.hits = append(r.hits, hit{test: n, next: r.head[at]})
				r.head[at] = int32(len(r.hits))
			}
		}
	}
}

// askColumn makes r.bits the lanes at which a test holds.
func (r *Router) askColumn(ti *typeIndex, w *typeWork, t *test) {
	l := &w.lanes
	r.bits = resized(r.bits, l.words())
	for i := range r.bits {
		r.bits[i] = ^uint64(0)
	}
	if rest := len(l.at) % 64; rest != 0 {
		r.bits[len(r.bits)-1] = 1<<rest - 1
	}
	if t.whole != nil {
		r.askWhole(l, t)
		return
	}
	for _, n := range t.conds {
		col := r.column(w, n)
		ti.conds[n].fill(col, l, r.bits, &r.frame)
		some := uint64(0)
		for i := range r.bits {
			r.bits[i] &= col.val[i]
			some |= r.bits[i]
		}
		if some == 0 {
			return
		}
	}
}

// askWhole asks a test that can fail, event by event.
func (r *Router) askWhole(l *lanes, t *test) {
	for i, n := range l.at {
		r.frame.Event = &l.events[n]
		if !t.whole(&r.frame) {
			r.bits[i/64] &^= 1 << (i % 64)
		}
		if r.frame.Fault.Count > 0 {
			r.blame(t.rule)
		}
	}
}

// column is what is known of a condition over the batch at hand.
func (r *Router) column(w *typeWork, n int32) *column {
	col := &w.columns[n]
	if col.batch != r.batch {
		col.fresh(r.batch, w.lanes.words())
	}
	return col
}

// routeOne makes the items of one event: of its hits, and of the tests that paths find.
func (r *Router) routeOne(ti *typeIndex, ev *event.Event, at int32) {
	r.event++
	r.at, r.nilRule = at, -1
	if h := r.head[at]; h != 0 && len(ti.paths) == 0 && r.hits[h-1].next == 0 {
		r.add(ti, &ti.tests[r.hits[h-1].test], ev, true) // as most
		return
	}
	r.order = r.order[:0]
	for h := r.head[at]; h != 0; h = r.hits[h-1].next {
		r.order = append(r.order, r.hits[h-1].test)
	}
	if len(ti.paths) > 0 {
		r.askPaths(ti, ev)
	}
	if len(r.order) == 0 {
		return
	}
	r.begin()
	for _, n := range r.order {
		r.add(ti, &ti.tests[n], ev, false)
	}
}

// begin notes where the items of the event at hand begin.
func (r *Router) begin() {
	for i := range r.starts {
		r.starts[i] = len(r.into.Lists[i])
	}
}

// askPaths adds the tests that are filed under the event's values, and hold.
func (r *Router) askPaths(ti *typeIndex, ev *event.Event) {
	w := &r.types[ev.Type]
	columns := len(r.order)
	for i := range ti.paths {
		p := &ti.paths[i]
		if ev.Slots[p.slot.word]&p.slot.mask == 0 {
			continue
		}
		v := ev.Slots[p.slot.at]
		if b := p.bucket(ev, v); b != nil {
			for _, n := range b.tests {
				r.pass(ti, w, n)
			}
			if !b.ranges.empty() && ev.Slots[b.slot.word]&b.slot.mask != 0 {
				r.passRanges(ti, w, &b.ranges, b.slot.asIs(ev.Slots[b.slot.at]))
			}
		}
		if !p.ranges.empty() {
			r.passRanges(ti, w, &p.ranges, p.slot.asIs(v))
		}
		if p.parts != nil {
			r.passParts(ti, w, p.parts, event.Ref(v).Bytes(ev.Text))
		}
	}
	w.lane++
	if len(r.order) > columns {
		slices.Sort(r.order)
	}
}

// bucket returns the bucket of a value, nil where it has none.
func (p *path) bucket(ev *event.Event, v uint64) *bucket {
	if p.texts != nil {
		if n := p.texts.find(ev.String(v)); n >= 0 {
			return &p.buckets[n]
		}
	} else if p.numbers != nil {
		if n, ok := p.numbers[int64(v)]; ok {
			return &p.buckets[n]
		}
	}
	return nil
}

func (r *Router) passRanges(ti *typeIndex, w *typeWork, t *thresholds, x int64) {
	for i := range t.above {
		if t.above[i].at > x {
			break
		}
		r.pass(ti, w, t.above[i].test)
	}
	for i := range t.below {
		if t.below[i].at < x {
			break
		}
		r.pass(ti, w, t.below[i].test)
	}
}

func (r *Router) passParts(ti *typeIndex, w *typeWork, a *automaton, text []byte) {
	r.event++ // a number of its own for what was found in this text
	a.find(text, func(n int32) {
		if r.seen[n] == r.event {
			return
		}
		r.seen[n] = r.event
		for _, test := range a.parts[n].tests {
			r.pass(ti, w, test)
		}
	})
}

// pass adds a test that was found to the event's hits, if what it still asks holds.
func (r *Router) pass(ti *typeIndex, w *typeWork, n int32) {
	t := &ti.tests[n]
	if t.whole != nil {
		r.frame.Event = &w.lanes.events[r.at]
		holds := t.whole(&r.frame)
		if r.frame.Fault.Count > 0 {
			r.blame(t.rule)
		}
		if !holds {
			return
		}
	}
	for _, c := range t.conds {
		if !r.holds(ti, w, c) {
			return
		}
	}
	r.order = append(r.order, n)
}

// holds asks a condition of the event at hand, once if several tests ask it.
func (r *Router) holds(ti *typeIndex, w *typeWork, n int32) bool {
	c := &ti.conds[n]
	ev := &w.lanes.events[r.at]
	switch {
	case c.kind == byInterval:
		return c.inBound(ev) // quicker than to look whether it is known
	case c.uses > 1 || c.bulk:
		return c.at(r.column(w, n), &w.lanes, w.lane, &r.frame)
	}
	r.frame.Event = ev
	return c.holds(&r.frame)
}

// add adds a passed test to the rule's item of the same key, or makes one. only says that
// the event has passed no other test.
func (r *Router) add(ti *typeIndex, t *test, ev *event.Event, only bool) {
	r.give(ti, t.key, t.rule, ev, t.bit, t.until, !only)
}

// give makes an item of a rule, or, where it may have one of the same key, adds to that.
func (r *Router) give(ti *typeIndex, spec, rule int32, ev *event.Event, mask uint64, until, mayJoin bool) {
	k := r.key(ti, spec, rule, ev)
	if k.isNil {
		if r.nilRule != rule {
			r.NilKeys.add(rule)
			r.nilRule = rule
		}
		return
	}
	hash := k.hash
	if r.ix.rules[rule].Keyless {
		hash = uint64(ev.Offset) * 0x9E3779B97F4A7C15 >> 32
	}
	to := r.listOf(rule, hash)
	if mayJoin && r.joins(to, rule, ev, k, hash, mask, until) {
		return
	}
	r.put(to, rule, mask, hash, k.ref, k.plain, until)
}

// listOf is the list that items of a rule and key go to.
func (r *Router) listOf(rule int32, hash uint64) int {
	if len(r.into.Lists) == 1 {
		return 0
	}
	return r.spread.Of(rule, hash)
}

// put appends an item of the event at hand. It is filled in place: a copy of what was just
// written in parts stalls.
func (r *Router) put(to int, rule int32, mask, hash uint64, key event.Ref, plain, until bool) {
	list := r.into.Lists[to]
	if len(list) == cap(list) {
		list = slices.Grow(list, 1)
	}
	list = list[:len(list)+1]
	it := &list[len(list)-1]
	it.Event, it.Rule, it.Mask, it.Hash, it.Key, it.Plain, it.Until = r.at, rule, mask, hash, key, plain, until
	r.into.Lists[to] = list
}

// joins adds tests to the event's item of the rule and key in a list, if there is one.
func (r *Router) joins(to int, rule int32, ev *event.Event, k *keyValue, hash, mask uint64, until bool) bool {
	list := r.into.Lists[to]
	for i := len(list) - 1; i >= r.starts[to] && list[i].Rule == rule; i-- {
		if list[i].Hash == hash && r.sameKey(&list[i], k, ev) {
			list[i].Mask |= mask
			list[i].Until = list[i].Until || until
			return true
		}
	}
	return false
}

// sameKey reports whether a key of the event at hand is that of one of its items.
func (r *Router) sameKey(it *Item, k *keyValue, ev *event.Event) bool {
	switch {
	case it.Plain && k.plain:
		return it.Key == k.ref || bytes.Equal(it.Key.Bytes(ev.Text), k.ref.Bytes(ev.Text))
	case it.Plain != k.plain: // one is of a text that is computed
		other := Item{Key: k.ref, Plain: k.plain}
		return bytes.Equal(it.AppendKey(nil, r.into.Keys, ev), other.AppendKey(nil, r.into.Keys, ev))
	}
	return bytes.Equal(it.Key.Bytes(r.into.Keys), k.ref.Bytes(r.into.Keys))
}

// key takes the event's key under a spec, once.
func (r *Router) key(ti *typeIndex, spec, rule int32, ev *event.Event) *keyValue {
	k := &r.keys[spec]
	if k.event == r.event {
		return k
	}
	k.event, k.isNil, k.plain = r.event, false, false
	if s := ti.keys[spec].text; s != nil { // as most
		if k.isNil = ev.Slots[s.word]&s.mask == 0; !k.isNil {
			k.hash, k.ref, k.plain = r.textKey(&ti.keys[spec], ev)
		}
		return k
	}
	start := len(r.into.Keys)
	keys := r.appendKey(ti, spec, rule, ev, k)
	if k.isNil {
		r.into.Keys = keys[:start]
		return k
	}
	r.into.Keys = keys
	k.ref = event.MakeRef(start, len(keys)-start)
	k.hash = event.KeyHash(keys[start:])
	return k
}

// appendKey appends the parts of a key to those that there are.
func (r *Router) appendKey(ti *typeIndex, spec, rule int32, ev *event.Event, k *keyValue) []byte {
	keys, s := r.into.Keys, &ti.keys[spec]
	for _, slot := range s.slots {
		k.isNil = k.isNil || !ev.Has(slot)
		keys = ev.AppendKey(keys, ti.layout, slot)
	}
	if s.slots != nil {
		return keys
	}
	r.frame.Event = ev
	for _, part := range s.parts {
		v := part(&r.frame)
		k.isNil = k.isNil || v.IsNil()
		keys = event.AppendKey(keys, v)
	}
	if r.frame.Fault.Count > 0 {
		r.blame(rule)
	}
	return keys
}
