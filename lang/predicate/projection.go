package predicate

import (
	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Projection is what an expression must know of a projection that it reads.
type Projection struct {
	Key event.Type
	Row event.Type // a Record, optional
	// Read returns the place of a read among those of an event type: the same for the same
	// key. It keeps nothing of types that are not of the set.
	Read func(typ *plan.Type, key *plan.Expr) int
}

const readMend = "take the value at the step, or at the event, and go on with that"

// read compiles NAME[x], or x in NAME, NAME being a projection.
func (c *checker) read(cx *context, op plan.Op, operand ast.Node, t *Table) *plan.Expr {
	if t.Projection == nil {
		return c.fail(cx, operand, codeNoSuchPlace, "the table "+t.Name+" cannot be read: its declaration is wrong", "")
	}
	switch {
	case c.sc.NoReads != "":
		return c.fail(cx, operand, codeNoSuchPlace, "the projection "+t.Name+" cannot be read here: "+c.sc.NoReads, "")
	case cx.events == nil, !cx.bare && cx.agg == nil:
		return c.fail(cx, operand, codeNoSuchPlace, "the projection "+t.Name+" is read by the event at hand; there is none here", readMend)
	}
	x := c.check(cx, operand)
	if isBad(x) {
		return x
	}
	if x.Type.Kind == event.Nil {
		return noRow(op)
	}
	if x = keyOf(x, t.Projection.Key); x == nil {
		return c.fail(cx, operand, codeType, "the keys of "+t.Name+" are "+t.Projection.Key.Kind.String()+", this is not", "")
	}
	if !overEvent(x) {
		return c.fail(cx, operand, codeNoSuchPlace, "the key of a projection is an expression over the event at hand alone", readMend)
	}
	e := &plan.Expr{Op: plan.OpRead, Index: t.Projection.Read(cx.events, x), Name: t.Name, Type: t.Projection.Row, Args: []*plan.Expr{x}}
	if op == plan.OpInFile {
		return &plan.Expr{Op: plan.OpNe, Type: event.Type{Kind: event.Bool}, Args: []*plan.Expr{e, {Op: plan.OpConst}}}
	}
	return e
}

// keyOf makes x a value of the kind of a key; nil where it cannot be.
func keyOf(x *plan.Expr, key event.Type) *plan.Expr {
	if x.Type.Kind == key.Kind {
		return x
	}
	if x.Type.Kind == event.Int && key.Kind == event.Float {
		return &plan.Expr{Op: plan.OpConvert, Type: event.Type{Kind: event.Float, Optional: x.Type.Optional}, Args: []*plan.Expr{x}}
	}
	return nil
}

// overEvent reports whether e reads nothing but the event at hand.
func overEvent(e *plan.Expr) bool {
	switch e.Op {
	case plan.OpStepField, plan.OpStepMeta, plan.OpTaken, plan.OpKey, plan.OpAgg, plan.OpWindow, plan.OpMatches,
		plan.OpElem, plan.OpElemNo, plan.OpAcc, plan.OpRead, plan.OpInFile, plan.OpRow:
		return false
	}
	for _, arg := range e.Args {
		if !overEvent(arg) {
			return false
		}
	}
	return true
}
