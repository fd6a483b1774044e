package check

import (
	"slices"
	"sort"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/lang/syntax"
)

// Of a broken rule all is told but what a fault of its syntax may be the reason of: a
// name that a missing part gives, a clause that it may be.

// compileWhole compiles a rule and drops the messages that rest on what its text does
// not hold.
func (c *checker) compileWhole(d *syntax.Rule) {
	from := len(c.errs)
	c.compileRule(d)
	if d.Broken {
		w := wreck{rule: d}
		c.forget(from, w.mayFollow)
	}
}

// wreck is a rule of which parts are missing.
type wreck struct {
	rule  *syntax.Rule
	could map[string]bool // clauses that may be missing; made when first asked for
	names *bool           // whether a name after as may be missing; likewise
}

// mayFollow reports whether a message may be there only because a part of its rule did
// not parse.
func (w *wreck) mayFollow(e source.Error) bool {
	switch e.Code {
	case codeUnknownEvent, codeDuplicateItem, codeType, codeConstant,
		codeStepName, codeNegationStart, codeNegationGap, codeNegationInside, codeNegationBeside:
		return false
	}
	if slices.ContainsFunc(w.rule.Damage, func(d syntax.Damage) bool { return holds(d.Span, e.Span) || isLet(d, e) }) {
		return true
	}
	if e.Code == codeCondition {
		return false
	}
	return slices.ContainsFunc(w.causes(e), w.mayLack)
}

func holds(place, at source.Span) bool {
	return place.Known() && place.Start <= at.Start && at.Start < place.End
}

// mayLack reports whether the rule may have lost a clause, or any let.
func (w *wreck) mayLack(clause string) bool {
	if w.could == nil {
		w.could = map[string]bool{}
		for _, d := range w.rule.Damage {
			for _, word := range d.Could {
				w.could[word] = true
			}
		}
	}
	return w.could[clause]
}

// isLet reports whether a message says that a name is unknown which a lost let gave.
func isLet(d syntax.Damage, e source.Error) bool {
	isName := e.Code == codeUnknownName || e.Code == codeUnknownField
	return isName && d.Let != "" && d.Let == strings.Trim(e.Span.Text(), "`")
}

// causes lists the clauses whose absence can make a message that would not be there
// otherwise.
func (w *wreck) causes(e source.Error) []string {
	switch e.Code {
	case codeUnknownName, codeUnknownField:
		return w.namesGone(e)
	case codeNoBareField:
		return []string{"window", "match", "by", "let"}
	case codeNoAggregate:
		if w.clauseOf(e.Span) == "from" {
			return nil // where has none, whatever the rule is
		}
		return []string{"window", "match"}
	case codeWhichWindow, codeNoSuchPlace:
		return []string{"window", "match"}
	case codeStep, codeEventValue:
		return []string{"match", "let"}
	case codeClause:
		return []string{"window", "match"}
	case codeMissing:
		return []string{"from", "match", "having"}
	case codeKeyField:
		return []string{"from", "let"}
	case codeTwoTypes, codeAggInput:
		return []string{"from"}
	case codeStepKeys:
		return []string{"by"}
	case codeWindows:
		return []string{"window"}
	case codeDerivedField:
		return []string{"emit"}
	case codeNothing, codeBounds, codeForWithin, codeLastAbsence, codeNeverMore:
		return []string{"match"}
	case codeNegationEnd, codeNoWithin:
		return []string{"match", "within"}
	}
	return nil
}

// namesGone lists what may have given a name that nothing gives now. The fields of
// steps and records are what they are.
func (w *wreck) namesGone(e source.Error) []string {
	switch {
	case strings.HasSuffix(e.Span.File.Text[:e.Span.Start], "."):
		return nil
	case w.clauseOf(e.Span) != "from":
	case w.mayLackAs():
		return []string{"from", "let", "by"}
	default:
		return []string{"from", "let"} // where sees of the key the names after as alone
	}
	return []string{"from", "let", "by", "match", "window"}
}

// mayLackAs reports whether a name of the key may be lost: by EXPR as NAME.
func (w *wreck) mayLackAs() bool {
	if w.names == nil {
		lost := slices.ContainsFunc(w.rule.Damage, func(d syntax.Damage) bool {
			return !d.Span.Known() || usesName(d.Span.Text(), func(name string) bool { return name == "as" })
		})
		w.names = &lost
	}
	return *w.names
}

// clauseOf is the keyword of the clause that holds a place; empty where none does.
func (w *wreck) clauseOf(at source.Span) string {
	clauses := w.rule.Clauses
	n := sort.Search(len(clauses), func(i int) bool { return clauses[i].Span.End > at.Start })
	if n < len(clauses) && holds(clauses[n].Span, at) {
		return clauses[n].Keyword.Text()
	}
	return ""
}
