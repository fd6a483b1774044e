package check

import (
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// How much one rule may hold: far more than one that people read, and little enough
// that checking stays fast, for expressions are compiled once a type and each sees all
// lets and parts of the key. (Steps are bounded by the parser.)
const (
	maxTypes   = 64  // event types in from
	maxKeys    = 16  // parts of a key; expressions of suppress by
	maxLets    = 256 // lets of a rule
	maxWindows = 16
	maxFields  = 256 // fields of an emit
	maxDerived = 16  // emits of events
)

// nodeBudget bounds the nodes of all expressions of a rule set, with what its names
// stand for put in: short text can stand for much. Text that says all itself has fewer
// nodes than bytes; eight are for rules that read several types.
func nodeBudget(files []*syntax.File) int {
	budget := 250_000
	for _, f := range files {
		budget += 8 * len(f.Source.Text)
	}
	return budget
}

// bound returns the rule with no more of anything than it may have, and reports what
// was left out.
func (c *checker) bound(d *syntax.Rule) *syntax.Rule {
	out := *d
	if d.From != nil {
		from := *d.From
		from.Events = atMost(c, from.Events, maxTypes, "event types", func(n syntax.Name) source.Span { return n.Span })
		out.From = &from
	}
	if d.Suppress != nil {
		suppress := *d.Suppress
		suppress.By = atMost(c, suppress.By, maxKeys, "expressions of suppress by", func(e *syntax.Expr) source.Span { return e.Span })
		out.Suppress = &suppress
	}
	out.By = atMost(c, d.By, maxKeys, "key parts", func(k *syntax.Key) source.Span { return k.Span })
	out.Lets = atMost(c, d.Lets, maxLets, "lets", func(l *syntax.Let) source.Span { return l.Span })
	out.Windows = atMost(c, d.Windows, maxWindows, "windows", func(w *syntax.Window) source.Span { return w.Span })
	if d.Emit != nil {
		out.Emit = c.boundEmit(d.Emit)
	}
	derived := atMost(c, d.Derived, maxDerived, "derived events", func(e *syntax.Emit) source.Span { return e.Span })
	out.Derived = nil
	for _, e := range derived {
		out.Derived = append(out.Derived, c.boundEmit(e))
	}
	return &out
}

func (c *checker) boundEmit(d *syntax.Emit) *syntax.Emit {
	out := *d
	out.Fields = atMost(c, d.Fields, maxFields, "fields of emit", func(f *syntax.Field) source.Span { return f.Span })
	return &out
}

// atMost cuts a list to its bound and reports the first that is too many.
func atMost[T any](c *checker, list []T, bound int, what string, place func(T) source.Span) []T {
	if len(list) <= bound {
		return list
	}
	c.fail(codeTooMany, place(list[bound]), "make several rules of it", "more than %d %s", bound, what)
	return list[:bound]
}
