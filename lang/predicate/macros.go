package predicate

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// macroText is the parsed text of a macro, kept for its further uses.
type macroText struct {
	text *parsed
	node ast.Node
}

// text parses a macro once.
func (c *checker) text(span source.Span) *macroText {
	if m := c.texts[span]; m != nil {
		return m
	}
	m := &macroText{}
	var errs source.Errors
	m.text, m.node = parse(span, &errs)
	for _, e := range errs {
		c.report(e)
	}
	if c.texts == nil {
		c.texts = map[source.Span]*macroText{}
	}
	c.texts[span] = m
	return m
}

// maxMacros bounds how deep macros use macros.
const maxMacros = 200

// deep is how many macros are being expanded.
func (u *use) deep() int {
	if u == nil {
		return 0
	}
	return u.depth
}

// enter makes the context in which a macro's text is checked; nil where the macro
// leads to itself, which is reported. A global sees only its parameters and globals.
func (c *checker) enter(cx *context, n ast.Node, u use, m *macroText, global bool) *context {
	for o := cx.using; o != nil; o = o.next {
		if o.kind == u.kind && o.name == u.name {
			c.failAt(cx, n, codeRecursion, fmt.Sprintf("the %s %q leads to itself", u.kind, u.name), "")
			return nil
		}
	}
	if u.depth = cx.using.deep() + 1; u.depth > maxMacros {
		c.failAt(cx, n, codeNesting, fmt.Sprintf("names stand for names more than %d levels deep", maxMacros), "")
		return nil
	}
	u.next = cx.using
	in := &context{
		text: m.text, events: cx.events, bare: cx.bare, macro: global, agg: cx.agg,
		free: cx.free, using: &u, usedAt: cx.usedAt,
	}
	if !in.usedAt.Known() {
		t := cx.text.tok(n)
		in.usedAt = source.Span{File: cx.text.file, Start: t.start, End: t.end}
	}
	return in
}

// expand compiles a name by its text.
func (c *checker) expand(cx *context, n ast.Node, u use, span source.Span, global bool) *plan.Expr {
	m := c.text(span)
	if m.node == nil {
		return bad()
	}
	in := c.enter(cx, n, u, m, global)
	if in == nil {
		return bad()
	}
	return c.check(in, m.node)
}

// localValue compiles a local name where it is used: its text in the place where it
// was written.
func (c *checker) localValue(cx *context, n ast.Node, l *local) *plan.Expr {
	at := *l.cx
	at.agg = cx.agg
	at.free = max(at.free, cx.free)
	e := c.check(&at, l.node)
	if l.par == nil || isBad(e) {
		return e
	}
	if l.par.Event != nil {
		return c.fail(&at, l.node, codeEventValue, fmt.Sprintf("the parameter %q is an event of type %s", l.par.Name, l.par.Event.Schema.Name), "")
	}
	out, message := convertTo(e, l.par.Type)
	if message != "" {
		return c.fail(&at, l.node, codeArguments, fmt.Sprintf("the parameter %q: %s", l.par.Name, message), "")
	}
	return out
}

// macroCall compiles the call of a fn by its body.
func (c *checker) macroCall(cx *context, n *ast.CallNode, fn *Fn) *plan.Expr {
	if len(n.Arguments) != len(fn.Params) {
		return c.fail(cx, n, codeArguments, fmt.Sprintf("%s takes %s, not %d", fn.Name, plural(len(fn.Params), "argument"), len(n.Arguments)), "")
	}
	m := c.text(fn.Body)
	if m.node == nil {
		return bad()
	}
	in := c.enter(cx, n, use{kind: "fn", name: fn.Name}, m, true)
	if in == nil {
		return bad()
	}
	for i := range fn.Params {
		if !c.argument(cx, n.Arguments[i], &fn.Params[i]) {
			return bad()
		}
		in.locals = &local{name: fn.Params[i].Name, node: n.Arguments[i], cx: cx, next: in.locals, par: &fn.Params[i]}
	}
	return c.check(in, m.node)
}

// argument checks the argument of an event parameter; those of values are checked
// where the body uses them.
func (c *checker) argument(cx *context, n ast.Node, par *Param) bool {
	if par.Event == nil {
		return true
	}
	r := c.reference(cx, n)
	switch {
	case r == nil:
		c.fail(cx, n, codeEventValue, fmt.Sprintf("the parameter %q needs an event of type %s", par.Name, par.Event.Schema.Name), "give a step, or the type's name for the event at hand")
		return false
	case r.typ.Schema.Name != par.Event.Schema.Name: // proofs of fns have types of their own
		c.fail(cx, n, codeArguments, fmt.Sprintf("the parameter %q is of type %s, this is %s", par.Name, par.Event.Schema.Name, r.typ.Schema.Name), "")
		return false
	}
	return true
}

func plural(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "one " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
