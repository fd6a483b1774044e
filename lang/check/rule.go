package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// ruleKind is the kind of a rule.
type ruleKind uint8

const (
	filterRule ruleKind = iota
	windowRule
	patternRule
)

var kindWords = [...]string{"a filter", "a window rule", "a pattern rule"}

// rule is the work on one rule.
type rule struct {
	*checker
	decl *syntax.Rule
	out  *plan.Rule
	kind ruleKind

	types   []*plan.Type // what it reads, in order of Set.Types
	blind   bool         // from names a type that is unknown: what sees its events cannot be judged
	unknown []string     // steps of unknown types
	lets    []predicate.Let
	keys    []predicate.Key // named and typed; IsField is set a type at a time
	aggs    *aggSink
	hint    func(source.Error) source.Error // betters what is said of an expression; nil: it stays
}

func (c *checker) compileRules() {
	shared := c.work
	c.ruleDecls = byName(c.ruleDecls)
	for _, d := range c.ruleDecls {
		c.work = &work{}
		c.works = append(c.works, c.work)
		if !c.takeOver(d) {
			before := c.globals.Nodes
			c.compileWhole(d)
			c.work.nodes = c.globals.Nodes - before
		}
	}
	c.work = shared
	c.layStrata()
}

func (c *checker) compileRule(d *syntax.Rule) {
	d = c.bound(d)
	r := &rule{checker: c, decl: d, out: &plan.Rule{Name: d.Name.Text}, kind: kindOf(d)}
	c.set.Rules = append(c.set.Rules, r.out)
	r.head()
	r.legality()
	for _, l := range d.Lets {
		r.localLet(l)
	}
	if r.kind == patternRule {
		r.pattern()
	} else {
		r.stream()
	}
}

func kindOf(d *syntax.Rule) ruleKind {
	switch {
	case d.Match != nil:
		return patternRule
	case len(d.Windows) > 0:
		return windowRule
	}
	return filterRule
}

// head takes the clauses that only go along with alerts.
func (r *rule) head() {
	d, out := r.decl, r.out
	if d.Title != nil {
		out.Title = d.Title.Value
	}
	out.Severity = plan.Medium
	if d.Severity != nil {
		out.Severity = severity(d.Severity.Level)
	}
	if d.Mode != nil {
		out.Mode = mode(d.Mode.Word)
	}
	if d.Runbook != nil {
		out.Runbook = d.Runbook.Value
	}
	labels := make([]syntax.Name, len(d.Labels))
	for i, l := range d.Labels {
		labels[i] = l.Name
		out.Labels = append(out.Labels, plan.Label{Name: l.Name.Text, Text: l.Text.Value})
	}
	out.Tags, out.To = texts(d.Tags), texts(d.To)
	r.unique(codeDuplicateItem, "label", labels)
	r.unique(codeDuplicateItem, "tag", d.Tags)
	r.unique(codeDuplicateItem, "sink", d.To)
}

func severity(word string) plan.Severity {
	switch word {
	case "info":
		return plan.Info
	case "low":
		return plan.Low
	case "high":
		return plan.High
	case "critical":
		return plan.Critical
	}
	return plan.Medium
}

func mode(word string) plan.Mode {
	switch word {
	case "shadow":
		return plan.Shadow
	case "off":
		return plan.Off
	}
	return plan.Live
}

func texts(names []syntax.Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, n.Text)
	}
	return out
}

// clauseLaws says which clauses only some kinds of rules may have, and what to do
// about one that stands elsewhere.
var clauseLaws = []struct {
	word  string
	kinds []ruleKind
	mend  string
}{
	{"having", []ruleKind{windowRule, patternRule}, "put the condition after where"},
	{"once", []ruleKind{windowRule}, "to send fewer alerts, use suppress"},
	{"within", []ruleKind{patternRule}, "add a match, or a window"},
	{"until", []ruleKind{patternRule}, "add a match"},
	{"limit", []ruleKind{patternRule}, "add a match all"},
	{"window", []ruleKind{windowRule}, "make two rules of it: one with the window, one with the match"},
}

// legality reports clauses that the rule may not have, and those that it lacks.
func (r *rule) legality() {
	for _, law := range clauseLaws {
		at, ok := r.decl.Clause(law.word)
		if ok && !slices.Contains(law.kinds, r.kind) {
			r.fail(codeClause, at.Keyword, law.mend, "%s cannot have %s", kindWords[r.kind], law.word)
		}
	}
	if at, ok := r.decl.Clause("once"); ok && r.decl.Having == nil && r.kind == windowRule {
		r.fail(codeMissing, at.Keyword, "add having CONDITION", "once needs a having: it tells when that becomes true")
	}
	if l := r.decl.Limit; l != nil && r.kind == patternRule && r.decl.Match.Select != syntax.SelectAll {
		r.fail(codeClause, l.Span, "write match all, or leave limit out", "limit counts the matches of match all")
	}
	if r.decl.From == nil && r.kind != patternRule {
		r.fail(codeMissing, r.decl.Name.Span, "add from EVENT, or match PATTERN", "rule %q reads no events", r.out.Name)
	}
	if s := r.decl.Suppress; s != nil && s.For.Nanos == 0 {
		r.fail(codeDuration, s.For.Span, "leave suppress out", "suppress 0s suppresses nothing")
	}
}

func (r *rule) localLet(l *syntax.Let) {
	for _, first := range r.decl.Lets {
		if first == l {
			break
		}
		if first.Name.Text == l.Name.Text {
			r.failTwice(codeDuplicateItem, l.Name.Span, first.Name.Span, "let %q is written twice", l.Name.Text)
			return
		}
	}
	if l.Broken || l.Expr == nil {
		return
	}
	r.lets = append(r.lets, predicate.Let{Name: l.Name.Text, Expr: l.Expr.Span})
}

// fromTypes adds the types of from to what the rule reads.
func (r *rule) fromTypes() {
	if r.decl.From == nil {
		return
	}
	r.unique(codeDuplicateItem, "event type", r.decl.From.Events)
	for _, name := range r.decl.From.Events {
		if t, ok := r.typeNamed(name); ok {
			r.reads(t)
		} else {
			r.blind = true
		}
	}
}

// reads adds a type to what the rule reads, in the order of Set.Types.
func (r *rule) reads(t *plan.Type) {
	at, found := slices.BinarySearchFunc(r.types, t, func(a, b *plan.Type) int {
		return cmp.Compare(a.Schema.Name, b.Schema.Name)
	})
	if !found {
		r.types = slices.Insert(r.types, at, t)
	}
}

// inFrom reports whether from names a type.
func (r *rule) inFrom(t *plan.Type) bool {
	if r.decl.From == nil {
		return false
	}
	return slices.ContainsFunc(r.decl.From.Events, func(name syntax.Name) bool { return name.Text == t.Schema.Name })
}

// scope is what every place over an event of type t sees: its fields, the names of the
// key, constants and functions. t may be nil: then there is no event at hand.
func (r *rule) scope(place string, t *plan.Type, key []*plan.Expr) *predicate.Scope {
	s := &predicate.Scope{Place: place, Event: t, Globals: r.globals, Lets: r.letsBesideKeys()}
	for i, k := range r.keys {
		k.IsField = i < len(key) && isField(key[i], k.Name)
		s.Keys = append(s.Keys, k)
	}
	if t != nil && r.kind != patternRule {
		s.Others = r.fromBeside(t)
	}
	return s
}

// compile compiles an expression unless it rests on a step of an unknown type.
func (r *rule) compile(at source.Span, s *predicate.Scope, want event.Kind) *plan.Expr {
	if r.clouded(at.Text()) || r.full() {
		return nil
	}
	e, errs := predicate.Compile(at, s, want)
	for i := range errs {
		if r.hint != nil {
			errs[i] = r.hint(errs[i])
		}
	}
	return r.compiled(at, e, errs)
}

func (r *rule) clouded(text string) bool {
	return r.poisoned(text) || usesName(text, func(name string) bool { return slices.Contains(r.unknown, name) })
}

func isField(e *plan.Expr, name string) bool {
	return e != nil && e.Op == plan.OpField && e.Name == name
}

// letsBesideKeys leaves out the lets that are a part of the key by their own name (let
// pair = …, by pair): there the two are one thing.
func (r *rule) letsBesideKeys() []predicate.Let {
	var out []predicate.Let
	for _, l := range r.lets {
		if !r.isKeyLet(l.Name) {
			out = append(out, l)
		}
	}
	return out
}

func (r *rule) isKeyLet(name string) bool {
	return slices.ContainsFunc(r.decl.By, func(k *syntax.Key) bool {
		return k.As.Text == "" && plainName(k.Expr.Span.Text()) == name
	})
}

// where compiles the filter of an input. The event has no key yet: names of key parts
// stand for their expressions.
func (r *rule) where(t *plan.Type) *plan.Expr {
	if r.decl.From == nil || r.decl.From.Where == nil || r.blind {
		return nil
	}
	s := r.scope("where", t, nil)
	s.Keys, s.Lets = nil, r.lets
	for i, k := range r.decl.By {
		if k.As.Text != "" && i < len(r.keys) && !r.isLet(k.As.Text) {
			s.Lets = append(s.Lets[:len(s.Lets):len(s.Lets)], predicate.Let{Name: k.As.Text, Expr: k.Expr.Span})
		}
	}
	s.Others = r.fromBeside(t)
	s.NoAggs = "where looks at one event"
	return r.compile(r.decl.From.Where.Span, s, event.Bool)
}

// fromBeside lists the types of from that are not t.
func (r *rule) fromBeside(t *plan.Type) []*plan.Type {
	var out []*plan.Type
	for _, other := range r.types {
		if other != t && r.inFrom(other) {
			out = append(out, other)
		}
	}
	return out
}

func (r *rule) isLet(name string) bool {
	return slices.ContainsFunc(r.lets, func(l predicate.Let) bool { return l.Name == name })
}

// outputs are what an alert is made of.
type outputs struct {
	having     *plan.Expr
	emit       []plan.Field
	suppressBy []*plan.Expr
	derived    []plan.Derived
}

// outputs compiles having, emit and suppress by. scope makes the scope of a place.
func (r *rule) outputs(scope func(place string) *predicate.Scope) outputs {
	var out outputs
	if r.decl.Having != nil && r.kind != filterRule {
		out.having = r.compile(r.decl.Having.Span, scope("having"), event.Bool)
	}
	if r.decl.Emit != nil {
		r.unique(codeDuplicateItem, "field of emit", fieldDeclNames(r.decl.Emit.Fields))
		for _, f := range r.decl.Emit.Fields {
			e := r.compile(f.Expr.Span, scope("emit"), event.Nil)
			out.emit = append(out.emit, plan.Field{Name: f.Name.Text, Expr: e})
		}
	}
	if r.decl.Suppress != nil {
		for _, by := range r.decl.Suppress.By {
			e := r.compile(by.Span, scope("suppress by"), event.Nil)
			r.suppressible(by.Span, e)
			out.suppressBy = append(out.suppressBy, e)
		}
	}
	for _, d := range r.decl.Derived {
		out.derived = append(out.derived, r.derived(d, scope)...)
	}
	return out
}

func (r *rule) suppressible(at source.Span, e *plan.Expr) {
	if e != nil && !e.Type.Kind.Scalar() {
		r.fail(codeSuppressBy, at, "", "alerts cannot be told apart by %s", article(e.Type))
	}
}

// plainName returns the name that a text is, without backticks; empty where it is
// anything else.
func plainName(text string) string {
	if len(text) > 2 && text[0] == '`' && strings.IndexByte(text[1:], '`') == len(text)-2 {
		return text[1 : len(text)-1]
	}
	switch text {
	case "", "true", "false", "nil":
		return ""
	}
	if strings.ContainsFunc(text, notOfName) || unicode.IsDigit(rune(text[0])) {
		return ""
	}
	return text
}

func notOfName(c rune) bool { return c != '_' && !unicode.IsLetter(c) && !unicode.IsDigit(c) }

// place names a place of one step for messages.
func place(what, step string) string { return fmt.Sprintf("%s of step %q", what, step) }
