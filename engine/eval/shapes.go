package eval

import (
	"cmp"
	"strings"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// compare compiles == != < <= > >=. The operands have one kind (the checker made
// conversions explicit), or one of them is known at run time only.
func (u *unit) compare(e *plan.Expr) condFn {
	a, b := e.Args[0], e.Args[1]
	if isNilConst(a) || isNilConst(b) {
		return u.compareNil(e)
	}
	if a.Op == plan.OpConst {
		a, b = b, a
		e = &plan.Expr{Op: e.Op.Mirror(), Type: e.Type, Args: []*plan.Expr{a, b}}
	}
	ka, kb := a.Type.Kind, b.Type.Kind
	switch {
	case whole(ka) && ka == kb:
		return u.compareWhole(e.Op, a, b)
	case ka == event.Float && kb == event.Float:
		return u.compareFloat(e.Op, a, b)
	case textual(ka) && ka == kb:
		return u.compareText(e.Op, a, b)
	case ka == event.Bool && kb == event.Bool && (e.Op == plan.OpEq || e.Op == plan.OpNe):
		return equality(e.Op == plan.OpEq, u.bool3(a), u.bool3(b))
	}
	return u.compareAny(e.Op, a, b)
}

func isNilConst(e *plan.Expr) bool { return e.Op == plan.OpConst && e.Const.IsNil() }

// compareNil compiles a comparison with a constant nil: by order it is false.
func (u *unit) compareNil(e *plan.Expr) condFn {
	a := e.Args[0]
	if isNilConst(a) {
		a = e.Args[1]
	}
	fn := u.value(a)
	switch e.Op {
	case plan.OpEq:
		return func(f *Frame) bool { return fn(f).IsNil() }
	case plan.OpNe:
		return func(f *Frame) bool { return !fn(f).IsNil() }
	}
	return func(f *Frame) bool { fn(f); return false }
}

func (u *unit) compareWhole(op plan.Op, a, b *plan.Expr) condFn {
	if b.Op != plan.OpConst {
		return compareTwo(op, u.whole(a), u.whole(b))
	}
	if a.Op == plan.OpField {
		return wholeField(op, u.slot(a), b.Const.Int())
	}
	return compareConst(op, u.whole(a), b.Const.Int())
}

// wholeField compares a slot with a constant, without a call.
func wholeField(op plan.Op, s slot, c int64) condFn {
	at, word, mask := s.at, s.word, s.mask
	switch op {
	case plan.OpEq:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && int64(f.Event.Slots[at]) == c
		}
	case plan.OpNe:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask == 0 || int64(f.Event.Slots[at]) != c
		}
	case plan.OpLt:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && int64(f.Event.Slots[at]) < c
		}
	case plan.OpLe:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && int64(f.Event.Slots[at]) <= c
		}
	case plan.OpGt:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && int64(f.Event.Slots[at]) > c
		}
	}
	return func(f *Frame) bool {
		return f.Event.Slots[word]&mask != 0 && int64(f.Event.Slots[at]) >= c
	}
}

func (u *unit) compareFloat(op plan.Op, a, b *plan.Expr) condFn {
	if b.Op != plan.OpConst {
		return compareTwo(op, u.float(a), u.float(b))
	}
	if a.Op == plan.OpField {
		return floatField(op, u.slot(a), b.Const.Float())
	}
	return compareConst(op, u.float(a), b.Const.Float())
}

// floatField compares a slot with a constant, without a call.
func floatField(op plan.Op, s slot, c float64) condFn {
	at, word, mask := s.at, s.word, s.mask
	switch op {
	case plan.OpEq:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && fromBits(f.Event.Slots[at]) == c
		}
	case plan.OpNe:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask == 0 || fromBits(f.Event.Slots[at]) != c
		}
	case plan.OpLt:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && fromBits(f.Event.Slots[at]) < c
		}
	case plan.OpLe:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && fromBits(f.Event.Slots[at]) <= c
		}
	case plan.OpGt:
		return func(f *Frame) bool {
			return f.Event.Slots[word]&mask != 0 && fromBits(f.Event.Slots[at]) > c
		}
	}
	return func(f *Frame) bool {
		return f.Event.Slots[word]&mask != 0 && fromBits(f.Event.Slots[at]) >= c
	}
}

func (u *unit) compareText(op plan.Op, a, b *plan.Expr) condFn {
	if b.Op == plan.OpConst && a.Op == plan.OpField && (op == plan.OpEq || op == plan.OpNe) {
		return textField(op == plan.OpEq, u.slot(a), b.Const.S)
	}
	if b.Op == plan.OpConst {
		return compareConst(op, u.text(a), b.Const.S)
	}
	return compareTwo(op, u.text(a), u.text(b))
}

// textField tests a slot for being a text. The length is part of the reference, so
// that most events are told apart without reading their text.
func textField(want bool, s slot, c string) condFn {
	at, word, mask, n := s.at, s.word, s.mask, uint32(len(c))
	return func(f *Frame) bool {
		ref := f.Event.Slots[at]
		is := f.Event.Slots[word]&mask != 0 && uint32(ref) == n && f.Event.String(ref) == c
		return is == want
	}
}

// compareConst compares with a constant that is not nil.
func compareConst[T cmp.Ordered](op plan.Op, a func(*Frame) (T, bool), c T) condFn {
	switch op {
	case plan.OpEq:
		return func(f *Frame) bool { x, ok := a(f); return ok && x == c }
	case plan.OpNe:
		return func(f *Frame) bool { x, ok := a(f); return !ok || x != c }
	case plan.OpLt:
		return func(f *Frame) bool { x, ok := a(f); return ok && x < c }
	case plan.OpLe:
		return func(f *Frame) bool { x, ok := a(f); return ok && x <= c }
	case plan.OpGt:
		return func(f *Frame) bool { x, ok := a(f); return ok && x > c }
	}
	return func(f *Frame) bool { x, ok := a(f); return ok && x >= c }
}

// compareTwo compares two computed operands; both are evaluated.
func compareTwo[T cmp.Ordered](op plan.Op, a, b func(*Frame) (T, bool)) condFn {
	switch op {
	case plan.OpEq, plan.OpNe:
		return equality(op == plan.OpEq, a, b)
	case plan.OpLt:
		return func(f *Frame) bool {
			x, ok := a(f)
			y, ok2 := b(f)
			return ok && ok2 && x < y
		}
	case plan.OpLe:
		return func(f *Frame) bool {
			x, ok := a(f)
			y, ok2 := b(f)
			return ok && ok2 && x <= y
		}
	case plan.OpGt:
		return func(f *Frame) bool {
			x, ok := a(f)
			y, ok2 := b(f)
			return ok && ok2 && x > y
		}
	}
	return func(f *Frame) bool {
		x, ok := a(f)
		y, ok2 := b(f)
		return ok && ok2 && x >= y
	}
}

// equality tells nil from values: nil equals nil only.
func equality[T comparable](want bool, a, b func(*Frame) (T, bool)) condFn {
	return func(f *Frame) bool {
		x, ok := a(f)
		y, ok2 := b(f)
		return (ok == ok2 && (!ok || x == y)) == want
	}
}

// compareAny compares values whose kinds are known at run time only.
func (u *unit) compareAny(op plan.Op, a, b *plan.Expr) condFn {
	left, right := u.value(a), u.value(b)
	if op == plan.OpEq || op == plan.OpNe {
		want := op == plan.OpEq
		return func(f *Frame) bool { return equal(left(f), right(f)) == want }
	}
	u.faults = true
	return func(f *Frame) bool {
		x, y := left(f), right(f)
		if x.IsNil() || y.IsNil() {
			return false
		}
		c, ok := order(x, y)
		if !ok {
			f.fault("comparison of " + x.Kind.String() + " with " + y.Kind.String())
			return false
		}
		return holds(op, c)
	}
}

func holds(op plan.Op, c int) bool {
	switch op {
	case plan.OpLt:
		return c < 0
	case plan.OpLe:
		return c <= 0
	case plan.OpGt:
		return c > 0
	}
	return c >= 0
}

// order compares two values; false where they have no order.
func order(a, b event.Value) (int, bool) {
	switch {
	case a.Kind == b.Kind && whole(a.Kind):
		return cmp.Compare(a.Int(), b.Int()), true
	case a.Kind == event.String && b.Kind == event.String:
		return strings.Compare(a.S, b.S), true
	}
	x, ok := a.Number()
	y, ok2 := b.Number()
	return cmp.Compare(x, y), ok && ok2
}

// equal reports whether two values are the same; numbers compare by value, lists and
// records by parts, records whatever the order of their fields.
func equal(a, b event.Value) bool {
	if a.Kind != b.Kind {
		x, ok := a.Number()
		y, ok2 := b.Number()
		return ok && ok2 && x == y
	}
	switch a.Kind {
	case event.Nil:
		return true
	case event.Float:
		return a.Float() == b.Float()
	case event.String, event.IP:
		return a.S == b.S
	case event.List:
		return equalElems(a.Elems(), b.Elems())
	case event.Record:
		return equalRecords(a, b)
	}
	return a.N == b.N
}

func equalElems(a, b []event.Value) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !equal(a[i], b[i]) {
			return false
		}
	}
	return true
}

func equalRecords(a, b event.Value) bool {
	if len(a.Elems()) != len(b.Elems()) {
		return false
	}
	for i, x := range a.Elems() {
		if y, ok := member(b, a.C.Names[i]); !ok || !equal(x, y) {
			return false
		}
	}
	return true
}

// member returns the field of a record.
func member(v event.Value, name string) (event.Value, bool) {
	if v.Kind != event.Record || v.C == nil {
		return event.Value{}, false
	}
	for i, n := range v.C.Names {
		if n == name {
			return v.C.Elems[i], true
		}
	}
	return event.Value{}, false
}

// scanUpTo is the length up to which searching a constant list in order beats a map.
const scanUpTo = 8

// in compiles membership.
func (u *unit) in(e *plan.Expr) condFn {
	a, list := e.Args[0], e.Args[1]
	if list.Op == plan.OpConst && list.Const.Kind == event.List {
		return u.inConst(a, list.Const.Elems())
	}
	x, xs := u.value(a), u.value(list)
	u.faults = u.faults || list.Type.Kind != event.List
	return func(f *Frame) bool {
		v, in := x(f), xs(f)
		switch in.Kind {
		case event.Nil:
			return false
		case event.List:
			return contains(in.Elems(), v)
		case event.Record:
			_, ok := member(in, v.S)
			return ok && v.Kind == event.String
		}
		f.fault("in of " + in.Kind.String())
		return false
	}
}

func contains(xs []event.Value, v event.Value) bool {
	for i := range xs {
		if equal(xs[i], v) {
			return true
		}
	}
	return false
}

// inConst compiles membership of a constant list; nil is in it if the list says so.
func (u *unit) inConst(a *plan.Expr, xs []event.Value) condFn {
	k, hasNil := a.Type.Kind, contains(xs, event.Value{})
	switch {
	case textual(k):
		return inSet(u.text(a), pickOf(xs, k, func(v event.Value) string { return v.S }), hasNil)
	case whole(k):
		return inSet(u.whole(a), pickOf(xs, k, event.Value.Int), hasNil)
	case k == event.Float:
		return inSet(u.float(a), pickOf(xs, k, event.Value.Float), hasNil)
	}
	x := u.value(a)
	return func(f *Frame) bool { return contains(xs, x(f)) }
}

// pickOf takes the values of a kind; others never equal an operand of the kind.
func pickOf[T any](xs []event.Value, k event.Kind, of func(event.Value) T) []T {
	var out []T
	for _, x := range xs {
		if x.Kind == k {
			out = append(out, of(x))
		}
	}
	return out
}

func inSet[T comparable](x func(*Frame) (T, bool), set []T, hasNil bool) condFn {
	if len(set) <= scanUpTo {
		return func(f *Frame) bool {
			v, ok := x(f)
			if !ok {
				return hasNil
			}
			for _, c := range set {
				if c == v {
					return true
				}
			}
			return false
		}
	}
	m := make(map[T]struct{}, len(set))
	for _, c := range set {
		m[c] = struct{}{}
	}
	return func(f *Frame) bool {
		v, ok := x(f)
		if !ok {
			return hasNil
		}
		_, is := m[v]
		return is
	}
}
