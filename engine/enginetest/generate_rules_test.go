package enginetest

import (
	"fmt"
	"slices"
	"strings"
)

// ruleSet draws a whole rule file.
func (m *maker) ruleSet() string {
	text := m.declarations() + constants
	tables := m.chance(25)
	if tables {
		text += m.projection()
	}
	derives := m.chance(25)
	for i := range 1 + m.n(3) {
		m.kinds, m.emits = kinds, derives && i == 0
		m.table = tables && !m.emits && m.chance(70) // what makes d may not read what is read at d
		if derives && i > 0 && m.chance(60) {
			m.kinds = append([]string{"d"}, kinds...)
		}
		text += m.rule(fmt.Sprintf("r%d", i))
	}
	return text
}

func (m *maker) rule(name string) string {
	switch m.n(8) {
	case 0:
		return m.wrap(name, m.filter())
	case 1, 2:
		return m.wrap(name, m.windowRule())
	case 3:
		return m.wrap(name, m.endRule())
	}
	return m.wrap(name, m.patternRule())
}

// wrap gives a rule its head and what any rule may have.
func (m *maker) wrap(name string, clauses []string) string {
	if m.chance(4) {
		clauses = append([]string{"mode " + m.one("shadow", "off")}, clauses...)
	}
	return "rule " + name + " {\n    " + strings.Join(clauses, "\n    ") + "\n}\n"
}

// key draws the clause `by`, empty for none, and the names of its parts.
func (m *maker) key() (clause string, names []string) {
	switch m.n(9) {
	case 6:
		return "", nil
	case 7:
		return "by k, g", []string{"k", "g"}
	case 8:
		return m.one("by f as flag, k", "by x % 2 as flag", "by k + x as flag", "by lower(g) as flag", "by s as flag", "by meta.key as flag", "by meta.headers.h as flag"), []string{"flag"}
	}
	return "by k", []string{"k"}
}

// from draws the event types of a rule and their condition.
func (m *maker) from() string {
	clause := "from " + strings.Join(m.kinds[:1+m.n(2)], ", ")
	if m.chance(50) {
		clause += " where " + m.condition(&scope{fields: true})
	}
	return clause
}

func (m *maker) filter() []string {
	clauses := []string{m.from()}
	s := &scope{fields: true}
	by, names := m.key()
	return m.outputs(append(clauses, by, m.let(s)), s, names)
}

// let draws the local name loc, or none.
func (m *maker) let(s *scope) string {
	if !m.chance(15) {
		return ""
	}
	s.local = true
	return "let loc = " + m.operand(&scope{fields: true}) + " + 1"
}

// endRule draws a rule of a window that is evaluated at its end.
func (m *maker) endRule() []string {
	by, names := m.key()
	s := &scope{windows: []string{""}}
	clauses := []string{m.from(), by}
	kind, early, size := m.n(4), "", m.seconds()
	if kind < 3 && m.chance(30) {
		early = " early"
	}
	switch kind {
	case 0:
		clauses = append(clauses, fmt.Sprintf("window tumbling %ds%s", size, early))
	case 1:
		clauses = append(clauses, fmt.Sprintf("window hopping %ds every %s%s", size, m.span(), early))
	case 2:
		most := ""
		if m.chance(40) {
			most = fmt.Sprintf(" max %ds", size+m.n(8))
		}
		clauses = append(clauses, fmt.Sprintf("window session %ds%s%s", size, most, early))
	case 3:
		clauses = append(clauses, fmt.Sprintf("window batch %d", 1+m.n(5)))
	}
	if m.chance(75) || early != "" {
		clauses = append(clauses, "having "+m.condition(s))
		if m.chance(25) {
			clauses = append(clauses, "once")
		}
	}
	more := []string{"window.start", "window.end"}
	for _, field := range m.windowFields(s, kind < 2) {
		if !strings.HasPrefix(field, "zscore") {
			more = append(more, field)
		}
	}
	return m.outputs(clauses, s, names, more...)
}

func (m *maker) windowRule() []string {
	s := &scope{fields: true, windows: []string{""}}
	by, names := m.key()
	clauses := []string{m.from(), by, m.let(s)}
	if m.chance(25) {
		s.windows = []string{"w", "v"}
	}
	timed := true
	for _, name := range s.windows {
		if m.chance(30) {
			timed = false
			clauses = append(clauses, fmt.Sprintf("window %s last %d", name, 1+m.n(6)))
		} else {
			clauses = append(clauses, "window "+name+" sliding "+m.span())
		}
	}
	if m.chance(75) {
		clauses = append(clauses, "having "+m.condition(s))
		if m.chance(30) {
			clauses = append(clauses, "once")
		}
	}
	return m.outputs(clauses, s, names, m.windowFields(s, timed)...)
}

// windowFields are the aggregates that only fields of alerts show.
func (m *maker) windowFields(s *scope, timed bool) []string {
	prefix := ""
	if s.windows[0] != "" {
		prefix = s.windows[0] + "."
	}
	var out []string
	for _, f := range []string{
		"stddev(%sx)", "variance(%sy)", "percentile(%sx, 90)", "percentile(%sy, 12.5)", "zscore(%sx)",
		"slope(%sy)", "top(%ss, 2)", "collect(%sx, 3)", "values(%ss)", "values(%sx)", "count(%ss)",
	} {
		out = append(out, fmt.Sprintf(f, prefix))
	}
	if prefix == "" && timed {
		out = append(out, "rate()")
	}
	return out
}

// outputs adds emit and suppress.
func (m *maker) outputs(clauses []string, s *scope, names []string, more ...string) []string {
	if m.chance(85) {
		var fields []string
		for i := range 1 + m.n(3) {
			fields = append(fields, fmt.Sprintf("f%d: %s", i, m.field(s, names, more)))
		}
		clauses = append(clauses, "emit { "+strings.Join(fields, "  ")+" }")
	}
	if m.emits {
		clauses = append(clauses, m.derived(s, names))
	}
	if m.chance(20) {
		clause := "suppress " + m.span()
		if m.chance(40) {
			clause += " by " + m.one(append([]string{m.operand(s), m.condition(s), m.test(s)}, names...)...)
		}
		clauses = append(clauses, clause)
	}
	return slices.DeleteFunc(clauses, func(c string) bool { return c == "" })
}

// derived draws the clause that emits d.
func (m *maker) derived(s *scope, names []string) string {
	fields := []string{"g: 'u'"}
	switch {
	case s.fields:
		fields = append(fields, "k: k", "x: x", "y: y", "s: s", "f: f")
	case len(s.single) > 0:
		name := s.single[m.n(len(s.single))]
		fields = append(fields, "k: "+name+".k", "x: "+name+".x", "y: "+name+".y", "f: "+name+".f")
	case len(s.windows) > 0:
		fields = append(fields, "x: count()", "y: avg(y)", "k: last(k)")
	default:
		fields = append(fields, "k: 1", "x: 2")
	}
	return "emit d { " + strings.Join(fields[m.n(2):], "  ") + " }"
}

// field draws an expression for an alert.
func (m *maker) field(s *scope, names, more []string) string {
	from := []string{
		m.operand(s), m.operand(s), m.condition(s), fmt.Sprintf(`"<${%s}|${%s}>"`, m.operand(s), m.operand(s)),
		m.operand(s) + m.one(" + ", " - ", " * ", " / ") + m.operand(s), m.condition(s) + " ? " + m.operand(s) + " : nil",
	}
	from = append(from, names...)
	if s.fields {
		from = append(from, "meta.time", "meta.type", "meta.key", "meta.headers.h", "s", "upper(s)", "len(g)", `"${k}${s}${f}"`)
	}
	for _, name := range s.single {
		from = append(from, name+".s", name+".meta.time", name+" == nil", name+".f", name+".meta.key", name+".meta.headers.h")
	}
	if len(s.single) > 1 {
		from = append(from, fmt.Sprintf("seconds(%s.meta.time - %s.meta.time)", s.single[1], s.single[0]))
	}
	for _, name := range s.many {
		from = append(from, "values("+name+".x)", "collect("+name+".s, 2)", "first("+name+").meta.time", "last("+name+").meta.key", "max("+name+".meta.headers.h)", "stddev("+name+".y)",
			"top("+name+".x, 2)", "slope("+name+".y)", "percentile("+name+".y, 75)", name+"[count("+name+") - 1].x")
	}
	if len(more) > 0 && m.chance(40) {
		return m.one(more...)
	}
	return m.one(from...)
}

// sketch is a pattern that is being drawn.
type sketch struct {
	m     *maker
	text  strings.Builder
	scope scope
	key   bool   // the rule's key is k
	from  string // the clause, which never names c
	count int    // parts so far
	depth int    // of groups
	all   bool   // match all
}

func (m *maker) patternRule() []string {
	p := &sketch{m: m}
	by, names := m.key()
	p.key = by == "by k"
	if m.chance(25) {
		p.from = m.from()
	}
	clauses := []string{p.from, by, "match " + p.draw()}
	least := 0
	if strings.Contains(p.text.String(), " for ") {
		least = 6
	}
	if m.chance(75) || p.needsWithin() {
		clauses = append(clauses, fmt.Sprintf("within %ds", least+m.seconds()+m.n(2)*10))
	}
	if m.chance(12) {
		clauses = append(clauses, "until "+m.one(m.kinds...)+"["+m.condition(&scope{fields: true})+"]")
	}
	if p.all {
		return p.outputsOfAll(clauses, names)
	}
	if m.chance(20) {
		clauses = append(clauses, "having "+m.condition(&p.scope))
	}
	return m.outputs(clauses, &p.scope, names)
}

// outputsOfAll adds what match all has of its own.
func (p *sketch) outputsOfAll(clauses, names []string) []string {
	m := p.m
	if m.chance(30) {
		clauses = append(clauses, "having matches() "+m.one("> 1", "<= 3", "% 2 == 0"))
	}
	if m.chance(25) {
		clauses = append(clauses, "limit 0")
		return m.outputs(clauses, &scope{}, append(slices.Clone(names), "matches()", "matches()"))
	}
	if m.chance(40) {
		clauses = append(clauses, fmt.Sprintf("limit %d", 1+m.n(4)))
	}
	return m.outputs(clauses, &p.scope, append(slices.Clone(names), "matches()"))
}

// needsWithin reports whether the pattern ends in a negation without `for`.
func (p *sketch) needsWithin() bool {
	last := strings.LastIndex(p.text.String(), "-> !")
	return last >= 0 && !strings.Contains(p.text.String()[last+2:], "->") && !strings.Contains(p.text.String()[last:], " for ")
}

// draw draws the mode and the parts.
func (p *sketch) draw() string {
	m := p.m
	mode := m.one("", "", "last ", "every ", "first ", "every ", "all ")
	p.all = mode == "all "
	parts := 1 + m.n(4)
	if m.chance(12) {
		fmt.Fprintf(&p.text, "%s ->[%s] ", p.negation(), m.span())
		p.step(false, false)
	} else {
		p.piece(parts > 1 && m.chance(30))
	}
	for i := 1; i < parts; i++ {
		if last := i == parts-1; !last && m.chance(20) {
			p.between()
		} else {
			p.link(&p.text)
			p.piece(!last && m.chance(40))
		}
	}
	if mode != "last " && m.chance(22) {
		p.text.WriteString(" -> " + p.negation())
		if m.chance(50) {
			fmt.Fprintf(&p.text, " for %ds", 1+m.n(6))
		}
	}
	return mode + p.text.String()
}

// between draws a negation in the middle and the part after it.
func (p *sketch) between() {
	m := p.m
	p.text.WriteString(" -> " + p.negation())
	switch {
	case m.chance(30):
		fmt.Fprintf(&p.text, " for %ds", 1+m.n(6))
	case m.chance(10):
		p.text.WriteString(" -> " + p.negation())
	}
	p.text.WriteString(m.one(" -> ", " -> ", " => "))
	p.piece(false)
}

func (p *sketch) link(to *strings.Builder) {
	m := p.m
	switch m.n(10) {
	case 7, 8:
		to.WriteString(" => ")
	case 9:
		from, until := m.n(4), m.seconds()
		if from > 0 && from < until && m.chance(50) {
			fmt.Fprintf(to, " ->[%ds..%ds] ", from, until)
		} else {
			fmt.Fprintf(to, " ->[%ds] ", until)
		}
	default:
		to.WriteString(" -> ")
	}
}

// negation draws `!A` or `!(A | B)`.
func (p *sketch) negation() string {
	seen := scope{fields: true, single: p.scope.single, many: p.scope.many}
	one := func(kind string) string {
		p.count++
		text := fmt.Sprintf("n%d: %s", p.count, kind)
		if p.m.chance(75) {
			text += "[" + p.m.condition(&seen) + "]"
		}
		return text
	}
	if p.m.chance(15) {
		return "!(" + one("a") + " | " + one(p.m.one("b", "c")) + ")"
	}
	return "!" + one(p.m.one(p.m.kinds...))
}

// piece draws a step or a group. free says that it may be left out.
func (p *sketch) piece(free bool) {
	if p.m.chance(25) {
		p.group(free, false)
		return
	}
	p.step(free, false)
}

// group draws one of the four kinds of groups. repeated says that a group around it is.
func (p *sketch) group(free, repeated bool) {
	m := p.m
	repeat := ""
	kind := m.n(4) // either, both, any, sequence
	if kind == 3 || m.chance(25) {
		repeat = p.repetition(free)
	}
	before := p.scope
	var taken scope
	sides := 2 + m.n(2)
	p.depth++
	defer func() { p.depth-- }()
	if kind == 2 {
		fmt.Fprintf(&p.text, "any %d of ", 1+m.n(sides))
	}
	p.text.WriteString("(")
	for i := range sides {
		if i > 0 && kind == 3 {
			p.link(&p.text)
		} else if i > 0 {
			p.text.WriteString([]string{" | ", " & ", ", "}[kind])
		}
		p.side(kind != 3, free || i > 0, repeated || repeat != "" && repeat != "?")
		if kind == 3 {
			continue
		}
		taken.single = append(taken.single, p.scope.single[len(before.single):]...)
		taken.many = append(taken.many, p.scope.many[len(before.many):]...)
		p.scope = before // one side does not see the others
	}
	p.text.WriteString(")" + repeat)
	p.scope.single = slices.Concat(p.scope.single, taken.single)
	p.scope.many = slices.Concat(p.scope.many, taken.many)
}

// side draws what stands in a group: a step, or, in those that are no sequence, a
// sequence of two; now and then a group again. free says that it may be left out.
func (p *sketch) side(sequence, free, repeated bool) {
	m := p.m
	switch {
	case sequence && m.chance(25):
		p.text.WriteString("(")
		p.step(false, repeated)
		p.link(&p.text)
		p.step(m.chance(20), repeated)
		p.text.WriteString(")")
	case m.chance(10) && p.count < 8:
		p.group(false, repeated)
	default:
		p.step(!sequence && free && m.chance(10), repeated)
	}
}

// repetition draws one for what may be left out, or may not.
func (p *sketch) repetition(free bool) string {
	m := p.m
	repeat := m.one("+", "{2}", "{2,}", "{1,2}", "{2,3}", "+")
	if free {
		repeat = m.one("?", "*", "?", "{0,2}")
	}
	if repeat != "?" && m.chance(20) {
		repeat = strings.NewReplacer("+", "{1,}", "*", "{0,}").Replace(repeat) + " strict"
	}
	return repeat
}

// step draws a step with its repetition. free says that it may be left out, repeated
// that a group around it is repeated.
func (p *sketch) step(free, repeated bool) {
	m := p.m
	p.count++
	name, kind := fmt.Sprintf("p%d", p.count), m.one(m.kinds...)
	repeat := ""
	if m.chance(40) {
		repeat = p.repetition(free)
	}
	many := repeated || repeat != "" && repeat != "?"
	seen := scope{fields: true, single: p.scope.single, many: p.scope.many}
	if many {
		seen.self = name
	}
	seen.foreign = kind == "c" && p.key && m.chance(30)
	text := name + ": " + kind
	if m.chance(40) {
		text += "[" + m.condition(&seen) + "]"
	}
	if seen.foreign {
		text += " by k2 "
		repeat = strings.NewReplacer("+", "{1,}", "*", "{0,}", "?", "{0,1}").Replace(repeat) // after k2 they would be operators
	}
	if seen.foreign && p.depth > 0 {
		text = "(" + text + ")" // a comma would go on with the key
	}
	p.text.WriteString(text + repeat)
	if many {
		p.scope.many = append(slices.Clone(p.scope.many), name)
	} else {
		p.scope.single = append(slices.Clone(p.scope.single), name)
	}
}
