package machine

import (
	"cmp"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// bindFrame makes the frame show what a run has taken at the given steps; r nil:
// nothing.
func (p *Pattern) bindFrame(x *Context, k *PatternKey, r *run, steps uint64, key bool) {
	if key && !x.parsed {
		x.keys(p.rule.Keys)
		x.parsed = true
	}
	x.run = runAggs{p: p, r: r}
	x.Frame.Aggs = &x.run
	if steps == 0 {
		return
	}
	x.roomFor(len(p.leafAt))
	for step, leaf := range p.leafAt {
		if steps&(1<<step) != 0 {
			x.Frame.Steps[step] = p.binding(x, k, r, step, leaf)
		}
	}
}

// roomFor makes the frame's bindings and their views large enough for n steps.
func (x *Context) roomFor(n int) {
	if len(x.Frame.Steps) >= n {
		return
	}
	x.Frame.Steps = make([]eval.Binding, n)
	x.views = make([]event.Event, 2*n)
	x.lists = make([]listView, n)
}

func (p *Pattern) binding(x *Context, k *PatternKey, r *run, step, leaf int) eval.Binding {
	if r == nil || leaf < 0 || leaf >= len(r.binds) || r.binds[leaf].n == 0 {
		return eval.Binding{}
	}
	b := &r.binds[leaf]
	if b.list < 0 {
		ev := x.Keep.View(b.ref, &x.views[2*step])
		return eval.Binding{N: 1, First: ev, Last: ev}
	}
	l := &k.lists[b.list]
	x.lists[step] = listView{keep: x.Keep, list: l, from: b.from, n: b.n}
	return eval.Binding{
		N:     int(b.n),
		First: x.view(l.at(b.from), &x.views[2*step]),
		Last:  x.view(l.at(b.from+b.n-1), &x.views[2*step+1]),
		List:  &x.lists[step],
	}
}

// view shows a kept event; nil for one that was left out.
func (x *Context) view(ref keep.Ref, ev *event.Event) *event.Event {
	if ref == 0 {
		return nil
	}
	return x.Keep.View(ref, ev)
}

// listView shows the stretch of a list that one run holds, as an [eval.List].
type listView struct {
	keep *keep.Store
	list *list
	from int64
	n    int64
	ev   event.Event
}

// At implements [eval.List]. The event is valid until the next call.
func (v *listView) At(i int) *event.Event {
	if i < 0 || int64(i) >= v.n {
		return nil
	}
	ref := v.list.at(v.from + int64(i))
	if ref == 0 {
		return nil
	}
	return v.keep.View(ref, &v.ev)
}

// match hands on the match of a complete run.
func (p *Pattern) match(x *Context, k *PatternKey, r *run, now int64, atDeadline bool) {
	p.bindFrame(x, k, r, p.reads, p.readsKey)
	e := &x.effect
	e.reset()
	e.Time, e.Start, e.End = now, r.ownStart, r.ownLast
	e.AtDeadline = atDeadline
	if atDeadline {
		e.Deadline = now
	}
	e.ID, e.Total = r.id, r.total
	e.Saturated = x.Frame.Matches == math.MaxInt64
	for _, f := range p.emit {
		e.Fields = append(e.Fields, f(&x.Frame))
	}
	for _, f := range p.suppressBy {
		e.SuppressBy = append(e.SuppressBy, f(&x.Frame))
	}
	e.derive(x, p.derived)
	p.evidence(x, k, r, e)
	x.Effect(e)
	if p.watch != nil {
		p.watchMatched(x, r, e)
	}
}

// reset empties an effect and keeps its memory.
func (e *Effect) reset() {
	// In place: a literal of that size would be made on the stack and copied.
	e.Time, e.Start, e.End, e.Deadline, e.AtDeadline = 0, 0, 0, 0, false
	e.Window, e.WindowStart, e.WindowEnd = false, 0, 0
	e.ID, e.Total, e.Saturated = ID{}, 0, false
	e.Fields, e.SuppressBy, e.Derived, e.Evidence = e.Fields[:0], e.SuppressBy[:0], e.Derived[:0], e.Evidence[:0]
}

// evidence shows the first and the last events of a match, in order of being taken.
func (p *Pattern) evidence(x *Context, k *PatternKey, r *run, e *Effect) {
	list := p.takenBy(x, k, r)
	for i, t := range list {
		if i < evidenceEnds || i >= len(list)-evidenceEnds {
			e.show(x, t.step, t.ref)
		}
	}
}

// takenBy lists what a run has taken, in order of being taken; valid until the next
// call. What a step took is left out but for its first and last events: no alert
// shows more of it.
func (p *Pattern) takenBy(x *Context, k *PatternKey, r *run) []taken {
	x.taken = x.taken[:0]
	for leaf := range r.binds {
		b := &r.binds[leaf]
		for i := int64(0); i < b.n; i++ {
			if i == evidenceEnds && b.n > MaxEvidence && p.mode != plan.SelectAll {
				i = b.n - evidenceEnds
			}
			ref := b.ref
			if b.list >= 0 {
				ref = k.lists[b.list].at(b.from + i)
			}
			x.taken = append(x.taken, taken{ref: ref, step: p.leaves[leaf].step})
		}
	}
	if p.grouped {
		slices.SortStableFunc(x.taken, func(a, b taken) int { return cmp.Compare(x.Keep.Order(a.ref), x.Keep.Order(b.ref)) })
	}
	return x.taken
}

// taken is an event of a match with the step that took it.
type taken struct {
	ref  keep.Ref
	step int
}

func (e *Effect) show(x *Context, step int, ref keep.Ref) {
	if ref == 0 {
		return
	}
	e.Evidence = append(e.Evidence, Evidence{Step: step})
	x.Keep.View(ref, &e.Evidence[len(e.Evidence)-1].Event)
}

// exhibit adds an event that a window shows.
func (e *Effect) exhibit(x *Context, ref keep.Shown) {
	e.Evidence = append(e.Evidence, Evidence{Step: -1})
	x.Log.View(ref, &e.Evidence[len(e.Evidence)-1].Event)
}

// runAggs gives the aggregates over what a run has taken, as [eval.Aggregates].
type runAggs struct {
	p *Pattern
	r *run
}

// Agg implements [eval.Aggregates].
func (a *runAggs) Agg(i int) event.Value {
	at := a.p.accAt[i]
	if a.p.line != nil {
		return a.p.counted(a.r, i)
	}
	var s windows.State
	if a.r != nil {
		s = a.r.accs[at.part]
	}
	return a.p.accs[at.part].program.Result(&s, at.agg)
}

// counted is the number of events that a run of a line took by the step of an
// aggregate: lines have no other aggregates.
func (p *Pattern) counted(r *run, i int) event.Value {
	leaf := p.leafAt[p.rule.Aggs[i].Step]
	if r == nil || leaf < 0 || leaf >= len(r.binds) {
		return event.OfInt(0)
	}
	return event.OfInt(r.binds[leaf].n)
}
