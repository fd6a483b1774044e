package predicate

import (
	"fmt"
	"net/netip"
	"time"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
)

// signature is what a function takes and gives. Each letter of params is one
// argument: n a number, f a number taken as float, i an int, s text, p an address, d
// a duration, t a time, l a list, a anything, z a constant zone, c a constant or
// computed block of addresses; those after min may be missing, and * repeats the last.
type signature struct {
	params string
	min    int
	result event.Kind // Nil: see resultOf
	native bool       // runs on expr's VM
}

// functions are the functions of the language, but aggregates, list predicates and
// macros. The table is constant.
var functions = map[string]signature{
	"geo_km": {"ffff", 4, event.Float, false}, "cidr": {"pc", 2, event.Bool, false},
	"hours": {"d", 1, event.Float, false}, "minutes": {"d", 1, event.Float, false}, "seconds": {"d", 1, event.Float, false},
	"hour": {"tz", 1, event.Int, false}, "weekday": {"tz", 1, event.Int, false},
	"entropy": {"s", 1, event.Float, false}, "domain": {"s", 1, event.String, false}, "levenshtein": {"ss", 2, event.Int, false},
	"abs": {"m", 1, event.Nil, false}, "ceil": {"n", 1, event.Float, false}, "floor": {"n", 1, event.Float, false}, "round": {"n", 1, event.Float, false},
	"lower": {"s", 1, event.String, false}, "upper": {"s", 1, event.String, false},
	"trim": {"ss", 1, event.String, false}, "trimPrefix": {"ss", 2, event.String, false}, "trimSuffix": {"ss", 2, event.String, false},
	"hasPrefix": {"ss", 2, event.Bool, false}, "hasSuffix": {"ss", 2, event.Bool, false},
	"indexOf": {"ss", 2, event.Int, false}, "lastIndexOf": {"ss", 2, event.Int, false},
	"split": {"ssi", 2, event.List, false}, "replace": {"sssi", 3, event.String, false},
	"len": {"a", 1, event.Int, false},
	"min": {"a*", 1, event.Nil, false}, "max": {"a*", 1, event.Nil, false},
	"sum": {"l", 1, event.Nil, false}, "mean": {"l", 1, event.Float, false}, "median": {"l", 1, event.Float, false},
	"first": {"l", 1, event.Nil, false}, "last": {"l", 1, event.Nil, false}, "count": {"l", 1, event.Int, false},
	"int": {"a", 1, event.Int, false}, "float": {"a", 1, event.Float, false}, "string": {"a", 1, event.String, false},
	"duration": {"a", 1, event.Duration, false}, "time": {"a", 1, event.Time, false},

	"splitAfter": {"ssi", 2, event.List, true}, "repeat": {"si", 2, event.String, true}, "join": {"ls", 1, event.String, true},
	"uniq": {"l", 1, event.Nil, true}, "concat": {"l*", 1, event.List, true}, "flatten": {"l", 1, event.List, true},
	"reverse": {"l", 1, event.Nil, true}, "sort": {"ls", 1, event.Nil, true}, "take": {"li", 2, event.Nil, true},
	"type": {"a", 1, event.String, true}, "toJSON": {"a", 1, event.String, true}, "fromJSON": {"s", 1, event.Any, true},
	"toBase64": {"s", 1, event.String, true}, "fromBase64": {"s", 1, event.String, true},
	"bitand": {"ii", 2, event.Int, true}, "bitor": {"ii", 2, event.Int, true}, "bitxor": {"ii", 2, event.Int, true},
	"bitnand": {"ii", 2, event.Int, true}, "bitshl": {"ii", 2, event.Int, true}, "bitshr": {"ii", 2, event.Int, true},
	"bitushr": {"ii", 2, event.Int, true}, "bitnot": {"i", 1, event.Int, true},
}

// refused says why a function of expr is not one of the language.
func refused(name string) (why, mend string) {
	switch name {
	case "now":
		return "its result would depend on the clock", "meta.time is the time of the event"
	case "date", "timezone":
		return "its result would depend on the clock or on the machine", `compare times with text: at > "2026-01-02T00:00:00Z"`
	case "keys", "values", "toPairs":
		return "its result would depend on the order of a map", ""
	case "groupBy", "fromPairs":
		return "it makes a map, which has no order", ""
	case "if":
		return "if … else is not part of the language", "write condition ? value : other"
	}
	return "", ""
}

// call compiles a call: of an interpolation, an aggregate, a macro or a function.
func (c *checker) call(cx *context, n *ast.CallNode) *plan.Expr {
	id, ok := n.Callee.(*ast.IdentifierNode)
	if !ok {
		return c.fail(cx, n.Callee, codeUnknownFunc, "values have no functions of their own", "write function(value)")
	}
	t := cx.text.tok(id)
	if t.kind == tokText {
		return c.interpolation(cx, n)
	}
	if fn := c.macro(t.text); fn != nil {
		return c.macroCall(cx, n, fn)
	}
	if t.kind != tokWord {
		return c.unknownFunction(cx, n, t.text)
	}
	if t.text == "matches" {
		return c.matches(cx, n)
	}
	if r := c.reference(cx, n); r != nil {
		return c.refField(cx, n, r, nil)
	}
	if f, ok := aggFunc(t.text); ok {
		if e := c.aggCall(cx, n, f); e != nil {
			return e
		}
	}
	if why, mend := refused(t.text); why != "" {
		return c.failAt(cx, id, codeRefused, fmt.Sprintf("the function %s is not part of the language: %s", t.text, why), mend)
	}
	sig, ok := functions[t.text]
	if !ok {
		return c.unknownFunction(cx, n, t.text)
	}
	if t.text == "count" && cx.free >= plan.MaxEach {
		return c.fail(cx, n, codeNesting, fmt.Sprintf("list predicates are nested more than %d deep", plan.MaxEach), "")
	}
	return c.function(cx, n, t.text, sig)
}

func (c *checker) macro(name string) *Fn {
	if c.sc.Globals == nil {
		return nil
	}
	for i := range c.sc.Globals.Fns {
		if c.sc.Globals.Fns[i].Name == name {
			return &c.sc.Globals.Fns[i]
		}
	}
	return nil
}

func (c *checker) unknownFunction(cx *context, n *ast.CallNode, name string) *plan.Expr {
	names := []string{
		"all", "any", "none", "one", "filter", "map", "find", "findIndex", "findLast", "findLastIndex", "sortBy", "reduce",
		"avg", "distinct", "stddev", "variance", "percentile", "zscore", "rate", "slope", "top", "collect", "matches",
	}
	for name := range functions {
		names = append(names, name)
	}
	if g := c.sc.Globals; g != nil {
		for _, fn := range g.Fns {
			names = append(names, fn.Name)
		}
	}
	return c.failAt(cx, n.Callee, codeUnknownFunc, fmt.Sprintf("unknown function %q", name), source.DidYouMean(name, sorted(names)))
}

// matches compiles the number of matches at this event.
func (c *checker) matches(cx *context, n *ast.CallNode) *plan.Expr {
	switch {
	case len(n.Arguments) > 0:
		return c.fail(cx, n, codeArguments, "matches takes no argument", "")
	case !c.sc.Matches || cx.agg != nil:
		return c.fail(cx, n, codeNoSuchPlace, "matches() is counted by match all only", "")
	}
	return &plan.Expr{Op: plan.OpMatches, Type: event.Type{Kind: event.Int}}
}

// interpolation compiles the parts of a text.
func (c *checker) interpolation(cx *context, n *ast.CallNode) *plan.Expr {
	args := make([]*plan.Expr, len(n.Arguments))
	for i, kid := range n.Arguments {
		args[i] = c.check(cx, kid)
	}
	if anyBad(args...) {
		return bad()
	}
	return typed(plan.OpConcat, event.String, args...)
}

// function compiles the call of a function of the table.
func (c *checker) function(cx *context, n *ast.CallNode, name string, sig signature) *plan.Expr {
	if len(n.Arguments) < sig.min || len(n.Arguments) > sig.most() {
		return c.fail(cx, n, codeArguments, fmt.Sprintf("%s takes %s, not %d", name, sig.count(), len(n.Arguments)), "")
	}
	args := make([]*plan.Expr, len(n.Arguments))
	for i, kid := range n.Arguments {
		args[i] = c.functionArgument(cx, kid, name, sig.at(i))
	}
	if anyBad(args...) {
		return bad()
	}
	t, message := resultOf(name, sig, args)
	if message != "" {
		return c.fail(cx, n, codeArguments, message, "")
	}
	return c.called(cx, name, sig, t, args)
}

// called makes the expression of a checked call.
func (c *checker) called(cx *context, name string, sig signature, t event.Type, args []*plan.Expr) *plan.Expr {
	switch {
	case sig.native:
		return native(name, t, args)
	case name == "len":
		return typed(plan.OpLen, event.Int, args...)
	case name == "count":
		return countTrue(cx, t, args[0])
	}
	return &plan.Expr{Op: plan.OpCall, Name: name, Type: t, Args: args}
}

// countTrue counts the elements of a list that are true.
func countTrue(cx *context, t event.Type, list *plan.Expr) *plan.Expr {
	elem := &plan.Expr{Op: plan.OpElem, Index: cx.free, Type: elemOf(list.Type)}
	return &plan.Expr{Op: plan.OpEach, Name: "count", Index: cx.free, Type: t, Args: []*plan.Expr{list, elem}}
}

// maxArguments bounds the arguments of min, max and concat.
const maxArguments = 100

func (s signature) most() int {
	if s.params[len(s.params)-1] == '*' {
		return maxArguments
	}
	return len(s.params)
}

func (s signature) at(i int) byte {
	if i >= len(s.params) || s.params[i] == '*' {
		return s.params[len(s.params)-2]
	}
	return s.params[i]
}

func (s signature) count() string {
	if s.min == s.most() {
		return plural(s.min, "argument")
	}
	if s.most() == maxArguments {
		return "at least " + plural(s.min, "argument")
	}
	return fmt.Sprintf("%d to %d arguments", s.min, s.most())
}

// functionArgument compiles one argument and fits it to what the function takes.
func (c *checker) functionArgument(cx *context, n ast.Node, name string, letter byte) *plan.Expr {
	e := c.check(cx, n)
	if isBad(e) {
		return e
	}
	ok, needs := takes(letter, e.Type.Kind)
	if !ok {
		return c.fail(cx, n, codeArguments, fmt.Sprintf("%s needs %s, this is %s", name, needs, a(e.Type)), "")
	}
	switch {
	case letter == 'f' && e.Type.Kind == event.Int:
		e, _ = convertTo(e, event.Type{Kind: event.Float})
	case letter == 'z':
		if !isLiteral(e) || e.Type.Kind != event.String {
			return c.fail(cx, n, codeConstant, "a zone is a constant text", "")
		}
		if _, err := time.LoadLocation(e.Const.S); err != nil || e.Const.S == "Local" {
			return c.fail(cx, n, codeConstant, fmt.Sprintf("unknown zone %q", e.Const.S), `zones are named as in "Europe/Berlin"`)
		}
	case letter == 'c' && isLiteral(e) && !isNil(e):
		if _, err := netip.ParsePrefix(e.Const.S); err != nil {
			return c.fail(cx, n, codeConstant, fmt.Sprintf("%q is not a block of addresses", e.Const.S), `a block is written as "10.0.0.0/8"`)
		}
	}
	return e
}

// takes reports whether a parameter of the letter takes a kind, and what it needs.
func takes(letter byte, k event.Kind) (ok bool, needs string) {
	switch letter {
	case 'n', 'f':
		ok, needs = isNumber(k), "a number"
	case 'm':
		ok, needs = isNumber(k) || k == event.Duration, "a number or a duration"
	case 'i':
		ok, needs = k == event.Int, "a whole number"
	case 's':
		ok, needs = k == event.String || k == event.IP, "text"
	case 'c', 'z':
		ok, needs = k == event.String, "text"
	case 'p':
		ok, needs = k == event.IP || k == event.String, "an address"
	case 'd':
		ok, needs = k == event.Duration, "a duration"
	case 't':
		ok, needs = k == event.Time, "a time"
	case 'l':
		ok, needs = k == event.List, "a list"
	default:
		ok = true
	}
	return ok || k == event.Any || k == event.Nil, needs
}

// resultOf is the type of a function's result.
func resultOf(name string, sig signature, args []*plan.Expr) (event.Type, string) {
	t := event.Type{Kind: sig.result, Optional: true}
	first := args[0].Type
	switch name {
	case "abs":
		t.Kind = first.Kind
	case "first", "last":
		return elemOf(first), ""
	case "sum":
		t.Kind = elemOf(first).Kind
		if !isNumber(t.Kind) && t.Kind != event.Duration && t.Kind != event.Any {
			return t, "sum needs a list of numbers or durations"
		}
	case "uniq", "reverse", "sort", "take":
		return event.Type{Kind: event.List, Elem: ref(elemOf(first)), Optional: true}, ""
	case "split", "splitAfter":
		t.Elem = &event.Type{Kind: event.String}
	case "concat", "flatten":
		t.Elem = &event.Type{Kind: event.Any}
	case "min", "max":
		return extremeType(name, args)
	case "int", "float", "string", "duration", "time":
		return t, conversionFault(name, first)
	}
	return t, ""
}

func ref(t event.Type) *event.Type { return &t }

// extremeType is the type of min and max, whose arguments are brought to one type.
func extremeType(name string, args []*plan.Expr) (event.Type, string) {
	if len(args) == 1 {
		if k := args[0].Type.Kind; k != event.List && k != event.Any {
			return event.Type{}, name + " needs a list or several values"
		}
		return elemOf(args[0].Type), ""
	}
	t := event.Type{}
	for _, e := range args {
		switch k := e.Type.Kind; k {
		case event.Bool, event.IP, event.List, event.Record:
			return t, a(e.Type) + " has no order"
		}
		if t = mix(t, e.Type); t.Kind == event.Any && e.Type.Kind != event.Any {
			return t, name + " needs values of one type"
		}
	}
	for i, e := range args {
		if t.Kind == event.Float {
			args[i], _ = convertTo(e, t)
		}
	}
	t.Optional = true
	return t, ""
}

// conversionFault says why a value of a type cannot be converted.
func conversionFault(name string, from event.Type) string {
	ok := true
	switch k := from.Kind; name {
	case "int", "float":
		ok = isNumber(k) || k == event.String || k == event.Any || k == event.Nil
	case "duration":
		ok = k == event.Duration || k == event.String || k == event.Any || k == event.Nil
	case "time":
		ok = k == event.Time || k == event.String || k == event.Any || k == event.Nil
	}
	if ok {
		return ""
	}
	return name + " cannot be made of " + a(from)
}

// lambdaCall compiles the functions whose body is evaluated for each element.
func (c *checker) lambdaCall(cx *context, n *ast.BuiltinNode) *plan.Expr {
	name := cx.text.tok(n).text
	if why, mend := refused(name); why != "" {
		return c.failAt(cx, n, codeRefused, fmt.Sprintf("the function %s is not part of the language: %s", name, why), mend)
	}
	if fn := c.macro(name); fn != nil {
		return c.failAt(cx, n, codeAmbiguous, fmt.Sprintf("%q could mean two things: a fn, or the function over a list", name), "rename the fn")
	}
	if len(n.Arguments) < 2 {
		return c.fail(cx, n, codeArguments, name+" takes a list and what to do with each element", "")
	}
	list := c.check(cx, n.Arguments[0])
	if isBad(list) {
		return list
	}
	if k := list.Type.Kind; k != event.List && k != event.Any && k != event.Nil {
		return c.fail(cx, n.Arguments[0], codeArguments, fmt.Sprintf("%s needs a list, this is %s", name, a(list.Type)), "")
	}
	if cx.free >= plan.MaxEach {
		return c.fail(cx, n, codeNesting, fmt.Sprintf("list predicates are nested more than %d deep", plan.MaxEach), "")
	}
	return c.eachOf(cx, n, name, list)
}

// eachOf compiles the body of a list predicate.
func (c *checker) eachOf(cx *context, n *ast.BuiltinNode, name string, list *plan.Expr) *plan.Expr {
	e := &plan.Expr{Op: plan.OpEach, Name: name, Index: cx.free, Args: []*plan.Expr{list}}
	in := *cx
	in.elem, in.free = &element{typ: elemOf(list.Type), level: cx.free}, cx.free+1
	var rest []*plan.Expr
	if len(n.Arguments) > 2 {
		last := c.check(cx, n.Arguments[2])
		if isBad(last) {
			return last
		}
		if name == "sortBy" && !(isLiteral(last) && (last.Const.S == "asc" || last.Const.S == "desc")) {
			return c.fail(cx, n.Arguments[2], codeConstant, `the order of sortBy is "asc" or "desc"`, "")
		}
		rest = append(rest, last)
	}
	if name == "reduce" {
		in.elem.acc = event.Type{Kind: event.Any}
	}
	node := n.Arguments[1]
	if p, ok := node.(*ast.PredicateNode); ok {
		node = p.Node
	}
	body := c.check(&in, node)
	if isBad(body) {
		return body
	}
	switch name {
	case "map", "sum", "sortBy", "reduce":
	default:
		if body = c.wanted(&in, node, body, event.Bool); isBad(body) {
			return body
		}
	}
	e.Args = append(append(e.Args, body), rest...)
	return c.eachType(cx, node, e)
}

// eachType types a list predicate by its function.
func (c *checker) eachType(cx *context, node ast.Node, e *plan.Expr) *plan.Expr {
	list, body := e.Args[0].Type, e.Args[1].Type
	e.Type = event.Type{Kind: event.Bool, Optional: true}
	switch e.Name {
	case "filter", "sortBy":
		e.Type = event.Type{Kind: event.List, Elem: ref(elemOf(list)), Optional: true}
	case "map":
		e.Type = event.Type{Kind: event.List, Elem: ref(body), Optional: true}
		if body.Kind == event.Nil {
			e.Type.Elem.Kind = event.Any
		}
	case "find", "findLast":
		e.Type = elemOf(list)
	case "count", "findIndex", "findLastIndex":
		e.Type.Kind = event.Int
	case "reduce":
		e.Type.Kind = event.Any
	case "sum":
		if k := body.Kind; !isNumber(k) && k != event.Duration && k != event.Any && k != event.Nil {
			return c.fail(cx, node, codeArguments, "sum needs numbers or durations, this is "+a(body), "")
		}
		e.Type.Kind = event.Any
		if isNumber(body.Kind) || body.Kind == event.Duration {
			e.Type.Kind = body.Kind
		}
	}
	return e
}
