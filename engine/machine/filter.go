package machine

import (
	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Filter is the compiled form of a filter: an alert for every event that passes. It
// remembers nothing.
type Filter struct {
	rule  *plan.Rule
	heads []head // one an input
}

// head is what a rule that is evaluated at an event does with events of one type.
type head struct {
	where      func(*eval.Frame) bool // what the index could not test; nil: nothing
	having     func(*eval.Frame) bool
	emit       []func(*eval.Frame) event.Value
	suppressBy []func(*eval.Frame) event.Value
	derived    [][]func(*eval.Frame) event.Value
	args       []argument
	fields     []field // instead of them, where all that is read is fields: see Window.fields
	readsKey   bool    // before there is an alert
}

func compileHead(in *plan.Input, c eval.Compiler) head {
	var h head
	if _, rest := split(in.Where); len(rest) > 0 {
		h.where = c.Bool(Conjunction(rest))
	}
	if in.Having != nil {
		h.having = c.Bool(in.Having)
	}
	for _, f := range in.Emit {
		h.emit = append(h.emit, c.Value(f.Expr))
	}
	for _, e := range in.SuppressBy {
		h.suppressBy = append(h.suppressBy, c.Value(e))
	}
	h.derived = compileDerived(in.Derived, c)
	h.readsKey = reads(in.Where, plan.OpKey) || reads(in.Having, plan.OpKey)
	for _, a := range in.Args {
		h.args = append(h.args, compileArgument(c, a))
		h.readsKey = h.readsKey || reads(a.Value, plan.OpKey) || reads(a.Cond, plan.OpKey)
	}
	return h
}

// passes asks the part of `where` that the index could not test.
func (h *head) passes(x *Context) bool { return h.where == nil || h.where(&x.Frame) }

// outcome evaluates the fields of an alert.
func (h *head) outcome(x *Context, e *Effect) {
	for _, f := range h.emit {
		e.Fields = append(e.Fields, f(&x.Frame))
	}
	for _, f := range h.suppressBy {
		e.SuppressBy = append(e.SuppressBy, f(&x.Frame))
	}
	e.derive(x, h.derived)
}

// compileDerived compiles the fields of the events that a rule makes.
func compileDerived(list []plan.Derived, c eval.Compiler) [][]func(*eval.Frame) event.Value {
	var out [][]func(*eval.Frame) event.Value
	for _, d := range list {
		var fields []func(*eval.Frame) event.Value
		for _, f := range d.Fields {
			fields = append(fields, c.Value(f.Expr))
		}
		out = append(out, fields)
	}
	return out
}

// derive evaluates the fields of the events that a rule makes.
func (e *Effect) derive(x *Context, list [][]func(*eval.Frame) event.Value) {
	for _, fields := range list {
		values := make([]event.Value, len(fields))
		for i, f := range fields {
			values[i] = f(&x.Frame)
		}
		e.Derived = append(e.Derived, values)
	}
}

// CompileFilter compiles a filter that checks.
func CompileFilter(rule *plan.Rule, c eval.Compiler) *Filter {
	f := &Filter{rule: rule}
	for i := range rule.Inputs {
		c.Event = rule.Inputs[i].Type
		f.heads = append(f.heads, compileHead(&rule.Inputs[i], c))
	}
	return f
}

// Tests lists what engine/index must test for the rule: bit i for input i.
func (f *Filter) Tests() []Test { return inputTests(f.rule) }

func inputTests(rule *plan.Rule) []Test {
	var out []Test
	for i, in := range rule.Inputs {
		local, _ := split(in.Where)
		out = append(out, Test{Type: in.Type, Cond: local, Key: in.Key, Bit: 1 << i})
	}
	return out
}

// Event alerts for an event that passed the test of an input.
func (f *Filter) Event(x *Context, ev *event.Event, input int) {
	h := &f.heads[input]
	x.Frame.Event = ev
	if h.readsKey {
		x.keys(f.rule.Keys)
	}
	if !h.passes(x) || h.having != nil && !h.having(&x.Frame) {
		return
	}
	x.keys(f.rule.Keys)
	e := x.atEvent(ev)
	e.Total = 1
	e.Evidence = append(e.Evidence, Evidence{Step: -1, Event: *ev})
	h.outcome(x, e)
	x.Effect(e)
}

// atEvent starts an effect whose identity is the event at hand.
func (x *Context) atEvent(ev *event.Event) *Effect {
	e := &x.effect
	e.reset()
	e.Time, e.Start, e.End = ev.At, ev.Time, ev.Time
	e.ID = ID{}.fold(-1, x.identity(ev))
	return e
}
