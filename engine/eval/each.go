package eval

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// element reads what a list predicate has at hand.
func element(e *plan.Expr) valueFn {
	level := e.Index
	switch e.Op {
	case plan.OpElem:
		return func(f *Frame) event.Value { return f.elems[level].value }
	case plan.OpElemNo:
		return func(f *Frame) event.Value { return event.OfInt(int64(f.elems[level].no)) }
	}
	return func(f *Frame) event.Value { return f.elems[level].acc }
}

// loop is one list predicate: what it does with the elements of a list that is
// there. It sets its level of the frame before each call of its body.
type loop func(f *Frame, xs []event.Value) event.Value

// each compiles a list predicate. A nil list gives nil.
func (u *unit) each(e *plan.Expr) valueFn {
	xs, run, level := u.value(e.Args[0]), u.loop(e), e.Index
	u.faults = true
	return func(f *Frame) event.Value {
		list := xs(f)
		switch list.Kind {
		case event.Nil:
			return event.Value{}
		case event.List:
			v := run(f, list.Elems())
			f.elems[level] = elem{}
			return v
		}
		f.fault("a list is needed, not " + list.Kind.String())
		return event.Value{}
	}
}

func (u *unit) loop(e *plan.Expr) loop {
	level := e.Index
	switch e.Name {
	case "any", "all", "none", "one", "count", "filter", "find", "findIndex", "findLast", "findLastIndex":
		return u.search(e.Name, level, u.cond(e.Args[1]))
	case "map":
		return mapLoop(level, u.value(e.Args[1]))
	case "sum":
		u.faults = true
		return sumLoop(level, u.value(e.Args[1]))
	case "sortBy":
		return u.sortLoop(e)
	}
	return u.reduceLoop(e)
}

// hits calls do with the index of each element that passes, until it gives false.
func hits(f *Frame, xs []event.Value, level int, test condFn, do func(i int) bool) {
	for i := range xs {
		f.elems[level] = elem{value: xs[i], no: i}
		if !f.spend(1) || test(f) && !do(i) {
			return
		}
	}
}

// search compiles the predicates that ask which elements pass a test.
func (u *unit) search(name string, level int, test condFn) loop {
	switch name {
	case "any":
		return func(f *Frame, xs []event.Value) event.Value {
			return event.OfBool(countHits(f, xs, level, test, 1) > 0)
		}
	case "none":
		return func(f *Frame, xs []event.Value) event.Value {
			return event.OfBool(countHits(f, xs, level, test, 1) == 0)
		}
	case "one":
		return func(f *Frame, xs []event.Value) event.Value {
			return event.OfBool(countHits(f, xs, level, test, 2) == 1)
		}
	case "all":
		return func(f *Frame, xs []event.Value) event.Value {
			return event.OfBool(countHits(f, xs, level, not(test), 1) == 0)
		}
	case "count":
		return func(f *Frame, xs []event.Value) event.Value {
			return event.OfInt(int64(countHits(f, xs, level, test, len(xs)+1)))
		}
	case "filter":
		return func(f *Frame, xs []event.Value) event.Value { return filter(f, xs, level, test) }
	}
	return find(name, level, test)
}

// countHits counts the elements that pass, up to enough.
func countHits(f *Frame, xs []event.Value, level int, test condFn, enough int) int {
	n := 0
	hits(f, xs, level, test, func(int) bool { n++; return n < enough })
	return n
}

func filter(f *Frame, xs []event.Value, level int, test condFn) event.Value {
	c := &event.Compound{}
	hits(f, xs, level, test, func(i int) bool { c.Elems = append(c.Elems, xs[i]); return true })
	return event.Value{Kind: event.List, C: c}
}

// find gives the first or last element that passes, or its index; nil where none does.
func find(name string, level int, test condFn) loop {
	last := name == "findLast" || name == "findLastIndex"
	index := name == "findIndex" || name == "findLastIndex"
	return func(f *Frame, xs []event.Value) event.Value {
		at := -1
		hits(f, xs, level, test, func(i int) bool { at = i; return last })
		switch {
		case at < 0:
			return event.Value{}
		case index:
			return event.OfInt(int64(at))
		}
		return xs[at]
	}
}

func mapLoop(level int, body valueFn) loop {
	return func(f *Frame, xs []event.Value) event.Value {
		c := &event.Compound{Elems: make([]event.Value, len(xs))}
		for i := range xs {
			f.elems[level] = elem{value: xs[i], no: i}
			if !f.spend(1) {
				return event.Value{}
			}
			c.Elems[i] = body(f)
		}
		return event.Value{Kind: event.List, C: c}
	}
}

// sumLoop adds what is not nil; of nothing it is 0.
func sumLoop(level int, body valueFn) loop {
	return func(f *Frame, xs []event.Value) event.Value {
		total := event.OfInt(0)
		first := true
		for i := range xs {
			f.elems[level] = elem{value: xs[i], no: i}
			if !f.spend(1) {
				return event.Value{}
			}
			v := body(f)
			switch {
			case v.IsNil():
			case first:
				total, first = v, false
			default:
				total = apply(f, plan.OpAdd, total, v)
			}
			if total.IsNil() {
				return total
			}
		}
		return total
	}
}

// sortLoop sorts by the body's value, equal ones in their order, nil last.
func (u *unit) sortLoop(e *plan.Expr) loop {
	u.faults = true
	level, body := e.Index, u.value(e.Args[1])
	desc := len(e.Args) > 2 && e.Args[2].Const.S == "desc"
	return func(f *Frame, xs []event.Value) event.Value {
		keys, at := make([]event.Value, len(xs)), make([]int, len(xs))
		for i := range xs {
			f.elems[level] = elem{value: xs[i], no: i}
			if !f.spend(1) {
				return event.Value{}
			}
			keys[i], at[i] = body(f), i
		}
		slices.SortStableFunc(at, func(i, j int) int { return sortOrder(f, keys[i], keys[j], desc) })
		c := &event.Compound{Elems: make([]event.Value, len(xs))}
		for i, from := range at {
			c.Elems[i] = xs[from]
		}
		return event.Value{Kind: event.List, C: c}
	}
}

func sortOrder(f *Frame, a, b event.Value, desc bool) int {
	switch {
	case a.IsNil() && b.IsNil():
		return 0
	case a.IsNil():
		return 1
	case b.IsNil():
		return -1
	}
	c, ok := order(a, b)
	if !ok {
		f.fault("comparison of " + a.Kind.String() + " with " + b.Kind.String())
	}
	if desc {
		return -c
	}
	return c
}

// reduceLoop folds from the left; without a first value it starts with the first
// element, and of nothing it is nil.
func (u *unit) reduceLoop(e *plan.Expr) loop {
	level, body := e.Index, u.value(e.Args[1])
	if len(e.Args) > 2 {
		first := u.value(e.Args[2])
		return func(f *Frame, xs []event.Value) event.Value { return reduce(f, xs, 0, first(f), level, body) }
	}
	return func(f *Frame, xs []event.Value) event.Value {
		if len(xs) == 0 {
			return event.Value{}
		}
		return reduce(f, xs, 1, xs[0], level, body)
	}
}

func reduce(f *Frame, xs []event.Value, from int, acc event.Value, level int, body valueFn) event.Value {
	for i := from; i < len(xs); i++ {
		f.elems[level] = elem{value: xs[i], acc: acc, no: i}
		acc = body(f)
		if !f.spend(1+len(acc.Elems())) || !flat(f, acc) {
			return event.Value{}
		}
	}
	return acc
}

// flat refuses a list of lists: one that holds the last one twice, over and over,
// would share its parts in memory and fill it when it is written.
func flat(f *Frame, v event.Value) bool {
	for _, e := range v.Elems() {
		if e.C != nil {
			f.fault("reduce makes a list within a list")
			return false
		}
	}
	return true
}
