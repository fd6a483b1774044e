package syntax

import (
	"slices"
	"sort"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
)

// What a fault leaves of a rule. The clauses that it does not touch are judged by
// package check like those of a sound rule, so that one fault hides no other; what
// rests on a clause that may be missing is not.

// damages gathers what is wrong with one rule, in order of place.
type damages struct {
	list []Damage
	open bool // the last one goes on to the next clause
}

func (d *damages) add(at source.Span, could ...string) *Damage {
	if len(d.list) == maxReported {
		last := &d.list[maxReported-1]
		last.Could = clauseWords
		return last
	}
	d.list = append(d.list, Damage{Span: at, Could: could})
	return &d.list[len(d.list)-1]
}

// end lets damage that goes on end at an offset.
func (d *damages) end(offset int) {
	if d.open {
		last := &d.list[len(d.list)-1]
		last.Span.End = max(last.Span.End, offset)
	}
	d.open = false
}

// damaged notes that the known clause at token i, or a part of it, does not hold what
// was meant; what was reported of it stands behind the first reported messages.
func (r *ruleReader) damaged(i, reported int) {
	t := r.toks[i]
	if t.Value == "emit" && len(r.errs.errs) > reported {
		for _, e := range r.errs.errs[reported:] {
			r.damage.add(e.Span, t.Value) // its fields are apart: those that parsed are whole
		}
		return
	}
	at := tokenSpan(r.stream.file, t)
	switch name := r.lostLet(i); {
	case t.Value == "let" && name != "":
		r.damage.add(at).Let = name
	case r.types:
		r.damage.add(at)
	default:
		r.damage.add(at, t.Value)
	}
	r.damage.open = true
}

// lostLet is the name of the let whose keyword, or what was meant to be it, stands at
// token i; empty where none follows.
func (r *ruleReader) lostLet(i int) string {
	name := r.nextIndex(i)
	if !isName(r.toks[name]) || r.toks[r.nextIndex(name)].Value != "=" {
		return ""
	}
	return strings.Trim(r.toks[name].Value, "`")
}

// unknownClause reports that no clause begins at token i, and notes which clause may
// have been meant: the near one, or one that the rule lacks, or the rest of the one
// before.
func (r *ruleReader) unknownClause(i int) {
	reported := len(r.errs.errs)
	r.unknown(codeClause, i, "clause", clauseWords)
	r.hintRepeat(reported)
	at := tokenSpan(r.stream.file, r.toks[i])
	near, isNear := r.nearClause(i)
	fresh := r.toks[i].Type == wordToken && (startsLine(r.toks, i) || strings.Contains("{}", r.before(i).Value))
	if isNear || fresh {
		r.lost = i
	}
	if !isNear && !fresh && r.last >= 0 {
		before := r.toks[r.last]
		at = tokenSpan(r.stream.file, before).To(at)
		r.damage.add(at, before.Value)
	}
	switch name := r.lostLet(i); {
	case name != "" && (near == "let" || !isNear):
		r.damage.add(at).Let = name
	case isNear:
		r.damage.add(at, near)
	default:
		r.damage.add(at, r.shape(i)...)
		r.shapes = append(r.shapes, len(r.damage.list)-1)
	}
	r.damage.open = true
}

// narrow takes from what an unknown clause may be the clauses that the rule has.
func (r *ruleReader) narrow() {
	lacking := r.lacking[r.rule]
	for _, n := range r.shapes {
		d := &r.rule.Damage[n]
		d.Could = slices.DeleteFunc(slices.Clone(d.Could), func(word string) bool { return !slices.Contains(lacking, word) })
	}
}

func (r *ruleReader) nearClause(i int) (string, bool) {
	if r.toks[i].Type != wordToken || r.errs.full() {
		return "", false
	}
	return source.Near(r.toks[i].Value, clauseWords)
}

// shape lists what an unknown clause of no near keyword could have been: by what stands
// in it up to the next clause.
func (r *ruleReader) shape(i int) []string {
	const ahead = 64 // tokens looked at: this is done for every unknown clause
	timed, signs, end := false, false, min(i+ahead, len(r.toks)-1)
	for j := r.nextIndex(i); j < end && r.toks[j].Value != "}" && !r.startsClause(j); j++ {
		switch t := r.toks[j]; {
		case t.Type == durationToken || t.Type == intToken || slices.Contains(windowWords, t.Value):
			timed = true
		case t.Type == punctToken:
			signs = true
		}
	}
	could := []string{"by", "from", "having"}
	if timed {
		could = append(could, "limit", "suppress", "window", "within")
	}
	if signs {
		could = append(could, "emit", "match", "until")
	}
	return could
}

// startsClause reports whether a clause seems to start at token i, behind an error.
// Behind a clause that is unknown it may be another such: near to a keyword, or on a
// line of its own that is not indented deeper.
func (r *ruleReader) startsClause(i int) bool {
	if r.startsItem(i, clauseWords) {
		return true
	}
	if r.lost < 0 || i <= r.failed || !r.standsFree(i) {
		return false
	}
	if onLine := startsLine(r.toks, i); onLine && r.column(i) <= r.column(r.lost) {
		return true
	} else if !onLine && i == r.nextIndex(r.lost) {
		return false // what the unknown clause says
	}
	_, near := r.nearClause(i)
	return near
}

// standsFree reports whether token i is a word that goes on with nothing before it and
// with which nothing else goes on.
func (r *ruleReader) standsFree(i int) bool {
	t, before := r.toks[i], r.before(i)
	if t.Type != wordToken || Reserved(t.Value) {
		return false
	}
	if before.Type == punctToken && !strings.Contains(")]}", before.Value) || slices.Contains(infixWords, before.Value) {
		return false
	}
	next := following(r.toks, i)
	return next.Type != punctToken || strings.Contains("({!}", next.Value)
}

// hintRepeat adds how a step is repeated behind a key of its own to a message about an
// operand that is missing, or is a clause, behind + or *.
func (r *ruleReader) hintRepeat(reported int) {
	if len(r.errs.errs) == reported {
		return
	}
	sign := r.before(r.failed).Value
	if isClauseWord(sign) {
		sign = r.before(r.beforeIndex(r.failed)).Value
	}
	mend := map[string]string{"+": "{1,}", "*": "{0,}"}[sign]
	if last := &r.errs.errs[len(r.errs.errs)-1]; mend != "" && last.Mend == "" {
		last.Mend = "to repeat a step that has a key of its own write " + mend
	}
}

// column counts the bytes before token i on its line.
func (r *ruleReader) column(i int) int {
	at := r.toks[i].Pos.Offset
	return at - 1 - strings.LastIndexByte(r.stream.file.Text[:at], '\n')
}

// markBroken marks the declarations in which something was reported.
func (p *parser) markBroken() {
	decls := p.out.Decls
	for _, e := range p.errs.errs {
		i := sort.Search(len(decls), func(i int) bool { return decls[i].DeclSpan().End >= e.Span.Start })
		if i < len(decls) && decls[i].DeclSpan().Start <= e.Span.End {
			p.markDecl(decls[i], e)
		}
	}
	if !p.errs.full() {
		return
	}
	all := everything()
	for _, d := range decls { // of the messages that were dropped the places are not known
		d.markBroken()
		switch d := d.(type) {
		case *Rule:
			d.Damage = all
		case *Event:
			d.Partial = true
		}
	}
}

// everything is the damage of a rule of which nothing is sure.
func everything() []Damage { return []Damage{{Could: clauseWords}} }

func (p *parser) markDecl(d Decl, e source.Error) {
	d.markBroken()
	switch d := d.(type) {
	case *Rule:
		p.markRule(d, e)
	case *Event:
		p.markEvent(d, e)
	}
}

// markRule notes what a message says of a rule. Messages of the parser were noted where
// they came up; those of the scanner and of the balance of brackets are found here by
// their place.
func (p *parser) markRule(d *Rule, e source.Error) {
	holds := func(s source.Span) bool { return s.Start <= e.Span.Start && e.Span.Start < s.End }
	if !swallows(e.Code) && slices.ContainsFunc(d.Damage, func(known Damage) bool { return holds(known.Span) }) {
		return
	}
	n := sort.Search(len(d.Clauses), func(i int) bool { return d.Clauses[i].Span.End > e.Span.Start })
	switch {
	case n < len(d.Clauses) && holds(d.Clauses[n].Span):
		c := d.Clauses[n]
		could := []string{c.Keyword.Text()}
		if swallows(e.Code) {
			could = append(could, p.lacking[d]...)
		}
		d.Damage = append(d.Damage, Damage{Span: c.Span, Could: could})
	case swallows(e.Code):
		d.Damage = append(d.Damage, Damage{Could: clauseWords})
	}
}

// swallows reports faults behind which text may have been taken for something else, up
// to who knows where.
func swallows(code string) bool {
	switch code {
	case codeString, codeComment, codeUnclosed, codeStray, codeQuotedName:
		return true
	}
	return false
}

// lacks lists the clauses that a rule has not.
func (d *Rule) lacks() []string {
	has := map[string]bool{}
	for _, c := range d.Clauses {
		has[c.Keyword.Text()] = true
	}
	has["from"] = d.From != nil
	return slices.DeleteFunc(slices.Clone(clauseWords), func(word string) bool { return has[word] })
}

// markEvent notes what a message says of an event: a wrong word for a type leaves its
// field in place, and faults in the attributes leave all fields.
func (p *parser) markEvent(d *Event, e source.Error) {
	at, ok := p.attrs[d]
	inside := ok && at.Start <= e.Span.Start && e.Span.End <= at.End
	if swallows(e.Code) || !inside && e.Code != codeWord && e.Code != codeReserved {
		d.Partial = true
	}
}

// spanOf is the place of a bracket and of all up to its partner.
func (p *parser) spanOf(open int) source.Span {
	return tokenSpan(p.stream.file, p.toks[open]).To(tokenSpan(p.stream.file, p.toks[p.pair[open]]))
}
