package machine

import (
	"math"
	"math/bits"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// Window is the compiled form of a rule over windows that are evaluated at each
// event: sliding ones and last ones.
type Window struct {
	rule  *plan.Rule
	heads []head  // one an input
	parts []named // one a window of the rule
	at    []place
}

// named is one window of the rule, with the aggregates over it.
type named struct {
	program *windows.Program
	aggs    []int // numbers of its aggregates in the rule
	count   int   // of a `last` window; 0: a window of time
}

// place says where an aggregate of the rule is computed.
type place struct{ part, agg int }

// WindowKey is what one key remembers of a window rule: a state a window, the last
// events, and, for `once`, whether having held at the event before.
type WindowKey struct {
	states []windows.State
	recent []keep.Ref // the newest events, at most MaxEvidence, oldest first
	older  []int64    // own times of the events of the largest window before those, oldest first
	held   bool
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
	return w, nil
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
	p.program = program
	if spec := w.rule.Windows[n].Spec; spec.Kind == windows.Last {
		p.count = spec.Count
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
func (w *Window) Empty(k *WindowKey) bool { return len(k.recent) == 0 && !k.held && w.size(k) == 0 }

// Event takes an event that passed the test of the input whose bit mask is.
func (w *Window) Event(x *Context, k *WindowKey, ev *event.Event, mask uint64, _ bool) {
	h := &w.heads[bits.TrailingZeros64(mask)]
	x.Frame.Event = ev
	x.keys(w.rule.Keys)
	if !h.passes(x) {
		return
	}
	w.add(x, k, ev, h)
	x.window = windowAggs{w: w, k: k}
	x.Frame.Aggs = &x.window
	held := h.having == nil || h.having(&x.Frame)
	before := k.held
	k.held = held && w.rule.Once
	if !held || w.rule.Once && before {
		return
	}
	e := x.atEvent(ev)
	w.evidence(x, k, e)
	h.outcome(x, e)
	x.Effect(e)
}

// add puts the event into every window.
func (w *Window) add(x *Context, k *WindowKey, ev *event.Event, h *head) {
	if k.states == nil {
		k.states = make([]windows.State, len(w.parts))
	}
	for n := range w.parts {
		p := &w.parts[n]
		x.args = x.args[:0]
		for _, i := range p.aggs {
			x.args = append(x.args, h.args[i].of(&x.Frame))
		}
		p.program.Add(&k.states[n], ev.At, x.args)
		for p.program.Len(&k.states[n]) > x.Limits.EventsPerWindow {
			p.program.Drop(&k.states[n])
			x.Dropped.WindowEvents++
		}
	}
	k.recent = append(k.recent, x.hold(ev))
	w.trim(x, k)
}

// trim lets go of events that are no evidence any more: those that have left every
// window, and all but the newest. Of the others in the window it keeps the own time.
func (w *Window) trim(x *Context, k *WindowKey) {
	size := w.size(k)
	n := max(0, len(k.recent)-min(size, MaxEvidence))
	for _, ref := range k.recent[:n] {
		k.older = append(k.older, x.Keep.Time(ref))
		x.Keep.Release(ref)
	}
	k.recent = append(k.recent[:0], k.recent[n:]...)
	k.older = k.older[max(0, len(k.older)-(size-len(k.recent))):]
	if len(k.recent) == 0 {
		k.recent = nil
	}
	if len(k.older) == 0 {
		k.older = nil
	}
}

// size is the number of events in the key's largest window.
func (w *Window) size(k *WindowKey) int {
	most := 0
	for n := range k.states {
		most = max(most, w.parts[n].program.Len(&k.states[n]))
	}
	return most
}

// evidence shows the newest events of the largest window.
func (w *Window) evidence(x *Context, k *WindowKey, e *Effect) {
	e.Total = int64(w.size(k))
	for _, ref := range k.recent {
		e.show(x, -1, ref)
	}
	if len(k.older) > 0 {
		e.Start = k.older[0]
	} else {
		e.Start = e.Evidence[0].Event.Time
	}
}

// Settle forgets what has left the key's windows at a time.
func (w *Window) Settle(x *Context, k *WindowKey, now int64) {
	for n := range k.states {
		w.parts[n].program.Expire(&k.states[n], now)
	}
	w.trim(x, k)
	if w.size(k) == 0 {
		k.states = nil
	}
}

// Deadline is when the key's windows will be empty; math.MaxInt64: never.
func (w *Window) Deadline(k *WindowKey) int64 {
	last := int64(math.MinInt64)
	for n := range k.states {
		at, ok := w.parts[n].program.Expiry(&k.states[n])
		if !ok && w.parts[n].program.Len(&k.states[n]) > 0 {
			return math.MaxInt64
		}
		if ok {
			last = max(last, at)
		}
	}
	if last == math.MinInt64 {
		return math.MaxInt64
	}
	return last
}

// Release lets go of all that the key holds.
func (w *Window) Release(x *Context, k *WindowKey) {
	for _, ref := range k.recent {
		x.Keep.Release(ref)
	}
	*k = WindowKey{}
}

// windowAggs gives the aggregates over a key's windows, as [eval.Aggregates].
type windowAggs struct {
	w *Window
	k *WindowKey
}

// Agg implements [eval.Aggregates].
func (a *windowAggs) Agg(i int) event.Value {
	at := a.w.at[i]
	return a.w.parts[at.part].program.Result(&a.k.states[at.part], at.agg)
}
