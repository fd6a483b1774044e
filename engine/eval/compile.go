package eval

import (
	"math"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Compiler makes closures of expressions. Types are the set's event types, their
// layouts complete: a slot added later makes what was compiled before wrong. Event
// is the type of the event at hand, -1 where there is none; Steps are the steps of
// the rule's pattern.
type Compiler struct {
	Types []*plan.Type
	Event int
	Steps []plan.Step
}

// Bool compiles a condition: nil and a fault are false. A nil expression gives nil.
// The closure is safe for concurrent use with different frames.
func (c Compiler) Bool(e *plan.Expr) func(*Frame) bool {
	if e == nil {
		return nil
	}
	u := unit{Compiler: c}
	fn := u.cond(e)
	if !u.faults {
		return fn
	}
	return func(f *Frame) bool {
		before := f.Fault.Count
		f.work = 0
		is := fn(f)
		if f.Fault.Count == before {
			return is
		}
		f.Fault.Count = before + 1
		return false
	}
}

// Condition is Bool of an expression that is not nil, and says whether it can fail as it
// runs.
func (c Compiler) Condition(e *plan.Expr) (holds func(*Frame) bool, fails bool) {
	u := unit{Compiler: c}
	fn := u.cond(e)
	if u.faults {
		return c.Bool(e), true
	}
	return fn, false
}

// Bits compiles an expression of kind Int, Float, Time or Duration for the N of its value,
// false where that is nil, without making a Value; nil where it can fail as it runs.
func (c Compiler) Bits(e *plan.Expr) func(*Frame) (uint64, bool) {
	u := unit{Compiler: c}
	var fn func(*Frame) (uint64, bool)
	if e.Type.Kind == event.Float {
		x := u.float(e)
		fn = func(f *Frame) (uint64, bool) {
			x, ok := x(f)
			return math.Float64bits(x), ok && !math.IsNaN(x) && !math.IsInf(x, 0)
		}
	} else {
		n := u.whole(e)
		fn = func(f *Frame) (uint64, bool) {
			n, ok := n(f)
			return uint64(n), ok
		}
	}
	if u.faults {
		return nil
	}
	return fn
}

// Value compiles an expression for its value: a fault is nil. Strings share memory
// with the events they come from. A nil expression gives nil.
func (c Compiler) Value(e *plan.Expr) func(*Frame) event.Value {
	if e == nil {
		return nil
	}
	u := unit{Compiler: c}
	fn := u.value(e)
	if !u.faults {
		return fn
	}
	return func(f *Frame) event.Value {
		before := f.Fault.Count
		f.work = 0
		v := fn(f)
		if f.Fault.Count == before {
			return v
		}
		f.Fault.Count = before + 1
		return event.Value{}
	}
}

// The typed closures. The second result is false for nil.
type (
	condFn  = func(*Frame) bool
	boolFn  = func(*Frame) (bool, bool)
	intFn   = func(*Frame) (int64, bool)
	floatFn = func(*Frame) (float64, bool)
	textFn  = func(*Frame) (string, bool)
	valueFn = func(*Frame) event.Value
)

// unit is the compilation of one expression.
type unit struct {
	Compiler
	faults bool // something in it can fail as it runs
}

// fault counts a failure; the entry point turns it into false or nil.
func (f *Frame) fault(what string) {
	f.Fault.Count++
	f.Fault.Last = what
}

// maxWork bounds what one evaluation does in its list predicates, in elements looked
// at: some 50 ms. Nested ranges would make it endless.
const maxWork = 1_000_000

// spend counts work; beyond the bound it is a fault, and loops end.
func (f *Frame) spend(n int) bool {
	if f.work += n; f.work <= maxWork {
		return true
	}
	f.fault("an expression that looks at more than 1000000 elements")
	return false
}

// whole reports whether values of the kind are kept as an int64.
func whole(k event.Kind) bool { return k == event.Int || k == event.Time || k == event.Duration }

// textual reports whether values of the kind are kept as text.
func textual(k event.Kind) bool { return k == event.String || k == event.IP }

// cond compiles a condition: what is not true is false.
func (u *unit) cond(e *plan.Expr) condFn {
	switch e.Op {
	case plan.OpConst:
		is := e.Const.Kind == event.Bool && e.Const.Bool()
		return func(*Frame) bool { return is }
	case plan.OpField:
		if e.Type.Kind == event.Bool {
			return u.slot(e).isTrue
		}
	case plan.OpNot:
		return not(u.cond(e.Args[0]))
	case plan.OpAnd:
		return allOf(u.conds(e.Chain(plan.OpAnd, nil)))
	case plan.OpOr:
		return anyOf(u.conds(e.Chain(plan.OpOr, nil)))
	case plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe:
		return u.compare(e)
	case plan.OpIn:
		return u.in(e)
	case plan.OpInFile:
		return u.inFile(e)
	case plan.OpContains, plan.OpStartsWith, plan.OpEndsWith, plan.OpMatch:
		return u.textTest(e)
	case plan.OpTaken:
		step := e.Step
		return func(f *Frame) bool { return f.Steps[step].N > 0 }
	case plan.OpCond:
		test, then, other := u.cond(e.Args[0]), u.cond(e.Args[1]), u.cond(e.Args[2])
		return func(f *Frame) bool {
			if test(f) {
				return then(f)
			}
			return other(f)
		}
	}
	fn := u.value(e)
	if e.Type.Kind == event.Bool {
		return func(f *Frame) bool {
			v := fn(f)
			return v.Kind == event.Bool && v.N != 0
		}
	}
	u.faults = true
	return func(f *Frame) bool { return truth(f, fn(f)) }
}

// truth is the condition that a value of an undeclared type makes.
func truth(f *Frame, v event.Value) bool {
	if v.Kind > event.Bool {
		f.fault("a condition that is no bool: " + v.Kind.String())
	}
	return v.Kind == event.Bool && v.N != 0
}

func (u *unit) conds(es []*plan.Expr) []condFn {
	fns := make([]condFn, len(es))
	for i, e := range es {
		fns[i] = u.cond(e)
	}
	return fns
}

func not(fn condFn) condFn { return func(f *Frame) bool { return !fn(f) } }

func allOf(fns []condFn) condFn {
	switch len(fns) {
	case 2:
		a, b := fns[0], fns[1]
		return func(f *Frame) bool { return a(f) && b(f) }
	case 3:
		a, b, c := fns[0], fns[1], fns[2]
		return func(f *Frame) bool { return a(f) && b(f) && c(f) }
	}
	return func(f *Frame) bool {
		for _, fn := range fns {
			if !fn(f) {
				return false
			}
		}
		return true
	}
}

func anyOf(fns []condFn) condFn {
	if len(fns) == 2 {
		a, b := fns[0], fns[1]
		return func(f *Frame) bool { return a(f) || b(f) }
	}
	return func(f *Frame) bool {
		for _, fn := range fns {
			if fn(f) {
				return true
			}
		}
		return false
	}
}

// bool3 compiles an expression of type bool where nil must be told from false.
func (u *unit) bool3(e *plan.Expr) boolFn {
	if neverNil(e) {
		fn := u.cond(e)
		return func(f *Frame) (bool, bool) { return fn(f), true }
	}
	fn := u.value(e)
	return func(f *Frame) (bool, bool) {
		v := fn(f)
		return v.N != 0, v.Kind == event.Bool
	}
}

// neverNil reports whether the operation always gives true or false.
func neverNil(e *plan.Expr) bool {
	switch e.Op {
	case plan.OpNot, plan.OpAnd, plan.OpOr, plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe,
		plan.OpIn, plan.OpInFile, plan.OpContains, plan.OpStartsWith, plan.OpEndsWith, plan.OpMatch, plan.OpTaken:
		return true
	}
	return false
}

// whole compiles an expression of type int, time or duration.
func (u *unit) whole(e *plan.Expr) intFn {
	switch e.Op {
	case plan.OpConst:
		n, ok := e.Const.Int(), !e.Const.IsNil()
		return func(*Frame) (int64, bool) { return n, ok }
	case plan.OpField:
		return u.slot(e).whole
	case plan.OpStepField:
		if fn := u.stepSlot(e); fn != nil {
			return func(f *Frame) (int64, bool) {
				n, ok := fn(f)
				return int64(n), ok
			}
		}
	case plan.OpMeta:
		if e.Name == "time" {
			return func(f *Frame) (int64, bool) { return f.Event.Time, true }
		}
	case plan.OpAgg:
		agg := e.Index
		return func(f *Frame) (int64, bool) { return f.Aggs.Whole(agg) }
	case plan.OpMember:
		if isCell(e) {
			return cellAs(u, e, func(n uint64) int64 { return int64(n) })
		}
	case plan.OpNeg:
		return u.negWhole(e)
	case plan.OpLen:
		if textual(e.Args[0].Type.Kind) {
			return textLength(u.text(e.Args[0]))
		}
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpMod:
		if fn := u.wholeArith(e); fn != nil {
			return fn
		}
	case plan.OpCond:
		return branch(u.cond(e.Args[0]), u.whole(e.Args[1]), u.whole(e.Args[2]))
	case plan.OpCoalesce:
		return coalesce(u.whole(e.Args[0]), u.whole(e.Args[1]))
	}
	fn, k := u.boxed(e), e.Type.Kind
	return func(f *Frame) (int64, bool) {
		v := fn(f)
		return int64(v.N), v.Kind == k
	}
}

// float compiles an expression of type float.
func (u *unit) float(e *plan.Expr) floatFn {
	switch e.Op {
	case plan.OpConst:
		x, ok := e.Const.Float(), !e.Const.IsNil()
		return func(*Frame) (float64, bool) { return x, ok }
	case plan.OpField:
		return u.slot(e).float
	case plan.OpStepField:
		if fn := u.stepSlot(e); fn != nil {
			return func(f *Frame) (float64, bool) {
				n, ok := fn(f)
				return fromBits(n), ok
			}
		}
	case plan.OpAgg:
		agg := e.Index
		return func(f *Frame) (float64, bool) { return f.Aggs.Float(agg) }
	case plan.OpMember:
		if isCell(e) {
			return cellAs(u, e, fromBits)
		}
	case plan.OpConvert:
		if whole(e.Args[0].Type.Kind) {
			fn := u.whole(e.Args[0])
			return func(f *Frame) (float64, bool) {
				n, ok := fn(f)
				return float64(n), ok
			}
		}
	case plan.OpNeg:
		fn := u.float(e.Args[0])
		return func(f *Frame) (float64, bool) {
			x, ok := fn(f)
			return -x, ok
		}
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpDiv, plan.OpPow:
		return u.floatArith(e)
	case plan.OpCall:
		if fn := u.floatCall(e); fn != nil {
			return fn
		}
	case plan.OpCond:
		return branch(u.cond(e.Args[0]), u.float(e.Args[1]), u.float(e.Args[2]))
	case plan.OpCoalesce:
		return coalesce(u.float(e.Args[0]), u.float(e.Args[1]))
	}
	fn := u.boxed(e)
	return func(f *Frame) (float64, bool) {
		v := fn(f)
		return v.Float(), v.Kind == event.Float
	}
}

// text compiles an expression of type string or ip.
func (u *unit) text(e *plan.Expr) textFn {
	switch e.Op {
	case plan.OpConst:
		s, ok := e.Const.S, !e.Const.IsNil()
		return func(*Frame) (string, bool) { return s, ok }
	case plan.OpField:
		return u.slot(e).text
	case plan.OpStepField:
		if fn := u.stepText(e); fn != nil {
			return fn
		}
	case plan.OpMember:
		if isCell(e) {
			return u.cellText(e)
		}
	case plan.OpConcat:
		return u.concat(e)
	case plan.OpAdd:
		return u.join(e)
	case plan.OpCond:
		return branch(u.cond(e.Args[0]), u.text(e.Args[1]), u.text(e.Args[2]))
	case plan.OpCoalesce:
		return coalesce(u.text(e.Args[0]), u.text(e.Args[1]))
	}
	fn, k := u.boxed(e), e.Type.Kind
	return func(f *Frame) (string, bool) {
		v := fn(f)
		return v.S, v.Kind == k
	}
}

func branch[T any](test condFn, then, other func(*Frame) (T, bool)) func(*Frame) (T, bool) {
	return func(f *Frame) (T, bool) {
		if test(f) {
			return then(f)
		}
		return other(f)
	}
}

func coalesce[T any](a, b func(*Frame) (T, bool)) func(*Frame) (T, bool) {
	return func(f *Frame) (T, bool) {
		if x, ok := a(f); ok {
			return x, true
		}
		return b(f)
	}
}

// value compiles any expression. What has a typed form goes through it.
func (u *unit) value(e *plan.Expr) valueFn {
	if fn := u.typed(e); fn != nil {
		return fn
	}
	return u.boxed(e)
}

// typed wraps the typed closure of an operation that has one for the type.
func (u *unit) typed(e *plan.Expr) valueFn {
	if neverNil(e) {
		fn := u.cond(e)
		return func(f *Frame) event.Value { return event.OfBool(fn(f)) }
	}
	if !hasTyped(e) {
		return nil
	}
	k := e.Type.Kind
	switch {
	case whole(k):
		fn := u.whole(e)
		return func(f *Frame) event.Value {
			if n, ok := fn(f); ok {
				return event.Value{Kind: k, N: uint64(n)}
			}
			return event.Value{}
		}
	case k == event.Float:
		fn := u.float(e)
		return func(f *Frame) (v event.Value) {
			// As event.OfFloat, in place: a Value that is written part by part and then
			// copied waits for all stores before it.
			if x, ok := fn(f); ok && !math.IsNaN(x) && !math.IsInf(x, 0) {
				v.Kind, v.N = event.Float, math.Float64bits(x)
			}
			return v
		}
	case textual(k):
		fn := u.text(e)
		return func(f *Frame) event.Value {
			if s, ok := fn(f); ok {
				return event.Value{Kind: k, S: s}
			}
			return event.Value{}
		}
	}
	return nil
}

// hasTyped reports whether whole, float and text have a form of their own for the
// operation, and do not come back to boxed. Keep it in step with them.
func hasTyped(e *plan.Expr) bool {
	k := e.Type.Kind
	if !whole(k) && k != event.Float && !textual(k) {
		return false
	}
	switch e.Op {
	case plan.OpField, plan.OpCond, plan.OpCoalesce:
		return true
	case plan.OpStepField:
		return e.Pick != plan.PickAt
	case plan.OpMeta:
		return e.Name == "time"
	case plan.OpNeg, plan.OpConcat:
		return true
	case plan.OpLen:
		return textual(e.Args[0].Type.Kind)
	case plan.OpMember:
		return isCell(e)
	case plan.OpCall:
		return isFloatCall(e)
	case plan.OpConvert:
		return k == event.Float && whole(e.Args[0].Type.Kind)
	case plan.OpAdd, plan.OpSub, plan.OpMul, plan.OpDiv, plan.OpMod, plan.OpPow:
		return k != event.Duration || !scaled(e) || byInt(e)
	}
	return false
}
