package machine

import (
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Window is the compiled form of a rule over windows that are evaluated at each
// event: sliding ones and last ones.
//
// A key has one trail: the times of the events of its largest window, and what an alert
// shows of the newest ones. A window whose aggregates follow from the number of its
// events is no more than that number; others have a state.
type Window struct {
	rule    *plan.Rule
	heads   []head  // one an input
	parts   []named // one a window of the rule
	at      []place
	states  int       // how many windows have a state
	alone   bool      // there is one window, and it has none: the trail is all there is of it
	longest int64     // of the windows of time
	counted *interval // of the numbers of events with which having holds; nil: it is to be asked
	lasting bool      // one is not of time
}

// named is one window of the rule, with the aggregates over it.
type named struct {
	program *windows.Program
	aggs    []int  // numbers of its aggregates in the rule
	reads   []int  // those of them, by place in aggs, whose argument the program reads
	span    int64  // of a window of time
	count   uint32 // of a `last` window; 0: a window of time
	state   int    // number of its state; -1: the number of its events says all
}

// place says where an aggregate of the rule is computed.
type place struct{ part, agg int }

// WindowKey is what one key remembers of a window rule.
type WindowKey struct {
	trail
	more *moreOfKey
	_    [8]byte // see TestKeysFillLines in the engine
}

func (k *WindowKey) setMore(m *moreOfKey) { k.more, k.rich = m, m != nil }

// moreOfKey is what a key remembers besides its trail: where the rule has one window
// that is counted only, just the times of late events.
type moreOfKey struct {
	counts []uint32        // by window: how many of the newest events it holds; of those without a state
	states []windows.State // of windows that have one
	first  uint32          // number of the trail's oldest event, wrapping
	late   []lateEvent     // those in the trail, oldest first
}

// lateEvent is the own time of an event that counts at another one.
type lateEvent struct {
	number uint32
	own    int64
}

// CompileWindow compiles a window rule that checks.
func CompileWindow(rule *plan.Rule, c eval.Compiler) (*Window, error) {
	w := &Window{rule: rule, at: make([]place, len(rule.Aggs))}
	for i := range rule.Inputs {
		c.Event = rule.Inputs[i].Type
		w.heads = append(w.heads, compileHead(&rule.Inputs[i], c))
	}
	for n := range rule.Windows {
		if err := w.compilePart(n); err != nil {
			return nil, err
		}
	}
	for i := range w.heads {
		w.heads[i].fields = w.fields(&w.heads[i])
	}
	w.alone = len(w.parts) == 1 && w.states == 0
	if w.alone && !w.lasting && len(w.heads) == 1 && w.heads[0].where == nil {
		w.counted = w.heldCounts(rule.Inputs[0].Having)
	}
	return w, nil
}

// fields are the arguments that the only window reads, if all of them are fields of
// events.
func (w *Window) fields(h *head) []field {
	if len(w.parts) != 1 {
		return nil
	}
	var out []field
	for _, n := range w.parts[0].reads {
		a := &h.args[w.parts[0].aggs[n]]
		if a.slot == 0 {
			return nil
		}
		out = append(out, field{slot: int32(a.slot), word: int32(a.bit / 64), mask: 1 << (a.bit % 64), arg: int32(n), text: a.text})
	}
	return out
}

// interval is numbers from low up to high.
type interval struct{ low, high int64 }

// heldCounts are the numbers of events with which having holds, if it compares just that
// with a constant.
func (w *Window) heldCounts(having *plan.Expr) *interval {
	if having == nil || len(having.Args) != 2 {
		return nil
	}
	a, b := having.Args[0], having.Args[1]
	if a.Op != plan.OpAgg || w.rule.Aggs[a.Index].Func != windows.Count || b.Op != plan.OpConst || b.Const.Kind != event.Int {
		return nil
	}
	switch n := int64(b.Const.N); having.Op {
	case plan.OpEq:
		return &interval{n, n}
	case plan.OpLt:
		return &interval{math.MinInt64, max(n, math.MinInt64+1) - 1}
	case plan.OpLe:
		return &interval{math.MinInt64, n}
	case plan.OpGt:
		return &interval{min(n, math.MaxInt64-1) + 1, math.MaxInt64}
	case plan.OpGe:
		return &interval{n, math.MaxInt64}
	}
	return nil
}

func (w *Window) compilePart(n int) error {
	var p named
	var aggs []plan.Agg
	var args []plan.AggArg
	for i, a := range w.rule.Aggs {
		if a.Window == n {
			args = append(args, w.rule.Inputs[0].Args[i])
			w.at[i] = place{part: n, agg: len(p.aggs)}
			p.aggs, aggs = append(p.aggs, i), append(aggs, a)
		}
	}
	same := func(i, j int) bool { return w.sameArgument(p.aggs[i], p.aggs[j]) }
	program, err := windows.NewProgram(w.rule.Windows[n].Spec, aggregatesOf(aggs, args, same))
	if err != nil {
		return err
	}
	p.program, p.reads, p.state = program, program.Reads(), -1
	if !program.Counts() {
		p.state = w.states
		w.states++
	}
	if spec := w.rule.Windows[n].Spec; spec.Kind == windows.Last {
		p.count, w.lasting = uint32(spec.Count), true
	} else {
		p.span, w.longest = spec.Size, max(w.longest, spec.Size)
	}
	w.parts = append(w.parts, p)
	return nil
}

// sameArgument reports whether two aggregates take the very same value from events of
// every type.
func (w *Window) sameArgument(i, j int) bool {
	for _, in := range w.rule.Inputs {
		if !sameExpr(in.Args[i].Value, in.Args[j].Value) || in.Args[i].Cond != nil || in.Args[j].Cond != nil {
			return false
		}
	}
	return true
}

func sameExpr(a, b *plan.Expr) bool {
	return a != nil && b != nil && a.Type.Kind == b.Type.Kind && a.Op == plan.OpField && b.Op == plan.OpField && a.Index == b.Index
}

// Tests lists what engine/index must test for the rule: bit i for input i.
func (w *Window) Tests() []Test { return inputTests(w.rule) }

// Empty reports whether the key remembers nothing.
func (w *Window) Empty(k *WindowKey) bool { return k.live == 0 && !k.held }

// head is the head of the input whose bit mask is: of most rules the only one.
func (w *Window) head(mask uint64) *head {
	if len(w.heads) == 1 {
		return &w.heads[0]
	}
	return &w.heads[bits.TrailingZeros64(mask)]
}

// Event takes an event that passed the test of the input whose bit mask is, and returns as
// [Pattern.Event] does.
func (w *Window) Event(x *Context, k *WindowKey, ev *event.Event, mask uint64, _ bool) int64 {
	if w.counted != nil && !k.rich && ev.Time == ev.At {
		w.count(x, k, ev)
	} else if w.see(x, k, ev, mask); w.Empty(k) {
		return Gone
	}
	return math.MaxInt64 // as Due
}

// see is Event for windows of all kinds.
func (w *Window) see(x *Context, k *WindowKey, ev *event.Event, mask uint64) {
	h := w.head(mask)
	x.Frame.Event = ev
	if h.readsKey {
		x.keys(w.rule.Keys)
	}
	if !h.passes(x) {
		return
	}
	w.add(x, k, ev, h)
	x.window = windowAggs{w: w, k: k}
	x.Frame.Aggs = &x.window
	if w.turns(k, h.having == nil || h.having(&x.Frame)) {
		w.alert(x, k, ev, h)
	}
}

// turns notes whether having held, and reports whether that makes an alert.
func (w *Window) turns(k *WindowKey, held bool) bool {
	before := k.held
	k.held = held && w.rule.Once
	return held && !before
}

// count is Event for one window of time that is counted only, an event that is not late,
// and a having that follows from the count: no expression is asked but for an alert.
func (w *Window) count(x *Context, k *WindowKey, ev *event.Event) {
	first := x.rooms.First(k.room)
	if until := ev.At - w.longest; until < ev.At {
		k.dropUntil(x, first, until) // first, so that the new one takes a place that is at hand
	}
	k.push(x, first, ev.At, x.show(ev))
	if int(k.live) > x.Limits.EventsPerWindow || k.live > windows.MaxEvents {
		w.bound(x, k)
	} else if k.isSparse() {
		k.shrink(x)
	}
	if n := int64(k.live); w.turns(k, n >= w.counted.low && n <= w.counted.high) {
		x.Frame.Event = ev
		x.window = windowAggs{w: w, k: k}
		x.Frame.Aggs = &x.window
		w.alert(x, k, ev, &w.heads[0])
	}
}

// alert hands on the effect of the event at hand.
func (w *Window) alert(x *Context, k *WindowKey, ev *event.Event, h *head) {
	x.keys(w.rule.Keys)
	e := x.atEvent(ev)
	e.Total = int64(k.live)
	for _, ref := range k.shown(x) {
		e.exhibit(x, ref)
	}
	e.Start = w.start(x, k, e)
	h.outcome(x, e)
	x.Effect(e)
}

// start is the own time of the oldest event of the largest window.
func (w *Window) start(x *Context, k *WindowKey, e *Effect) int64 {
	switch {
	case k.live <= MaxEvidence:
		return e.Evidence[0].Event.Time
	case k.more != nil && len(k.more.late) > 0 && k.more.late[0].number == k.more.first:
		return k.more.late[0].own
	}
	return k.at(x, 0)
}

// add puts the event into every window.
func (w *Window) add(x *Context, k *WindowKey, ev *event.Event, h *head) {
	if w.alone && k.more == nil && ev.Time == ev.At {
		k.addAfter(x, w.parts[0].makeRoom(x, k, ev.At), ev.At, x.show(ev))
		if int(k.live) > x.Limits.EventsPerWindow || k.live > windows.MaxEvents {
			w.bound(x, k)
		} else if k.isSparse() {
			k.shrink(x)
		}
		return
	}
	if len(w.parts) == 1 && !w.lasting && k.more != nil && ev.Time == ev.At {
		w.addSole(x, k, ev, h)
		return
	}
	before := k.live
	until := int64(math.MinInt64)
	if w.alone {
		until = w.parts[0].makeRoom(x, k, ev.At)
	} else {
		if k.more == nil {
			k.setMore(w.newMore())
		}
		w.addParts(x, k, ev, h)
	}
	if ev.Time != ev.At {
		k.noteLate(before, ev)
	}
	k.addAfter(x, until, ev.At, x.show(ev))
	w.bound(x, k)
	if k.more != nil {
		k.left(before + 1 - k.live)
	}
}

// addSole is add for a rule with one window, which is of time and has a state, and an event
// that is not late: what leaves the window leaves the trail.
func (w *Window) addSole(x *Context, k *WindowKey, ev *event.Event, h *head) {
	p := &w.parts[0]
	before := k.live
	if p.state >= 0 {
		p.program.Add(&k.more.states[0], ev.At, p.arguments(x, h))
	}
	k.addAfter(x, p.until(ev.At), ev.At, x.show(ev))
	if int(k.live) > x.Limits.EventsPerWindow || k.live > windows.MaxEvents {
		w.bound(x, k)
	} else if k.isSparse() {
		k.shrink(x)
	}
	k.left(before + 1 - k.live)
}

// newMore makes what a key has besides its trail, in one piece where that is one state.
func (w *Window) newMore() *moreOfKey {
	if len(w.parts) == 1 {
		m := new(struct {
			moreOfKey
			one [1]windows.State
		})
		m.states = m.one[:]
		return &m.moreOfKey
	}
	m := &moreOfKey{states: make([]windows.State, w.states)}
	if w.states < len(w.parts) {
		m.counts = make([]uint32, len(w.parts))
	}
	return m
}

// makeRoom lets the only window of a key have room for one more event, and returns up to
// which time events have left it.
func (p *named) makeRoom(x *Context, k *WindowKey, now int64) int64 {
	if p.count > 0 {
		k.keepNewest(x, p.count-1)
		return math.MinInt64
	}
	return p.until(now)
}

// until is the time up to which events have left a window of time.
func (p *named) until(now int64) int64 {
	if until := now - p.span; until <= now {
		return until
	}
	return math.MinInt64
}

// addParts puts the event into each window by itself; the trail has it not yet.
func (w *Window) addParts(x *Context, k *WindowKey, ev *event.Event, h *head) {
	for n := range w.parts {
		p := &w.parts[n]
		if p.state < 0 {
			p.recount(x, k, &k.more.counts[n], ev.At)
			k.more.counts[n]++
			if p.count > 0 {
				k.more.counts[n] = min(k.more.counts[n], p.count)
			}
			continue
		}
		p.program.Add(&k.more.states[p.state], ev.At, p.arguments(x, h))
	}
}

// arguments evaluates those of the window's aggregates that its program reads.
func (p *named) arguments(x *Context, h *head) []windows.Arg {
	if len(x.args) < len(p.aggs) {
		x.args = make([]windows.Arg, len(p.aggs))
	}
	if h.fields != nil {
		putFields(x.args, h.fields, x.Frame.Event)
		return x.args
	}
	for _, n := range p.reads {
		if a := &h.args[p.aggs[n]]; a.slot > 0 {
			a.put(x.Frame.Event, &x.args[n])
		} else {
			x.argument(a, &x.args[n])
		}
	}
	return x.args
}

// recount takes out of a window that is counted only what has left it at a time.
func (p *named) recount(x *Context, k *WindowKey, count *uint32, now int64) {
	if p.count > 0 {
		return
	}
	until := p.until(now)
	for *count > 0 && k.at(x, k.live-*count) <= until {
		*count--
	}
}

// bound keeps the windows within the limit, and the trail to the largest of them.
func (w *Window) bound(x *Context, k *WindowKey) {
	most := uint32(min(x.Limits.EventsPerWindow, windows.MaxEvents))
	if !w.alone {
		w.boundParts(x, k, most)
		k.keepNewest(x, w.largest(k))
	} else if k.live > most {
		x.Dropped.WindowEvents += uint64(k.live - most)
		k.keepNewest(x, most)
	}
	k.shrink(x)
}

func (w *Window) boundParts(x *Context, k *WindowKey, most uint32) {
	for n := range w.parts {
		p := &w.parts[n]
		if over := w.size(k, n) - int(most); over > 0 {
			x.Dropped.WindowEvents += uint64(over)
			if p.state < 0 {
				k.more.counts[n] = most
				continue
			}
			for range over {
				p.program.Drop(&k.more.states[p.state])
			}
		}
	}
}

// size is the number of events in window n of the key.
func (w *Window) size(k *WindowKey, n int) int {
	p := &w.parts[n]
	switch {
	case w.alone:
		return int(k.live)
	case k.more == nil:
		return 0
	case p.state < 0:
		return int(k.more.counts[n])
	}
	return p.program.Len(&k.more.states[p.state])
}

// largest is the number of events in the key's largest window.
func (w *Window) largest(k *WindowKey) uint32 {
	most := 0
	for n := range w.parts {
		most = max(most, w.size(k, n))
	}
	return uint32(most)
}

// noteLate notes the own time of an event that comes after so many others.
func (k *WindowKey) noteLate(after uint32, ev *event.Event) {
	if k.more == nil {
		k.setMore(&moreOfKey{})
	}
	k.more.late = append(k.more.late, lateEvent{number: k.more.first + after, own: ev.Time})
}

// left takes note that the oldest n events have left the trail.
func (k *WindowKey) left(n uint32) {
	m := k.more
	if m == nil || n == 0 {
		return
	}
	m.first += n
	gone := 0
	for gone < len(m.late) && int32(m.late[gone].number-m.first) < 0 {
		gone++
	}
	if m.late = slices.Delete(m.late, 0, gone); len(m.late) == 0 {
		m.late = nil
	}
}

// Settle forgets what has left the key's windows at a time.
func (w *Window) Settle(x *Context, k *WindowKey, now int64) {
	if k.live == 0 {
		return
	}
	before := k.live
	for n := range w.parts {
		p := &w.parts[n]
		switch {
		case p.count > 0:
		case w.alone:
			k.expire(x, p.until(now))
		case p.state < 0:
			p.recount(x, k, &k.more.counts[n], now)
		default:
			p.program.Expire(&k.more.states[p.state], now)
		}
	}
	k.keepNewest(x, w.largest(k))
	k.left(before - k.live)
	if k.shrink(x); k.live == 0 {
		k.setMore(nil)
	}
}

// Deadline is when the key's windows will be empty; math.MaxInt64: never.
func (w *Window) Deadline(k *WindowKey) int64 {
	if w.lasting || k.live == 0 {
		return math.MaxInt64
	}
	return later(k.newest, w.longest)
}

// Release lets go of all that the key holds.
func (w *Window) Release(x *Context, k *WindowKey) {
	k.release(x)
	*k = WindowKey{}
}
