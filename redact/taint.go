package redact

import (
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// marks say what is secret of the alerts of a set.
type marks struct {
	types [][]path                  // redacted members, by type; nil: none
	rows  []map[string]bool         // secret fields of rows, by projection
	rules map[*plan.Rule]*ruleMarks // of those that read a redacted type
}

// ruleMarks say what is secret of a rule's alerts.
type ruleMarks struct {
	keys, fields []bool
	paths        []path   // of all types that it reads
	names        []string // the last of each of them
	steps        map[string][]path
}

// evidence are the paths of an event of a step, or, without steps, of any.
func (m *ruleMarks) evidence(rule *plan.Rule, step string) []path {
	if rule.Pattern == nil || step == "" {
		return m.paths
	}
	return m.steps[step]
}

// marksOf works out what is secret in a set. The last few are remembered: sets change seldom,
// but trials run beside the one in service.
func (r *Redactor) marksOf(set *plan.Set) *marks {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.last[0].set == set {
		return r.last[0].marks
	}
	at := slices.IndexFunc(r.last[:], func(m setMarks) bool { return m.set == set })
	found := setMarks{set: set}
	if at >= 0 {
		found = r.last[at]
	} else {
		at, found.marks = len(r.last)-1, r.mark(set)
	}
	copy(r.last[1:at+1], r.last[:at])
	r.last[0] = found
	return found.marks
}

// mark follows secrets through rules and projections until nothing more becomes one: each
// round looks at all of them, for what is made by one is read by others.
func (r *Redactor) mark(set *plan.Set) *marks {
	m := &marks{types: make([][]path, len(set.Types)), rows: make([]map[string]bool, len(set.Projections)), rules: map[*plan.Rule]*ruleMarks{}}
	for i, t := range set.Types {
		m.types[i] = r.pathsOf(t.Schema.Name)
	}
	for i := range m.rows {
		m.rows[i] = map[string]bool{}
	}
	for more := true; more; {
		more = false
		for i, p := range set.Projections {
			more = m.projection(set, i, p) || more
		}
		for _, rule := range set.Rules {
			more = m.derived(set, rule) || more
		}
	}
	for _, rule := range set.Rules {
		if rm := m.rule(set, rule); rm != nil {
			m.rules[rule] = rm
		}
	}
	return m
}

// seer sees whether an expression gives a secret.
type seer struct {
	*marks
	set   *plan.Set
	rule  *plan.Rule       // nil: in a projection
	table *plan.Projection // nil: in a rule
	typ   int              // of the event at hand; -1: there is none

	depth int
}

// mostDeep bounds how deep an expression is followed; beyond it all is secret.
const mostDeep = 10_000

// secret reports whether an expression gives what a redacted member has, or what is worked
// out of it. A comparison tells little, and is none.
func (s seer) secret(x *plan.Expr) bool {
	if s.depth++; x == nil || x.Op == plan.OpConst {
		return false
	}
	if s.depth > mostDeep {
		return true
	}
	switch x.Op {
	case plan.OpField:
		return s.member(s.typ, x.Name)
	case plan.OpStepField:
		return s.member(s.stepType(x.Step), x.Name) || s.any(x.Args)
	case plan.OpMeta:
		return s.meta(s.typ, x.Name)
	case plan.OpStepMeta:
		return s.meta(s.stepType(x.Step), x.Name)
	case plan.OpKey:
		return s.key(x.Index)
	case plan.OpAgg:
		return s.aggregate(x.Index)
	case plan.OpMember:
		return s.memberOf(x)
	case plan.OpRead:
		return len(s.rows[s.projectionOf(x)]) > 0
	case plan.OpNot, plan.OpAnd, plan.OpOr, plan.OpCoalesce, plan.OpCond:
		return s.any(x.Args) // a bool that is redacted shows in them
	case plan.OpEq, plan.OpNe:
		return slices.ContainsFunc(x.Args, func(a *plan.Expr) bool { return a.Type.Kind == event.Bool && s.secret(a) })
	case plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe,
		plan.OpIn, plan.OpContains, plan.OpStartsWith, plan.OpEndsWith, plan.OpMatch, plan.OpInFile, plan.OpTaken:
		return false
	case plan.OpRow:
		return false // what a file says
	}
	return x.Type.Kind != event.Bool && (s.any(x.Args) || s.spells(x))
}

// spells reports whether an expression turns a record that may have a redacted member into what
// is not redacted by parts: a text of it, or the member of a name that is known as it runs.
func (s seer) spells(x *plan.Expr) bool {
	if x.Type.Kind == event.String {
		return slices.ContainsFunc(x.Args, s.holds)
	}
	return x.Op == plan.OpIndex && x.Args[1].Type.Kind != event.Int && s.holds(x.Args[0])
}

// holds reports whether an expression may give a record, or a list of them, that has a redacted
// member.
func (s seer) holds(x *plan.Expr) bool {
	if x.Op == plan.OpConst || x.Op == plan.OpRow {
		return false
	}
	paths := s.pathsRead()
	return len(paths) > 0 && mayHold(x.Type, paths)
}

// mayHold reports whether values of a type may have one of the members.
func mayHold(t event.Type, paths []path) bool {
	switch t.Kind {
	case event.Any:
		return true
	case event.List:
		return t.Elem == nil || mayHold(*t.Elem, paths)
	case event.Record:
		return slices.ContainsFunc(t.Fields, func(f event.Field) bool {
			return mayHold(f.Type, paths) || slices.ContainsFunc(paths, func(p path) bool { return p[len(p)-1] == f.Name })
		})
	}
	return false
}

func (s seer) any(all []*plan.Expr) bool { return slices.ContainsFunc(all, s.secret) }

func (s seer) stepType(step int) int {
	if s.rule == nil || s.rule.Pattern == nil || step < 0 || step >= len(s.rule.Pattern.Steps) {
		return -1
	}
	return s.rule.Pattern.Steps[step].Type
}

// member reports whether a field is a redacted member of a type, or within one. One that has
// such a member below it is redacted by parts.
func (s seer) member(typ int, name string) bool {
	if typ < 0 {
		return false
	}
	if strings.HasPrefix(name, plan.MetaPrefix) {
		return isMember([]string{name}, s.types[typ])
	}
	return isMember(strings.Split(name, "."), s.types[typ])
}

// meta reports whether what a source says of an event is redacted: its id where the member
// that holds it is, its key and headers where they are named as members.
func (s seer) meta(typ int, name string) bool {
	if typ < 0 {
		return false
	}
	id := s.set.Types[typ].Schema.IDField
	return name == "id" && id != "" && s.member(typ, id)
}

// memberOf is a member of a value: of a row, or of what stands in a record.
func (s seer) memberOf(x *plan.Expr) bool {
	if of := x.Args[0]; of.Op == plan.OpRead {
		return s.rows[s.projectionOf(of)][x.Name]
	}
	if s.any(x.Args) {
		return true
	}
	return slices.ContainsFunc(s.pathsRead(), func(p path) bool { return p[len(p)-1] == lastOf(x.Name) })
}

// projectionOf is the number of the projection that a row is of.
func (s seer) projectionOf(x *plan.Expr) int {
	return slices.IndexFunc(s.set.Projections, func(p *plan.Projection) bool { return p.Name == x.Name })
}

// key reports whether a part of the key at hand is secret.
func (s seer) key(part int) bool {
	if s.table != nil {
		return s.secretOver(s.table.Key, s.table.Type)
	}
	if s.rule == nil {
		return false
	}
	for i := range s.rule.Inputs {
		if in := &s.rule.Inputs[i]; part < len(in.Key) && s.secretOver(in.Key[part], in.Type) {
			return true
		}
	}
	if s.rule.Pattern == nil {
		return false
	}
	return slices.ContainsFunc(s.rule.Pattern.Steps, func(step plan.Step) bool {
		return part < len(step.Key) && s.secretOver(step.Key[part], step.Type)
	})
}

// secretOver is secret over an event of a type.
func (s seer) secretOver(x *plan.Expr, typ int) bool {
	s.typ = typ
	return s.secret(x)
}

// aggregate reports whether an aggregate shows what it is over: one that counts does not.
func (s seer) aggregate(n int) bool {
	if s.table != nil {
		return !counts(s.table.Aggs[n].Func) && s.secretOver(s.table.Args[n].Value, s.table.Type)
	}
	a := &s.rule.Aggs[n]
	if counts(a.Func) {
		return false
	}
	if s.rule.Pattern != nil {
		return s.secretOver(a.Arg.Value, s.stepType(a.Step))
	}
	return slices.ContainsFunc(s.rule.Inputs, func(in plan.Input) bool {
		return n < len(in.Args) && s.secretOver(in.Args[n].Value, in.Type)
	})
}

func counts(f windows.Func) bool {
	return f == windows.Count || f == windows.Distinct || f == windows.Rate
}

// pathsRead are the redacted members of the types that are read.
func (s seer) pathsRead() (all []path) {
	if s.table != nil {
		return s.types[s.table.Type]
	}
	for _, typ := range typesOf(s.rule) {
		all = append(all, s.types[typ]...)
	}
	return all
}

// typesOf are the types that a rule reads.
func typesOf(rule *plan.Rule) (all []int) {
	for i := range rule.Inputs {
		all = append(all, rule.Inputs[i].Type)
	}
	if rule.Pattern == nil {
		return all
	}
	all = append(all, rule.Pattern.Types...)
	for i := range rule.Pattern.Steps {
		all = append(all, rule.Pattern.Steps[i].Type)
	}
	return all
}

// projection marks the secret fields of a projection's rows, and reports whether there are
// more than before. A record that may have a redacted member is one whole: who reads the row does
// not know of what type it was.
func (m *marks) projection(set *plan.Set, number int, p *plan.Projection) (more bool) {
	s := seer{marks: m, set: set, table: p, typ: -1}
	for _, f := range p.Fields {
		if !m.rows[number][f.Name] && (s.secret(f.Expr) || s.holds(f.Expr)) {
			m.rows[number][f.Name], more = true, true
		}
	}
	return more
}

// derived marks the secret members of the events that a rule makes, and reports whether there
// are more than before.
func (m *marks) derived(set *plan.Set, rule *plan.Rule) (more bool) {
	mark := func(typ int, name string) {
		if !slices.ContainsFunc(m.types[typ], func(p path) bool { return len(p) == 1 && p[0] == name }) {
			m.types[typ], more = append(m.types[typ], path{name}), true
		}
	}
	each := func(all []plan.Derived, s seer) {
		for _, d := range all {
			for _, f := range d.Fields {
				if s.secret(f.Expr) {
					mark(d.Type, f.Name)
				} else if s.holds(f.Expr) {
					for _, p := range s.pathsRead() {
						mark(d.Type, p[len(p)-1]) // wherever in the record it stands
					}
				}
			}
			if id := set.Types[d.Type].Schema.IDField; id != "" && m.touches(rule) {
				mark(d.Type, id) // which may be that of the alert
			}
		}
	}
	each(rule.Derived, seer{marks: m, set: set, rule: rule, typ: -1})
	for i := range rule.Inputs {
		each(rule.Inputs[i].Derived, seer{marks: m, set: set, rule: rule, typ: rule.Inputs[i].Type})
	}
	return more
}

// touches reports whether a rule reads a type of which something is redacted, or a row that
// has something secret.
func (m *marks) touches(rule *plan.Rule) bool {
	if slices.ContainsFunc(typesOf(rule), func(typ int) bool { return len(m.types[typ]) > 0 }) {
		return true
	}
	return slices.ContainsFunc(m.rows, func(row map[string]bool) bool { return len(row) > 0 })
}

// rule marks what is secret of a rule's alerts; nil: nothing can be.
func (m *marks) rule(set *plan.Set, rule *plan.Rule) *ruleMarks {
	if !m.touches(rule) {
		return nil
	}
	s := seer{marks: m, set: set, rule: rule, typ: -1}
	out := &ruleMarks{keys: make([]bool, len(rule.Keys)), steps: map[string][]path{}, paths: s.pathsRead()}
	for _, p := range out.paths {
		out.names = append(out.names, p[len(p)-1])
	}
	for i := range rule.Keys {
		out.keys[i] = s.key(i)
	}
	out.mark(rule.Emit, s)
	for i := range rule.Inputs {
		s.typ = rule.Inputs[i].Type
		out.mark(rule.Inputs[i].Emit, s)
	}
	if rule.Pattern != nil {
		for _, step := range rule.Pattern.Steps {
			out.steps[step.Name] = append(out.steps[step.Name], m.types[step.Type]...)
		}
	}
	return out
}

// told are the members in which what is told of a key of a rule, or of a table, has secrets.
func (m *marks) told(set *plan.Set, name string) (all []path) {
	for i, p := range set.Projections {
		if p.Name != name {
			continue
		}
		for field := range m.rows[i] {
			all = append(all, path{"row", field})
		}
		if (seer{marks: m, set: set, table: p}).key(0) {
			all = append(all, path{"key"})
		}
	}
	for _, rule := range set.Rules {
		if rule.Name != name {
			continue
		}
		s := seer{marks: m, set: set, rule: rule, typ: -1}
		all = append(all, s.pathsRead()...) // of events that rules made, too
		for i, k := range rule.Keys {
			if s.key(i) {
				all = append(all, path{"key", k.Name})
			}
		}
		for i := range rule.Aggs {
			if s.aggregate(i) {
				all = append(all, path{"values", rule.Aggregate(i)})
			}
		}
	}
	return all
}

func (m *ruleMarks) mark(fields []plan.Field, s seer) {
	for i, f := range fields {
		if i == len(m.fields) {
			m.fields = append(m.fields, false)
		}
		m.fields[i] = m.fields[i] || s.secret(f.Expr)
	}
}

// Undeclared returns what is redacted of types that a set does not declare, sorted: names
// that are written wrong would protect nothing.
func (r *Redactor) Undeclared(set *plan.Set) (names []string) {
	for name := range r.o.Fields {
		if !slices.ContainsFunc(set.Types, func(t *plan.Type) bool { return t.Schema.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
