package index

import (
	"slices"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// wayKind is how a condition can be looked up.
type wayKind uint8

const (
	byValue wayKind = iota // the field equals one of some constants
	byPart                 // the field, a text, begins or ends with a constant, or holds it
	byRange                // the field is a number in an interval open on one side
	wayKinds
)

// way is a condition in the form in which it can be looked up.
type way struct {
	kind   wayKind
	slot   int
	values []event.Value // byValue: one or more of them
	part   part          // byPart
	bound  interval      // byRange
}

// part is a constant that a text begins with, ends with or holds.
type part struct {
	text  string
	first bool // at its beginning
	last  bool // at its end
}

// fewest is how many tests must have a condition of a kind on a field for it to be a path.
// Fewer cost less as columns.
var fewest = [wayKinds]int{byValue: 4, byPart: 8, byRange: 8}

// census counts how many tests on a type have a condition of a kind on a field.
type census struct {
	ti *typeIndex
	n  []([wayKinds]int) // by slot
}

func (ti *typeIndex) count(drafts []draft) *census {
	c := &census{ti: ti, n: make([][wayKinds]int, len(ti.layout.Slots))}
	for _, d := range drafts {
		for i, e := range d.test.Cond {
			if w := ti.wayOf(e); w != nil && !slices.ContainsFunc(d.test.Cond[:i], func(o *plan.Expr) bool { return ti.sameWay(o, w) }) {
				c.n[w.slot][w.kind]++
			}
		}
	}
	return c
}

func (ti *typeIndex) sameWay(e *plan.Expr, w *way) bool {
	o := ti.wayOf(e)
	return o != nil && o.kind == w.kind && o.slot == w.slot
}

// choose returns the condition by which a test is filed and the others, which it still
// asks; nil where it is not filed. A value says more than a part, a part more than a
// range; of two of a kind the one that more tests share.
func (c *census) choose(conds []*plan.Expr) (rest []*plan.Expr, best *way) {
	at := -1
	for i, e := range conds {
		w := c.ti.wayOf(e)
		if w == nil || c.n[w.slot][w.kind] < fewest[w.kind] {
			continue
		}
		if best == nil || w.kind < best.kind || w.kind == best.kind && c.n[w.slot][w.kind] > c.n[best.slot][best.kind] {
			at, best = i, w
		}
	}
	if best == nil {
		return conds, nil
	}
	return slices.Concat(conds[:at], conds[at+1:]), best
}

// wayOf returns the form in which a condition can be looked up, nil where it has none.
func (ti *typeIndex) wayOf(e *plan.Expr) *way {
	switch e.Op {
	case plan.OpIn:
		return ti.wayIn(e)
	case plan.OpContains, plan.OpStartsWith, plan.OpEndsWith:
		return ti.wayPart(e)
	}
	field, value, op := comparison(e)
	switch {
	case field == nil || op == plan.OpNe || value.Kind == event.Bool:
		return nil
	case op == plan.OpEq && value.Kind != event.Float:
		return &way{kind: byValue, slot: field.Index, values: []event.Value{value}}
	case op == plan.OpEq || value.Kind == event.String:
		return nil
	}
	s := slotOf(ti.layout, field.Index)
	bound := intervalOf(op, s.asIs(value.N))
	if bound.lo > bound.hi {
		return nil // nothing is in it: no threshold says so
	}
	return &way{kind: byRange, slot: field.Index, bound: bound}
}

// wayIn is of a field that must be in a list of constants of its kind.
func (ti *typeIndex) wayIn(e *plan.Expr) *way {
	field, list := e.Args[0], e.Args[1]
	if field.Op != plan.OpField || list.Op != plan.OpConst || list.Const.Kind != event.List || len(list.Const.Elems()) == 0 {
		return nil
	}
	w := &way{kind: byValue, slot: field.Index}
	for _, v := range list.Const.Elems() {
		if v.Kind != field.Type.Kind || v.Kind != event.String && v.Kind != event.Int {
			return nil
		}
		if !slices.ContainsFunc(w.values, func(o event.Value) bool { return o.N == v.N && o.S == v.S }) {
			w.values = append(w.values, v)
		}
	}
	return w
}

func (ti *typeIndex) wayPart(e *plan.Expr) *way {
	field, value := e.Args[0], e.Args[1]
	if field.Op != plan.OpField || field.Type.Kind != event.String || value.Op != plan.OpConst || value.Const.Kind != event.String || value.Const.S == "" {
		return nil
	}
	return &way{kind: byPart, slot: field.Index, part: part{
		text: value.Const.S, first: e.Op == plan.OpStartsWith, last: e.Op == plan.OpEndsWith,
	}}
}
