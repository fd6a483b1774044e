package lang

import (
	"fmt"
	"math"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// The codes of what is advised. They are stable: docs/errors.md lists them.
const (
	codeNeverHolds  = "W103"
	codeAlwaysHolds = "W104"
	codeUnreached   = "W105"
	codeManyKeys    = "W106"
	codeExpensive   = "W107"
	codeUntested    = "W108"
)

// Advice lists what an author should look at in a set that compiles: conditions that can
// never hold, or always do; steps that no run can reach; keys of which there is no end and
// that are never forgotten; conditions that cost much. They are warnings, sorted. It is for
// those who write rules, and not asked where rules are run.
func Advice(files []*source.File, set *plan.Set) source.Errors {
	a := &adviser{set: set}
	for _, f := range files {
		parsed, _ := syntax.Parse(f)
		for _, d := range parsed.Rules {
			if r := a.rule(d.Name.Text); r != nil {
				a.decl = d
				a.advise(r)
			}
		}
	}
	a.errs.Sort()
	return a.errs.Limit(source.MaxErrors)
}

// Untested warns of the rules of a set that no test names, sorted.
func Untested(files []*source.File, set *plan.Set) source.Errors {
	tested := map[string]bool{}
	for _, t := range set.Tests {
		for _, name := range t.Rules {
			tested[name] = true
		}
		for _, x := range t.Expects {
			tested[x.Rule] = true
		}
	}
	a := &adviser{set: set}
	for _, f := range files {
		parsed, _ := syntax.Parse(f)
		for _, d := range parsed.Rules {
			if !tested[d.Name.Text] {
				a.warn(codeUntested, d.Name.Span, "write a test: test "+d.Name.Text+" \"…\" { … }", "no test names the rule %s", d.Name.Text)
			}
		}
	}
	a.errs.Sort()
	return a.errs.Limit(source.MaxErrors)
}

type adviser struct {
	set  *plan.Set
	decl *syntax.Rule // at hand
	errs source.Errors
}

func (a *adviser) warn(code string, at source.Span, mend, format string, args ...any) {
	a.errs = append(a.errs, source.Error{Severity: source.Warning, Code: code, Span: at, Message: fmt.Sprintf(format, args...), Mend: mend})
}

func (a *adviser) rule(name string) *plan.Rule {
	i := slices.IndexFunc(a.set.Rules, func(r *plan.Rule) bool { return r.Name == name })
	if i < 0 {
		return nil
	}
	return a.set.Rules[i]
}

func (a *adviser) advise(r *plan.Rule) {
	where := a.at("from")
	for i := range r.Inputs {
		in := &r.Inputs[i]
		a.condition(r, in.Where, where)
		a.condition(r, in.Having, a.at("having"))
	}
	a.condition(r, r.Having, a.at("having"))
	if r.Pattern != nil {
		a.steps(r)
	}
	a.keys(r)
}

// at is the place of a clause; the rule's name where it has none.
func (a *adviser) at(keyword string) source.Span {
	if c, ok := a.decl.Clause(keyword); ok {
		return c.Span
	}
	return a.decl.Name.Span
}

// written lists the steps of a pattern in order of writing.
func written(p *syntax.Pattern, out []*syntax.Step) []*syntax.Step {
	if p == nil {
		return out
	}
	if p.Kind == syntax.StepPart {
		return append(out, p.Step)
	}
	for _, part := range p.Parts {
		out = written(part, out)
	}
	return out
}

func (a *adviser) steps(r *plan.Rule) {
	var decls []*syntax.Step
	if a.decl.Match != nil {
		decls = written(a.decl.Match.Pattern, nil)
	}
	for i := range r.Pattern.Steps {
		s := &r.Pattern.Steps[i]
		at := a.at("match")
		if i < len(decls) && decls[i].Cond != nil {
			at = decls[i].Cond.Span
		}
		if a.condition(r, s.Cond, at) {
			a.warn(codeUnreached, at, "", "the step %s can take no event, and what follows it is never reached", s.Name)
		}
	}
	if u := r.Pattern.Until; u != nil {
		a.condition(r, u.Cond, a.at("until"))
	}
}

// condition warns of a condition's parts; it reports whether the whole can never hold.
func (a *adviser) condition(r *plan.Rule, e *plan.Expr, at source.Span) (never bool) {
	if e == nil {
		return false
	}
	a.cost(r, e, at, 0)
	parts := e.Chain(plan.OpAnd, nil)
	for _, part := range parts {
		switch out := outcomeOf(part); {
		case !out.no && !out.fails:
			a.warn(codeAlwaysHolds, at, "leave it out", "%s always holds", r.Readable(part))
		case !out.yes:
			a.warn(codeNeverHolds, at, "", "%s never holds", r.Readable(part))
			never = true
		}
	}
	if x, y := contradiction(parts); x != nil {
		a.warn(codeNeverHolds, at, "", "%s and %s never hold together", r.Readable(x), r.Readable(y))
		never = true
	}
	if !never && !outcomeOf(e).yes {
		a.warn(codeNeverHolds, at, "", "%s never holds", r.Readable(e))
		never = true
	}
	return never
}

// compare says what comes of a comparison of two numbers.
func compare(op plan.Op, x, y float64) (holds, known bool) {
	switch op {
	case plan.OpEq:
		return x == y, true
	case plan.OpNe:
		return x != y, true
	case plan.OpLt:
		return x < y, true
	case plan.OpLe:
		return x <= y, true
	case plan.OpGt:
		return x > y, true
	case plan.OpGe:
		return x >= y, true
	}
	return false, false
}

func numberOf(e *plan.Expr) (float64, bool) {
	if e.Op != plan.OpConst {
		return 0, false
	}
	switch e.Const.Kind {
	case event.Int, event.Duration:
		return float64(e.Const.Int()), true
	case event.Float:
		return e.Const.Float(), true
	}
	return 0, false
}

// bounds is what parts ask of one expression.
type bounds struct {
	low, high         float64
	lowOpen, highOpen bool
	by                *plan.Expr // the latest that bounds it
	text              *event.Value
}

// contradiction finds two parts that bound the same expression so that no value is left.
func contradiction(parts []*plan.Expr) (x, y *plan.Expr) {
	seen := map[string]*bounds{}
	for _, e := range parts {
		if len(e.Args) != 2 {
			continue
		}
		left, right, op := e.Args[0], e.Args[1], e.Op
		if left.Op == plan.OpConst {
			left, right, op = right, left, op.Mirror()
		}
		if left.Op == plan.OpConst || right.Op != plan.OpConst {
			continue
		}
		b := seen[left.String()]
		if b == nil {
			b = &bounds{low: math.Inf(-1), high: math.Inf(1)}
			seen[left.String()] = b
		}
		before := b.by
		if b.add(op, right); b.by != before && before != nil && b.isEmpty() {
			return before, e
		}
		if b.by != before {
			b.by = e
		}
	}
	return nil, nil
}

// add narrows the bounds by a comparison; by is set to something else where it did.
func (b *bounds) add(op plan.Op, right *plan.Expr) {
	if right.Const.Kind == event.String && op == plan.OpEq {
		if b.text != nil && b.text.S != right.Const.S {
			b.low, b.high = 1, 0
		}
		b.text, b.by = &right.Const, right
		return
	}
	n, ok := numberOf(right)
	if !ok {
		return
	}
	switch op {
	case plan.OpEq:
		b.above(n, false)
		b.below(n, false)
	case plan.OpLt, plan.OpLe:
		b.below(n, op == plan.OpLt)
	case plan.OpGt, plan.OpGe:
		b.above(n, op == plan.OpGt)
	default:
		return
	}
	b.by = right
}

func (b *bounds) above(n float64, open bool) {
	if n > b.low || n == b.low && open {
		b.low, b.lowOpen = n, open
	}
}

func (b *bounds) below(n float64, open bool) {
	if n < b.high || n == b.high && open {
		b.high, b.highOpen = n, open
	}
}

func (b *bounds) isEmpty() bool {
	return b.low > b.high || b.low == b.high && (b.lowOpen || b.highOpen)
}

// cost warns of what takes long for each event.
func (a *adviser) cost(r *plan.Rule, e *plan.Expr, at source.Span, nested int) {
	switch {
	case e.Op == plan.OpMatch && e.Args[1].Op != plan.OpConst:
		a.warn(codeExpensive, at, "write the expression as a text", "%s makes a regular expression anew for each event", r.Readable(e))
	case e.Op == plan.OpEach && nested == 1:
		a.warn(codeExpensive, at, "", "%s looks at a list for each element of another", r.Readable(e))
	case e.Op == plan.OpNative && e.Text == "levenshtein" || e.Op == plan.OpCall && e.Name == "levenshtein":
		a.warn(codeExpensive, at, "put cheaper conditions before it", "%s takes as long as its two texts multiplied", r.Readable(e))
	}
	if e.Op == plan.OpEach {
		nested++
	}
	for _, arg := range e.Args {
		a.cost(r, arg, at, nested)
	}
}

// keys warns of a key of which each event has its own, where nothing ever forgets it.
func (a *adviser) keys(r *plan.Rule) {
	if len(r.Keys) == 0 || a.forgets(r) {
		return
	}
	for i := range r.Inputs {
		in := &r.Inputs[i]
		schema := &a.set.Types[in.Type].Schema
		for _, k := range in.Key {
			own := k.Op == plan.OpField && (k.Name == schema.IDField || k.Name == schema.TimeField || k.Type.Kind == event.Float) || k.Op == plan.OpMeta && (k.Name == "id" || k.Name == "time")
			if own {
				a.warn(codeManyKeys, a.at("by"), "bound the rule in time, or choose a key that comes again", "nearly every event has its own %s, and the rule never forgets a key", r.Readable(k))
				return
			}
		}
	}
}

// forgets reports whether what a rule remembers of a key ends with time.
func (a *adviser) forgets(r *plan.Rule) bool {
	if p := r.Pattern; p != nil {
		return p.Within > 0
	}
	for i := range r.Windows {
		if s := &r.Windows[i].Spec; s.Size == 0 && s.Count > 0 {
			return false
		}
	}
	return true
}
