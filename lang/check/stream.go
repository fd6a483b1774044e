package check

import (
	"fmt"
	"strings"
	"time"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
	"github.com/cepheus-cep/cepheus/windows"
)

// stream compiles a filter or a window rule.
func (r *rule) stream() {
	r.fromTypes()
	r.windows()
	r.nameKeys()
	r.out.Once = r.decl.Once
	if r.decl.Suppress != nil {
		r.out.Suppress = r.decl.Suppress.For.Nanos
	}
	if r.blind || len(r.types) == 0 {
		return
	}
	r.aggs = &aggSink{rule: r, args: make([]map[int]plan.AggArg, len(r.types))}
	for i, t := range r.types {
		r.aggs.input = i
		r.input(t)
	}
	r.finishKeys()
	r.aggs.finish()
	r.oneTypeEach()
	r.proveLets()
}

// input compiles all that the rule does with one event type.
func (r *rule) input(t *plan.Type) {
	in := plan.Input{Type: r.typeIndex(t), Where: r.where(t)}
	mend := ""
	if len(r.types) > 1 {
		mend = "take " + t.Schema.Name + " out of from, or write an expression that all its types have, as NAME"
	}
	in.Key = r.key(t, r.decl.By, mend)
	out := r.outputs(func(place string) *predicate.Scope { return r.outputScope(place, t, in.Key) })
	if r.atEvent() {
		in.Having, in.Emit, in.SuppressBy, in.Derived = out.having, out.emit, out.suppressBy, out.derived
	} else if len(r.out.Inputs) == 0 {
		r.out.Having, r.out.Emit, r.out.SuppressBy, r.out.Derived = out.having, out.emit, out.suppressBy, out.derived
	}
	r.out.Inputs = append(r.out.Inputs, in)
}

// atEvent reports whether the rule is evaluated at events, and not at the end of its
// window.
func (r *rule) atEvent() bool {
	for _, w := range r.out.Windows {
		if !w.Spec.Kind.AtEvent() {
			return false
		}
	}
	return true
}

func (r *rule) outputScope(place string, t *plan.Type, key []*plan.Expr) *predicate.Scope {
	s := r.scope(place, t, key)
	if r.kind == filterRule {
		s.NoAggs = "a filter has no window"
		return s
	}
	s.Aggs = r.aggs
	for _, w := range r.out.Windows {
		s.Windows = append(s.Windows, w.Name)
	}
	if !r.atEvent() {
		s.NoBare = "the window is evaluated at its end"
		s.WindowTimes = true
	}
	return s
}

// windows takes the window clauses; each keeps its number, lawful or not.
func (r *rule) windows() {
	if r.kind != windowRule {
		return
	}
	var names []syntax.Name
	for _, w := range r.decl.Windows {
		r.windowBounds(w)
		spec := windowSpec(w)
		r.out.Windows = append(r.out.Windows, plan.Window{Name: w.Name.Text, Spec: spec, Early: w.Early})
		if w.Name.Text != "" {
			names = append(names, w.Name)
		}
		if len(r.decl.Windows) == 1 {
			continue
		}
		if w.Name.Text == "" {
			r.fail(codeWindows, w.Span, "write window NAME …", "each of several windows needs a name")
		}
		if !spec.Kind.AtEvent() {
			r.fail(codeWindows, w.Span, "make a rule of its own for it",
				"several windows are evaluated at each event: each must be sliding or last")
		}
	}
	r.unique(codeDuplicateItem, "window", names)
}

func windowSpec(w *syntax.Window) windows.Spec {
	spec := windows.Spec{Kind: windowKind(w.Kind), Size: nanos(w.Size), Every: nanos(w.Every), Max: nanos(w.Max)}
	if w.Count != nil {
		spec.Count = w.Count.Value
	}
	if w.Zone != nil {
		spec.Zone = w.Zone.Value
	}
	return spec
}

func windowKind(k syntax.WindowKind) windows.Kind {
	switch k {
	case syntax.LastN:
		return windows.Last
	case syntax.Tumbling:
		return windows.Tumbling
	case syntax.Hopping:
		return windows.Hopping
	case syntax.Session:
		return windows.Session
	case syntax.Batch:
		return windows.Batch
	}
	return windows.Sliding
}

// windowBounds reports windows that can hold nothing or would cost without bound, and
// zones that nobody knows.
func (r *rule) windowBounds(w *syntax.Window) {
	known := len(r.errs)
	for _, d := range []*syntax.Duration{w.Size, w.Every, w.Max} {
		if d != nil && d.Nanos == 0 {
			r.fail(codeDuration, d.Span, "", "a window of 0s holds nothing")
		}
	}
	if w.Count != nil && w.Count.Value == 0 {
		r.fail(codeDuration, w.Count.Span, "", "a window of 0 events holds nothing")
	}
	if w.Max != nil && w.Size != nil && w.Max.Nanos > 0 && w.Max.Nanos < w.Size.Nanos {
		r.fail(codeDuration, w.Max.Span, "", "the greatest length of a session is shorter than its gap")
	}
	if w.Zone != nil {
		r.windowZone(w)
	}
	if err := windowSpec(w).Check(); err != nil && len(r.errs) == known {
		r.fail(codeDuration, w.Span, "", "%s", err)
	}
}

// windowZone reports a zone that is none, and one that the window cannot follow.
func (r *rule) windowZone(w *syntax.Window) {
	if _, err := time.LoadLocation(w.Zone.Value); err != nil || w.Zone.Value == "" || w.Zone.Value == "Local" {
		r.fail(codeZone, w.Zone.Span, `write a name such as "Europe/Berlin"`, "unknown time zone %q", w.Zone.Value)
		return
	}
	if nanos(w.Size)%int64(24*time.Hour) != 0 {
		r.fail(codeZone, w.Size.Span, "leave the zone out, or write days or weeks: 1d, 1w",
			"only windows of whole days follow the calendar of a zone")
	}
}

// aggSink numbers the aggregates of a rule. It is the predicate.AggSink of both kinds
// of rules that have aggregates.
type aggSink struct {
	rule  *rule
	input int                   // window rules: the input that is being compiled
	args  []map[int]plan.AggArg // window rules: by input, then by number
	texts []string              // by number: the canonical text
	spans []source.Span         // by number: where it was first written
}

// Aggregate implements predicate.AggSink.
func (s *aggSink) Aggregate(call predicate.AggCall) (int, error) {
	if err := s.lawful(call); err != nil {
		return 0, err
	}
	n := s.number(call)
	if s.args != nil {
		if s.args[s.input] == nil {
			s.args[s.input] = map[int]plan.AggArg{}
		}
		s.args[s.input][n] = call.Arg
	}
	return n, nil
}

func (s *aggSink) lawful(call predicate.AggCall) error {
	if s.rule.kind == patternRule {
		if call.Func == windows.ZScore || call.Func == windows.Rate {
			return fmt.Errorf("%s is taken over a window, not over a step", call.Func)
		}
		return nil
	}
	kind := s.rule.out.Windows[call.Window].Spec.Kind
	if call.Func == windows.Rate && (kind == windows.Last || kind == windows.Batch) {
		return fmt.Errorf("rate needs a window of time, not one of a number of events")
	}
	if call.Func == windows.ZScore && !kind.AtEvent() {
		return fmt.Errorf("zscore judges the event at hand: it needs a sliding or a last window")
	}
	return nil
}

func (s *aggSink) number(call predicate.AggCall) int {
	aggs := s.rule.out.Aggs
	for i, a := range aggs {
		same := a.Func == call.Func && a.Window == call.Window && a.Param == call.Param
		if same && s.texts[i] == call.Text && (s.args != nil || a.Step == call.Step) {
			return i
		}
	}
	agg := plan.Agg{Func: call.Func, Type: call.Type, Window: call.Window, ArgT: call.ArgT, Param: call.Param}
	if s.args == nil {
		agg.Step, agg.Arg = call.Step, call.Arg
	}
	s.rule.out.Aggs = append(aggs, agg)
	s.texts, s.spans = append(s.texts, call.Text), append(s.spans, call.Span)
	return len(aggs)
}

// finish gives every input its arguments. An aggregate that one type has and another
// has not would count over some of the events only: an error.
func (s *aggSink) finish() {
	for i := range s.rule.out.Inputs {
		in := &s.rule.out.Inputs[i]
		for n := range s.rule.out.Aggs {
			arg, ok := s.args[i][n]
			if !ok && !s.rule.work.notes.HasErrors() {
				s.rule.fail(codeAggInput, s.spans[n], "make a rule for each type",
					"this aggregate cannot be taken over events of type %s", s.rule.types[i].Schema.Name)
			}
			in.Args = append(in.Args, arg)
		}
	}
}

// oneTypeEach reports fields that the rule reads and that have one type here, another
// there. Keys are apart: of them the types of the parts count (typeKey).
func (r *rule) oneTypeEach() {
	home := map[string]*plan.Expr{}
	types := map[string]string{}
	for i := range r.out.Inputs {
		in := &r.out.Inputs[i]
		name := r.set.Types[in.Type].Schema.Name
		eachExprOf(exprsBesideKey(in), func(e *plan.Expr) {
			if e.Op != plan.OpField {
				return
			}
			first := home[e.Name]
			if first == nil {
				home[e.Name], types[e.Name] = e, name
				return
			}
			if !sameType(first.Type, e.Type) {
				r.fail(codeTwoTypes, r.decl.From.Span, "make a rule for each of them",
					"field %q is %s in %s and %s in %s", e.Name, article(first.Type), types[e.Name], article(e.Type), name)
			}
		})
	}
}

// sameType compares types without their ?.
func sameType(a, b event.Type) bool {
	a.Optional, b.Optional = false, false
	return a.String() == b.String()
}

// fieldKeys stands for the key where it is not compiled: of each part that is a bare
// field of the type, that field; nil for the others.
func (r *rule) fieldKeys(t *plan.Type) []*plan.Expr {
	whole := t.Schema.Type()
	key := make([]*plan.Expr, len(r.decl.By))
	for i, k := range r.decl.By {
		name := strings.Trim(k.Expr.Span.Text(), "`")
		if f := whole.Field(name); f != nil {
			key[i] = &plan.Expr{Op: plan.OpField, Name: name, Type: f.Type}
		}
	}
	return key
}

// proveLets compiles the rule's lets by themselves, so that one which nothing uses is
// checked too.
func (r *rule) proveLets() {
	for _, l := range r.lets {
		for _, t := range r.types {
			s := r.outputScope("let "+l.Name, scratch(t), r.fieldKeys(t))
			s.NoBare = "" // where, and what aggregates take, see the event at hand in every rule
			if s.Aggs != nil {
				s.Aggs = &scratchAggs{}
			}
			r.compile(l.Expr, s, event.Nil)
		}
	}
}
