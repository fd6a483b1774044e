package check

import (
	"fmt"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Memo remembers the last set that came out whole, so that the next one costs what has
// changed: a rule whose text and all that it names are as they were is taken over with
// its plan. The set and the messages are those that [With] gives. The zero Memo
// remembers nothing; to drop it loses time and nothing else. It is used by one goroutine
// at a time. It keeps the plans and the texts of rules, and no tree.
//
// Of two sets of one Memo a rule, or a type, of which nothing has changed is the same
// pointer: the rule reads the same slots of types that have as many words of bits.
type Memo struct {
	types   []*plan.Type
	globals map[string]string // what all else than rules means, by name
	rules   map[string]*kept
}

// work is what compiling one rule has said and asked beside its plan: what others see of
// it, in the order in which they saw it.
type work struct {
	notes source.Errors // also those that were known
	nodes int           // of expressions
	edges []derivation
	asks  []ask
	reads []read
	slots []slotRead // each once
	kept  *kept      // not nil: the rule was taken over
}

// ask is a look-up of values of a kind in file n of the set.
type ask struct {
	file int
	kind event.Kind
}

// read is a question to a projection, and the place among the reads of the event type
// that it was given.
type read struct {
	typ, projection int
	key             *plan.Expr
	place           int
}

// kept is a rule of the last set.
type kept struct {
	at   source.Span // of its declaration
	plan *plan.Rule
	work work
}

// changes are the names that do not mean what they did when the memo was made.
type changes struct {
	all   bool // which they are cannot be told
	names map[string]bool
}

// touch reports whether a text uses one of the names.
func (ch changes) touch(text string) bool {
	return ch.all || len(ch.names) > 0 && usesName(text, func(name string) bool { return ch.names[name] })
}

func (ch *changes) add(name string) {
	ch.all = ch.all || plainName(name) == "" // a text is searched for words
	ch.names[name] = true
}

// meetMemo finds what has changed since the memo's set, rules apart.
func (c *checker) meetMemo() {
	c.changed = changes{names: map[string]bool{}}
	if len(c.memo.rules) == 0 {
		return
	}
	now := c.meanings()
	for name, meaning := range now {
		if was, ok := c.memo.globals[name]; !ok || was != meaning {
			c.changed.add(name)
		}
	}
	for name := range c.memo.globals {
		if _, ok := now[name]; !ok {
			c.changed.add(name)
		}
	}
	for name := range c.poison {
		c.changed.add(name)
	}
	c.spread(now)
}

// spread adds the names whose meaning rests on changed ones.
func (c *checker) spread(now map[string]string) {
	for more := len(c.changed.names) > 0; more; {
		more = false
		for name, meaning := range now {
			if !c.changed.names[name] && c.changed.touch(meaning) {
				c.changed.add(name)
				more = true
			}
		}
	}
}

// meanings says of every name but those of rules what it means: its text, and what of
// the set its meaning rests on beside names: numbers, and columns of files.
func (c *checker) meanings() map[string]string {
	out := make(map[string]string, len(c.names))
	for name, d := range c.names {
		out[name] = d.DeclSpan().Text()
	}
	for i, t := range c.set.Types {
		out[t.Schema.Name] += fmt.Sprintf(" #%d", i)
	}
	for i, f := range c.set.Files {
		out[f.Name] += fmt.Sprintf(" #%d %v", i, f.Columns)
	}
	for i, p := range c.set.Projections {
		out[p.Name] += fmt.Sprintf(" #%d", i)
	}
	return out
}

// takeOver adds the rule as the memo has it to the set, and says what compiling it would.
// It reports false where it must be compiled.
func (c *checker) takeOver(d *syntax.Rule) bool {
	k := c.memo.rules[d.Name.Text]
	if k == nil || d.Broken || k.at.Text() != d.Span.Text() || c.full() || c.changed.touch(k.at.Text()) {
		return false
	}
	if c.globals.Nodes+k.work.nodes > c.budget || !c.asksTheSame(k) {
		return false
	}
	w := c.work
	w.kept, w.slots, w.nodes = k, k.work.slots, k.work.nodes
	c.set.Rules = append(c.set.Rules, k.plan)
	c.globals.Nodes += w.nodes
	for _, a := range k.work.asks {
		c.ask(a.file, a.kind)
	}
	for _, e := range k.work.edges {
		w.edges = append(w.edges, derivation{len(c.set.Rules) - 1, e.typ, moved(e.at, k.at, d.Span)})
	}
	for _, e := range k.work.notes {
		e.Span = moved(e.Span, k.at, d.Span)
		c.report(e)
	}
	return true
}

// asksTheSame asks the projections what the rule does, and reports whether its questions
// have the places among all that they had.
func (c *checker) asksTheSame(k *kept) bool {
	for _, r := range k.work.reads {
		place, fresh := c.read(r.typ, r.projection, r.key)
		if fresh {
			c.oldKeys[r.key] = true
		}
		if place != r.place {
			return false
		}
		c.work.reads = append(c.work.reads, r)
	}
	return true
}

// moved is the place in a declaration that stood at from and stands at to.
func moved(at, from, to source.Span) source.Span {
	return source.Span{File: to.File, Start: at.Start - from.Start + to.Start, End: at.End - from.Start + to.Start}
}

// remember makes the memo one of the set that is done.
func (c *checker) remember() {
	rules := make(map[string]*kept, len(c.ruleDecls))
	for i, d := range c.ruleDecls {
		k := &kept{at: d.Span, plan: c.set.Rules[i], work: *c.works[i]}
		k.work.kept = nil
		if keepable(k) {
			rules[d.Name.Text] = k
		}
	}
	c.memo.types, c.memo.globals, c.memo.rules = c.set.Types, c.meanings(), rules
}

// keepable reports whether all that was said of a rule lies in its text, and so moves
// with it.
func keepable(k *kept) bool {
	for _, e := range k.work.notes {
		if e.Also.Known() || e.Span.File != k.at.File || e.Span.Start < k.at.Start || e.Span.End > k.at.End {
			return false
		}
	}
	return true
}
