package predicate

import (
	"fmt"
	"math"
	"net/netip"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// isLiteral reports whether an expression is a known value. A field that the event's
// type lacks is none: folding it would make the text of an expression depend on the
// type it was compiled for.
func isLiteral(e *plan.Expr) bool { return e.Op == plan.OpConst && e.Name == "" && !isBad(e) }

// isNil reports whether an expression is the word nil.
func isNil(e *plan.Expr) bool { return isLiteral(e) && e.Const.IsNil() }

func isNumber(k event.Kind) bool { return k == event.Int || k == event.Float }

// convertTo makes an expression one of a type: ints of floats, constant text of times
// and addresses, anything of any. What is wrong is the message, else empty.
func convertTo(e *plan.Expr, t event.Type) (*plan.Expr, string) {
	from, to := e.Type.Kind, t.Kind
	switch {
	case from == to || to == event.Any || from == event.Nil:
		return e, ""
	case from == event.Int && to == event.Float:
		if isLiteral(e) {
			return constant(event.OfFloat(float64(e.Const.Int()))), ""
		}
		return typed(plan.OpConvert, event.Float, e), ""
	case from == event.Any && to.Scalar():
		return typed(plan.OpConvert, to, e), ""
	case from == event.Any:
		return &plan.Expr{Op: plan.OpConvert, Type: t, Args: []*plan.Expr{e}}, ""
	case from == event.String && (to == event.IP || to == event.Time):
		if isLiteral(e) {
			return textConstant(e.Const.S, to)
		}
		if to == event.IP {
			return typed(plan.OpConvert, event.IP, e), ""
		}
	}
	return nil, a(t) + " is needed, this is " + a(e.Type)
}

// textConstant reads a text literal as an address or a time.
func textConstant(s string, k event.Kind) (*plan.Expr, string) {
	if k == event.Time {
		n, err := event.ParseTime(s)
		if err != nil {
			return nil, fmt.Sprintf("%q is no time: %v", s, err)
		}
		return constant(event.OfKind(event.Time, n)), ""
	}
	addr, err := netip.ParseAddr(s)
	if err != nil {
		return nil, fmt.Sprintf("%q is no address", s)
	}
	return constant(event.Value{Kind: event.IP, S: addr.Unmap().String()}), ""
}

// unify brings two operands to one type. What is wrong is the message, else empty.
func unify(x, y *plan.Expr) (*plan.Expr, *plan.Expr, string) {
	kx, ky := x.Type.Kind, y.Type.Kind
	switch {
	case kx == ky || kx == event.Any || ky == event.Any || kx == event.Nil || ky == event.Nil:
		return x, y, ""
	case isNumber(kx) && isNumber(ky):
		fx, _ := convertTo(x, event.Type{Kind: event.Float})
		fy, _ := convertTo(y, event.Type{Kind: event.Float})
		return fx, fy, ""
	case kx == event.String && (ky == event.IP || ky == event.Time && isLiteral(x)):
		fx, message := convertTo(x, y.Type)
		return fx, y, message
	case ky == event.String && (kx == event.IP || kx == event.Time && isLiteral(y)):
		fy, message := convertTo(y, x.Type)
		return x, fy, message
	}
	return x, y, a(x.Type) + " and " + a(y.Type)
}

// common is the type of a choice between two unified values.
func common(x, y *plan.Expr) event.Type {
	t := x.Type
	switch {
	case t.Kind == event.Nil:
		t = y.Type
	case y.Type.Kind == event.Any:
		t = y.Type
	case t.Kind == event.List && y.Type.Kind == event.List && !sameElem(t, y.Type):
		t = event.Type{Kind: event.List, Elem: &event.Type{Kind: event.Any}}
	case t.Kind == event.Record && y.Type.Kind == event.Record && t.String() != y.Type.String():
		t = event.Type{Kind: event.Any}
	}
	t.Optional = true
	return t
}

func sameElem(t, u event.Type) bool {
	return t.Elem != nil && u.Elem != nil && t.Elem.String() == u.Elem.String()
}

// elemOf is the type of a list's elements.
func elemOf(t event.Type) event.Type {
	if t.Kind == event.List && t.Elem != nil {
		return *t.Elem
	}
	return event.Type{Kind: event.Any}
}

// fold computes arithmetic of number and duration literals where it cannot fail;
// the result is nil where it is left to run time.
func fold(op plan.Op, k event.Kind, x, y *plan.Expr) *plan.Expr {
	if !isLiteral(x) || !isLiteral(y) || x.Const.IsNil() || y.Const.IsNil() {
		return nil
	}
	switch {
	case k == event.Float && isNumber(x.Type.Kind) && isNumber(y.Type.Kind):
		return foldFloat(op, number(x.Const), number(y.Const))
	case x.Type.Kind == y.Type.Kind && k == x.Type.Kind && (k == event.Int || k == event.Duration):
		return foldWhole(op, k, x.Const.Int(), y.Const.Int())
	}
	return nil
}

func number(v event.Value) float64 {
	if v.Kind == event.Int {
		return float64(v.Int())
	}
	return v.Float()
}

func foldFloat(op plan.Op, x, y float64) *plan.Expr {
	var v event.Value
	switch op {
	case plan.OpAdd:
		v = event.OfFloat(x + y)
	case plan.OpSub:
		v = event.OfFloat(x - y)
	case plan.OpMul:
		v = event.OfFloat(x * y)
	case plan.OpDiv:
		v = event.OfFloat(x / y)
	}
	if v.IsNil() {
		return nil
	}
	return constant(v)
}

// foldWhole adds, subtracts and multiplies where the floats say that the result is
// far from the ends of the integers.
func foldWhole(op plan.Op, k event.Kind, x, y int64) *plan.Expr {
	var near float64
	var n int64
	switch op {
	case plan.OpAdd:
		near, n = float64(x)+float64(y), x+y
	case plan.OpSub:
		near, n = float64(x)-float64(y), x-y
	case plan.OpMul:
		near, n = float64(x)*float64(y), x*y
	default:
		return nil
	}
	if math.Abs(near) > 1<<62 {
		return nil
	}
	return constant(event.OfKind(k, n))
}
