package plan

import (
	"testing"

	"github.com/cepheus-cep/cepheus/event"
)

func constant(v event.Value) *Expr {
	return &Expr{Op: OpConst, Const: v, Type: event.Type{Kind: v.Kind}}
}

func field(name string, slot int) *Expr { return &Expr{Op: OpField, Name: name, Index: slot} }

func TestTextDoesNotDependOnSlots(t *testing.T) {
	a := &Expr{Op: OpLt, Args: []*Expr{field("x.y", 1), constant(event.OfInt(5))}}
	b := &Expr{Op: OpLt, Args: []*Expr{field("x.y", 7), constant(event.OfInt(5))}}
	if a.String() != b.String() || a.String() != "(< x.y 5)" {
		t.Errorf("got %s and %s", a, b)
	}
}

// Versions are hashes over the text: what differs in meaning must differ in text.
func TestDifferentExpressionsHaveDifferentTexts(t *testing.T) {
	list := func(vs ...event.Value) event.Value {
		return event.Value{Kind: event.List, C: &event.Compound{Elems: vs}}
	}
	record := func(name string, v event.Value) event.Value {
		return event.Value{Kind: event.Record, C: &event.Compound{Names: []string{name}, Elems: []event.Value{v}}}
	}
	x, one := field("x", 0), constant(event.OfInt(1))
	all := []*Expr{
		constant(event.Value{}), constant(event.OfInt(1)), constant(event.OfFloat(1)), constant(event.OfString("1")), constant(event.OfBool(true)),
		constant(event.OfKind(event.Time, 1)), constant(event.OfKind(event.Duration, 1)), constant(event.Value{Kind: event.IP, S: "1"}),
		constant(event.OfString("x")), constant(event.OfString(`a" "b`)), constant(event.OfFloat(1e300)),
		constant(list(event.OfString("a"), event.OfString("b"))), constant(list(event.OfString(`a" "b`))), constant(list()), constant(record("a", event.OfInt(1))), constant(list(event.OfInt(1))),
		x, field("x.y", 0), field(`"x.y"`, 0), field("x y", 0), field("ä", 0), field("agg0", 0), field("key0", 0), field("matches", 0),
		{Op: OpMeta, Name: "time"},
		{Op: OpMeta, Name: "id"},
		{Op: OpKey},
		{Op: OpKey, Index: 1},
		{Op: OpAgg},
		{Op: OpMatches},
		{Op: OpWindow, Name: "start"},
		{Op: OpWindow, Name: "end"},
		{Op: OpTaken, Step: 1},
		{Op: OpStepField, Step: 1, Name: "x"},
		{Op: OpStepField, Step: 2, Name: "x"},
		{Op: OpStepField, Step: 1, Name: "x", Pick: PickLast},
		{Op: OpStepField, Step: 1, Name: "x", Pick: PickPrev},
		{Op: OpStepField, Step: 1, Name: "x", Pick: PickAt, Args: []*Expr{one}},
		{Op: OpStepMeta, Step: 1, Name: "time"},
		{Op: OpStepField, Step: 1, Name: "last.x"},
		{Op: OpElem},
		{Op: OpElem, Index: 1},
		{Op: OpElemNo},
		{Op: OpAcc},
		{Op: OpCall, Name: "len", Args: []*Expr{x}},
		{Op: OpLen, Args: []*Expr{x, x}},
		{Op: OpNative, Text: "len", Args: []*Expr{x}},
		{Op: OpEach, Name: "any", Args: []*Expr{x, {Op: OpElem}}},
		{Op: OpMember, Name: "a", Args: []*Expr{x}},
		{Op: OpRecord, Names: []string{"a"}, Args: []*Expr{x}},
		{Op: OpRecord, Names: []string{"b"}, Args: []*Expr{x}},
		{Op: OpConvert, Type: event.Type{Kind: event.Float}, Args: []*Expr{x}},
		{Op: OpConvert, Type: event.Type{Kind: event.IP}, Args: []*Expr{x}},
	}
	for op := OpNot; op <= OpMatch; op++ {
		all = append(all, &Expr{Op: op, Args: []*Expr{x, one}})
	}
	all = append(all, &Expr{Op: OpNeg, Args: []*Expr{x}}, &Expr{Op: OpSub, Args: []*Expr{{Op: OpSub, Args: []*Expr{x, x}}, x}}, &Expr{Op: OpSub, Args: []*Expr{x, {Op: OpSub, Args: []*Expr{x, x}}}})
	seen := map[string]int{}
	for i, e := range all {
		text := e.String()
		// Minus is told from its sign by the number of its arguments only.
		if j, ok := seen[text]; ok && !(e.Op == OpSub && all[j].Op == OpNeg) {
			t.Errorf("expressions %d and %d are both %s", j, i, text)
		}
		seen[text] = i
	}
	if (*Expr)(nil).String() != "" {
		t.Error("no expression has no text")
	}
}
