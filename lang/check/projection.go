package check

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
	"github.com/cepheus-cep/cepheus/windows"
)

// maxReads is how many different reads a projection may have in a rule set: the engine
// has a bit for each.
const maxReads = 63

// projections compiles the tables that are projections, in order of name, so that
// rules can read them.
func (c *checker) projections(tables []*syntax.Table) {
	c.set.Reads = make([][]plan.Read, len(c.set.Types))
	for _, d := range tables {
		if d.Path == nil && !d.Broken {
			if p := c.projection(d); p != nil {
				c.set.Projections = append(c.set.Projections, p)
			}
		}
	}
	slices.SortFunc(c.set.Projections, func(a, b *plan.Projection) int { return cmp.Compare(a.Name, b.Name) })
	for i := range c.globals.Tables {
		t := &c.globals.Tables[i]
		n := slices.IndexFunc(c.set.Projections, func(p *plan.Projection) bool { return p.Name == t.Name })
		if n >= 0 && t.File == nil {
			t.Projection = c.readable(n)
		}
	}
}

// projection compiles one; nil where it has errors.
func (c *checker) projection(d *syntax.Table) *plan.Projection {
	c.unique(codeDuplicateItem, "field of "+d.Name.Text, fieldDeclNames(d.Fields))
	p := &plan.Projection{Name: d.Name.Text}
	if d.Keep != nil {
		p.Keep = d.Keep.Nanos
		if p.Keep == 0 {
			c.fail(codeDuration, d.Keep.Span, "", "keep 0s keeps nothing")
		}
	}
	t, ok := c.typeNamed(d.From)
	if !ok {
		return nil
	}
	p.Type = c.typeIndex(t)
	scope := &predicate.Scope{
		Place: fmt.Sprintf("the table %q", d.Name.Text), Event: t, Globals: c.globals,
		NoAggs: "it looks at one event", NoReads: "a projection cannot rest on another",
	}
	p.Key = c.compile(d.By.Span, scope, event.Nil)
	if c.keyable(d.By.Span, p.Key) && p.Key != nil {
		p.KeyType = event.Type{Kind: p.Key.Type.Kind}
	}
	whole := p.Key != nil
	if d.Where != nil {
		p.Where = c.compile(d.Where.Span, scope, event.Bool)
		whole = whole && p.Where != nil
	}
	sink := &projectionAggs{plan: p}
	scope.Aggs, scope.NoAggs, scope.Windows = sink, "", []string{""}
	scope.NoBare = "a field of a table is taken over all events of a key"
	for _, f := range d.Fields {
		e := c.compile(f.Expr.Span, scope, event.Nil)
		p.Fields = append(p.Fields, plan.Field{Name: f.Name.Text, Expr: e})
		whole = whole && e != nil
	}
	if !whole {
		return nil
	}
	return p
}

// projectionAggs collects the aggregates of a projection, as predicate.AggSink.
type projectionAggs struct {
	plan  *plan.Projection
	texts []string
}

// Aggregate implements predicate.AggSink.
func (s *projectionAggs) Aggregate(call predicate.AggCall) (int, error) {
	switch call.Func {
	case windows.ZScore, windows.Rate:
		return 0, fmt.Errorf("%s is taken over a window, not over all events of a key", call.Func)
	}
	text := fmt.Sprintf("%s %v %s", call.Func, call.Param, call.Text)
	if n := slices.Index(s.texts, text); n >= 0 {
		return n, nil
	}
	s.texts = append(s.texts, text)
	s.plan.Aggs = append(s.plan.Aggs, plan.Agg{Func: call.Func, Type: call.Type, ArgT: call.ArgT, Param: call.Param})
	s.plan.Args = append(s.plan.Args, call.Arg)
	return len(s.texts) - 1, nil
}

// readable is what expressions must know of projection n.
func (c *checker) readable(n int) *predicate.Projection {
	p := c.set.Projections[n]
	row := event.Type{Kind: event.Record, Optional: true}
	for _, f := range p.Fields {
		t := f.Expr.Type
		t.Optional = true
		row.Fields = append(row.Fields, event.Field{Name: f.Name, Type: t})
	}
	return &predicate.Projection{Key: p.KeyType, Row: row, Read: func(t *plan.Type, key *plan.Expr) int {
		at := c.typeIndex(t)
		if at < 0 {
			return 0 // an expression that is compiled only to prove it
		}
		for i, r := range c.set.Reads[at] {
			if r.Projection == n && r.Key.String() == key.String() {
				return i
			}
		}
		c.set.Reads[at] = append(c.set.Reads[at], plan.Read{Projection: n, Key: key})
		return len(c.set.Reads[at]) - 1
	}}
}

// boundReads reports projections with more reads than the engine has bits for.
func (c *checker) boundReads(tables []*syntax.Table) {
	count := make([]int, len(c.set.Projections))
	for _, reads := range c.set.Reads {
		for _, r := range reads {
			count[r.Projection]++
		}
	}
	for _, d := range tables {
		n := slices.IndexFunc(c.set.Projections, func(p *plan.Projection) bool { return p.Name == d.Name.Text })
		if n >= 0 && count[n] > maxReads {
			c.fail(codeTooMany, d.Name.Span, "", "the projection %q is read by %d different keys: at most %d", d.Name.Text, count[n], maxReads)
		}
	}
}

// strata gives rules and projections their strata: a rule stands above the rules that
// make the events it reads and above the projections it reads, a projection above the
// rules that make the events which feed or read it. What feeds itself is a cycle.
type strata struct {
	c      *checker
	at     map[string]source.Span // where projections are declared
	onPath map[any]bool
	done   map[any]bool
}

// layStrata gives every rule and projection its stratum.
func (c *checker) layStrata() {
	s := strata{c: c, at: map[string]source.Span{}, onPath: map[any]bool{}, done: map[any]bool{}}
	for _, d := range c.names {
		if t, ok := d.(*syntax.Table); ok {
			s.at[t.Name.Text] = t.Name.Span
		}
	}
	for _, r := range c.set.Rules {
		s.ofRule(r)
	}
	for _, p := range c.set.Projections {
		s.ofProjection(p)
	}
}

func (s *strata) ofRule(r *plan.Rule) int {
	if s.done[r] {
		return r.Stratum
	}
	s.onPath[r] = true
	for _, edge := range s.c.edges {
		if !reads(r, edge.typ) {
			continue
		}
		if s.onPath[edge.rule] {
			s.c.fail(codeCycle, edge.at, "", "rule %q makes the event %q, which leads back to it through rule %q: a cycle",
				edge.rule.Name, s.c.set.Types[edge.typ].Schema.Name, r.Name)
			continue
		}
		r.Stratum = max(r.Stratum, s.ofRule(edge.rule)+1)
	}
	for _, p := range s.c.projectionsOf(r) {
		if s.onPath[p] {
			s.c.fail(codeCycle, s.at[p.Name], "", "the projection %q is read by rule %q, which feeds it: a cycle", p.Name, r.Name)
			continue
		}
		r.Stratum = max(r.Stratum, s.ofProjection(p)+1)
	}
	s.onPath[r], s.done[r] = false, true
	return r.Stratum
}

func (s *strata) ofProjection(p *plan.Projection) int {
	if s.done[p] {
		return p.Stratum
	}
	s.onPath[p] = true
	for _, edge := range s.c.edges {
		if edge.typ != p.Type && !s.c.asks(edge.typ, p) {
			continue
		}
		if s.onPath[edge.rule] {
			s.cycle(p, edge)
			continue
		}
		p.Stratum = max(p.Stratum, s.ofRule(edge.rule)+1)
	}
	s.onPath[p], s.done[p] = false, true
	return p.Stratum
}

// cycle reports a rule that reads a projection and makes events that feed or read it: of
// these the projection would have to know before it knows.
func (s *strata) cycle(p *plan.Projection, edge derivation) {
	typ := s.c.set.Types[edge.typ].Schema.Name
	if edge.typ == p.Type {
		s.c.fail(codeCycle, s.at[p.Name], "", "the projection %q is fed by rule %q, which reads it: a cycle", p.Name, edge.rule.Name)
		return
	}
	s.c.fail(codeCycle, edge.at, "give the event what it needs of "+p.Name+" in a field",
		"rule %q reads the projection %q, and so do rules at the event %q that it makes: a cycle", edge.rule.Name, p.Name, typ)
}

// asks reports whether events of a type read a projection.
func (c *checker) asks(typ int, p *plan.Projection) bool {
	return slices.ContainsFunc(c.set.Reads[typ], func(r plan.Read) bool { return c.set.Projections[r.Projection] == p })
}

// projectionsOf lists the projections that a rule reads, each once.
func (c *checker) projectionsOf(r *plan.Rule) []*plan.Projection {
	var out []*plan.Projection
	eachExprOf(ruleExprs(r), func(e *plan.Expr) {
		if e.Op != plan.OpRead {
			return
		}
		n := slices.IndexFunc(c.set.Projections, func(p *plan.Projection) bool { return p.Name == e.Name })
		if n >= 0 && !slices.Contains(out, c.set.Projections[n]) {
			out = append(out, c.set.Projections[n])
		}
	})
	return out
}

// ruleExprs lists all expressions of a rule.
func ruleExprs(r *plan.Rule) []*plan.Expr {
	out := outputExprs(r.Having, r.Emit, r.SuppressBy, r.Derived)
	for i := range r.Inputs {
		out = append(append(out, exprsBesideKey(&r.Inputs[i])...), r.Inputs[i].Key...)
	}
	for _, a := range r.Aggs {
		out = append(out, a.Arg.Value, a.Arg.Cond)
	}
	if r.Pattern == nil {
		return out
	}
	for i := range r.Pattern.Steps {
		out = append(append(out, r.Pattern.Steps[i].Cond), r.Pattern.Steps[i].Key...)
	}
	if u := r.Pattern.Until; u != nil {
		out = append(append(out, u.Cond), u.Key...)
	}
	return out
}
