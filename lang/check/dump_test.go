package check_test

import (
	"fmt"
	"strings"

	"github.com/cepheus-cep/cepheus/lang/plan"
)

// dump writes the rules of a set compactly: what the plan of each is, without
// versions.
func dump(s *plan.Set) string {
	d := &dumper{set: s}
	for _, r := range s.Rules {
		d.rule(r)
	}
	return d.b.String()
}

type dumper struct {
	set *plan.Set
	b   strings.Builder
}

func (d *dumper) line(format string, args ...any) {
	d.b.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " ") + "\n")
}

func (d *dumper) rule(r *plan.Rule) {
	d.line("rule %s severity=%d mode=%d", r.Name, r.Severity, r.Mode)
	if r.Title != "" || r.Tags != nil || r.Labels != nil || r.Runbook != "" || r.To != nil {
		d.line("  head %q %v %v %q %v", r.Title, r.Tags, r.Labels, r.Runbook, r.To)
	}
	for _, k := range r.Keys {
		d.line("  key %s %s", k.Name, k.Type)
	}
	for _, w := range r.Windows {
		d.line("  window %s %+v early=%t", w.Name, w.Spec, w.Early)
	}
	for i, a := range r.Aggs {
		d.line("  agg%d %s %s window=%d step=%d of %s%s param=%v", i, a.Func, a.Type, a.Window, a.Step, a.ArgT, arg(a.Arg), a.Param)
	}
	for i := range r.Inputs {
		d.input(&r.Inputs[i])
	}
	d.pattern(r.Pattern)
	d.output("  ", r.Having, r.Emit, r.SuppressBy)
	if r.Once || r.Suppress > 0 || r.Stratum > 0 {
		d.line("  once=%t suppress=%d stratum=%d", r.Once, r.Suppress, r.Stratum)
	}
}

func (d *dumper) typeName(i int) string { return d.set.Types[i].Schema.Name }

func (d *dumper) input(in *plan.Input) {
	d.line("  input %s%s%s", d.typeName(in.Type), expr("where", in.Where), exprs("key", in.Key))
	d.output("    ", in.Having, in.Emit, in.SuppressBy)
	for i, a := range in.Args {
		d.line("    arg%d%s", i, arg(a))
	}
}

func (d *dumper) output(indent string, having *plan.Expr, emit []plan.Field, by []*plan.Expr) {
	if having != nil {
		d.line("%shaving %s", indent, having)
	}
	for _, f := range emit {
		d.line("%semit %s: %s %s", indent, f.Name, f.Expr, f.Expr.Type)
	}
	for _, e := range by {
		d.line("%ssuppress by %s", indent, e)
	}
}

func (d *dumper) pattern(p *plan.Pattern) {
	if p == nil {
		return
	}
	var types []string
	for _, t := range p.Types {
		types = append(types, d.typeName(t))
	}
	d.line("  match select=%d limit=%d within=%d types=%v", p.Select, p.Limit, p.Within, types)
	d.line("  %s", node(p.Root))
	for i := range p.Steps {
		d.step(fmt.Sprintf("$%d", i), &p.Steps[i])
	}
	if p.Until != nil {
		d.step("until", p.Until)
	}
}

func (d *dumper) step(what string, s *plan.Step) {
	flags := ""
	if s.Repeats {
		flags += " repeats"
	}
	if s.KeepAll {
		flags += " keepall"
	}
	d.line("  %s %s: %s%s%s%s", what, s.Name, d.typeName(s.Type), expr("if", s.Cond), exprs("key", s.Key), flags)
}

func node(n *plan.Node) string {
	var b strings.Builder
	if n.Neg {
		b.WriteByte('!')
	}
	switch n.Kind {
	case plan.NodeStep:
		fmt.Fprintf(&b, "$%d", n.Step)
	case plan.NodeSeq:
		b.WriteString(sequence(n))
	default:
		fmt.Fprintf(&b, "%s%d(", map[plan.NodeKind]string{plan.NodeOr: "or", plan.NodeAnd: "and", plan.NodeAny: "any"}[n.Kind], n.Need)
		for _, kid := range n.Kids {
			b.WriteString(" " + node(kid))
		}
		b.WriteString(" )")
	}
	if n.Min != 1 || n.Max != 1 {
		fmt.Fprintf(&b, "{%d,%d}", n.Min, n.Max)
	}
	if n.Strict {
		b.WriteString("strict")
	}
	if n.For > 0 {
		fmt.Fprintf(&b, " for %d", n.For)
	}
	return b.String()
}

func sequence(n *plan.Node) string {
	var b strings.Builder
	b.WriteByte('(')
	for i, kid := range n.Kids {
		link := n.Links[i]
		switch {
		case i == 0:
		case link.Next:
			b.WriteString(" => ")
		case link.MaxGap > 0 || link.MinGap > 0:
			fmt.Fprintf(&b, " ->[%d..%d] ", link.MinGap, link.MaxGap)
		default:
			b.WriteString(" -> ")
		}
		b.WriteString(node(kid))
	}
	return b.String() + ")"
}

func expr(what string, e *plan.Expr) string {
	if e == nil {
		return ""
	}
	return " " + what + " " + e.String()
}

func exprs(what string, list []*plan.Expr) string {
	var b strings.Builder
	for _, e := range list {
		b.WriteString(expr(what, e))
	}
	return b.String()
}

func arg(a plan.AggArg) string { return expr("value", a.Value) + expr("cond", a.Cond) }
