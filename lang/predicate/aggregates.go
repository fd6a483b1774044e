package predicate

import (
	"fmt"

	"github.com/expr-lang/expr/ast"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/windows"
)

// aggregate is what the argument of an aggregate turned out to read.
type aggregate struct {
	step   *Step // patterns: the repeated step; nil: none yet
	window int   // the window named; -1: none
	bare   bool  // fields without a step or window before them
}

// aggFunc returns the aggregate of a name.
func aggFunc(name string) (windows.Func, bool) {
	for f := windows.Count; f <= windows.Collect; f++ {
		if f.String() == name {
			return f, true
		}
	}
	return 0, false
}

// listToo reports whether a name is also a function of a list.
func listToo(f windows.Func) bool {
	switch f {
	case windows.Count, windows.Sum, windows.Min, windows.Max, windows.First, windows.LastOf, windows.Median, windows.Values:
		return true
	}
	return false
}

// params is how many arguments an aggregate takes after the first.
func params(f windows.Func) int {
	switch f {
	case windows.Percentile, windows.Top, windows.Collect:
		return 1
	}
	return 0
}

// aggCall compiles a call whose name is an aggregate's. It is nil where the call is
// of the function of that name over a list or several arguments.
func (c *checker) aggCall(cx *context, n *ast.CallNode, f windows.Func) *plan.Expr {
	args := n.Arguments
	if listToo(f) && len(args) > 1 {
		return nil
	}
	switch {
	case len(args) == 0 && f != windows.Count && f != windows.Rate, len(args) > 1+params(f), len(args) > 0 && len(args) < 1+params(f):
		return c.fail(cx, n, codeArguments, fmt.Sprintf("%s takes %s, not %d", f, aggArguments(f), len(args)), "")
	case len(args) == 0:
		return c.aggOver(cx, n, f, &aggregate{window: -1}, nil)
	}
	before := len(c.errs)
	agg := &aggregate{window: -1}
	arg := c.aggArgument(cx, n, agg)
	failed := len(c.errs) > before
	if listToo(f) && !failed && (arg != nil && arg.Type.Kind == event.List || cx.agg == nil && c.sc.Aggs == nil && arg != nil && arg.Type.Kind == event.Any) {
		return nil
	}
	if listToo(f) && failed && c.isList(cx, args[0], before) {
		return nil
	}
	if failed {
		return bad()
	}
	return c.aggOver(cx, n, f, agg, arg)
}

func aggArguments(f windows.Func) string {
	switch {
	case f == windows.Count:
		return "no argument or one"
	case f == windows.Rate:
		return "no argument"
	case params(f) > 0:
		return "two arguments"
	}
	return "one argument"
}

// isList tries an argument as a value outside an aggregate. Where it is a list, what
// was reported since before is forgotten: the call is of a function.
func (c *checker) isList(cx *context, n ast.Node, before int) bool {
	kept := append(c.errs[:0:0], c.errs[before:]...)
	c.forget(before)
	e := c.check(cx, n)
	if len(c.errs) == before && !isBad(e) && e.Type.Kind == event.List {
		return true
	}
	c.forget(before)
	for _, e := range kept {
		c.report(e)
	}
	return false
}

// forget drops the messages since a trial began.
func (c *checker) forget(before int) {
	for _, e := range c.errs[before:] {
		delete(c.seen, problem{e.Span, e.Message})
	}
	c.errs = c.errs[:before]
}

// aggArgument compiles an aggregate's argument over the events it sees; nil for a
// whole step or window, as in count(small).
func (c *checker) aggArgument(cx *context, call *ast.CallNode, agg *aggregate) *plan.Expr {
	n := call.Arguments[0]
	if cx.agg != nil {
		return c.fail(cx, call, codeNoAggregate, "an aggregate within an aggregate", "")
	}
	in := *cx
	in.agg, in.elem, in.free = agg, nil, 0
	in.bare = in.bare || len(c.sc.Windows) > 0
	if c.whole(&in, n, agg) {
		return nil
	}
	return c.check(&in, n)
}

// whole reports whether an argument is a repeated step or a window by itself.
func (c *checker) whole(cx *context, n ast.Node, agg *aggregate) bool {
	if r := c.reference(cx, n); r != nil && r.over && r.step.Why == "" && r.step.LastOnly == "" {
		agg.step = r.step
		return true
	}
	id, ok := n.(*ast.IdentifierNode)
	if !ok {
		return false
	}
	ms := c.meanings(cx, cx.text.tok(id).text, "")
	if len(ms) == 1 && ms[0].window > 0 {
		agg.window = ms[0].window - 1
		return true
	}
	return false
}

// windowField compiles window.field within an aggregate's argument.
func (c *checker) windowField(cx *context, n ast.Node, window int, parts []ast.Node) *plan.Expr {
	switch {
	case len(parts) == 0:
		return c.fail(cx, n, codeEventValue, fmt.Sprintf("%q is a window, a value is needed", c.sc.Windows[window]), "name a field of its events")
	case cx.agg.window >= 0 && cx.agg.window != window:
		return c.fail(cx, n, codeWhichWindow, fmt.Sprintf("an aggregate is over one window, not over %q and %q", c.sc.Windows[cx.agg.window], c.sc.Windows[window]), "")
	}
	cx.agg.window = window
	r := &reference{typ: cx.events}
	if c.fieldOf(r.typ, "meta") == nil && cx.text.tok(parts[0]).text == "meta" {
		return c.metaField(cx, n, r, parts[1:])
	}
	return c.path(cx, r, parts)
}

// aggOver compiles an aggregate over what its argument turned out to read.
func (c *checker) aggOver(cx *context, n *ast.CallNode, f windows.Func, agg *aggregate, arg *plan.Expr) *plan.Expr {
	switch {
	case cx.agg != nil:
		return c.fail(cx, n, codeNoAggregate, "an aggregate within an aggregate", "")
	case c.sc.Aggs == nil:
		return c.fail(cx, n, codeNoAggregate, fmt.Sprintf("%s cannot be used here: %s", f, c.whyNoAggs()), "")
	case !c.placed(cx, n, f, agg):
		return bad()
	}
	call := AggCall{Func: f, Window: max(agg.window, 0), Step: -1, Span: cx.text.spanOf(n)}
	if agg.step != nil {
		call.Step = agg.step.Number
	}
	if arg != nil && f == windows.Count && arg.Type.Kind == event.Bool {
		call.Arg.Cond = arg
	} else if arg != nil {
		call.Arg.Value, call.ArgT = arg, arg.Type
	}
	if arg == nil && f != windows.Count && f != windows.Rate {
		return c.fail(cx, n, codeEventValue, fmt.Sprintf("%s needs a value of each event", f), "name a field")
	}
	return c.aggResult(cx, n, call)
}

func (c *checker) whyNoAggs() string {
	if c.sc.NoAggs != "" {
		return c.sc.NoAggs
	}
	return "there are no events to count or add up"
}

// placed finds the window of an aggregate, and reports one that is over nothing, or
// over what cannot be told.
func (c *checker) placed(cx *context, n ast.Node, f windows.Func, agg *aggregate) bool {
	named := len(c.sc.Windows) > 1
	switch {
	case len(c.sc.Windows) == 0 && (agg.step == nil || agg.bare):
		c.fail(cx, n, codeWhichWindow, fmt.Sprintf("%s does not say over which repeated step", f), "write "+f.String()+"(step.field), or count(step)")
		return false
	case len(c.sc.Windows) == 0:
		return true
	case agg.window >= 0 && agg.bare && named:
		c.fail(cx, n, codeWhichWindow, fmt.Sprintf("%s has fields with and without a window", f), fmt.Sprintf("write %s. before each", c.sc.Windows[agg.window]))
		return false
	case agg.window < 0 && named:
		c.fail(cx, n, codeWhichWindow, fmt.Sprintf("%s does not say over which window", f), fmt.Sprintf("write %s(%s), or fields such as %s.field", f, c.sc.Windows[0], c.sc.Windows[0]))
		return false
	}
	return true
}

// aggResult types an aggregate and hands it to the rule.
func (c *checker) aggResult(cx *context, n *ast.CallNode, call AggCall) *plan.Expr {
	if call.ArgT.Kind == event.Any && numeric(call.Func) {
		return c.fail(cx, n.Arguments[0], codeType, fmt.Sprintf("%s needs a number, this is a value of any type", call.Func), "convert it with float()")
	}
	t, err := windows.ResultType(call.Func, call.ArgT)
	if err != nil {
		return c.fail(cx, n, codeType, err.Error(), "")
	}
	if !c.aggParam(cx, n, &call) {
		return bad()
	}
	call.Type = t
	call.Text = call.Arg.Value.String()
	if call.Arg.Cond != nil {
		call.Text = "if " + call.Arg.Cond.String()
	}
	i, err := c.sc.Aggs.Aggregate(call)
	if err != nil {
		return c.fail(cx, n, codeNoAggregate, err.Error(), "")
	}
	return &plan.Expr{Op: plan.OpAgg, Index: i, Type: t}
}

// numeric reports whether an aggregate computes with its argument.
func numeric(f windows.Func) bool {
	switch f {
	case windows.Sum, windows.Avg, windows.Min, windows.Max, windows.Stddev, windows.Variance, windows.Median,
		windows.Percentile, windows.ZScore, windows.Slope:
		return true
	}
	return false
}

// aggParam reads the constant second argument.
func (c *checker) aggParam(cx *context, n *ast.CallNode, call *AggCall) bool {
	if params(call.Func) == 0 {
		return true
	}
	arg := n.Arguments[1]
	e := c.check(cx, arg)
	switch {
	case isBad(e):
		return false
	case !isLiteral(e) || !isNumber(e.Type.Kind):
		c.fail(cx, arg, codeConstant, fmt.Sprintf("the second argument of %s is a constant number", call.Func), "")
		return false
	}
	call.Param = number(e.Const)
	if call.Func == windows.Percentile {
		if call.Param < 0 || call.Param > 100 {
			c.fail(cx, arg, codeConstant, "a percentile is from 0 to 100", "")
			return false
		}
		return true
	}
	if e.Type.Kind != event.Int || call.Param < 1 || call.Param > windows.MaxItems {
		c.fail(cx, arg, codeConstant, fmt.Sprintf("the second argument of %s is a whole number from 1 to %d", call.Func, windows.MaxItems), "")
		return false
	}
	return true
}
