package enginetest

import (
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// windowJudge evaluates a filter (no windows) or a rule of windows.
type windowJudge struct {
	common
	keys []*windowKey
}

// windowKey is one key of a rule: all its events that passed, and whether `having` held
// at the last of them.
type windowKey struct {
	key    []any
	events []*occurrence
	held   bool
}

func newWindowJudge(book *ruleBook, r *syntax.Rule) *windowJudge {
	return &windowJudge{common: newCommon(book, r)}
}

func (w *windowJudge) deadline() int64     { return forever }
func (w *windowJudge) fire(int64) []*alert { return nil }

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
	v := &view{at: e, lets: w.lets, keys: w.keyValues(key), named: map[string][]*occurrence{}, width: map[string]int64{}}
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
	held := k.held
	k.held = w.decl.Having == nil || truth(v.eval(expr(w.decl.Having)))
	if !k.held || w.decl.Once && held {
		return nil
	}
	return []*alert{w.alert(key, e.time, stepless(evidence), v)}
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
	switch win.Kind {
	case syntax.LastN:
		return events[max(0, len(events)-win.Count.Value):]
	case syntax.Sliding:
		var out []*occurrence
		for _, e := range events {
			if e.time > now-win.Size.Nanos {
				out = append(out, e)
			}
		}
		return out
	}
	panic("reference: no such window yet")
}

func (w *windowJudge) find(key []any) *windowKey {
	for _, k := range w.keys {
		if sameKey(k.key, key) {
			return k
		}
	}
	k := &windowKey{key: key}
	w.keys = append(w.keys, k)
	return k
}

func stepless(events []*occurrence) []taken {
	var out []taken
	for _, e := range events {
		out = append(out, taken{event: e})
	}
	return out
}
