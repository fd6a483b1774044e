package check

import (
	"slices"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// eachPlace visits the places of a rule where expressions stand, those without one too,
// with the type of the event at hand; -1 where there is none.
func eachPlace(r *plan.Rule, visit func(typ int, at **plan.Expr)) {
	for i := range r.Inputs {
		eachPlaceOfInput(&r.Inputs[i], visit)
	}
	eachOutput(-1, &r.Having, r.Emit, r.SuppressBy, r.Derived, visit)
	if r.Pattern == nil {
		return
	}
	for i := range r.Pattern.Steps {
		eachPlaceOfStep(&r.Pattern.Steps[i], visit)
	}
	if r.Pattern.Until != nil {
		eachPlaceOfStep(r.Pattern.Until, visit)
	}
	for i := range r.Aggs {
		typ, arg := r.Pattern.Steps[r.Aggs[i].Step].Type, &r.Aggs[i].Arg
		visit(typ, &arg.Value)
		visit(typ, &arg.Cond)
	}
}

func eachPlaceOfInput(in *plan.Input, visit func(typ int, at **plan.Expr)) {
	visit(in.Type, &in.Where)
	for i := range in.Key {
		visit(in.Type, &in.Key[i])
	}
	eachOutput(in.Type, &in.Having, in.Emit, in.SuppressBy, in.Derived, visit)
	for i := range in.Args {
		visit(in.Type, &in.Args[i].Value)
		visit(in.Type, &in.Args[i].Cond)
	}
}

func eachPlaceOfStep(s *plan.Step, visit func(typ int, at **plan.Expr)) {
	visit(s.Type, &s.Cond)
	for i := range s.Key {
		visit(s.Type, &s.Key[i])
	}
}

func eachOutput(typ int, having **plan.Expr, emit []plan.Field, by []*plan.Expr, derived []plan.Derived, visit func(typ int, at **plan.Expr)) {
	visit(typ, having)
	for i := range emit {
		visit(typ, &emit[i].Expr)
	}
	for i := range by {
		visit(typ, &by[i])
	}
	for _, d := range derived {
		for i := range d.Fields {
			visit(typ, &d.Fields[i].Expr)
		}
	}
}

// copyRule copies a rule and all its expressions.
func copyRule(r *plan.Rule) *plan.Rule {
	out := *r
	out.Inputs = slices.Clone(r.Inputs)
	for i := range out.Inputs {
		in := &out.Inputs[i]
		in.Key, in.Emit, in.SuppressBy = slices.Clone(in.Key), slices.Clone(in.Emit), slices.Clone(in.SuppressBy)
		in.Derived, in.Args = copyDerived(in.Derived), slices.Clone(in.Args)
	}
	out.Aggs, out.Emit, out.SuppressBy = slices.Clone(r.Aggs), slices.Clone(r.Emit), slices.Clone(r.SuppressBy)
	out.Derived = copyDerived(r.Derived)
	if r.Pattern != nil {
		out.Pattern = copyPattern(r.Pattern)
	}
	eachPlace(&out, func(_ int, at **plan.Expr) { *at = copyExpr(*at) })
	return &out
}

// copyPattern copies the places of a pattern; the expressions are the same.
func copyPattern(p *plan.Pattern) *plan.Pattern {
	out := *p
	out.Steps = slices.Clone(p.Steps)
	for i := range out.Steps {
		out.Steps[i].Key = slices.Clone(out.Steps[i].Key)
	}
	if p.Until != nil {
		until := *p.Until
		until.Key = slices.Clone(until.Key)
		out.Until = &until
	}
	return &out
}

func copyDerived(derived []plan.Derived) []plan.Derived {
	out := slices.Clone(derived)
	for i := range out {
		out[i].Fields = slices.Clone(out[i].Fields)
	}
	return out
}

func copyExpr(e *plan.Expr) *plan.Expr {
	if e == nil {
		return nil
	}
	out := *e
	out.Args = slices.Clone(e.Args)
	for i := range out.Args {
		out.Args[i] = copyExpr(out.Args[i])
	}
	return &out
}
