package index

import (
	"math"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// condition is one distinct condition of the tests on a type, which cannot fail as it
// runs. Its negation is not a condition of its own: it is the complement.
type condition struct {
	kind  condKind
	not   bool
	field slot
	bound interval
	text  string
	holds func(*eval.Frame) bool // any kind: the whole of it, not included
	uses  int                    // tests that ask it
	bulk  bool                   // some of them over the whole batch
}

// condKind is how a condition is evaluated over many events.
type condKind uint8

const (
	byClosure  condKind = iota // one event at a time
	byInterval                 // bound: the field lies in it
	byText                     // the field is text
)

// cost orders conditions: what many events can be asked at once comes first.
func (c *condition) cost() int {
	switch c.kind {
	case byInterval:
		return 0
	case byText:
		return 1
	}
	return 2
}

// slot is where a field is in an event.
type slot struct {
	number  int
	word    int // of the presence bit
	mask    uint64
	at      int  // of the value
	isFloat bool // the value is ordered as in ordered
}

func slotOf(l *event.Layout, i int) slot {
	return slot{number: i, word: i >> 6, mask: 1 << (i & 63), at: l.Words() + i, isFloat: l.Slots[i].Type.Kind == event.Float}
}

// interval is the numbers from lo to hi, both included, in the order of ordered. Where lo
// is greater there are none.
type interval struct{ lo, hi int64 }

// ordered maps the bits of a float that is no NaN to an integer of the same order; both
// zeros are 0.
func ordered(bits uint64) int64 {
	sign := int64(bits) >> 63
	return (int64(bits&math.MaxInt64) ^ sign) - sign
}

// asIs returns the number of a slot in the order of its intervals.
func (s *slot) asIs(v uint64) int64 {
	if s.isFloat {
		return ordered(v)
	}
	return int64(v)
}

// inBound asks a condition byInterval of one event.
func (c *condition) inBound(ev *event.Event) bool {
	f := &c.field
	x := f.asIs(ev.Slots[f.at])
	return (c.bound.lo <= x && x <= c.bound.hi && ev.Slots[f.word]&f.mask != 0) != c.not
}

// compile makes a condition ready.
func (ti *typeIndex) compile(e *plan.Expr, c eval.Compiler) condition {
	holds, _ := c.Condition(e)
	cond := condition{holds: holds}
	for e.Op == plan.OpNot {
		cond.not, e = !cond.not, e.Args[0]
	}
	field, value, op := comparison(e)
	if field == nil {
		return condition{holds: holds}
	}
	if op == plan.OpNe {
		cond.not, op = !cond.not, plan.OpEq
	}
	cond.field = slotOf(ti.layout, field.Index)
	if value.Kind == event.String {
		if op != plan.OpEq {
			return condition{holds: holds}
		}
		cond.kind, cond.text = byText, value.S
		return cond
	}
	cond.kind, cond.bound = byInterval, intervalOf(op, cond.field.asIs(value.N))
	return cond
}

// comparison takes a comparison of a field with a constant of its kind apart, the field
// on the left; field is nil where e is something else.
func comparison(e *plan.Expr) (field *plan.Expr, value event.Value, op plan.Op) {
	switch e.Op {
	case plan.OpEq, plan.OpNe, plan.OpLt, plan.OpLe, plan.OpGt, plan.OpGe:
	default:
		return nil, value, e.Op
	}
	field, right, op := e.Args[0], e.Args[1], e.Op
	if field.Op == plan.OpConst {
		field, right, op = right, field, op.Mirror()
	}
	if field.Op != plan.OpField || right.Op != plan.OpConst || field.Type.Kind != right.Const.Kind {
		return nil, value, op
	}
	switch right.Const.Kind {
	case event.Bool, event.Int, event.Float, event.Time, event.Duration, event.String:
		return field, right.Const, op
	}
	return nil, value, op
}

// intervalOf is where a comparison with x holds.
func intervalOf(op plan.Op, x int64) interval {
	none := interval{lo: 1, hi: 0}
	switch op {
	case plan.OpEq:
		return interval{x, x}
	case plan.OpLe:
		return interval{math.MinInt64, x}
	case plan.OpGe:
		return interval{x, math.MaxInt64}
	case plan.OpLt:
		if x == math.MinInt64 {
			return none
		}
		return interval{math.MinInt64, x - 1}
	}
	if x == math.MaxInt64 {
		return none
	}
	return interval{x + 1, math.MaxInt64}
}
