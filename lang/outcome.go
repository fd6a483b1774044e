package lang

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// outcome is what can come of a condition, of all that can come of it as far as its text
// says: more may be noted than ever comes, never less. What fails as it runs makes the whole
// condition false, whatever stands beside or around it.
type outcome struct {
	yes   bool // it can hold
	no    bool // it can be false, or nil, which counts as false
	fails bool
}

// anything is the outcome of what the text says nothing of.
func anything(e *plan.Expr) outcome { return outcome{yes: true, no: true, fails: !safe(e)} }

// outcomeOf says what can come of a condition.
func outcomeOf(e *plan.Expr) outcome {
	switch e.Op {
	case plan.OpConst:
		return outcomeOfConst(e)
	case plan.OpNot:
		x := outcomeOf(e.Args[0])
		return outcome{yes: x.no, no: x.yes, fails: x.fails}
	case plan.OpAnd:
		return outcomeOfAnd(e)
	case plan.OpOr:
		return outcomeOfOr(e)
	case plan.OpCond:
		test, then, other := outcomeOf(e.Args[0]), outcomeOf(e.Args[1]), outcomeOf(e.Args[2])
		return then.where(test.yes).or(other.where(test.no), test.fails)
	case plan.OpCoalesce:
		// nil goes on to the right side, false does not.
		return outcomeOf(e.Args[0]).or(outcomeOf(e.Args[1]), false)
	}
	return outcomeOfComparison(e)
}

// outcomeOfConst: one with a name stands for a field that the type at hand lacks, and others
// that the clause is for have.
func outcomeOfConst(e *plan.Expr) outcome {
	if e.Name != "" {
		return anything(e)
	}
	holds := e.Const.Kind == event.Bool && e.Const.Bool()
	return outcome{yes: holds, no: !holds}
}

// where is the outcome of what is asked in some case only.
func (x outcome) where(asked bool) outcome {
	return outcome{yes: asked && x.yes, no: asked && x.no, fails: asked && x.fails}
}

// or is the outcome of what is one or the other.
func (x outcome) or(y outcome, fails bool) outcome {
	return outcome{yes: x.yes || y.yes, no: x.no || y.no, fails: x.fails || y.fails || fails}
}

// outcomeOfAnd: the parts are asked from left to right, up to one that does not hold.
func outcomeOfAnd(e *plan.Expr) outcome {
	parts := e.Chain(plan.OpAnd, nil)
	out := outcome{yes: true}
	for _, part := range parts {
		x := outcomeOf(part)
		out = outcome{yes: out.yes && x.yes, no: out.no || out.yes && x.no, fails: out.fails || out.yes && x.fails}
	}
	if x, _ := contradiction(parts); x != nil || opposites(parts) {
		out.yes, out.no = false, true
	}
	return out
}

// outcomeOfOr: the parts are asked from left to right, up to one that holds.
func outcomeOfOr(e *plan.Expr) outcome {
	parts := e.Chain(plan.OpOr, nil)
	out := outcome{no: true}
	for _, part := range parts {
		x := outcomeOf(part)
		out = outcome{yes: out.yes || out.no && x.yes, no: out.no && x.no, fails: out.fails || out.no && x.fails}
	}
	if opposites(parts) {
		out.yes, out.no = true, false
	}
	return out
}

// outcomeOfComparison looks at comparisons of two numbers, and of an expression with itself:
// nil is equal to nil, and neither below nor above anything.
func outcomeOfComparison(e *plan.Expr) outcome {
	out := anything(e)
	if len(e.Args) != 2 {
		return out
	}
	x, okX := numberOf(e.Args[0])
	y, okY := numberOf(e.Args[1])
	if okX && okY {
		if holds, known := compare(e.Op, x, y); known {
			return outcome{yes: holds, no: !holds}
		}
		return out
	}
	itself := e.Args[0].Op != plan.OpConst && e.Args[0].String() == e.Args[1].String()
	switch e.Op {
	case plan.OpLt, plan.OpGt, plan.OpNe:
		out.yes = !itself
	case plan.OpEq:
		out.no = !itself
	}
	return out
}

// opposites reports whether of two of the parts always one holds and the other does not.
// Orders are none: x > 1 and x <= 1 are both false where x is nil.
func opposites(parts []*plan.Expr) bool {
	said := map[string]bool{}
	for _, part := range parts {
		text, is := positive(part)
		if was, known := said[text]; known && was != is {
			return true
		}
		said[text] = is
	}
	return false
}

// positive is a condition without its negation, as text, and whether it had none.
func positive(e *plan.Expr) (text string, is bool) {
	is = true
	for e.Op == plan.OpNot {
		e, is = e.Args[0], !is
	}
	if e.Op == plan.OpNe {
		equal := *e
		equal.Op = plan.OpEq
		return equal.String(), !is
	}
	return e.String(), is
}

// safe reports whether an expression surely does not fail as it runs. Whole numbers can
// overflow, regular expressions that are made of events can be none, values of any kind can
// be of the wrong one, and loops can be long.
func safe(e *plan.Expr) bool {
	if e.Type.Kind == event.Any || slices.ContainsFunc(e.Args, func(arg *plan.Expr) bool { return !safe(arg) }) {
		return false
	}
	switch e.Op {
	case plan.OpConst, plan.OpField, plan.OpMeta, plan.OpStepField, plan.OpStepMeta, plan.OpTaken, plan.OpKey, plan.OpAgg, plan.OpWindow, plan.OpMatches,
		plan.OpNot, plan.OpAnd, plan.OpOr, plan.OpCoalesce, plan.OpCond,
		plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe:
		return true
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpDiv, plan.OpPow:
		return e.Type.Kind == event.Float
	case plan.OpConvert:
		return e.Type.Kind == event.Float && e.Args[0].Type.Kind == event.Int
	case plan.OpIn:
		return e.Args[1].Op == plan.OpConst && e.Args[1].Const.Kind == event.List
	case plan.OpContains, plan.OpStartsWith, plan.OpEndsWith:
		return e.Args[0].Type.Kind == event.String && e.Args[1].Type.Kind == event.String
	case plan.OpMatch:
		return e.Args[0].Type.Kind == event.String && e.Args[1].Op == plan.OpConst
	}
	return false
}
