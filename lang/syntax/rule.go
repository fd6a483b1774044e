package syntax

import (
	"fmt"
	"slices"

	"github.com/alecthomas/participle/v2/lexer"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// ruleReader reads the clauses of one rule.
type ruleReader struct {
	*parser
	rule *Rule
	seen map[string]source.Span // keywords of the clauses that may stand once

	damage damages
	shapes []int // of damage: unknown clauses that may be any of several
	types  bool  // the types of a malformed from are known
	lost   int   // index of the word of an unknown clause that is being passed over; else -1
	last   int   // index of the keyword of the last known clause; -1: none
}

func (p *parser) rule(from int) bool {
	g, open, well := head[ruleG](p, from)
	rule := &Rule{Name: p.name(g.Name), Title: p.text(g.Title)}
	r := &ruleReader{parser: p, rule: rule, seen: map[string]source.Span{}, lost: -1, last: -1}
	if open < 0 {
		rule.Damage = everything()
	}
	return p.declare(from, open, &rule.Span, &rule.Broken, well, func() bool {
		ok := p.items(open, r.clause, r.startsClause)
		r.damage.end(p.toks[p.pair[open]].Pos.Offset)
		rule.Damage = r.damage.list
		p.lacking[rule] = rule.lacks()
		r.narrow()
		return ok
	}, func() { p.out.Rules, p.out.Decls = append(p.out.Rules, rule), append(p.out.Decls, rule) })
}

// clause reads the clause that begins at token i and notes its place.
func (r *ruleReader) clause(i int) bool {
	t := r.toks[i]
	r.damage.end(t.Pos.Offset)
	r.lost = -1
	if t.Type != wordToken || !isClauseWord(t.Value) {
		r.unknownClause(i)
		return false
	}
	r.last, r.types = i, false
	start, before, sound := r.lex.MakeCheckpoint(), len(r.errs.errs), *r.rule
	ok := r.readClause(i, t.Value)
	reported := len(r.errs.errs) > before
	if ok && !reported && r.giveClauseBack(i, start, sound) {
		r.damaged(i, before)
		return true
	}
	if reported && r.skipEmpty(i, start, before) {
		r.damaged(i, before)
		return true
	}
	if reported || !ok {
		r.damaged(i, before)
	}
	if !ok {
		return false
	}
	r.rule.Clauses = append(r.rule.Clauses, Clause{Span: r.since(i), Keyword: tokenSpan(r.stream.file, t)})
	return true
}

// giveClauseBack looks whether the clause at token i, which ends in an expression, took
// the keyword of the next clause for its operand: what follows then begins no clause. It
// says so, forgets what the clause said, and goes back to that keyword.
func (r *ruleReader) giveClauseBack(i int, start lexer.Checkpoint, sound Rule) bool {
	last, next := r.taken(), r.toks[r.at()]
	if !slices.Contains(exprClauses, r.toks[i].Value) || last <= r.nextIndex(i) || !r.startsItem(last, clauseWords) || next.Value == "}" || isClauseWord(next.Value) {
		return false
	}
	from := r.rule.From
	*r.rule = sound
	if r.toks[i].Value == "from" && sound.From == nil {
		r.rule.From, r.types = &From{Span: from.Span, Events: from.Events}, true
	}
	r.lex.LoadCheckpoint(start)
	r.jump(last)
	r.fail(codeExpr, tokenSpan(r.stream.file, r.toks[i]), fmt.Sprintf("the expression of %s is missing or ends too early", show(r.toks[i].Value)), "")
	return true
}

// skipEmpty looks whether a clause that failed is only its keyword, and took the next
// clause's for its own: then it says so in place of what was said.
func (r *ruleReader) skipEmpty(i int, start lexer.Checkpoint, before int) bool {
	next := r.nextIndex(i)
	if r.toks[i].Value == "once" || !r.startsItem(next, clauseWords) {
		return false
	}
	r.errs.errs = r.errs.errs[:before]
	r.lex.LoadCheckpoint(start)
	r.jump(next)
	r.fail(codeUnexpected, tokenSpan(r.stream.file, r.toks[i]), fmt.Sprintf("the clause %q is empty", r.toks[i].Value), "")
	return true
}

// take reads a clause that may stand once; where it stands a second time that is
// reported, and the first counts.
func take[P any](r *ruleReader, i int, set func(rule *Rule, g *P)) bool {
	g, ok := read[P](r.parser)
	if ok && r.once(r.seen, "clause", i) {
		set(r.rule, g)
	}
	return ok
}

// readClause is long because it is flat: one case a clause.
func (r *ruleReader) readClause(i int, keyword string) bool {
	p := r.parser
	switch keyword {
	case "severity":
		return take(r, i, func(rule *Rule, g *severityG) {
			word := p.word(g.Level, "severity", severityWords)
			rule.Severity = &Severity{Span: word.Span, Level: word.Text}
		})
	case "tags":
		return take(r, i, func(rule *Rule, g *tagsG) { rule.Tags = p.tags(g.Tags) })
	case "runbook":
		return take(r, i, func(rule *Rule, g *runbookG) { rule.Runbook = p.text(g.Text) })
	case "mode":
		return take(r, i, func(rule *Rule, g *modeG) {
			word := p.word(g.Word, "mode", modeWords)
			rule.Mode = &Mode{Span: word.Span, Word: word.Text}
		})
	case "from":
		return r.from(i)
	case "by":
		return take(r, i, func(rule *Rule, g *byG) { rule.By = p.keys(g.Keys) })
	case "having":
		return take(r, i, func(rule *Rule, g *havingG) { rule.Having = p.expr(g.Expr) })
	case "once":
		return take(r, i, func(rule *Rule, _ *onceG) { rule.Once = true })
	case "match":
		return r.match(i)
	case "within":
		return take(r, i, func(rule *Rule, g *withinG) { rule.Within = p.duration(g.Duration) })
	case "until":
		return take(r, i, func(rule *Rule, g *untilG) { rule.Until = p.step(g.Step) })
	case "limit":
		return take(r, i, func(rule *Rule, g *limitG) { rule.Limit = p.number(g.Number) })
	case "suppress":
		return take(r, i, func(rule *Rule, g *suppressG) {
			rule.Suppress = &Suppress{Span: p.span(g.place), For: *p.duration(g.For), By: p.exprs(g.By)}
		})
	case "to":
		return take(r, i, func(rule *Rule, g *toG) { rule.To = p.names(g.Sinks) })
	case "label":
		return r.label()
	case "let":
		return r.localLet()
	case "window":
		return r.window(i)
	default:
		return r.emit(i)
	}
}

// from reads the clause from. Where only its condition is malformed the types are
// taken: they are what the rest of the rule rests on.
func (r *ruleReader) from(i int) bool {
	g, ok := read[fromG](r.parser)
	if !ok && (len(g.Events) == 0 || !r.passed(i, "where")) {
		return false
	}
	if r.once(r.seen, "clause", i) {
		r.types = !ok
		r.rule.From = &From{Span: r.span(g.place), Events: r.names(g.Events), Where: r.expr(g.Where)}
	}
	return ok
}

func (r *ruleReader) match(i int) bool {
	if r.tooLong(i) {
		return false
	}
	reported := len(r.errs.errs)
	ok := take(r, i, func(rule *Rule, g *matchG) { rule.Match = r.parser.match(g) })
	if !ok && r.toks[r.failed].Value == "}" {
		r.hintRepeat(reported)
	}
	return ok
}

// passed reports whether the word stands between token i and the last error.
func (r *ruleReader) passed(i int, word string) bool {
	return slices.ContainsFunc(r.toks[i:r.failed], func(t lexer.Token) bool { return t.Value == word })
}

func (r *ruleReader) label() bool {
	g, ok := read[labelG](r.parser)
	if ok {
		r.rule.Labels = append(r.rule.Labels, &Label{Span: r.span(g.place), Name: r.name(g.Name), Text: *r.text(g.Text)})
	}
	return ok
}

func (r *ruleReader) localLet() bool {
	g, ok := read[letG](r.parser)
	if ok {
		r.rule.Lets = append(r.rule.Lets, &Let{Span: r.span(g.place), Name: r.parser.name(g.Name), Expr: r.expr(g.Expr)})
	}
	return ok
}

// window reads one of a rule's windows. Only one may be without a name.
func (r *ruleReader) window(i int) bool {
	g, ok := read[windowG](r.parser)
	if ok && (g.Name != nil || r.once(r.seen, "clause", i)) {
		r.rule.Windows = append(r.rule.Windows, r.lowerWindow(g))
	}
	return ok
}

// emit reads `emit { … }`, which may stand once, or `emit EVENT { … }`.
func (r *ruleReader) emit(i int) bool {
	g, ok := read[emitG](r.parser)
	if !ok {
		return false
	}
	e := &Emit{Event: r.name(g.Event)}
	e.Fields, ok = r.fields(r.taken())
	e.Span = r.since(i)
	switch {
	case g.Event != nil:
		r.rule.Derived = append(r.rule.Derived, e)
	case r.once(r.seen, "clause", i):
		r.rule.Emit = e
	}
	return ok
}
