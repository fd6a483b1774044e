package check

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// defaultLimit is how many matches of an event `match all` writes out where the rule
// does not say.
const defaultLimit = 100

// pattern is the work on the pattern of one rule.
type pattern struct {
	*rule
	plan   *plan.Pattern
	steps  []stepWork // by number
	origin map[*plan.Node]*syntax.Pattern
	links  map[*plan.Node][]source.Span // of a NodeSeq, as its Links
}

// stepWork is what the checker knows of a step beside the plan.
type stepWork struct {
	decl    *syntax.Step
	typ     *plan.Type // nil: unknown
	negated bool
	path    []side // the groups around it, outermost first
	key     []*plan.Expr
}

// side is one of the parts of an |, & or any.
type side struct {
	group *syntax.Pattern
	part  int
}

// pattern compiles a pattern rule.
func (r *rule) pattern() {
	m := r.decl.Match
	p := &pattern{
		rule: r, origin: map[*plan.Node]*syntax.Pattern{}, links: map[*plan.Node][]source.Span{},
		plan: &plan.Pattern{Select: selection(m.Select), Within: nanos(r.decl.Within)},
	}
	r.out.Pattern, r.aggs = p.plan, &aggSink{rule: r}
	p.limits(m)
	r.fromTypes()
	r.nameKeys()
	p.plan.Root = p.part(m.Pattern, nil, false, false)
	p.nameSteps()
	p.gatherTypes()
	p.laws()
	p.inputs()
	p.oneTypeEach()
	p.keyOfSteps()
	r.finishKeys()
	p.conditions()
	r.hint = p.hintStep
	out := r.outputs(p.outputScope)
	r.out.Having, r.out.Emit, r.out.SuppressBy, r.out.Derived = out.having, out.emit, out.suppressBy, out.derived
	p.proveLets()
}

func selection(s syntax.Select) plan.Select {
	switch s {
	case syntax.SelectLast:
		return plan.SelectLast
	case syntax.SelectEvery:
		return plan.SelectEvery
	case syntax.SelectAll:
		return plan.SelectAll
	}
	return plan.SelectFirst
}

func (p *pattern) limits(m *syntax.Match) {
	if m.Select == syntax.SelectAll {
		p.plan.Limit = defaultLimit
		if p.decl.Limit != nil {
			p.plan.Limit = p.decl.Limit.Value
		}
	}
	if p.decl.Suppress != nil {
		p.out.Suppress = p.decl.Suppress.For.Nanos
	}
	if w := p.decl.Within; w != nil && w.Nanos == 0 {
		p.fail(codeDuration, w.Span, "", "nothing matches within 0s")
	}
}

// part makes the node of a part. path holds the groups around it; negated and repeated
// say whether one of them is.
func (p *pattern) part(s *syntax.Pattern, path []side, negated, repeated bool) *plan.Node {
	n := &plan.Node{Min: 1, Max: 1, Neg: s.Not, For: nanos(s.For)}
	p.origin[n] = s
	negated = negated || s.Not
	if rep := s.Repeat; rep != nil {
		n.Min, n.Max, n.Strict = rep.Min, rep.Max, rep.Strict
		repeated = repeated || rep.Max != 1
	}
	switch s.Kind {
	case syntax.StepPart:
		n.Kind = plan.NodeStep
		n.Step = p.step(s.Step, stepWork{decl: s.Step, negated: negated, path: path}, repeated)
	case syntax.SeqPart:
		n.Kind = plan.NodeSeq
		p.sequence(n, s, plan.Link{}, source.Span{}, path, repeated)
	default:
		p.choice(n, s, path, negated, repeated)
	}
	return n
}

// sequence appends the parts of s to n. A group that is no more than a sequence is
// taken apart, for A -> (B -> C) is A -> B -> C; first is the link before it.
func (p *pattern) sequence(n *plan.Node, s *syntax.Pattern, first plan.Link, at source.Span, path []side, repeated bool) {
	for i, part := range s.Parts {
		link, span := first, at
		if i > 0 {
			link, span = p.link(s.Links[i]), s.Links[i].Span
		}
		if part.Kind == syntax.SeqPart && part.Repeat == nil && !part.Not {
			p.sequence(n, part, link, span, path, repeated)
			continue
		}
		n.Kids = append(n.Kids, p.part(part, path, false, repeated))
		n.Links = append(n.Links, link)
		p.links[n] = append(p.links[n], span)
	}
}

func (p *pattern) link(l syntax.Link) plan.Link {
	switch {
	case l.Max != nil && l.Max.Nanos == 0:
		p.fail(codeBounds, l.Span, "", "no event comes less than 0s after another")
	case l.Max != nil && l.Max.Nanos <= nanos(l.Min):
		p.fail(codeBounds, l.Span, "write the smaller bound first; the greater one is not reached",
			"no event can come at least %s and less than %s after another", duration(nanos(l.Min)), duration(l.Max.Nanos))
	}
	return plan.Link{Next: l.Next, MinGap: nanos(l.Min), MaxGap: nanos(l.Max)}
}

// choice makes the node of an |, & or any.
func (p *pattern) choice(n *plan.Node, s *syntax.Pattern, path []side, negated, repeated bool) {
	for i, part := range s.Parts {
		around := append(path[:len(path):len(path)], side{s, i})
		n.Kids = append(n.Kids, p.part(part, around, negated, repeated))
	}
	switch s.Kind {
	case syntax.OrPart:
		n.Kind = plan.NodeOr
	case syntax.AndPart:
		n.Kind = plan.NodeAnd
	case syntax.AnyPart:
		n.Kind, n.Need = plan.NodeAny, s.Need.Value
		if n.Need == 0 || n.Need > len(n.Kids) {
			p.fail(codeBounds, s.Need.Span, "", "any %d of %d is never so", n.Need, len(n.Kids))
		}
	}
}

// step numbers a step.
func (p *pattern) step(s *syntax.Step, w stepWork, repeated bool) int {
	out := plan.Step{Name: s.Name.Text, Repeats: repeated}
	if out.Name == "" {
		out.Name = s.Event.Text
	}
	if t, ok := p.typeNamed(s.Event); ok {
		w.typ, out.Type = t, p.typeIndex(t)
		p.reads(t)
	} else {
		p.unknown = append(p.unknown, out.Name)
	}
	p.steps = append(p.steps, w)
	p.plan.Steps = append(p.plan.Steps, out)
	return len(p.steps) - 1
}

// nameSteps reports steps that need a name, and names that mean two. A negated step
// never has an event: it needs no name.
func (p *pattern) nameSteps() {
	count := map[string]int{}
	for _, s := range p.steps {
		if !s.negated {
			count[s.decl.Event.Text]++
		}
	}
	var names []syntax.Name
	for _, s := range p.steps {
		name := s.decl.Name
		if name.Text == "" && s.negated {
			continue
		}
		if name.Text == "" {
			name = s.decl.Event
			if n := count[name.Text]; n > 1 {
				p.fail(codeStepName, name.Span, "write NAME: "+name.Text,
					"%q stands %d times in the pattern: each of its steps needs a name", name.Text, n)
				continue
			}
		}
		p.reserved(name)
		names = append(names, name)
	}
	if u := p.decl.Until; u != nil && u.Name.Text != "" {
		names = append(names, u.Name)
	}
	p.unique(codeDuplicateItem, "step", names)
}

func (p *pattern) reserved(name syntax.Name) {
	if name.Text == "prev" || name.Text == "meta" {
		p.fail(codeReserved, name.Span, "give the step another name", "a step cannot be called %q: the word has a meaning of its own", name.Text)
	}
}

// gatherTypes gathers what => and strict look at, and the type of until, which they do
// not.
func (p *pattern) gatherTypes() {
	for _, t := range p.types {
		p.plan.Types = append(p.plan.Types, p.typeIndex(t))
	}
	if u := p.decl.Until; u != nil {
		if t, ok := p.typeNamed(u.Event); ok {
			p.reads(t)
		}
	}
}

// inputs compiles where, and the key of every type that has it from the rule.
func (p *pattern) inputs() {
	for _, t := range p.types {
		in := plan.Input{Type: p.typeIndex(t)}
		if p.needsRuleKey(t) {
			in.Key = p.key(t, p.decl.By, "give the step a key of its own: "+t.Schema.Name+" by FIELD")
		}
		if p.inFrom(t) {
			in.Where = p.where(t)
		}
		p.out.Inputs = append(p.out.Inputs, in)
	}
}

// needsRuleKey reports whether events of the type are looked at with the rule's key:
// not where each of their steps has its own.
func (p *pattern) needsRuleKey(t *plan.Type) bool {
	if p.inFrom(t) {
		return true
	}
	ofRule := func(s *syntax.Step) bool { return s.Event.Text == t.Schema.Name && len(s.By) == 0 }
	if u := p.decl.Until; u != nil && ofRule(u) {
		return true
	}
	return slices.ContainsFunc(p.steps, func(s stepWork) bool { return ofRule(s.decl) })
}

func (p *pattern) keyOfSteps() {
	for i := range p.steps {
		s := &p.steps[i]
		s.key = p.stepKey(s.decl, s.typ)
		p.plan.Steps[i].Key = s.key
	}
}

// stepKey is a step's own key, or the rule's.
func (p *pattern) stepKey(s *syntax.Step, t *plan.Type) []*plan.Expr {
	if len(s.By) > 0 && !p.lawfulStepKey(s) || t == nil {
		return nil
	}
	if len(s.By) > 0 {
		return p.key(t, s.By, "")
	}
	for _, in := range p.out.Inputs {
		if in.Type == p.typeIndex(t) {
			return in.Key
		}
	}
	return nil
}

func (p *pattern) lawfulStepKey(s *syntax.Step) bool {
	first := s.By[0].Span
	switch have, want := len(s.By), len(p.decl.By); {
	case want == 0:
		p.fail(codeStepKeys, first, "add by … to the rule", "a step has a key of its own only where the rule has one")
		return false
	case have != want:
		p.fail(codeStepKeys, first, "", "the key of the step has %s, that of the rule has %d", parts(have), want)
		return false
	}
	for _, k := range s.By {
		if k.As.Text != "" {
			p.fail(codeStepKeys, k.As.Span, "leave as "+k.As.Text+" out", "key parts have their names from the rule's by")
			return false
		}
	}
	return true
}

// conditions compiles what each step asks of its event.
func (p *pattern) conditions() {
	for i := range p.steps {
		s := &p.steps[i]
		if s.decl.Cond != nil && s.typ != nil {
			p.plan.Steps[i].Cond = p.compile(s.decl.Cond.Span, p.stepScope(i), event.Bool)
		}
	}
	u := p.decl.Until
	if u == nil {
		return
	}
	t, ok := p.typeNamed(u.Event)
	if !ok {
		return
	}
	until := &plan.Step{Name: cmp.Or(u.Name.Text, u.Event.Text), Type: p.typeIndex(t), Key: p.stepKey(u, t)}
	p.plan.Until = until
	if u.Cond != nil {
		s := p.scope("until", t, until.Key)
		s.Steps = p.visible(func(int) string { return "belongs to one run, and until ends all runs of the key" })
		s.NoAggs = "until looks at one event"
		until.Cond = p.compile(u.Cond.Span, s, event.Bool)
	}
}

// stepScope is what the condition of step i sees.
func (p *pattern) stepScope(i int) *predicate.Scope {
	s := p.scope(place("the condition", p.plan.Steps[i].Name), p.steps[i].typ, p.steps[i].key)
	s.Steps = p.visible(func(j int) string { return p.unbound(i, j) })
	s.Aggs = p.aggs
	for j := range s.Steps {
		s.Steps[j].Own = s.Steps[j].Number == i && s.Steps[j].Repeats
	}
	return s
}

// visible lists the steps whose type is known; why says why one may not be read.
func (p *pattern) visible(why func(step int) string) []predicate.Step {
	var out []predicate.Step
	for i, s := range p.steps {
		if s.typ == nil || s.negated && s.decl.Name.Text == "" && p.taken(s.decl.Event.Text) {
			continue // the name of the type means the step that takes events of it
		}
		step := &p.plan.Steps[i]
		out = append(out, predicate.Step{
			Name: step.Name, Number: i, Type: s.typ, Repeats: step.Repeats, KeepAll: &step.KeepAll, Why: why(i),
		})
	}
	return out
}

// taken reports whether a step without a name takes events of the type.
func (p *pattern) taken(typ string) bool {
	return slices.ContainsFunc(p.steps, func(s stepWork) bool {
		return !s.negated && s.decl.Name.Text == "" && s.decl.Event.Text == typ
	})
}

// unbound says why the condition of step i cannot read step j; empty: it can.
func (p *pattern) unbound(i, j int) string {
	if i == j {
		if p.plan.Steps[i].Repeats && !p.steps[i].negated {
			return ""
		}
		return "is the step itself: write the fields of the event at hand without its name"
	}
	if p.steps[j].negated {
		return "is negated: it never has an event"
	}
	a, b := p.steps[i].path, p.steps[j].path
	for k := 0; k < min(len(a), len(b)) && a[k].group == b[k].group; k++ {
		if a[k].part == b[k].part {
			continue
		}
		if a[k].group.Kind == syntax.OrPart {
			return "stands in another branch of |: only one of them is taken"
		}
		return "may come later: the parts of & and any come in any order"
	}
	if j > i {
		return "comes later"
	}
	return ""
}

// outputScope is what having, emit and suppress by see.
func (p *pattern) outputScope(place string) *predicate.Scope {
	s := p.scope(place, nil, nil)
	s.Steps = p.visible(func(i int) string {
		if p.steps[i].negated {
			return "is negated: it never has an event"
		}
		return ""
	})
	if place == "having" && p.plan.Select == plan.SelectAll {
		p.onlyCompleting(s.Steps)
	}
	s.Aggs = p.aggs
	s.NoBare = "a match has several events"
	s.Matches = p.plan.Select == plan.SelectAll
	return s
}

// onlyCompleting leaves, of the steps that having of match all sees, those whose event
// can complete the pattern, and of these that event: matches() counts the matches of an
// event, and having, which is asked of the event, keeps none of them from being counted.
func (p *pattern) onlyCompleting(steps []predicate.Step) {
	completing := map[int]bool{}
	p.completing(p.plan.Root, completing)
	const lastOnly = "having of match all is asked of the event that completes the match"
	for i := range steps {
		s := &steps[i]
		switch {
		case s.Why != "":
			continue
		case !completing[s.Number]:
			s.Why = "does not complete the match, and " + lastOnly
		case s.Repeats:
			s.LastOnly = lastOnly
		}
		s.Mend = "put the condition into the step"
	}
}

// completing gathers the steps that can take the last event of a node; of a node that
// ends in a negation there are none, for a time completes it.
func (p *pattern) completing(n *plan.Node, steps map[int]bool) {
	switch {
	case n.Neg:
	case n.Kind == plan.NodeStep:
		steps[n.Step] = true
	case n.Kind != plan.NodeSeq:
		for _, kid := range n.Kids {
			p.completing(kid, steps)
		}
	default:
		for _, kid := range slices.Backward(n.Kids) {
			p.completing(kid, steps)
			if kid.Neg || !p.nullable(kid) {
				break
			}
		}
	}
}

// hintStep betters the mend of a name that is unknown where no event is at hand and is
// a field of steps.
func (p *pattern) hintStep(e source.Error) source.Error {
	if e.Code != codeUnknownName {
		return e
	}
	var meant []string
	for i, s := range p.steps {
		if s.typ == nil || s.negated {
			continue
		}
		record := s.typ.Schema.Type()
		if record.Field(e.Span.Text()) != nil {
			meant = append(meant, p.plan.Steps[i].Name+"."+e.Span.Text())
		}
	}
	if len(meant) > 0 {
		e.Mend = "a match has several events: write " + strings.Join(meant, " or ")
	}
	return e
}

// proveLets compiles lets by themselves: each must make sense in some place of the
// pattern. Of one that does not the errors at its first step are told.
func (p *pattern) proveLets() {
	for _, l := range p.lets {
		if p.clouded(l.Expr.Text()) {
			continue
		}
		errs, ok := p.proveLet(l)
		if ok {
			continue
		}
		for _, err := range errs {
			p.report(err)
		}
	}
}

func (p *pattern) proveLet(l predicate.Let) (source.Errors, bool) {
	var first source.Errors
	scopes := []*predicate.Scope{}
	for i, s := range p.steps {
		if s.typ != nil {
			scope := p.stepScope(i)
			scope.Event = scratch(s.typ)
			scopes = append(scopes, scope)
		}
	}
	for _, scope := range append(scopes, p.outputScope("let "+l.Name)) {
		scope.Aggs = &scratchAggs{}
		for i := range scope.Steps {
			scope.Steps[i].KeepAll, scope.Steps[i].Type = nil, scratch(scope.Steps[i].Type)
		}
		_, errs := predicate.Compile(l.Expr, scope, event.Nil)
		if !errs.HasErrors() {
			return nil, true
		}
		if first == nil {
			first = errs
		}
	}
	return first, false
}
