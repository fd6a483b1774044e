package predicate

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// reference is an expression that means an event.
type reference struct {
	typ   *plan.Type
	step  *Step // nil: the event at hand
	over  bool  // all events of a repeated step
	pick  plan.Pick
	index *plan.Expr // PickAt
}

// reference returns the event that a node means, nil where it means none. Faults are
// reported when the reference is read.
func (c *checker) reference(cx *context, n ast.Node) *reference {
	switch n := n.(type) {
	case *ast.ChainNode:
		return c.reference(cx, n.Node)
	case *ast.IdentifierNode:
		return c.namedReference(cx, n)
	case *ast.CallNode:
		return c.pickedReference(cx, n)
	case *ast.MemberNode:
		return c.indexedReference(cx, n)
	}
	return nil
}

func (c *checker) namedReference(cx *context, n *ast.IdentifierNode) *reference {
	name := cx.text.tok(n).text
	ms := c.meanings(cx, name, "")
	if len(ms) != 1 {
		if len(ms) == 0 && !cx.macro && cx.bare && cx.events != nil && cx.events.Schema.Name == name {
			return &reference{typ: cx.events}
		}
		return nil
	}
	switch m := ms[0]; {
	case m.step != nil:
		return &reference{typ: m.step.Type, step: m.step, over: m.step.Repeats}
	case m.prev != nil:
		return &reference{typ: m.prev.Type, step: m.prev, pick: plan.PickPrev}
	case m.local != nil:
		return c.reference(m.local.cx, m.local.node)
	}
	return nil
}

// pickedReference is first(step) and last(step).
func (c *checker) pickedReference(cx *context, n *ast.CallNode) *reference {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok || len(n.Arguments) != 1 {
		return nil
	}
	name := cx.text.tok(id).text
	if cx.text.tok(id).kind != tokWord || name != "first" && name != "last" {
		return nil
	}
	r := c.reference(cx, n.Arguments[0])
	if r == nil || !r.over {
		return nil
	}
	pick := plan.PickFirst
	if name == "last" {
		pick = plan.PickLast
	}
	return &reference{typ: r.typ, step: r.step, pick: pick}
}

// indexedReference is step[i]. The ends have picks of their own; for others the step
// must keep its events.
func (c *checker) indexedReference(cx *context, n *ast.MemberNode) *reference {
	if _, ok := n.Property.(*ast.StringNode); ok {
		return nil
	}
	r := c.reference(cx, n.Node)
	if r == nil || !r.over {
		return nil
	}
	i := c.wanted(cx, n.Property, c.check(cx, n.Property), event.Int)
	out := &reference{typ: r.typ, step: r.step, pick: plan.PickAt, index: i}
	switch {
	case isLiteral(i) && i.Const.Kind == event.Int && i.Const.Int() == 0:
		out.pick, out.index = plan.PickFirst, nil
	case isLiteral(i) && i.Const.Kind == event.Int && i.Const.Int() == -1:
		out.pick, out.index = plan.PickLast, nil
	case r.step.KeepAll != nil:
		*r.step.KeepAll = true
	}
	return out
}

// refField compiles the field of an event that a node means.
func (c *checker) refField(cx *context, n ast.Node, r *reference, parts []ast.Node) *plan.Expr {
	if r.index != nil && isBad(r.index) {
		return bad()
	}
	name := cx.text.tok(n).text
	if s := r.step; s != nil {
		switch {
		case s.Why != "":
			return c.fail(cx, n, codeStep, fmt.Sprintf("the step %q cannot be read here: it %s", s.Name, s.Why), s.Mend)
		case s.LastOnly != "" && (r.over || r.pick != plan.PickLast):
			return c.fail(cx, n, codeStep, fmt.Sprintf("of the step %q only the last event can be read here: %s", s.Name, s.LastOnly), s.Mend)
		case s.Own && !s.Repeats:
			return c.fail(cx, n, codeStep, fmt.Sprintf("%q is this step itself", s.Name), "name the fields of its event without it")
		}
	}
	if len(parts) == 0 {
		return c.fail(cx, n, codeEventValue, fmt.Sprintf("%s is an event, a value is needed", c.describe(name)), "name one of its fields, or compare it with nil")
	}
	if cx.agg != nil && r.step != nil {
		if !c.enterStep(cx, n, r) {
			return bad()
		}
		r = &reference{typ: r.typ}
	}
	if r.over {
		field := cx.text.tok(parts[0]).text
		return c.fail(cx, n, codeStep, fmt.Sprintf("the step %q may take several events", r.step.Name),
			fmt.Sprintf("write first(%s).%s, last(%s).%s, or an aggregate such as max(%s.%s)", r.step.Name, field, r.step.Name, field, r.step.Name, field))
	}
	if f := c.fieldOf(r.typ, "meta"); f == nil && cx.text.tok(parts[0]).text == "meta" {
		return c.metaField(cx, n, r, parts[1:])
	}
	return c.path(cx, r, parts)
}

func (c *checker) describe(name string) string {
	if name == "" {
		return "this"
	}
	return fmt.Sprintf("%q", name)
}

// enterStep notes that an aggregate's argument reads a repeated step.
func (c *checker) enterStep(cx *context, n ast.Node, r *reference) bool {
	switch {
	case !r.over:
		c.fail(cx, n, codeStep, "an aggregate's argument sees the events of one repeated step", "")
		return false
	case cx.agg.step != nil && cx.agg.step != r.step:
		c.fail(cx, n, codeStep, fmt.Sprintf("an aggregate is over one step, not over %q and %q", cx.agg.step.Name, r.step.Name), "")
		return false
	}
	cx.agg.step = r.step
	return true
}

// read makes the expression for a slot, or a meta field, of a reference.
func (r *reference) read(e plan.Expr) *plan.Expr {
	if r.step == nil {
		return &e
	}
	e.Op = map[plan.Op]plan.Op{plan.OpField: plan.OpStepField, plan.OpMeta: plan.OpStepMeta}[e.Op]
	e.Step, e.Pick = r.step.Number, r.pick
	if r.index != nil {
		e.Args = []*plan.Expr{r.index}
	}
	return &e
}

// metaField compiles meta.name of an event.
func (c *checker) metaField(cx *context, n ast.Node, r *reference, parts []ast.Node) *plan.Expr {
	if len(parts) == 0 {
		return c.fail(cx, n, codeEventValue, "meta is no value", "read meta.type, meta.id, meta.time, meta.source, meta.key or a header: meta.headers[\"name\"]")
	}
	name := cx.text.tok(parts[0]).text
	if !slices.Contains(metaNames, name) {
		mend := cmp.Or(source.DidYouMean(name, metaNames), "there are meta.type, meta.id, meta.time, meta.source, meta.key and meta.headers")
		return c.failAt(cx, parts[0], codeUnknownField, fmt.Sprintf("unknown field %q of meta", name), mend)
	}
	switch name {
	case "key":
		return c.members(cx, r.metaSlot(event.KeyPath()), parts[1:])
	case "headers":
		return c.header(cx, parts[0], r, parts[1:])
	}
	kind := event.String
	if name == "time" {
		kind = event.Time
	}
	e := r.read(plan.Expr{Op: plan.OpMeta, Name: name, Type: event.Type{Kind: kind}})
	return c.members(cx, e, parts[1:])
}

// header compiles meta.headers["name"] of an event.
func (c *checker) header(cx *context, n ast.Node, r *reference, parts []ast.Node) *plan.Expr {
	if len(parts) == 0 {
		return c.failAt(cx, n, codeEventValue, "meta.headers is no value", `name a header: meta.headers["name"]`)
	}
	return c.members(cx, r.metaSlot(event.HeaderPath(cx.text.tok(parts[0]).text)), parts[1:])
}

// metaSlot reads a slot of what is beside a record, which it adds to the type's layout.
func (r *reference) metaSlot(path []string) *plan.Expr {
	t := event.Type{Kind: event.String, Optional: true}
	e := plan.Expr{Op: plan.OpField, Name: plan.MetaPrefix + pathName(path[1:]), Type: t}
	e.Index = r.typ.Layout.Add(path, t)
	return r.read(e)
}

// path compiles a field of an event: through records as far as they are declared,
// then into values.
func (c *checker) path(cx *context, r *reference, parts []ast.Node) *plan.Expr {
	name := cx.text.tok(parts[0]).text
	f := c.fieldOf(r.typ, name)
	if f == nil {
		return c.failAt(cx, parts[0], codeUnknownField, fmt.Sprintf("unknown field %q of %s", name, r.typ.Schema.Name),
			source.DidYouMean(name, fieldNames(r.typ.Schema.Fields)))
	}
	own := r.typ.Schema.Type()
	missing := own.Field(name) == nil
	path, t := []string{name}, f.Type
	parts = parts[1:]
	for len(parts) > 0 && t.Kind == event.Record {
		name := cx.text.tok(parts[0]).text
		f := t.Field(name)
		if f == nil {
			return c.failAt(cx, parts[0], codeUnknownField, fmt.Sprintf("unknown field %q of %s", name, pathName(path)),
				source.DidYouMean(name, fieldNames(t.Fields)))
		}
		path, t, parts = append(path, name), f.Type, parts[1:]
	}
	return c.members(cx, r.slot(path, t, missing), parts)
}

// slot reads a slot, which it adds to the type's layout. A field that the type lacks
// is nil.
func (r *reference) slot(path []string, t event.Type, missing bool) *plan.Expr {
	e := plan.Expr{Op: plan.OpField, Name: pathName(path), Type: t}
	if missing {
		e.Op = plan.OpConst
		return &e
	}
	slot := t
	if t.Kind == event.Record {
		slot = event.Type{Kind: event.Any, Optional: t.Optional}
	}
	e.Index = r.typ.Layout.Add(path, slot)
	return r.read(e)
}

// taken compiles the comparison of an event with nil.
func (c *checker) taken(cx *context, n ast.Node, r *reference) *plan.Expr {
	if s := r.step; s == nil || s.Why != "" || s.Own && !s.Repeats || r.index != nil && isBad(r.index) {
		if s == nil {
			return constant(event.OfBool(true))
		}
		return c.refField(cx, n, r, nil)
	}
	if r.pick == plan.PickAt {
		at := r.read(plan.Expr{Op: plan.OpMeta, Name: "time", Type: event.Type{Kind: event.Time}})
		return typed(plan.OpNe, event.Bool, at, &plan.Expr{Op: plan.OpConst})
	}
	return &plan.Expr{Op: plan.OpTaken, Step: r.step.Number, Type: event.Type{Kind: event.Bool}}
}

// nilTest compiles event == nil and event != nil; it is nil where neither side is an
// event, or neither nil.
func (c *checker) nilTest(cx *context, n *ast.BinaryNode) *plan.Expr {
	if n.Operator != "==" && n.Operator != "!=" {
		return nil
	}
	side, other := n.Left, n.Right
	if _, ok := side.(*ast.NilNode); ok {
		side, other = other, side
	}
	if _, ok := other.(*ast.NilNode); !ok {
		return nil
	}
	r := c.reference(cx, side)
	if r == nil {
		return nil
	}
	e := c.taken(cx, side, r)
	if n.Operator == "!=" || isBad(e) {
		return e
	}
	return negate(e)
}
