package check

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/predicate"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Check checks the files of one rule set and compiles them. The messages are all that
// is wrong, warnings included, in file order. The Set is nil where any message is an
// error; it is also nil where a declaration is broken, of which the parser has told. Of
// a broken rule all is told but what a missing part may be the reason of; what rests on
// other broken declarations is not judged.
//
// Lists and tables from files are errors: see [With].
func Check(files []*syntax.File) (*plan.Set, source.Errors) { return With(files, nil) }

// With is Check with what reads the files of lists and tables; nil reads none.
func With(files []*syntax.File, data Data) (*plan.Set, source.Errors) {
	return new(Memo).Check(files, data)
}

// Check is [With], and looks only at what is new since the last set that this gave.
func (m *Memo) Check(files []*syntax.File, data Data) (*plan.Set, source.Errors) {
	c := &checker{
		memo:    m,
		data:    data,
		work:    &work{},
		set:     &plan.Set{},
		globals: &predicate.Globals{},
		names:   map[string]syntax.Decl{},
		rules:   map[string]*syntax.Rule{},
		types:   map[string]*plan.Type{},
		seen:    map[seenKey]bool{},
		poison:  map[string]bool{},
		shown:   map[*syntax.Rule]map[string]event.Type{},
		oldKeys: map[*plan.Expr]bool{},
	}
	c.budget = nodeBudget(files)
	c.declare(files)
	c.compileTypes()
	c.compileGlobals()
	c.meetMemo()
	c.compileRules()
	c.checkTests()
	c.boundReads(c.tables)
	c.fitFiles()
	c.errs.Sort()
	if c.broken || c.errs.HasErrors() {
		return nil, c.errs
	}
	c.settle()
	for _, p := range c.set.Projections {
		p.Version, p.Memory = projectionVersion(c.set, p), projectionMemory(c.set, p)
	}
	for _, r := range c.set.Rules {
		if r.Version == "" {
			r.Version, r.Memory, r.Steps = ruleVersion(c.set, r), ruleMemory(c.set, r), ruleSteps(c.set, r)
		}
	}
	c.set.Version = setVersion(c.set)
	c.remember()
	return c.set, c.errs
}

// checker is the work on one rule set.
type checker struct {
	memo    *Memo
	changed changes             // since the memo's set
	work    *work               // on the rule at hand; before the first rule on what all share
	works   []*work             // by rule of the set
	oldKeys map[*plan.Expr]bool // keys of reads that are the memo's, slots and all
	failed  int                 // how many of errs are errors

	set     *plan.Set
	errs    source.Errors
	tables  []*syntax.Table
	seen    map[seenKey]bool
	broken  bool // a declaration did not parse
	globals *predicate.Globals
	budget  int // nodes of expressions that may be checked

	poison map[string]bool        // names of which nothing is known, for their declarations are broken
	names  map[string]syntax.Decl // events, lets, fns, lists and tables by name
	rules  map[string]*syntax.Rule
	// All rules, and the events whose name is taken: they are checked like the others.
	ruleDecls []*syntax.Rule
	doubles   []*syntax.Event
	tests     []*syntax.Test
	ruleWords []string                               // names of the declared rules; made when first asked for
	shown     map[*syntax.Rule]map[string]event.Type // what alerts show, of rules that tests expect

	data  Data
	paths []source.Span // of the files of the set, as written

	types  map[string]*plan.Type // declared and not broken
	events []string              // names of all declared events; made when first asked for
}

// seenKey names a message. An expression is compiled for each event type it sees;
// what is wrong with it is told once.
type seenKey struct {
	span source.Span
	code string
}

func (c *checker) report(e source.Error) {
	c.work.notes = append(c.work.notes, e)
	key := seenKey{e.Span, e.Code}
	if c.seen[key] {
		return
	}
	c.seen[key] = true
	c.errs = append(c.errs, e)
	if e.Severity == source.Err {
		c.failed++
	}
}

// forget drops the messages since the first n that something is true of.
func (c *checker) forget(n int, isVoid func(source.Error) bool) {
	c.errs = append(c.errs[:n], slices.DeleteFunc(c.errs[n:], func(e source.Error) bool {
		void := isVoid(e)
		if void && e.Severity == source.Err {
			c.failed--
		}
		return void
	})...)
}

func (c *checker) fail(code string, at source.Span, mend, format string, args ...any) {
	c.report(source.Error{Code: code, Span: at, Message: fmt.Sprintf(format, args...), Mend: mend})
}

func (c *checker) warn(code string, at source.Span, mend, message string) {
	c.report(source.Error{Severity: source.Warning, Code: code, Span: at, Message: message, Mend: mend})
}

// failTwice reports the second of two things that share a name.
func (c *checker) failTwice(code string, again, first source.Span, format string, args ...any) {
	c.report(source.Error{
		Code: code, Span: again, Message: fmt.Sprintf(format, args...),
		Also: first, AlsoText: "first here",
	})
}

// maxErrors is how many errors are gathered before expressions are no longer looked at
// and near names no longer sought: many times what is shown, so that a file full of
// faults takes no longer than a sound one.
const maxErrors = 10 * source.MaxErrors

// full reports that enough was said, or enough work done.
func (c *checker) full() bool {
	return c.failed >= maxErrors || c.globals.Nodes > c.budget
}

// near makes a mend out of the candidate nearest to name; otherwise says what to do
// where there is none.
func (c *checker) near(name string, candidates []string, otherwise string) string {
	if c.full() {
		return otherwise
	}
	if found, ok := source.Near(name, candidates); ok {
		return fmt.Sprintf("did you mean %q?", found)
	}
	return otherwise
}

// byName sorts declarations by name: what is compiled never depends on the order of
// files.
func byName[D syntax.Decl](decls []D) []D {
	type named struct {
		name string
		at   int
	}
	order, sorted := make([]named, len(decls)), make([]D, len(decls))
	for i, d := range decls {
		order[i] = named{d.DeclName().Text, i}
	}
	slices.SortFunc(order, func(a, b named) int {
		return cmp.Or(strings.Compare(a.name, b.name), cmp.Compare(a.at, b.at))
	})
	for i, n := range order {
		sorted[i] = decls[n.at]
	}
	return sorted
}

// typeNamed returns the type that an event name means. ok is false where there is
// none to work with: it is not declared, which is reported, or broken.
func (c *checker) typeNamed(name syntax.Name) (*plan.Type, bool) {
	if t, ok := c.types[name.Text]; ok {
		return t, true
	}
	if _, ok := c.names[name.Text].(*syntax.Event); ok {
		return nil, false
	}
	c.fail(codeUnknownEvent, name.Span, c.near(name.Text, c.eventNames(), "declare it: event "+name.Text+" { … }"),
		"unknown event type %q", name.Text)
	return nil, false
}

// eventNames lists the declared event types, broken ones too, sorted.
func (c *checker) eventNames() []string {
	if c.events == nil {
		for _, d := range declared[*syntax.Event](c) {
			c.events = append(c.events, d.Name.Text)
		}
	}
	return c.events
}

// typeIndex is the number of a type in Set.Types.
func (c *checker) typeIndex(t *plan.Type) int { return slices.Index(c.set.Types, t) }
