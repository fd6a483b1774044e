package predicate

import (
	"fmt"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// Compile makes a typed expression of the text at span, as sc lets it see the world.
// want is the kind that the place needs: Bool for a condition (bool, any or nil), Nil
// for any value; numbers become floats, and constant text a time or an address, where
// that is wanted. The expression is nil if and only if the errors hold one that is no
// warning; all errors of the expression are returned, in order of place.
func Compile(span source.Span, sc *Scope, want event.Kind) (*plan.Expr, source.Errors) {
	c := &checker{sc: sc}
	p, node := parse(span, &c.errs)
	if node == nil {
		return nil, c.done()
	}
	cx := &context{text: p, events: sc.Event, bare: sc.NoBare == ""}
	e := c.wanted(cx, node, c.check(cx, node), want)
	if c.errs.HasErrors() {
		return nil, c.done()
	}
	return e, c.done()
}

// maxErrors bounds the messages about one expression.
const maxErrors = 100

// checker compiles one expression.
type checker struct {
	sc    *Scope
	errs  source.Errors
	nodes int // checked so far, macros expanded
	texts map[source.Span]*macroText
	large bool
	seen  map[problem]bool
}

// problem is what makes a message a repetition of another: macros are checked at
// each use.
type problem struct {
	span    source.Span
	message string
}

// context is where a part of the text stands.
type context struct {
	text   *parsed
	events *plan.Type  // what bare names are fields of; nil: none
	bare   bool        // bare fields are allowed
	macro  bool        // in the body of a fn or a top-level let: only its parameters and globals are seen
	agg    *aggregate  // in an aggregate's argument
	elem   *element    // the innermost list predicate around; nil: none
	free   int         // the first nesting level of list predicates that is not in use
	locals *local      // lets within parentheses and parameters, innermost first
	using  *use        // macros being expanded
	usedAt source.Span // where the outermost of them stands
}

// element is what # is in a list predicate.
type element struct {
	typ, acc event.Type
	level    int
}

// local is a name for a part of the text: a let within parentheses, or a parameter.
type local struct {
	name string
	node ast.Node
	cx   *context
	next *local
	par  *Param // of a fn's parameter, else nil
}

// use is one macro being expanded.
type use struct {
	kind, name string
	depth      int // 1 for the outermost
	next       *use
}

// bad stands for what was wrong and reported; whatever is made of it is not reported
// again.
func bad() *plan.Expr {
	return &plan.Expr{Op: plan.OpConst, Type: event.Type{Kind: event.Any}, Text: "bad"}
}

func isBad(e *plan.Expr) bool { return e.Op == plan.OpConst && e.Text == "bad" }

func anyBad(es ...*plan.Expr) bool {
	for _, e := range es {
		if isBad(e) {
			return true
		}
	}
	return false
}

// fail reports an error at a node and returns what stands for it.
func (c *checker) fail(cx *context, n ast.Node, code, message, mend string) *plan.Expr {
	if len(c.errs) < maxErrors {
		c.failSpan(cx, cx.text.spanOf(n), code, message, mend)
	}
	return bad()
}

// failLarge reports a text that has grown too large at the name whose meaning did it,
// and not at where within that meaning the count ran out.
func (c *checker) failLarge(cx *context, n ast.Node) *plan.Expr {
	span := cx.usedAt
	if !span.Known() {
		span = cx.text.spanOf(n)
	}
	c.report(source.Error{
		Code: codeTooLarge, Span: span, Message: "the expression is too large once its names are put in",
		Mend: "let fewer names stand for expressions of names",
	})
	return bad()
}

// failAt is fail for the one token that a node stands at.
func (c *checker) failAt(cx *context, n ast.Node, code, message, mend string) *plan.Expr {
	t := cx.text.tok(n)
	c.failSpan(cx, source.Span{File: cx.text.file, Start: t.start, End: t.end}, code, message, mend)
	return bad()
}

func (c *checker) failSpan(cx *context, span source.Span, code, message, mend string) {
	e := source.Error{Code: code, Span: span, Message: message, Mend: mend}
	if cx.usedAt.Known() && cx.usedAt != span {
		e.Also, e.AlsoText = cx.usedAt, "used here"
	}
	c.report(e)
}

func (c *checker) report(e source.Error) {
	p := problem{e.Span, e.Message}
	if c.seen[p] || len(c.errs) >= maxErrors {
		return
	}
	if c.seen == nil {
		c.seen = map[problem]bool{}
	}
	c.seen[p] = true
	c.errs = append(c.errs, e)
}

func (c *checker) done() source.Errors {
	if c.sc.Globals != nil {
		c.sc.Globals.Nodes += c.nodes
	}
	if len(c.errs) == 0 {
		return nil
	}
	c.errs.Sort()
	return c.errs
}

// wanted fits an expression to the kind its place needs.
func (c *checker) wanted(cx *context, n ast.Node, e *plan.Expr, want event.Kind) *plan.Expr {
	k := e.Type.Kind
	switch {
	case isBad(e) || want == event.Nil || k == want || k == event.Nil:
		return e
	case want == event.Bool && k == event.Any:
		return e
	case want == event.Bool:
		return c.fail(cx, n, codeCondition, "a condition is needed, this is "+a(e.Type), "compare it with something")
	}
	out, message := convertTo(e, event.Type{Kind: want})
	if out == nil {
		return c.fail(cx, n, codeType, message, "")
	}
	return out
}

// a names a type with its article.
func a(t event.Type) string {
	switch t.Kind {
	case event.Int, event.IP:
		return "an " + t.Kind.String()
	case event.Any:
		return "a value of any type"
	case event.Nil:
		return "nil"
	case event.List:
		return "a list"
	case event.Record:
		return "a record"
	}
	return "a " + t.Kind.String()
}

// check compiles a node.
func (c *checker) check(cx *context, n ast.Node) *plan.Expr {
	if c.nodes++; c.nodes > maxNodes {
		if !c.large {
			c.large = true
			return c.failLarge(cx, n)
		}
		return bad()
	}
	switch n := n.(type) {
	case *ast.NilNode:
		return &plan.Expr{Op: plan.OpConst}
	case *ast.BoolNode:
		return constant(event.OfBool(n.Value))
	case *ast.IntegerNode, *ast.FloatNode, *ast.StringNode:
		return constant(cx.text.tok(n).value)
	case *ast.IdentifierNode:
		return c.name(cx, n, nil)
	case *ast.ChainNode:
		return c.check(cx, n.Node)
	case *ast.MemberNode:
		return c.member(cx, n)
	case *ast.PointerNode:
		return c.pointer(cx, n)
	case *ast.UnaryNode:
		return c.unary(cx, n)
	case *ast.BinaryNode:
		return c.binary(cx, n)
	case *ast.ConditionalNode:
		return c.conditional(cx, n)
	case *ast.CallNode:
		return c.call(cx, n)
	case *ast.BuiltinNode:
		return c.lambdaCall(cx, n)
	}
	return c.checkCompound(cx, n)
}

func (c *checker) checkCompound(cx *context, n ast.Node) *plan.Expr {
	switch n := n.(type) {
	case *ast.SliceNode:
		return c.slice(cx, n)
	case *ast.ArrayNode:
		return c.list(cx, n)
	case *ast.MapNode:
		return c.record(cx, n)
	case *ast.VariableDeclaratorNode:
		return c.let(cx, n)
	case *ast.SequenceNode:
		return c.fail(cx, n, codePipe, "expressions in a row are not part of the language", "")
	}
	return c.fail(cx, n, codeSyntax, "this is not part of the language", "")
}

// let puts a name for a part of the text into scope.
func (c *checker) let(cx *context, n *ast.VariableDeclaratorNode) *plan.Expr {
	name := cx.text.tok(n).text
	before := len(c.errs)
	c.check(cx, n.Value) // an unused one must be right as well
	if len(c.errs) > before {
		return bad()
	}
	inner := *cx
	inner.locals = &local{name: name, node: n.Value, cx: cx, next: cx.locals}
	return c.check(&inner, n.Expr)
}

func constant(v event.Value) *plan.Expr {
	return &plan.Expr{Op: plan.OpConst, Const: v, Type: event.Type{Kind: v.Kind}}
}

// typed is a node with arguments.
func typed(op plan.Op, k event.Kind, args ...*plan.Expr) *plan.Expr {
	return &plan.Expr{Op: op, Type: event.Type{Kind: k}, Args: args}
}

func (c *checker) conditional(cx *context, n *ast.ConditionalNode) *plan.Expr {
	test := c.wanted(cx, n.Cond, c.check(cx, n.Cond), event.Bool)
	then, other := c.check(cx, n.Exp1), c.check(cx, n.Exp2)
	if anyBad(test, then, other) || !c.textsFit(cx, n.Exp1, n.Exp2, then, other) {
		return bad()
	}
	x, y, message := unify(then, other)
	if message != "" {
		return c.fail(cx, n, codeType, "the two values of ? : differ: "+message, "")
	}
	if isLiteral(test) {
		if test.Const.Bool() {
			return x
		}
		return y
	}
	return &plan.Expr{Op: plan.OpCond, Type: common(x, y), Args: []*plan.Expr{test, x, y}}
}

// list compiles [a, b]; of constants it is one.
func (c *checker) list(cx *context, n *ast.ArrayNode) *plan.Expr {
	args := make([]*plan.Expr, len(n.Nodes))
	for i, kid := range n.Nodes {
		args[i] = c.check(cx, kid)
	}
	if anyBad(args...) {
		return bad()
	}
	return listOf(args)
}

// listOf makes a list of its elements: of one type where they have one, else of any.
func listOf(args []*plan.Expr) *plan.Expr {
	elem := event.Type{}
	fixed := true
	for _, e := range args {
		elem = mix(elem, e.Type)
		fixed = fixed && isLiteral(e)
	}
	if elem.Kind == event.Nil {
		elem.Kind = event.Any
	}
	c := &event.Compound{}
	for i, e := range args {
		if elem.Kind == event.Float {
			args[i], _ = convertTo(e, elem)
		}
		c.Elems = append(c.Elems, args[i].Const)
	}
	t := event.Type{Kind: event.List, Elem: &elem}
	if fixed {
		return &plan.Expr{Op: plan.OpConst, Type: t, Const: event.Value{Kind: event.List, C: c}}
	}
	return &plan.Expr{Op: plan.OpList, Type: t, Args: args}
}

// mix is the type of a list's elements after one more.
func mix(t, u event.Type) event.Type {
	switch {
	case t.Kind == event.Nil:
		return u
	case u.Kind == event.Nil || t.Kind == u.Kind && t.Kind.Scalar():
		return t
	case t.Kind == event.Int && u.Kind == event.Float, t.Kind == event.Float && u.Kind == event.Int:
		return event.Type{Kind: event.Float}
	case t.Kind == event.List && u.Kind == event.List && t.Elem.Kind == u.Elem.Kind:
		return t
	}
	return event.Type{Kind: event.Any}
}

func (c *checker) record(cx *context, n *ast.MapNode) *plan.Expr {
	e := &plan.Expr{Op: plan.OpRecord, Type: event.Type{Kind: event.Record}}
	for _, kid := range n.Pairs {
		pair := kid.(*ast.PairNode)
		key, ok := pair.Key.(*ast.StringNode)
		if !ok {
			return c.fail(cx, pair.Key, codeSyntax, "a field's name is no expression", "")
		}
		name := strings.Clone(cx.text.tok(key).text) // types go into plans, which keep no text
		if e.Type.Field(name) != nil {
			return c.fail(cx, key, codeSyntax, fmt.Sprintf("the field %q stands twice", name), "")
		}
		value := c.check(cx, pair.Value)
		if isBad(value) {
			return bad()
		}
		e.Names, e.Args = append(e.Names, name), append(e.Args, value)
		e.Type.Fields = append(e.Type.Fields, event.Field{Name: name, Type: value.Type})
	}
	return e
}

func (c *checker) slice(cx *context, n *ast.SliceNode) *plan.Expr {
	args := []*plan.Expr{c.check(cx, n.Node), {Op: plan.OpConst}, {Op: plan.OpConst}}
	for i, bound := range []ast.Node{n.From, n.To} {
		if bound != nil {
			args[i+1] = c.wanted(cx, bound, c.check(cx, bound), event.Int)
		}
	}
	if anyBad(args...) {
		return bad()
	}
	t := args[0].Type
	switch t.Kind {
	case event.List, event.String, event.Any:
		t.Optional = false
		return &plan.Expr{Op: plan.OpCall, Name: "slice", Type: t, Args: args}
	}
	return c.fail(cx, n.Node, codeType, "only lists and texts have parts, this is "+a(t), "")
}

// pointer compiles #, #index and #acc.
func (c *checker) pointer(cx *context, n *ast.PointerNode) *plan.Expr {
	if cx.elem == nil {
		return c.failAt(cx, n, codeElement, "# stands in list predicates only", "")
	}
	switch n.Name {
	case "index":
		return &plan.Expr{Op: plan.OpElemNo, Type: event.Type{Kind: event.Int}, Index: cx.elem.level}
	case "acc":
		if cx.elem.acc.Kind == event.Nil {
			return c.failAt(cx, n, codeElement, "#acc stands in reduce only", "")
		}
		return &plan.Expr{Op: plan.OpAcc, Type: cx.elem.acc, Index: cx.elem.level}
	}
	return &plan.Expr{Op: plan.OpElem, Type: cx.elem.typ, Index: cx.elem.level}
}
