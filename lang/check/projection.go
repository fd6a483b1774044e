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
		i, _ := c.read(at, n, key)
		c.work.reads = append(c.work.reads, read{typ: at, projection: n, key: key, place: i})
		return i
	}}
}

// read is the place of a read among those of an event type, a new one where there is none
// like it.
func (c *checker) read(typ, projection int, key *plan.Expr) (place int, isNew bool) {
	text := key.String()
	for i, r := range c.set.Reads[typ] {
		if r.Projection == projection && r.Key.String() == text {
			return i, false
		}
	}
	c.set.Reads[typ] = append(c.set.Reads[typ], plan.Read{Projection: projection, Key: key})
	return len(c.set.Reads[typ]) - 1, true
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
	edges  []derivation           // in order of rule
	from   [][]int                // by event type: the edges that make it
	at     map[string]source.Span // where projections are declared
	rules  []height
	tables map[*plan.Projection]*height
}

// height is how far a stratum is known.
type height struct {
	stratum      int
	onPath, done bool
}

// layStrata gives every rule and projection its stratum.
func (c *checker) layStrata() {
	s := strata{
		c: c, at: map[string]source.Span{}, from: make([][]int, len(c.set.Types)),
		rules: make([]height, len(c.set.Rules)), tables: map[*plan.Projection]*height{},
	}
	for _, w := range c.works {
		for _, edge := range w.edges {
			s.from[edge.typ] = append(s.from[edge.typ], len(s.edges))
			s.edges = append(s.edges, edge)
		}
	}
	for _, d := range c.names {
		if t, ok := d.(*syntax.Table); ok {
			s.at[t.Name.Text] = t.Name.Span
		}
	}
	for _, p := range c.set.Projections {
		s.tables[p] = &height{}
	}
	for i := range c.set.Rules {
		s.ofRule(i)
	}
	for _, p := range c.set.Projections {
		p.Stratum = s.ofProjection(p)
	}
	for i := range c.set.Rules {
		c.setStratum(i, s.rules[i].stratum)
	}
}

// setStratum gives a rule its stratum; one of the memo is copied for it.
func (c *checker) setStratum(i, stratum int) {
	r := c.set.Rules[i]
	if r.Stratum == stratum {
		return
	}
	if c.works[i].kept != nil {
		other := *r
		r = &other
		c.set.Rules[i] = r
	}
	r.Stratum = stratum
}

func (s *strata) ofRule(i int) int {
	r, h := s.c.set.Rules[i], &s.rules[i]
	if h.done {
		return h.stratum
	}
	h.onPath = true
	for _, edge := range s.feeding(r) {
		if s.rules[edge.rule].onPath {
			s.c.fail(codeCycle, edge.at, "", "rule %q makes the event %q, which leads back to it through rule %q: a cycle",
				s.nameOf(edge), s.c.set.Types[edge.typ].Schema.Name, r.Name)
			continue
		}
		h.stratum = max(h.stratum, s.ofRule(edge.rule)+1)
	}
	for _, p := range s.c.projectionsOf(r) {
		if s.tables[p].onPath {
			s.c.fail(codeCycle, s.at[p.Name], "", "the projection %q is read by rule %q, which feeds it: a cycle", p.Name, r.Name)
			continue
		}
		h.stratum = max(h.stratum, s.ofProjection(p)+1)
	}
	h.onPath, h.done = false, true
	return h.stratum
}

func (s *strata) nameOf(edge derivation) string { return s.c.set.Rules[edge.rule].Name }

// feeding lists the edges that make events which a rule reads, in order.
func (s *strata) feeding(r *plan.Rule) []derivation {
	if len(s.edges) == 0 {
		return nil
	}
	var numbers []int
	for _, in := range r.Inputs {
		numbers = append(numbers, s.from[in.Type]...)
	}
	slices.Sort(numbers)
	out := make([]derivation, 0, len(numbers))
	for _, n := range slices.Compact(numbers) {
		out = append(out, s.edges[n])
	}
	return out
}

func (s *strata) ofProjection(p *plan.Projection) int {
	h := s.tables[p]
	if h.done {
		return h.stratum
	}
	h.onPath = true
	for _, edge := range s.edges {
		if edge.typ != p.Type && !s.c.asks(edge.typ, p) {
			continue
		}
		if s.rules[edge.rule].onPath {
			s.cycle(p, edge)
			continue
		}
		h.stratum = max(h.stratum, s.ofRule(edge.rule)+1)
	}
	h.onPath, h.done = false, true
	return h.stratum
}

// cycle reports a rule that reads a projection and makes events that feed or read it: of
// these the projection would have to know before it knows.
func (s *strata) cycle(p *plan.Projection, edge derivation) {
	typ := s.c.set.Types[edge.typ].Schema.Name
	if edge.typ == p.Type {
		s.c.fail(codeCycle, s.at[p.Name], "", "the projection %q is fed by rule %q, which reads it: a cycle", p.Name, s.nameOf(edge))
		return
	}
	s.c.fail(codeCycle, edge.at, "give the event what it needs of "+p.Name+" in a field",
		"rule %q reads the projection %q, and so do rules at the event %q that it makes: a cycle", s.nameOf(edge), p.Name, typ)
}

// asks reports whether events of a type read a projection.
func (c *checker) asks(typ int, p *plan.Projection) bool {
	return slices.ContainsFunc(c.set.Reads[typ], func(r plan.Read) bool { return c.set.Projections[r.Projection] == p })
}

// projectionsOf lists the projections that a rule reads, each once.
func (c *checker) projectionsOf(r *plan.Rule) []*plan.Projection {
	if len(c.set.Projections) == 0 {
		return nil
	}
	var out []*plan.Projection
	eachPlace(r, func(_ int, at **plan.Expr) {
		eachExpr(*at, func(e *plan.Expr) {
			if e.Op != plan.OpRead {
				return
			}
			n := slices.IndexFunc(c.set.Projections, func(p *plan.Projection) bool { return p.Name == e.Name })
			if n >= 0 && !slices.Contains(out, c.set.Projections[n]) {
				out = append(out, c.set.Projections[n])
			}
		})
	})
	return out
}
