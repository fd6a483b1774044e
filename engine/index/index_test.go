package index

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"pgregory.net/rapid"
)

// The one event type of these tests: s string?, n int?.
func testTypes() []*plan.Type {
	t := &plan.Type{Schema: event.Schema{Name: "e", Fields: []event.Field{
		{Name: "s", Type: event.Type{Kind: event.String, Optional: true}},
		{Name: "n", Type: event.Type{Kind: event.Int, Optional: true}},
	}}}
	t.Layout.Schema = &t.Schema
	t.Layout.Add([]string{"s"}, t.Schema.Fields[0].Type)
	t.Layout.Add([]string{"n"}, t.Schema.Fields[1].Type)
	return []*plan.Type{t}
}

var boolType = event.Type{Kind: event.Bool}

func field(types []*plan.Type, i int) *plan.Expr {
	f := types[0].Schema.Fields[i]
	return &plan.Expr{Op: plan.OpField, Index: i, Name: f.Name, Type: f.Type}
}

func constant(v event.Value) *plan.Expr {
	return &plan.Expr{Op: plan.OpConst, Const: v, Type: event.Type{Kind: v.Kind}}
}

// genCond draws a condition: an equality that can be looked up, on either side, or a
// comparison that cannot.
func genCond(t *rapid.T, types []*plan.Type) *plan.Expr {
	i := rapid.IntRange(0, 1).Draw(t, "field")
	value := event.OfString(rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "text"))
	op := plan.OpEq
	if i == 1 {
		value = event.OfInt(int64(rapid.IntRange(0, 2).Draw(t, "number")))
		op = rapid.SampledFrom([]plan.Op{plan.OpEq, plan.OpLt}).Draw(t, "op")
	}
	args := []*plan.Expr{field(types, i), constant(value)}
	if op == plan.OpEq && rapid.Bool().Draw(t, "swap") {
		slices.Reverse(args)
	}
	return &plan.Expr{Op: op, Type: boolType, Args: args}
}

func genEvent(t *rapid.T) *event.Event {
	ev := &event.Event{Slots: make([]uint64, 3), Offset: int64(rapid.IntRange(0, 1000).Draw(t, "offset"))}
	if rapid.IntRange(0, 4).Draw(t, "s nil") > 0 {
		ev.Text = []byte(rapid.SampledFrom([]string{"a", "b", ""}).Draw(t, "s"))
		ev.Slots[0], ev.Slots[1] = 1, uint64(event.MakeRef(0, len(ev.Text)))
	}
	if rapid.IntRange(0, 4).Draw(t, "n nil") > 0 {
		ev.Slots[0] |= 2
		ev.Slots[2] = uint64(rapid.IntRange(0, 2).Draw(t, "n"))
	}
	return ev
}

// plainRoute evaluates every test of every rule.
func plainRoute(types []*plan.Type, rules []Rule, ev *event.Event) (items []string, nilKeys []uint64) {
	frame := &eval.Frame{Event: ev}
	c := eval.Compiler{Types: types}
	nilKeys = make([]uint64, len(rules))
	for r, rule := range rules {
		byKey := map[string]*Item{}
		for _, test := range rule.Tests {
			if slices.ContainsFunc(test.Cond, func(e *plan.Expr) bool { return !c.Bool(e)(frame) }) {
				continue
			}
			var key []byte
			isNil := false
			for _, e := range test.Key {
				v := c.Value(e)(frame)
				isNil = isNil || v.IsNil()
				key = event.AppendKey(key, v)
			}
			if isNil {
				nilKeys[r] = 1
				continue
			}
			it := byKey[string(key)]
			if it == nil {
				it = &Item{Rule: int32(r)}
				byKey[string(key)] = it
			}
			it.Mask |= test.Bit
			it.Until = it.Until || test.Until
		}
		for key, it := range byKey {
			items = append(items, fmt.Sprintf("%d %x %b %v", r, key, it.Mask, it.Until))
		}
	}
	slices.Sort(items)
	return items, nilKeys
}

// TestRouteFindsWhatAPlainSearchFinds compares the index with evaluating every test.
func TestRouteFindsWhatAPlainSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := testTypes()
		rules := make([]Rule, rapid.IntRange(0, 8).Draw(t, "rules"))
		for r := range rules {
			for i := range rapid.IntRange(1, 3).Draw(t, "tests") {
				test := machine.Test{Bit: 1 << i, Until: rapid.Bool().Draw(t, "until")}
				for range rapid.IntRange(0, 3).Draw(t, "conds") {
					test.Cond = append(test.Cond, genCond(t, types))
				}
				for range rapid.IntRange(0, 2).Draw(t, "parts") {
					test.Key = append(test.Key, field(types, rapid.IntRange(0, 1).Draw(t, "part")))
				}
				rules[r].Tests = append(rules[r].Tests, test)
			}
		}
		router := New(types, rules).NewRouter(&eval.World{Types: types})
		var items []Item
		for range rapid.IntRange(1, 5).Draw(t, "events") {
			ev := genEvent(t)
			from := len(items)
			clear(router.NilKeys)
			items = router.Route(ev, items)
			want, nilKeys := plainRoute(types, rules, ev)
			var got []string
			for i, it := range items[from:] {
				key := it.Key.Bytes(router.Keys)
				got = append(got, fmt.Sprintf("%d %x %b %v", it.Rule, key, it.Mask, it.Until))
				if it.Hash != event.Hash(key) {
					t.Fatalf("hash of key %x is %x", key, it.Hash)
				}
				if i > 0 && items[from+i-1].Rule > it.Rule {
					t.Fatalf("items are not in order of rule: %v", items[from:])
				}
			}
			slices.Sort(got)
			if strings.Join(got, "\n") != strings.Join(want, "\n") {
				t.Fatalf("event %v %q:\n got %v\nwant %v", ev.Slots, ev.Text, got, want)
			}
			if !slices.Equal(router.NilKeys, nilKeys) {
				t.Fatalf("nil keys %v, want %v", router.NilKeys, nilKeys)
			}
		}
	})
}

func TestEventThatMattersToNoRuleAllocatesNothing(t *testing.T) {
	types := testTypes()
	eq := &plan.Expr{Op: plan.OpEq, Type: boolType, Args: []*plan.Expr{field(types, 0), constant(event.OfString("x"))}}
	lt := &plan.Expr{Op: plan.OpLt, Type: boolType, Args: []*plan.Expr{field(types, 1), constant(event.OfInt(1))}}
	key := []*plan.Expr{field(types, 0)}
	rules := []Rule{{Tests: []machine.Test{{Cond: []*plan.Expr{eq}, Key: key, Bit: 1}}}, {Tests: []machine.Test{{Cond: []*plan.Expr{lt}, Key: key, Bit: 1}}}}
	router := New(types, rules).NewRouter(&eval.World{Types: types})
	ev := &event.Event{Text: []byte("a"), Slots: []uint64{3, uint64(event.MakeRef(0, 1)), 5}}
	items := make([]Item, 0, 8)
	if n := testing.AllocsPerRun(100, func() { items = router.Route(ev, items[:0]) }); n != 0 || len(items) != 0 {
		t.Fatalf("%v allocations, %d items", n, len(items))
	}
}
