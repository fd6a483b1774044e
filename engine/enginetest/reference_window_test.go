package enginetest

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// windowJudge evaluates a filter (no windows) or a rule of windows.
type windowJudge struct {
	common
	keys []*windowKey // sorted
}

// windowKey is one key of a rule: all its events that passed, its open windows of those
// that have an end, and whether `having` held at the last evaluation.
type windowKey struct {
	key    []any
	events []*occurrence
	open   []*extent
	closed []*extent // early
	held   bool
}

// extent is a window with an end, in order of its start.
type extent struct {
	start, end int64
	events     []*occurrence
	held       bool // early: `having` has held
}

func newWindowJudge(book *ruleBook, r *syntax.Rule) *windowJudge {
	return &windowJudge{common: newCommon(book, r)}
}

func (w *windowJudge) take(e *occurrence) []*alert {
	if !w.lists(e.kind) || !w.admits(e) {
		return nil
	}
	key, ok := w.key(w.decl.By, e)
	if !ok {
		return nil
	}
	k := w.find(key)
	k.events = append(k.events, e)
	if len(w.decl.Windows) > 0 && w.decl.Windows[0].Kind > syntax.LastN {
		return w.takeAtEnd(k, e)
	}
	v := &view{at: e, lets: w.lets, tables: w.book.tables, keys: w.keyValues(key), named: map[string][]*occurrence{}, width: map[string]int64{}}
	evidence := []*occurrence{e}
	for _, win := range w.decl.Windows {
		events := contents(win, k.events)
		if len(events) > len(evidence) {
			evidence = events
		}
		name := win.Name.Text
		if len(w.decl.Windows) == 1 {
			v.here = events
			v.width[""] = length(win)
		}
		if name != "" {
			v.named[name] = events
			v.width[name] = length(win)
		}
	}
	if !w.holds(k, v) {
		return nil
	}
	return []*alert{w.alert(key, e.time, stepless(evidence), v)}
}

// holds evaluates `having` and `once`.
func (w *windowJudge) holds(k *windowKey, v *view) bool {
	before := k.held
	k.held = w.decl.Having == nil || truth(v.eval(expr(w.decl.Having)))
	return k.held && !(w.decl.Once && before)
}

func length(win *syntax.Window) int64 {
	if win.Size == nil {
		return 0
	}
	return win.Size.Nanos
}

// contents are the events of a key that a window holds at the last of them.
func contents(win *syntax.Window, events []*occurrence) []*occurrence {
	now := events[len(events)-1].time
	if win.Kind == syntax.LastN {
		return events[max(0, len(events)-win.Count.Value):]
	}
	return slices.DeleteFunc(slices.Clone(events), func(e *occurrence) bool { return e.time <= now-win.Size.Nanos })
}

// takeAtEnd puts an event into the windows that it belongs to.
func (w *windowJudge) takeAtEnd(k *windowKey, e *occurrence) []*alert {
	win := w.decl.Windows[0]
	k.place(win, e)
	if win.Kind == syntax.Batch {
		return w.batch(k, e)
	}
	var out []*alert
	for _, x := range k.open {
		if win.Early && !x.held && slices.Contains(x.events, e) {
			k.held = k.before(x)
			out = append(out, w.evaluate(k, x, e.time)...)
			x.held = k.held
		}
	}
	return out
}

// before reports whether `having` held in the window that began last before another.
func (k *windowKey) before(x *extent) bool {
	var last *extent
	for _, y := range append(slices.Clone(k.closed), k.open...) {
		if y.start < x.start && (last == nil || last.start < y.start) {
			last = y
		}
	}
	return last != nil && last.held
}

// batch evaluates the batch when the event has filled it.
func (w *windowJudge) batch(k *windowKey, e *occurrence) []*alert {
	x := k.open[0]
	if len(x.events) < w.decl.Windows[0].Count.Value {
		return nil
	}
	k.open = nil
	x.end = e.time
	return w.evaluate(k, x, e.time)
}

// place adds an event to the open windows of its key, and opens those that are missing.
func (k *windowKey) place(win *syntax.Window, e *occurrence) {
	switch win.Kind {
	case syntax.Tumbling, syntax.Hopping:
		every := win.Size.Nanos
		if win.Every != nil {
			every = win.Every.Nanos
		}
		for start := (e.time/every - win.Size.Nanos/every - 1) * every; start <= e.time; start += every {
			if e.time < start+win.Size.Nanos {
				k.add(start, start+win.Size.Nanos, e)
			}
		}
	case syntax.Session:
		start := e.time
		if n := len(k.open); n > 0 && e.time < k.open[n-1].end {
			start = k.open[n-1].start
		}
		end := e.time + win.Size.Nanos
		if win.Max != nil {
			end = min(end, start+win.Max.Nanos)
		}
		k.add(start, end, e)
	default:
		if len(k.open) == 0 {
			k.open = []*extent{{start: e.time}}
		}
		k.open[0].events = append(k.open[0].events, e)
	}
}

func (k *windowKey) add(start, end int64, e *occurrence) {
	i := slices.IndexFunc(k.open, func(x *extent) bool { return x.start == start })
	if i < 0 {
		i = len(k.open)
		k.open = append(k.open, &extent{start: start})
	}
	k.open[i].end = end
	k.open[i].events = append(k.open[i].events, e)
}

// evaluate makes the alert of a window with an end, if `having` holds.
func (w *windowJudge) evaluate(k *windowKey, x *extent, time int64) []*alert {
	v := &view{lets: w.lets, tables: w.book.tables, keys: w.keyValues(k.key), here: x.events, width: map[string]int64{"": length(w.decl.Windows[0])}, window: x}
	if !w.holds(k, v) {
		return nil
	}
	a := w.alert(k.key, time, stepless(x.events), v)
	a.window = &extent{start: x.start, end: x.end}
	return []*alert{a}
}

func (w *windowJudge) deadline() int64 {
	next := int64(forever)
	for _, k := range w.keys {
		for _, x := range k.open {
			if w.decl.Windows[0].Kind != syntax.Batch {
				next = min(next, x.end)
			}
		}
	}
	return next
}

func (w *windowJudge) fire(at int64) []*alert {
	var out []*alert
	for _, k := range w.keys {
		for _, x := range slices.Clone(k.open) {
			if x.end != at {
				continue
			}
			k.open = slices.DeleteFunc(k.open, func(y *extent) bool { return y == x })
			k.closed = append(k.closed, x)
			if !w.decl.Windows[0].Early {
				out = append(out, w.evaluate(k, x, at)...)
			}
		}
	}
	return out
}

func (w *windowJudge) find(key []any) *windowKey {
	i, found := slices.BinarySearchFunc(w.keys, key, func(k *windowKey, key []any) int { return compareKeys(k.key, key) })
	if !found {
		w.keys = slices.Insert(w.keys, i, &windowKey{key: key})
	}
	return w.keys[i]
}

func stepless(events []*occurrence) []taken {
	var out []taken
	for _, e := range events {
		out = append(out, taken{event: e})
	}
	return out
}
