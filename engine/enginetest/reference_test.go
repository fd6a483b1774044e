package enginetest

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// The reference evaluator: a second implementation of the language, written from
// docs/language.md alone and in the plainest way. It holds all events, knows the whole
// order of them before it begins, evaluates the text of expressions anew each time, and
// finds windows by filtering a list. It shares with the engine the reading of rule
// files into syntax, and nothing else.
//
//	reference_order_test.go      records to events, late ones, the order of several partitions
//	reference_value_test.go      values, nil, arithmetic
//	reference_expr_test.go       the text of expressions to trees
//	reference_eval_test.go       trees over events, steps and windows
//	reference_aggregate_test.go  aggregates, over lists
//	reference_window_test.go     filters and window rules
//	reference_pattern_test.go    patterns: runs, places, negations
//	reference_all_test.go        match all
//	reference_place_test.go      what an event does at a place of the outermost sequence
//	reference_part_test.go       the parts of a pattern
//	reference_progress_test.go   what an event does within one of them
//	reference_derived_test.go    events that rules make, and projections
//
// It does not know: dedup, ahead, fn, lists and tables from files, keep, calendars, idle
// sources, and the limits. Those have tests of their own.

// alert is what a rule of the reference reports.
type alert struct {
	rule       string
	keyNames   []string
	key        []any
	time       int64
	final      bool
	window     *extent  // of windows with an end
	names      []string // of the fields
	fields     []any
	suppressed int
	events     []taken
	about      *occurrence // what start and end are of where there are no events
	by         []any       // the values of suppress by
	made       []*occurrence
}

// taken is an event with the step that took it.
type taken struct {
	step  string
	event *occurrence
}

// judge is a rule that is being evaluated.
type judge interface {
	// take gives the rule an event; its deadlines at or before that time have fired.
	take(e *occurrence) []*alert
	// deadline is the time of the rule's next deadline, forever where it has none.
	deadline() int64
	// fire lets the deadlines at that time pass.
	fire(at int64) []*alert
}

// ruleBook is what the reference knows of a rule set.
type ruleBook struct {
	types  map[string]*syntax.Event
	lets   map[string]*node
	tables map[string]*projection
	rules  []*syntax.Rule // sorted by name
}

func readRules(texts ...string) *ruleBook {
	b := &ruleBook{types: map[string]*syntax.Event{}, lets: map[string]*node{}, tables: map[string]*projection{}}
	for _, text := range texts {
		f, errs := syntax.Parse(&source.File{Name: "rules.cep", Text: text})
		if errs.HasErrors() {
			panic(errs)
		}
		for _, e := range f.Events {
			b.types[e.Name.Text] = e
		}
		for _, l := range f.Lets {
			b.lets[l.Name.Text] = parseExpr(l.Expr.Span.Text())
		}
		for _, l := range f.Lists {
			b.lets[l.Name.Text] = &node{op: "list", args: exprs(l.Items)}
		}
		for _, t := range f.Tables {
			b.tables[t.Name.Text] = &projection{decl: t, lets: b.lets}
		}
		b.rules = append(b.rules, f.Rules...)
	}
	slices.SortFunc(b.rules, func(x, y *syntax.Rule) int { return strings.Compare(x.Name.Text, y.Name.Text) })
	return b
}

func exprs(es []*syntax.Expr) []*node {
	var out []*node
	for _, e := range es {
		out = append(out, expr(e))
	}
	return out
}

// expr parses an expression of the syntax tree; nil stays nil.
func expr(e *syntax.Expr) *node {
	if e == nil {
		return nil
	}
	return parseExpr(e.Span.Text())
}

// evaluate runs a rule set over streams and returns all alerts in order. final says
// that the end of the input is the end of time.
func evaluate(rules string, streams []Stream, final bool) []*alert {
	return evaluated(rules, streams, final).out
}

// evaluated is the evaluation after its end: what its rules still remember is in it.
func evaluated(rules string, streams []Stream, final bool) *evaluation {
	book := readRules(rules)
	input := arrive(book.types, streams)
	ev := &evaluation{book: book, known: input.watermark}
	for _, r := range book.rules {
		if r.Mode == nil || r.Mode.Word == "live" {
			ev.rules = append(ev.rules, &running{judge: newJudge(book, r), decl: r})
		}
	}
	events := input.events[:input.released]
	for _, e := range events {
		ev.advance(e.time)
		ev.take(e)
	}
	ev.advance(input.watermark)
	if final {
		for _, e := range input.events[len(events):] {
			ev.advance(e.time)
			ev.take(e)
		}
		ev.advance(forever - 1)
	}
	return ev
}

// evaluation is a run of the reference.
type evaluation struct {
	book  *ruleBook
	rules []*running
	seq   int   // of the last event taken
	known int64 // the watermark at the end of the input
	out   []*alert
}

// running is a rule with what it has suppressed.
type running struct {
	judge
	decl  *syntax.Rule
	quiet []*silence
}

// silence is what suppress knows of one key: the alert that was sent last, and how many
// were not since.
type silence struct {
	of    []any
	sent  int64
	count int
}

func newJudge(book *ruleBook, r *syntax.Rule) judge {
	switch {
	case r.Match != nil && r.Match.Select == syntax.SelectAll:
		return newAllJudge(book, r)
	case r.Match != nil:
		return newPatternJudge(book, r)
	}
	return newWindowJudge(book, r)
}

// advance fires all deadlines up to a time, in order of time, then of rule.
func (ev *evaluation) advance(to int64) {
	for {
		next := int64(forever)
		for _, r := range ev.rules {
			next = min(next, r.deadline())
		}
		if next > to {
			return
		}
		var made []*occurrence
		for _, r := range ev.rules {
			if r.deadline() == next {
				alerts := r.fire(next)
				for _, a := range alerts {
					a.final = next > ev.known
				}
				made = append(made, ev.send(r, alerts)...)
			}
		}
		ev.takeAll(made)
	}
}

// take gives an event to all rules, then to the projections, and then gives the rules the
// events that were made of it.
func (ev *evaluation) take(e *occurrence) {
	ev.seq++
	e.seq = ev.seq
	var made []*occurrence
	for _, r := range ev.rules {
		made = append(made, ev.send(r, r.take(e))...)
	}
	for _, p := range ev.book.tables {
		p.take(e)
	}
	ev.takeAll(made)
}

func (ev *evaluation) takeAll(made []*occurrence) {
	for _, e := range made {
		ev.take(e)
	}
}

// send lets through what is not suppressed, and returns the events that are made of the
// alerts, suppressed or not.
func (ev *evaluation) send(r *running, alerts []*alert) []*occurrence {
	var made []*occurrence
	for _, a := range alerts {
		made = append(made, a.made...)
		if r.decl.Suppress == nil || r.loud(a) {
			ev.out = append(ev.out, a)
		}
	}
	return made
}

// loud reports whether suppress lets an alert through, and counts it where not.
func (r *running) loud(a *alert) bool {
	of := a.key
	if r.decl.Suppress.By != nil {
		of = a.by
	}
	i := slices.IndexFunc(r.quiet, func(s *silence) bool { return sameKey(s.of, of) })
	if i < 0 {
		r.quiet = append(r.quiet, &silence{of: of, sent: a.time})
		return true
	}
	s := r.quiet[i]
	if a.time < s.sent+r.decl.Suppress.For.Nanos {
		s.count++
		return false
	}
	a.suppressed, s.sent, s.count = s.count, a.time, 0
	return true
}

func sameKey(a, b []any) bool { return slices.EqualFunc(a, b, same) }

// compareKeys orders keys by their parts.
func compareKeys(a, b []any) int {
	for i := range a {
		if c, _ := compare(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

// common is what all kinds of rules have.
type common struct {
	book     *ruleBook
	decl     *syntax.Rule
	lets     map[string]*node
	keyNames []string
}

func newCommon(book *ruleBook, r *syntax.Rule) common {
	c := common{book: book, decl: r, lets: map[string]*node{}}
	for name, n := range book.lets {
		c.lets[name] = n
	}
	for _, l := range r.Lets {
		c.lets[l.Name.Text] = expr(l.Expr)
	}
	for _, k := range r.By {
		if k.As.Text != "" {
			c.lets[k.As.Text] = expr(k.Expr) // where there is no key yet, as in `where`
		}
		c.keyNames = append(c.keyNames, cmp.Or(k.As.Text, strings.Trim(k.Expr.Span.Text(), "`")))
	}
	return c
}

// key evaluates the parts of a key; ok is false where one is nil.
func (c *common) key(parts []*syntax.Key, e *occurrence) (key []any, ok bool) {
	v := &view{at: e, lets: c.lets, tables: c.book.tables}
	for _, p := range parts {
		x := v.eval(expr(p.Expr))
		if x == nil {
			return nil, false
		}
		key = append(key, x)
	}
	return key, true
}

func (c *common) keyValues(key []any) map[string]any {
	out := map[string]any{}
	for i, name := range c.keyNames {
		out[name] = key[i]
	}
	return out
}

// admits reports whether `from … where` lets an event of a type it lists pass.
func (c *common) admits(e *occurrence) bool {
	where := c.decl.From.Where
	return where == nil || truth((&view{at: e, lets: c.lets, tables: c.book.tables}).eval(expr(where)))
}

func (c *common) lists(kind string) bool {
	return c.decl.From != nil && slices.ContainsFunc(c.decl.From.Events, func(n syntax.Name) bool { return n.Text == kind })
}

// alert makes the alert of a match or of an evaluation of a window.
func (c *common) alert(key []any, time int64, events []taken, v *view) *alert {
	a := &alert{rule: c.decl.Name.Text, keyNames: c.keyNames, key: key, time: time, events: events}
	if c.decl.Emit != nil {
		for _, f := range c.decl.Emit.Fields {
			a.names = append(a.names, f.Name.Text)
			a.fields = append(a.fields, v.eval(expr(f.Expr)))
		}
	}
	if c.decl.Suppress != nil {
		a.by = v.all(exprs(c.decl.Suppress.By))
	}
	for _, d := range c.decl.Derived {
		a.made = append(a.made, c.derive(d, time, v))
	}
	return a
}
