package predicate

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

func (c *checker) unary(cx *context, n *ast.UnaryNode) *plan.Expr {
	x := c.check(cx, n.Node)
	if isBad(x) {
		return x
	}
	if n.Operator == "not" || n.Operator == "!" {
		x = c.wanted(cx, n.Node, x, event.Bool)
		if isBad(x) {
			return x
		}
		return negate(x)
	}
	switch x.Type.Kind {
	case event.Int, event.Float, event.Duration, event.Any, event.Nil:
	default:
		return c.fail(cx, n, codeType, "only numbers and durations have a sign, this is "+a(x.Type), "")
	}
	if n.Operator == "+" || isNil(x) {
		return x
	}
	zero := constant(event.OfKind(x.Type.Kind, 0))
	if folded := fold(plan.OpSub, x.Type.Kind, zero, x); folded != nil {
		return folded
	}
	return typed(plan.OpNeg, x.Type.Kind, x)
}

// negate is not, folded where it can be.
func negate(x *plan.Expr) *plan.Expr {
	if isLiteral(x) {
		return constant(event.OfBool(!x.Const.Bool()))
	}
	return typed(plan.OpNot, event.Bool, x)
}

func (c *checker) binary(cx *context, n *ast.BinaryNode) *plan.Expr {
	if n.Operator == ".." {
		return c.span(cx, n)
	}
	if e := c.nilTest(cx, n); e != nil {
		return e
	}
	if e := c.inFile(cx, n); e != nil {
		return e
	}
	x, y := c.check(cx, n.Left), c.check(cx, n.Right)
	if anyBad(x, y) {
		return bad()
	}
	switch n.Operator {
	case "and", "&&":
		return c.logic(cx, n, plan.OpAnd, x, y)
	case "or", "||":
		return c.logic(cx, n, plan.OpOr, x, y)
	case "??":
		return c.coalesce(cx, n, x, y)
	case "==":
		return c.comparison(cx, n, plan.OpEq, x, y)
	case "!=":
		return c.comparison(cx, n, plan.OpNe, x, y)
	case "<":
		return c.comparison(cx, n, plan.OpLt, x, y)
	case "<=":
		return c.comparison(cx, n, plan.OpLe, x, y)
	case ">":
		return c.comparison(cx, n, plan.OpGt, x, y)
	case ">=":
		return c.comparison(cx, n, plan.OpGe, x, y)
	case "in":
		return c.in(cx, n, x, y)
	case "contains", "startsWith", "endsWith", "matches":
		return c.textTest(cx, n, x, y)
	}
	return c.arithmetic(cx, n, x, y)
}

// logic compiles and, or; a literal decides or drops out.
func (c *checker) logic(cx *context, n *ast.BinaryNode, op plan.Op, x, y *plan.Expr) *plan.Expr {
	x, y = c.wanted(cx, n.Left, x, event.Bool), c.wanted(cx, n.Right, y, event.Bool)
	if anyBad(x, y) {
		return bad()
	}
	if isLiteral(x) && x.Const.Bool() == (op == plan.OpOr) {
		return constant(event.OfBool(op == plan.OpOr))
	}
	return typed(op, event.Bool, x, y)
}

func (c *checker) coalesce(cx *context, n *ast.BinaryNode, x, y *plan.Expr) *plan.Expr {
	if !c.textsFit(cx, n.Left, n.Right, x, y) {
		return bad()
	}
	x, y, message := unify(x, y)
	switch {
	case message != "":
		return c.fail(cx, n, codeType, "the two sides of ?? differ: "+message, "")
	case isNil(x):
		return y
	case isLiteral(x):
		return x
	}
	return &plan.Expr{Op: plan.OpCoalesce, Type: common(x, y), Args: []*plan.Expr{x, y}}
}

// textsFit reports a text literal beside a time or an address that it is none of.
func (c *checker) textsFit(cx *context, left, right ast.Node, x, y *plan.Expr) bool {
	if !isLiteral(x) || x.Type.Kind != event.String {
		left, x, y = right, y, x
	}
	k := y.Type.Kind
	if !isLiteral(x) || x.Type.Kind != event.String || k != event.Time && k != event.IP {
		return true
	}
	_, message := textConstant(x.Const.S, k)
	if message == "" {
		return true
	}
	c.fail(cx, left, codeType, message, "")
	return false
}

func (c *checker) comparison(cx *context, n *ast.BinaryNode, op plan.Op, x, y *plan.Expr) *plan.Expr {
	if !c.textsFit(cx, n.Left, n.Right, x, y) {
		return bad()
	}
	u, v, message := unify(x, y)
	if message != "" {
		return c.fail(cx, n, codeType, "cannot compare "+message, compareMend(x, y))
	}
	if e := rowTest(op, x, y); e != nil {
		return e
	}
	ordered := op != plan.OpEq && op != plan.OpNe
	for _, side := range []*plan.Expr{u, v} {
		switch side.Type.Kind {
		case event.Bool, event.IP, event.List, event.Record:
			if ordered {
				return c.fail(cx, n, codeType, a(side.Type)+" has no order", "")
			}
		}
	}
	if ordered && (isNil(u) || isNil(v)) {
		return constant(event.OfBool(false))
	}
	return typed(op, event.Bool, u, v)
}

// compareMend is what would make two operands comparable.
func compareMend(x, y *plan.Expr) string {
	kx, ky := x.Type.Kind, y.Type.Kind
	switch {
	case isNumber(kx) && isLiteral(y) && ky == event.String && y.Const.S != "" && strings.Trim(y.Const.S, "0123456789.-") == "":
		return "write " + y.Const.S + " without quotes"
	case isNumber(ky) && isLiteral(x) && kx == event.String && x.Const.S != "" && strings.Trim(x.Const.S, "0123456789.-") == "":
		return "write " + x.Const.S + " without quotes"
	case kx == event.String && isNumber(ky) && isLiteral(y):
		return "put the number in quotes, or convert the text with float()"
	case kx == event.Duration && isNumber(ky), ky == event.Duration && isNumber(kx):
		return "write a duration such as 10s, or take seconds()"
	}
	return ""
}

// in compiles membership.
func (c *checker) in(cx *context, n *ast.BinaryNode, x, y *plan.Expr) *plan.Expr {
	switch y.Type.Kind {
	case event.Any, event.Nil:
		return typed(plan.OpIn, event.Bool, x, y)
	case event.List:
	case event.String:
		return c.fail(cx, n.Right, codeType, "in needs a list, this is a string", "write contains, with the whole text first")
	default:
		return c.fail(cx, n.Right, codeType, "in needs a list, this is "+a(y.Type), "")
	}
	if isLiteral(y) && !y.Const.IsNil() {
		if e, done := c.inBlocks(cx, n, x, y); done {
			return e
		}
	}
	x, y, message := fitIn(x, y)
	if message != "" {
		return c.fail(cx, n, codeType, message, "")
	}
	return typed(plan.OpIn, event.Bool, x, y)
}

// inBlocks compiles membership of a constant list for addresses: of blocks, or of
// addresses in any spelling.
func (c *checker) inBlocks(cx *context, n *ast.BinaryNode, x, y *plan.Expr) (*plan.Expr, bool) {
	k := x.Type.Kind
	if elemOf(y.Type).Kind != event.String || k != event.IP && k != event.String && k != event.Any {
		return nil, false
	}
	blocks, wrong := 0, ""
	for _, v := range y.Const.Elems() {
		if v.IsNil() {
			continue
		}
		_, notBlock := netip.ParsePrefix(v.S)
		_, notAddr := netip.ParseAddr(v.S)
		switch {
		case notBlock == nil:
			blocks++
		case notAddr != nil && wrong == "":
			wrong = fmt.Sprintf("%q is neither an address nor a block of addresses", v.S)
		}
	}
	switch {
	case k == event.IP && wrong != "":
		return c.fail(cx, n.Right, codeConstant, wrong, ""), true
	case wrong == "" && (k == event.IP || blocks > 0):
		return &plan.Expr{Op: plan.OpCall, Name: "in_cidr", Type: event.Type{Kind: event.Bool}, Args: []*plan.Expr{x, y}}, true
	}
	return nil, false
}

// fitIn brings an operand and the elements of a list to one type.
func fitIn(x, y *plan.Expr) (*plan.Expr, *plan.Expr, string) {
	k, elem := x.Type.Kind, elemOf(y.Type)
	switch {
	case k == elem.Kind || k == event.Any || k == event.Nil || elem.Kind == event.Any:
		return x, y, ""
	case k == event.Int && elem.Kind == event.Float:
		x, _ = convertTo(x, elem)
		return x, y, ""
	case k == event.IP && elem.Kind == event.String:
		return typed(plan.OpConvert, event.String, x), y, ""
	}
	if list, ok := convertList(y, x.Type); ok {
		return x, list, ""
	}
	return x, y, "a list of " + elem.Kind.String() + " never holds " + a(x.Type)
}

// convertList converts the elements of a constant list, or of a list that is written
// out.
func convertList(y *plan.Expr, t event.Type) (*plan.Expr, bool) {
	args := y.Args
	if isLiteral(y) {
		args = make([]*plan.Expr, len(y.Const.Elems()))
		for i, v := range y.Const.Elems() {
			args[i] = constant(v)
		}
	} else if y.Op != plan.OpList {
		return nil, elemOf(y.Type).Kind == event.Int && t.Kind == event.Float
	}
	out := make([]*plan.Expr, len(args))
	for i, e := range args {
		fit, message := convertTo(e, t)
		if message != "" {
			return nil, false
		}
		out[i] = fit
	}
	return listOf(out), true
}

func (c *checker) textTest(cx *context, n *ast.BinaryNode, x, y *plan.Expr) *plan.Expr {
	ops := map[string]plan.Op{"contains": plan.OpContains, "startsWith": plan.OpStartsWith, "endsWith": plan.OpEndsWith, "matches": plan.OpMatch}
	for i, side := range []*plan.Expr{x, y} {
		switch side.Type.Kind {
		case event.String, event.IP, event.Any, event.Nil:
			continue
		case event.List:
			if i == 0 && n.Operator == "contains" {
				return c.fail(cx, n.Left, codeType, "contains needs text, this is a list", "write in, with the list last")
			}
		}
		return c.fail(cx, []ast.Node{n.Left, n.Right}[i], codeType, n.Operator+" needs text, this is "+a(side.Type), "")
	}
	if isNil(x) || isNil(y) {
		return constant(event.OfBool(false))
	}
	if n.Operator == "matches" && isLiteral(y) {
		if _, err := regexp.Compile(y.Const.S); err != nil {
			message := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
			return c.fail(cx, n.Right, codeConstant, "not a regular expression: "+message, "the syntax is RE2's; raw strings '…' need no double backslashes")
		}
	}
	return typed(ops[n.Operator], event.Bool, x, y)
}

// span compiles a..b: a list of integers.
func (c *checker) span(cx *context, n *ast.BinaryNode) *plan.Expr {
	x := c.wanted(cx, n.Left, c.check(cx, n.Left), event.Int)
	y := c.wanted(cx, n.Right, c.check(cx, n.Right), event.Int)
	if anyBad(x, y) {
		return bad()
	}
	return &plan.Expr{
		Op: plan.OpCall, Name: "range", Args: []*plan.Expr{x, y},
		Type: event.Type{Kind: event.List, Elem: &event.Type{Kind: event.Int}},
	}
}

var arithmeticOps = map[string]plan.Op{
	"+": plan.OpAdd, "-": plan.OpSub, "*": plan.OpMul, "/": plan.OpDiv, "%": plan.OpMod, "**": plan.OpPow, "^": plan.OpPow,
}

func (c *checker) arithmetic(cx *context, n *ast.BinaryNode, x, y *plan.Expr) *plan.Expr {
	op, ok := arithmeticOps[n.Operator]
	if !ok {
		return c.fail(cx, n, codeSyntax, fmt.Sprintf("the operator %q is not part of the language", n.Operator), "")
	}
	if isNil(x) || isNil(y) {
		return &plan.Expr{Op: plan.OpConst}
	}
	k, message := arithmeticKind(op, x.Type.Kind, y.Type.Kind)
	if message != "" {
		return c.fail(cx, n, codeType, message, arithmeticMend(op, x, y))
	}
	if folded := fold(op, k, x, y); folded != nil {
		return folded
	}
	if k == event.Float && isNumber(x.Type.Kind) && isNumber(y.Type.Kind) && op != plan.OpDiv && op != plan.OpPow {
		x, _ = convertTo(x, event.Type{Kind: event.Float})
		y, _ = convertTo(y, event.Type{Kind: event.Float})
	}
	return typed(op, k, x, y)
}

// arithmeticKind is the kind of a result, or why there is none.
func arithmeticKind(op plan.Op, x, y event.Kind) (event.Kind, string) {
	switch {
	case x == event.Any || y == event.Any:
		return event.Any, ""
	case isNumber(x) && isNumber(y):
		return numberKind(op, x, y)
	case x == event.String && y == event.String && op == plan.OpAdd:
		return event.String, ""
	}
	return timeKind(op, x, y)
}

func numberKind(op plan.Op, x, y event.Kind) (event.Kind, string) {
	switch {
	case op == plan.OpMod && (x == event.Float || y == event.Float):
		return event.Nil, "% needs whole numbers"
	case op == plan.OpDiv || op == plan.OpPow || x == event.Float || y == event.Float:
		return event.Float, ""
	}
	return event.Int, ""
}

// timeKind is the kind of a result where times or durations take part.
func timeKind(op plan.Op, x, y event.Kind) (event.Kind, string) {
	const t, d = event.Time, event.Duration
	switch {
	case op == plan.OpAdd && x == d && y == d, op == plan.OpSub && x == d && y == d, op == plan.OpSub && x == t && y == t:
		return d, ""
	case op == plan.OpAdd && x == t && y == d, op == plan.OpAdd && x == d && y == t, op == plan.OpSub && x == t && y == d:
		return t, ""
	case op == plan.OpMul && (x == d && isNumber(y) || isNumber(x) && y == d), op == plan.OpDiv && x == d && isNumber(y):
		return d, ""
	case op == plan.OpDiv && x == d && y == d:
		return event.Float, ""
	}
	words := map[plan.Op]string{
		plan.OpAdd: "add", plan.OpSub: "subtract", plan.OpMul: "multiply", plan.OpDiv: "divide",
		plan.OpMod: "take the remainder of", plan.OpPow: "raise",
	}
	return event.Nil, "cannot " + words[op] + " " + a(event.Type{Kind: x}) + " and " + a(event.Type{Kind: y})
}

func arithmeticMend(op plan.Op, x, y *plan.Expr) string {
	kx, ky := x.Type.Kind, y.Type.Kind
	switch {
	case op == plan.OpAdd && (kx == event.String || ky == event.String):
		return `write it as one text: "… ${x} …"`
	case kx == event.Time && isNumber(ky), kx == event.Duration && isNumber(ky):
		return "write a duration such as 10s"
	}
	return ""
}
