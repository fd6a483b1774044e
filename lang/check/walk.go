package check

import "github.com/cepheus-cep/cepheus/lang/plan"

// eachExpr visits an expression and all that it is made of; nil is nothing.
func eachExpr(e *plan.Expr, visit func(*plan.Expr)) {
	if e == nil {
		return
	}
	visit(e)
	for _, a := range e.Args {
		eachExpr(a, visit)
	}
}

func eachExprOf(exprs []*plan.Expr, visit func(*plan.Expr)) {
	for _, e := range exprs {
		eachExpr(e, visit)
	}
}

// exprsBesideKey lists the expressions of an input but for its key.
func exprsBesideKey(in *plan.Input) []*plan.Expr {
	out := append([]*plan.Expr{in.Where}, outputExprs(in.Having, in.Emit, in.SuppressBy, in.Derived)...)
	for _, a := range in.Args {
		out = append(out, a.Value, a.Cond)
	}
	return out
}

func outputExprs(having *plan.Expr, emit []plan.Field, by []*plan.Expr, derived []plan.Derived) []*plan.Expr {
	out := []*plan.Expr{having}
	for _, f := range emit {
		out = append(out, f.Expr)
	}
	out = append(out, by...)
	for _, d := range derived {
		for _, f := range d.Fields {
			out = append(out, f.Expr)
		}
	}
	return out
}
