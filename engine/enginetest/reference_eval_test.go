package enginetest

import (
	"math"
	"slices"
	"strings"
)

// view is what an expression sees.
type view struct {
	at      *occurrence              // the event at hand; nil: none
	here    []*occurrence            // the window without a name: what aggregates see
	named   map[string][]*occurrence // windows by name
	width   map[string]int64         // the length of windows of time, for rate; the one without a name is ""
	steps   map[string][]*occurrence // what each step has taken so far
	many    map[string]bool          // steps that may take several events
	prev    *occurrence              // the previous turn of the step whose condition this is
	keys    map[string]any           // parts of the rule's key
	lets    map[string]*node         // of the rule and of the file
	window  *extent                  // the window with an end at hand
	matches int64                    // match all: how many at this event
	tables  map[string]*projection
	one     map[string]*occurrence // within an aggregate: the event it looks at, by step or window
}

// eval evaluates an expression.
func (v *view) eval(n *node) any {
	switch n.op {
	case "lit":
		return n.val
	case "name":
		return v.name(n.text)
	case "member":
		return v.member(n)
	case "index":
		return v.index(n)
	case "call":
		return v.call(n)
	case "list":
		return v.all(n.args)
	case "text":
		var b strings.Builder
		for _, a := range n.args {
			b.WriteString(asText(v.eval(a)))
		}
		return b.String()
	case "?:":
		if truth(v.eval(n.args[0])) {
			return v.eval(n.args[1])
		}
		return v.eval(n.args[2])
	case "not":
		return !truth(v.eval(n.args[0]))
	case "neg":
		return arithmetic("*", v.eval(n.args[0]), int64(-1))
	}
	return v.binary(n)
}

func (v *view) all(nodes []*node) []any {
	out := make([]any, len(nodes))
	for i, n := range nodes {
		out[i] = v.eval(n)
	}
	return out
}

func (v *view) binary(n *node) any {
	a, b := v.eval(n.args[0]), v.eval(n.args[1])
	switch n.op {
	case "and", "&&":
		return truth(a) && truth(b)
	case "or", "||":
		return truth(a) || truth(b)
	case "??":
		if a == nil {
			return b
		}
		return a
	case "==":
		return equalOrBothNil(a, b)
	case "!=":
		return !equalOrBothNil(a, b)
	case "in":
		return isIn(a, b)
	case "not in":
		return !isIn(a, b)
	case "<", "<=", ">", ">=":
		return ordered(n.op, a, b)
	case "contains", "startsWith", "endsWith":
		return textTest(n.op, a, b)
	}
	return arithmetic(n.op, a, b)
}

// equalOrBothNil also sees a step that has taken nothing as nil.
func equalOrBothNil(a, b any) bool {
	if e, ok := a.(*occurrence); ok {
		return e == nil && b == nil
	}
	return same(a, b)
}

func isIn(a, list any) bool {
	items, _ := list.([]any)
	return slices.ContainsFunc(items, func(x any) bool { return same(a, x) })
}

func ordered(op string, a, b any) any {
	c, ok := compare(a, b)
	switch op {
	case "<":
		return ok && c < 0
	case "<=":
		return ok && c <= 0
	case ">":
		return ok && c > 0
	}
	return ok && c >= 0
}

func textTest(op string, a, b any) any {
	x, ok1 := a.(string)
	y, ok2 := b.(string)
	switch {
	case !ok1 || !ok2:
		return false
	case op == "contains":
		return strings.Contains(x, y)
	case op == "startsWith":
		return strings.HasPrefix(x, y)
	}
	return strings.HasSuffix(x, y)
}

// name resolves a bare name. The compiler refuses names that could mean two things, so
// the order of the questions does not matter.
func (v *view) name(name string) any {
	if e, ok := v.one[name]; ok {
		return e
	}
	if name == "prev" {
		return v.prev
	}
	if k, ok := v.keys[name]; ok {
		return k
	}
	if let, ok := v.lets[name]; ok {
		return v.eval(let)
	}
	if v.at != nil {
		if f, ok := v.at.fields[name]; ok {
			return f
		}
	}
	if taken := v.steps[name]; len(taken) > 0 {
		return taken[0]
	}
	return nil
}

// member is x.name, where x is an event, or meta.name of the event at hand or of x.
func (v *view) member(n *node) any {
	of := n.args[0]
	if of.op == "name" && of.text == "window" && v.window != nil {
		return map[string]any{"start": instant(v.window.start), "end": instant(v.window.end)}[n.text]
	}
	if of.op == "name" && of.text == "meta" {
		return v.at.meta(n.text)
	}
	if of.op == "member" && of.text == "meta" {
		return asEvent(v.eval(of.args[0])).meta(n.text)
	}
	x := v.eval(of)
	switch x := x.(type) {
	case *row:
		return x.field(n.text)
	case headers:
		return x.field(n.text)
	}
	return asEvent(x).field(n.text)
}

// asEvent takes an event, or nil where a step has taken none.
func asEvent(x any) *occurrence { e, _ := x.(*occurrence); return e }

// index is step[i], list[i] or table[key].
func (v *view) index(n *node) any {
	if of := n.args[0]; of.op == "name" && v.tables[of.text] != nil {
		return v.tables[of.text].read(v.eval(n.args[1]), v.at)
	}
	i, ok := v.eval(n.args[1]).(int64)
	if of := n.args[0]; of.op == "name" && v.many[of.text] {
		taken := v.steps[of.text]
		if !ok || i < 0 || i >= int64(len(taken)) {
			return nil
		}
		return taken[i]
	}
	list, _ := v.eval(n.args[0]).([]any)
	if !ok || i < 0 || i >= int64(len(list)) {
		return nil
	}
	return list[i]
}

func (v *view) call(n *node) any {
	if len(n.args) == 1 && n.args[0].op == "name" && v.many[n.args[0].text] {
		taken := v.steps[n.args[0].text]
		switch {
		case n.text == "count":
			return int64(len(taken))
		case len(taken) == 0:
			return nil
		case n.text == "first":
			return taken[0]
		case n.text == "last":
			return taken[len(taken)-1]
		}
	}
	if n.text == "matches" {
		return v.matches
	}
	if isAggregate(n) {
		return v.aggregate(n)
	}
	return function(n.text, v.all(n.args))
}

func function(name string, args []any) any {
	if args[0] == nil {
		return nil
	}
	switch name {
	case "abs":
		if c, _ := compare(args[0], int64(0)); c < 0 {
			return arithmetic("*", args[0], int64(-1))
		}
		return args[0]
	case "lower":
		return strings.ToLower(args[0].(string))
	case "upper":
		return strings.ToUpper(args[0].(string))
	case "len":
		return int64(len([]rune(args[0].(string))))
	case "seconds":
		return float64(args[0].(span)) / 1e9
	case "minutes":
		return float64(args[0].(span)) / 60e9
	case "floor":
		f, _ := number(args[0])
		return math.Floor(f)
	}
	panic("reference: no function " + name)
}
