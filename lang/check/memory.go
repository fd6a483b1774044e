package check

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// memory gathers the parts of a text of Rule.Memory.
type memory struct {
	set  *plan.Set
	text string
}

// part adds the hash of what write adds to a fingerprint.
func (m *memory) part(name string, write func(*fingerprint)) {
	f := newFingerprint(m.set)
	write(f)
	if m.text != "" {
		m.text += " "
	}
	m.text += name + "=" + f.sum()[:8]
}

// ruleMemory names what a rule remembers: all that says what the state of a key holds and
// what it means. What only says which alerts come of it, and how they look, does not count:
// severity, title, tags, emit, sinks, suppress, and having, but where it is remembered
// whether it held, or asked of every combination. What emit and having aggregate counts.
func ruleMemory(s *plan.Set, r *plan.Rule) string {
	m := &memory{set: s}
	m.part("key", func(f *fingerprint) { f.keys(r) })
	m.part("events", func(f *fingerprint) { f.sources(r) })
	m.part("windows", func(f *fingerprint) { f.windows(r) })
	m.part("aggregates", func(f *fingerprint) { f.aggregates(r) })
	m.part("pattern", func(f *fingerprint) { f.remembered(r) })
	m.part("mode", func(f *fingerprint) { f.add("%t", r.Mode == plan.Off) })
	if lines := metaOfSteps(r); len(lines) > 0 { // else as it was before there were any
		m.part("headers", func(f *fingerprint) { f.add("%q", lines) })
	}
	return m.text
}

// metaOfSteps lists the keys and headers that a rule reads of events that it has taken. A
// record in the store does not say them: they are kept with an event where they are read.
func metaOfSteps(r *plan.Rule) (lines []string) {
	eachPlace(r, func(_ int, at **plan.Expr) {
		eachExprOf([]*plan.Expr{*at}, func(e *plan.Expr) {
			if e.Op == plan.OpStepField && strings.HasPrefix(e.Name, plan.MetaPrefix) {
				lines = append(lines, fmt.Sprintf("%d %s", e.Step, e.Name))
			}
		})
	})
	slices.Sort(lines)
	return slices.Compact(lines)
}

func (f *fingerprint) keys(r *plan.Rule) {
	for _, k := range r.Keys {
		f.add("key %s", k.Type)
	}
	for _, in := range r.Inputs {
		for _, k := range in.Key {
			f.expr("key", k)
		}
		f.fields(in.Key)
	}
}

func (f *fingerprint) sources(r *plan.Rule) {
	for _, in := range r.Inputs {
		f.event(&f.types[in.Type].Schema)
		f.expr("where", in.Where)
		f.fields([]*plan.Expr{in.Where})
	}
}

func (f *fingerprint) windows(r *plan.Rule) {
	f.add("once %t", r.Once)
	for _, w := range r.Windows {
		f.add("window %+v %t", w.Spec, w.Early)
	}
	if r.Once {
		f.judged(r)
	}
}

// judged writes the conditions of an alert.
func (f *fingerprint) judged(r *plan.Rule) {
	f.expr("having", r.Having)
	f.fields([]*plan.Expr{r.Having})
	for _, in := range r.Inputs {
		f.expr("having", in.Having)
		f.fields([]*plan.Expr{in.Having})
	}
}

func (f *fingerprint) aggregates(r *plan.Rule) {
	for _, a := range r.Aggs {
		f.add("agg %s %s %d %d %s %v", a.Func, a.Type, a.Window, a.Step, a.ArgT, a.Param)
		f.arg(a.Arg)
	}
	for _, in := range r.Inputs {
		for _, a := range in.Args {
			f.arg(a)
		}
	}
}

func (f *fingerprint) arg(a plan.AggArg) {
	f.expr("of", a.Value)
	f.expr("if", a.Cond)
	f.fields([]*plan.Expr{a.Value, a.Cond})
}

func (f *fingerprint) remembered(r *plan.Rule) {
	p := r.Pattern
	f.pattern(p)
	if p == nil {
		return
	}
	for _, s := range p.Steps {
		f.add("%t %t", s.Repeats, s.KeepAll)
	}
	if p.Select == plan.SelectAll {
		f.judged(r)
	}
}

func (f *fingerprint) fields(exprs []*plan.Expr) {
	for _, line := range fieldTypes(exprs) {
		f.add("%s", line)
	}
}

// projectionMemory names what a projection remembers: not which fields its rows show, but
// for what they aggregate.
func projectionMemory(s *plan.Set, p *plan.Projection) string {
	m := &memory{set: s}
	m.part("key", func(f *fingerprint) {
		f.expr("key", p.Key)
		f.fields([]*plan.Expr{p.Key})
	})
	m.part("events", func(f *fingerprint) {
		f.event(&s.Types[p.Type].Schema)
		f.expr("where", p.Where)
		f.fields([]*plan.Expr{p.Where})
	})
	m.part("keep", func(f *fingerprint) { f.add("%d", p.Keep) })
	m.part("aggregates", func(f *fingerprint) {
		for i, a := range p.Aggs {
			f.add("aggregate %s %s %v", a.Func, a.ArgT, a.Param)
			f.arg(p.Args[i])
		}
	})
	return m.text
}
