package machine

import (
	"bytes"
	"math"
	"sort"

	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/windows"
)

// Look is what a rule remembers of a key as of a time, copied, for people. What is
// remembered no more but not forgotten yet, for that may wait (see Due), is not in it.
// Looking changes nothing.
type Look struct {
	Now   int64 // what has passed by then is over
	Most  int   // runs, and events of a pool, that are shown at most
	Bytes int   // of records that are shown, at most

	Open    int // runs, shown or not
	Runs    []RunLook
	Pooled  int // events that a match all counts from, shown or not
	Pool    []TakenLook
	Leads   []LeadLook
	Windows []WindowLook
	Row     event.Value // of a projection; nil: there is none
	Expires int64       // when the row goes; math.MaxInt64: never
}

// RunLook is an open run. Times are those at which events count; math.MaxInt64: there is none.
type RunLook struct {
	Start, Last int64
	Taken       []TakenLook // by step, in order of writing
	Next        uint64      // steps of which it can take an event
	Lacks       int64       // events of the step at hand, or turns of the group, that it needs to go on
	Matches     int64       // when it is complete if nothing forbidden comes
	Until       int64       // when it ends if nothing comes
	Places      int         // branches leave it open which events it took by which step; those are of the first
}

// TakenLook is what a run took by a step, or an event of a pool that can be taken by steps.
type TakenLook struct {
	Steps uint64
	N     int
	First EventLook
	Final EventLook // the last one, where there are several
}

// EventLook is an event; Record is nil where it is not kept, or there was no room for it.
type EventLook struct {
	Time   int64 // its own, or, of an event that is not kept, that at which it counts
	Record []byte
}

// LeadLook is a negation at the start that keeps runs from beginning.
type LeadLook struct {
	Steps uint64
	Until int64
}

// WindowLook is a window; Start and End are math.MinInt64 and math.MaxInt64 where time does
// not bound it.
type WindowLook struct {
	Window     int // of the rule
	Start, End int64
	Events     int
	Aggs       []event.Value // by aggregate of the rule; nil of those over other windows
	Held       bool          // for `once` and `early`: having holds, or has held
	Newest     []EventLook   // oldest first
}

// shows copies a record as long as there is room.
func (l *Look) shows(ev *event.Event) EventLook {
	record := ev.JSON()
	if l.Bytes -= len(record); l.Bytes < 0 {
		return EventLook{Time: ev.Time}
	}
	return EventLook{Time: ev.Time, Record: bytes.Clone(record)}
}

// Look adds the key's open runs, oldest first.
func (p *Pattern) Look(x *Context, k *PatternKey, l *Look) {
	x.parsed = false
	if p.line != nil {
		p.lookLine(x, &k.line, l)
		return
	}
	if k.general == nil {
		return
	}
	last := uint64(0)
	for i := range k.runs {
		switch r := &k.runs[i]; {
		case p.expired(r, l.Now):
		case l.Open > 0 && r.began == last:
			p.lookPlace(r, l)
		default:
			last = r.began
			if l.Open++; l.Open <= l.Most {
				l.Runs = append(l.Runs, p.lookRun(x, k, r, l))
			}
		}
	}
	p.lookPool(x, k, l)
	p.lookLeads(k, l)
}

// lookLine adds the open runs of a line.
func (p *Pattern) lookLine(x *Context, k *lineKey, l *Look) {
	if k.open == 0 {
		return
	}
	for i := k.oldest; i != 0; i = k.store.runs[i].newer {
		w := &k.store.runs[i]
		until := min(p.ends(w), p.gapEnds(w))
		if until <= l.Now {
			continue
		}
		if l.Open++; l.Open > l.Most {
			continue
		}
		r := p.show(x, k, i)
		r.stage = int32(p.line.rooms[w.room].stage)
		r.turns = int32(r.binds[p.stages[r.stage].leaf].n)
		r.hit, r.stale = 0, false
		out := p.lookRun(x, &x.lineView, r, l)
		out.Until, out.Matches = until, math.MaxInt64
		switch int(w.room) {
		case p.line.ends:
			out.Matches = int64(w.value)
		case p.line.ripens:
			out.Matches = p.ends(w)
		}
		l.Runs = append(l.Runs, out)
	}
}

// lookRun shows a run.
func (p *Pattern) lookRun(x *Context, k *PatternKey, r *run, l *Look) RunLook {
	out := RunLook{Start: r.start, Last: r.start, Matches: p.runDeadline(r), Until: p.expiry(r), Places: 1}
	out.Next, out.Lacks = p.awaits(r)
	p.bindFrame(x, k, r, math.MaxUint64, false)
	for step := range p.leafAt {
		b := &x.Frame.Steps[step]
		if b.N == 0 {
			continue
		}
		t := TakenLook{Steps: 1 << step, N: b.N}
		if b.First != nil {
			t.First = l.shows(b.First)
		}
		if b.Last != nil {
			out.Last = max(out.Last, b.Last.At)
			if b.N > 1 {
				t.Final = l.shows(b.Last)
			}
		}
		out.Taken = append(out.Taken, t)
	}
	return out
}

// lookPlace adds a further place to the run that was shown last.
func (p *Pattern) lookPlace(r *run, l *Look) {
	if l.Open > l.Most {
		return
	}
	out := &l.Runs[len(l.Runs)-1]
	next, _ := p.awaits(r)
	out.Next |= next
	out.Matches, out.Until = min(out.Matches, p.runDeadline(r)), max(out.Until, p.expiry(r))
	out.Places++
}

// awaits are the steps of which a run can take an event, and how many it lacks of the one
// that it is at before it can take others; of a group, turns.
func (p *Pattern) awaits(r *run) (next uint64, lacks int64) {
	st := &p.stages[r.stage]
	next = p.awaitsWithin(r, st)
	if !p.enough(r, st) {
		return next, st.lacks(r)
	}
	for i := range st.next {
		if r.open(&st.next[i]) {
			next |= p.opening(r, st.next[i].to)
		}
	}
	return next, 0
}

// awaitsWithin are the steps by which a run can take more where it is.
func (p *Pattern) awaitsWithin(r *run, s *stage) uint64 {
	switch {
	case s.root != nil:
		return p.shown(r, s, func(a *asker, out []alt) []alt { return s.within(a, s.root.advance(a, r.config, out), 0) })
	case p.mayRepeat(r, s) && !(s.strict && r.stale):
		return s.steps
	}
	return 0
}

// opening are the steps by which a run can go on to a stage.
func (p *Pattern) opening(r *run, to int) uint64 {
	s := &p.stages[to]
	if s.root == nil {
		return s.steps
	}
	return p.shown(r, s, func(a *asker, out []alt) []alt { return p.enterStage(a, to, out) })
}

// shown asks of each step of a group alone whether there is a way to take it.
func (p *Pattern) shown(r *run, s *stage, ways func(*asker, []alt) []alt) (steps uint64) {
	a := asker{p: p, r: r, now: r.last, show: true}
	var found []alt
	for left := s.steps; left != 0; left &= left - 1 {
		a.mask = left & -left
		if found = ways(&a, found[:0]); len(found) > 0 {
			steps |= a.mask
		}
	}
	return steps
}

// lacks is how many turns a run at the stage needs to go on, beyond the one at hand; of a
// group whose turn at hand is not whole it is not told: it waits for sides of that turn.
func (s *stage) lacks(r *run) int64 {
	switch {
	case s.root == nil:
		return max(0, int64(s.min)-int64(r.turns))
	case s.root.whole(r.config):
		return max(0, int64(s.min)-int64(r.config[s.root.cell].turns))
	}
	return 0
}

// lookPool shows the events that a match all counts from.
func (p *Pattern) lookPool(x *Context, k *PatternKey, l *Look) {
	from := 0
	for from < k.pool.len() && p.within > 0 && l.Now >= later(k.pool.events.at(from).at, p.within) {
		from++
	}
	for from < k.pool.len() && k.pool.events.at(from).steps&p.pool.begins == 0 {
		from++
	}
	l.Pooled = k.pool.len() - from
	for i := from; i < k.pool.len() && len(l.Pool) < l.Most; i++ {
		e := k.pool.events.at(i)
		t := TakenLook{Steps: e.steps, N: 1, First: EventLook{Time: e.at}}
		if e.ref != 0 {
			t.First = l.shows(x.Keep.View(e.ref, &x.seen))
		}
		l.Pool = append(l.Pool, t)
	}
}

// lookLeads shows the negations at the start that hold.
func (p *Pattern) lookLeads(k *PatternKey, l *Look) {
	for i, at := range k.leads {
		if at == math.MinInt64 {
			continue
		}
		if until := later(at, p.leads[i].span); until > l.Now {
			l.Leads = append(l.Leads, LeadLook{p.leads[i].steps, until})
		}
	}
}

// Look adds the key's windows, each as it is by now. It takes time in proportion to what
// the windows hold.
func (w *Window) Look(x *Context, k *WindowKey, l *Look) {
	most := 0
	first := len(l.Windows)
	for n := range w.parts {
		out := WindowLook{Window: n, Start: math.MinInt64, End: math.MaxInt64, Held: k.held, Aggs: make([]event.Value, len(w.rule.Aggs))}
		if out.Events = w.lookPart(x, k, n, l.Now, &out); out.Events > 0 || k.held {
			l.Windows = append(l.Windows, out)
			most = max(most, out.Events)
		}
	}
	if len(l.Windows) > first {
		l.Windows[first].Newest = l.newest(x, k.shown(x), most)
	}
}

// lookPart fills in how many events a window has by now, and its aggregates.
func (w *Window) lookPart(x *Context, k *WindowKey, n int, now int64, out *WindowLook) int {
	p, events := &w.parts[n], w.size(k, n)
	if p.span > 0 {
		out.Start, out.End = earlier(now, p.span), now
		events = min(events, k.since(x, out.Start))
	}
	var state windows.State
	if p.state >= 0 && k.more != nil {
		p.program.Copy(&state, &k.more.states[p.state])
		p.program.Expire(&state, now)
	}
	for i, agg := range p.aggs {
		if p.state < 0 {
			out.Aggs[agg] = p.program.OfCount(events, i)
		} else {
			out.Aggs[agg] = p.program.Result(&state, i)
		}
	}
	return events
}

// since is how many events of a trail count at a later time than the one given.
func (t *trail) since(x *Context, at int64) int {
	return int(t.live) - sort.Search(int(t.live), func(i int) bool { return t.at(x, uint32(i)) > at })
}

// earlier takes a span off a time; before the beginning of time it is the beginning.
func earlier(t, span int64) int64 {
	if t < math.MinInt64+span {
		return math.MinInt64
	}
	return t - span
}

// Look adds the key's open windows.
func (b *Bucket) Look(x *Context, k *BucketKey, l *Look) {
	open, most := k.open.Open(), 0
	for i := range open {
		w := &open[i]
		out := WindowLook{Start: w.Start, End: w.End, Events: b.program.Len(&w.State), Held: w.Alerted, Aggs: make([]event.Value, len(b.rule.Aggs))}
		if b.batch {
			out.End = math.MaxInt64
		}
		var state windows.State
		b.program.Copy(&state, &w.State)
		for agg := range out.Aggs {
			out.Aggs[agg] = b.program.Result(&state, b.reads.at[agg].agg)
		}
		l.Windows = append(l.Windows, out)
		most = max(most, out.Events)
	}
	if len(open) > 0 {
		l.Windows[len(l.Windows)-1].Newest = l.newest(x, k.recent.shown(x, most), most)
	}
}

// newest shows the last events of those that windows show, at most so many.
func (l *Look) newest(x *Context, list []keep.Shown, most int) (out []EventLook) {
	for _, ref := range list[max(0, len(list)-most):] {
		x.Log.View(ref, &x.seen)
		out = append(out, l.shows(&x.seen))
	}
	return out
}

// Look shows the row, if there is one.
func (p *Projection) Look(x *Context, k *ProjectionKey, l *Look) {
	if l.Expires = p.Deadline(k); l.Expires > l.Now && !p.Empty(k) {
		copied := ProjectionKey{last: k.last}
		p.program.Copy(&copied.row, &k.row)
		l.Row = p.Row(x, &copied)
	}
}
