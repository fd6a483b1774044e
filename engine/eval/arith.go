package eval

import (
	"math"
	"math/bits"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

const overflow = "integer overflow"

// scaled reports whether the operation scales a duration by a number.
func scaled(e *plan.Expr) bool { return e.Op == plan.OpMul || e.Op == plan.OpDiv }

// byInt reports whether the operation multiplies a duration and an int, which stays
// with whole numbers.
func byInt(e *plan.Expr) bool {
	return e.Op == plan.OpMul && whole(e.Args[0].Type.Kind) && whole(e.Args[1].Type.Kind)
}

// wholeArith compiles arithmetic on ints, times and durations; nil where the
// operation needs values (scaling of durations).
func (u *unit) wholeArith(e *plan.Expr) intFn {
	a, b := e.Args[0], e.Args[1]
	if !whole(a.Type.Kind) || !whole(b.Type.Kind) || e.Type.Kind == event.Duration && scaled(e) && !byInt(e) {
		return nil
	}
	u.faults = true
	x, y := u.whole(a), u.whole(b)
	switch e.Op {
	case plan.OpAdd:
		return checked(x, y, add)
	case plan.OpSub:
		return checked(x, y, sub)
	case plan.OpMul:
		return checked(x, y, mul)
	}
	return func(f *Frame) (int64, bool) {
		n, ok := x(f)
		d, ok2 := y(f)
		if !ok || !ok2 || d == 0 {
			return 0, false
		}
		return rem(n, d), true
	}
}

// checked applies an operation that may overflow, which is a fault.
func checked(x, y intFn, op func(a, b int64) (int64, bool)) intFn {
	return func(f *Frame) (int64, bool) {
		a, ok := x(f)
		b, ok2 := y(f)
		if !ok || !ok2 {
			return 0, false
		}
		n, fits := op(a, b)
		if !fits {
			f.fault(overflow)
		}
		return n, fits
	}
}

func add(a, b int64) (int64, bool) {
	s := a + b
	return s, (a^s)&(b^s) >= 0
}

func sub(a, b int64) (int64, bool) {
	d := a - b
	return d, (a^b)&(a^d) >= 0
}

func mul(a, b int64) (int64, bool) {
	hi, lo := bits.Mul64(uint64(a), uint64(b))
	// The product of the unsigned words, put right for signs: hi must be the sign of lo.
	top := int64(hi)
	if a < 0 {
		top -= b
	}
	if b < 0 {
		top -= a
	}
	n := int64(lo)
	return n, top == n>>63
}

// rem is the remainder with the sign of the dividend, 0 for the one overflow.
func rem(a, b int64) int64 {
	if b == -1 {
		return 0
	}
	return a % b
}

func (u *unit) negWhole(e *plan.Expr) intFn {
	u.faults = true
	x := u.whole(e.Args[0])
	return func(f *Frame) (int64, bool) {
		n, ok := x(f)
		if n == math.MinInt64 && ok {
			f.fault(overflow)
			return 0, false
		}
		return -n, ok
	}
}

// floatArith compiles arithmetic with a float result; NaN and infinities are nil.
func (u *unit) floatArith(e *plan.Expr) floatFn {
	x, y := u.asFloat(e.Args[0]), u.asFloat(e.Args[1])
	switch e.Op {
	case plan.OpAdd:
		return func(f *Frame) (float64, bool) {
			a, ok := x(f)
			b, ok2 := y(f)
			return finite(a+b, ok && ok2)
		}
	case plan.OpSub:
		return func(f *Frame) (float64, bool) {
			a, ok := x(f)
			b, ok2 := y(f)
			return finite(a-b, ok && ok2)
		}
	case plan.OpMul:
		return func(f *Frame) (float64, bool) {
			a, ok := x(f)
			b, ok2 := y(f)
			return finite(a*b, ok && ok2)
		}
	case plan.OpDiv:
		return func(f *Frame) (float64, bool) {
			a, ok := x(f)
			b, ok2 := y(f)
			return finite(a/b, ok && ok2)
		}
	}
	return func(f *Frame) (float64, bool) {
		a, ok := x(f)
		b, ok2 := y(f)
		return finite(math.Pow(a, b), ok && ok2)
	}
}

// finite drops NaN and the infinities: only for them is x−x not 0.
func finite(x float64, ok bool) (float64, bool) { return x, ok && x-x == 0 }

// asFloat compiles a number, time or duration as a float.
func (u *unit) asFloat(e *plan.Expr) floatFn {
	if !whole(e.Type.Kind) {
		return u.float(e)
	}
	fn := u.whole(e)
	return func(f *Frame) (float64, bool) {
		n, ok := fn(f)
		return float64(n), ok
	}
}

// arith compiles arithmetic over values: what mixes kinds, or has operands whose
// kind is known at run time only.
func (u *unit) arith(e *plan.Expr) valueFn {
	u.faults = true
	x, y, op := u.value(e.Args[0]), u.value(e.Args[1]), e.Op
	return func(f *Frame) event.Value {
		a, b := x(f), y(f)
		if a.IsNil() || b.IsNil() {
			return event.Value{}
		}
		return apply(f, op, a, b)
	}
}

// apply does arithmetic on two values that are not nil.
func apply(f *Frame, op plan.Op, a, b event.Value) event.Value {
	if k, ok := wholeResult(op, a.Kind, b.Kind); ok {
		return applyWhole(f, op, k, a.Int(), b.Int())
	}
	x, okX := a.Number()
	y, okY := b.Number()
	switch {
	case okX && okY && op != plan.OpMod:
		return event.OfFloat(floatOp(op, x, y))
	case a.Kind == event.Duration && b.Kind == event.Duration && op == plan.OpDiv:
		return event.OfFloat(float64(a.Int()) / float64(b.Int()))
	case a.Kind == event.Duration && okY && op == plan.OpMul:
		return duration(f, float64(a.Int())*y)
	case okX && b.Kind == event.Duration && op == plan.OpMul:
		return duration(f, x*float64(b.Int()))
	case a.Kind == event.Duration && okY && op == plan.OpDiv:
		if y == 0 {
			return event.Value{}
		}
		return duration(f, float64(a.Int())/y)
	case a.Kind == event.String && b.Kind == event.String && op == plan.OpAdd:
		if !fits(f, len(a.S)+len(b.S)) {
			return event.Value{}
		}
		return event.OfString(a.S + b.S)
	}
	f.fault("arithmetic on " + a.Kind.String() + " and " + b.Kind.String())
	return event.Value{}
}

// wholeResult is the kind of an operation that stays with whole numbers.
func wholeResult(op plan.Op, a, b event.Kind) (event.Kind, bool) {
	switch op {
	case plan.OpAdd:
		switch {
		case a == event.Time && b == event.Duration, a == event.Duration && b == event.Time:
			return event.Time, true
		}
		return a, a == b && (a == event.Int || a == event.Duration)
	case plan.OpSub:
		switch {
		case a == event.Time && b == event.Time:
			return event.Duration, true
		case a == event.Time && b == event.Duration:
			return event.Time, true
		}
		return a, a == b && (a == event.Int || a == event.Duration)
	case plan.OpMul:
		switch {
		case a == event.Duration && b == event.Int, a == event.Int && b == event.Duration:
			return event.Duration, true
		}
		return event.Int, a == event.Int && b == event.Int
	case plan.OpMod:
		return event.Int, a == event.Int && b == event.Int
	}
	return event.Nil, false
}

func applyWhole(f *Frame, op plan.Op, k event.Kind, a, b int64) event.Value {
	var n int64
	ok := true
	switch op {
	case plan.OpAdd:
		n, ok = add(a, b)
	case plan.OpSub:
		n, ok = sub(a, b)
	case plan.OpMul:
		n, ok = mul(a, b)
	case plan.OpMod:
		if b == 0 {
			return event.Value{}
		}
		n = rem(a, b)
	}
	if !ok {
		f.fault(overflow)
		return event.Value{}
	}
	return event.OfKind(k, n)
}

func floatOp(op plan.Op, x, y float64) float64 {
	switch op {
	case plan.OpAdd:
		return x + y
	case plan.OpSub:
		return x - y
	case plan.OpMul:
		return x * y
	case plan.OpDiv:
		return x / y
	}
	return math.Pow(x, y)
}

// duration rounds a computed duration to a nanosecond, halves to even; one that does
// not fit is a fault, NaN is nil.
func duration(f *Frame, ns float64) event.Value {
	if ns != ns {
		return event.Value{}
	}
	// 2⁶³ itself is a float; the greatest int64 is not.
	if ns >= 1<<63 || ns < -1<<63 {
		f.fault(overflow)
		return event.Value{}
	}
	return event.OfKind(event.Duration, int64(math.RoundToEven(ns)))
}

// neg compiles the negation of what is known at run time only.
func (u *unit) neg(e *plan.Expr) valueFn {
	u.faults = true
	x := u.value(e.Args[0])
	return func(f *Frame) event.Value {
		v := x(f)
		switch v.Kind {
		case event.Nil:
			return v
		case event.Float:
			return event.OfFloat(-v.Float())
		case event.Int, event.Duration:
			return applyWhole(f, plan.OpSub, v.Kind, 0, v.Int())
		}
		f.fault("negation of " + v.Kind.String())
		return event.Value{}
	}
}
