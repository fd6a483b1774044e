package index

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"pgregory.net/rapid"
)

// The event types of these tests: s string?, n int?, x float?, each.
func testTypes() []*plan.Type {
	var types []*plan.Type
	for _, name := range []string{"e", "f"} {
		t := &plan.Type{Schema: event.Schema{Name: name, Fields: []event.Field{
			{Name: "s", Type: event.Type{Kind: event.String, Optional: true}},
			{Name: "n", Type: event.Type{Kind: event.Int, Optional: true}},
			{Name: "x", Type: event.Type{Kind: event.Float, Optional: true}},
		}}}
		t.Layout.Schema = &t.Schema
		for _, f := range t.Schema.Fields {
			t.Layout.Add([]string{f.Name}, f.Type)
		}
		if name == "e" {
			t.Layout.Keyed = []int{0}
		}
		types = append(types, t)
	}
	return types
}

var boolType = event.Type{Kind: event.Bool}

func field(types []*plan.Type, i int) *plan.Expr {
	f := types[0].Schema.Fields[i]
	return &plan.Expr{Op: plan.OpField, Index: i, Name: f.Name, Type: f.Type}
}

func constant(v event.Value) *plan.Expr {
	return &plan.Expr{Op: plan.OpConst, Const: v, Type: event.Type{Kind: v.Kind}}
}

func genText(t *rapid.T, label string) string {
	return rapid.StringMatching("[abc]{0,4}|[ab]{5}|ab\x00aabb").Draw(t, label)
}

// genNumber draws a number of a field, the edges of its kind among them.
func genNumber(t *rapid.T, i int) event.Value {
	if i == 1 {
		return event.OfInt(rapid.OneOf(rapid.Int64Range(-2, 2), rapid.SampledFrom([]int64{math.MinInt64, math.MaxInt64})).Draw(t, "int"))
	}
	return event.OfFloat(rapid.SampledFrom([]float64{-math.MaxFloat64, -1.5, -1, math.Copysign(0, -1), 0, 5e-324, 1, 1.5, math.MaxFloat64}).Draw(t, "float"))
}

// genCond draws a condition of every form that is looked up, or evaluated as a column, or
// neither, or that can fail; some are negated. Most are of the favourite form.
func genCond(t *rapid.T, types []*plan.Type, favourite int) *plan.Expr {
	var e *plan.Expr
	i, form := rapid.IntRange(0, 2).Draw(t, "field"), favourite
	if rapid.IntRange(0, 3).Draw(t, "favourite") == 0 {
		form = rapid.IntRange(0, forms-1).Draw(t, "form")
	}
	switch {
	case form == 4:
		e = &plan.Expr{Op: plan.OpCoalesce, Type: event.Type{Kind: event.Any}, Args: []*plan.Expr{field(types, 0), constant(event.OfBool(true))}}
	case form == 0 && i < 2:
		list := event.Value{Kind: event.List, C: &event.Compound{}}
		for range rapid.IntRange(1, 3).Draw(t, "elements") {
			v := event.OfString(genText(t, "element"))
			if i == 1 {
				v = genNumber(t, i)
			}
			list.C.Elems = append(list.C.Elems, v)
		}
		e = &plan.Expr{Op: plan.OpIn, Type: boolType, Args: []*plan.Expr{field(types, i), constant(list)}}
	case form <= 2 && form > 0:
		op := rapid.SampledFrom([]plan.Op{plan.OpContains, plan.OpStartsWith, plan.OpEndsWith}).Draw(t, "part")
		e = &plan.Expr{Op: op, Type: boolType, Args: []*plan.Expr{field(types, 0), constant(event.OfString(genText(t, "text")))}}
	case form == 3:
		e = &plan.Expr{Op: plan.OpOr, Type: boolType, Args: []*plan.Expr{genComparison(t, types, i), genComparison(t, types, 1)}}
	default:
		e = genComparison(t, types, i)
	}
	if form != 4 && rapid.IntRange(0, 4).Draw(t, "not") == 0 {
		e = &plan.Expr{Op: plan.OpNot, Type: boolType, Args: []*plan.Expr{e}}
	}
	return e
}

const forms = 7

func genComparison(t *rapid.T, types []*plan.Type, i int) *plan.Expr {
	value := event.OfString(genText(t, "value"))
	ops := []plan.Op{plan.OpEq, plan.OpEq, plan.OpNe, plan.OpLt, plan.OpGe}
	if i > 0 {
		value, ops = genNumber(t, i), append(ops, plan.OpLe, plan.OpGt)
	}
	args := []*plan.Expr{field(types, i), constant(value)}
	if rapid.Bool().Draw(t, "swap") {
		slices.Reverse(args)
	}
	return &plan.Expr{Op: rapid.SampledFrom(ops).Draw(t, "op"), Type: boolType, Args: args}
}

func genEvent(t *rapid.T) event.Event {
	ev := event.Event{
		Type: int32(rapid.IntRange(0, 1).Draw(t, "type")), Slots: make([]uint64, 5),
		Offset: int64(rapid.IntRange(0, 1000).Draw(t, "offset")),
	}
	if rapid.IntRange(0, 4).Draw(t, "s nil") > 0 {
		ev.Text = []byte(genText(t, "s"))
		ev.Slots[0], ev.Slots[1] = 1, uint64(event.MakeRef(0, len(ev.Text)))
		if ev.Type == 0 && rapid.IntRange(0, 4).Draw(t, "hash") > 0 {
			ev.Slots[4] = event.TextKeyHash(ev.Text)
		}
	}
	for i := 1; i <= 2; i++ {
		if rapid.IntRange(0, 4).Draw(t, "nil") > 0 {
			ev.Slots[0] |= 1 << i
			ev.Slots[1+i] = genNumber(t, i).N
		}
	}
	return ev
}

// plainRoute evaluates every test of every rule.
func plainRoute(types []*plan.Type, rules []Rule, ev *event.Event) (items []string, nilKeys []uint64) {
	frame := &eval.Frame{Event: ev}
	c := eval.Compiler{Types: types, Event: int(ev.Type)}
	nilKeys = make([]uint64, len(rules))
	for r, rule := range rules {
		byKey := map[string]*Item{}
		for _, test := range rule.Tests {
			if test.Type != int(ev.Type) {
				continue
			}
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

// genRules draws rules: of some kinds of condition so many that they are looked up.
func genRules(t *rapid.T, types []*plan.Type) []Rule {
	rules := make([]Rule, rapid.SampledFrom([]int{0, 1, 2, 5, 40}).Draw(t, "rules"))
	favourite := rapid.IntRange(0, forms-1).Draw(t, "favourite")
	oneKey := rapid.Bool().Draw(t, "one key")
	for r := range rules {
		for i := range rapid.IntRange(1, 3).Draw(t, "tests") {
			test := machine.Test{Type: rapid.IntRange(0, 1).Draw(t, "type"), Bit: 1 << i, Until: rapid.Bool().Draw(t, "until")}
			for range rapid.IntRange(0, 3).Draw(t, "conds") {
				test.Cond = append(test.Cond, genCond(t, types, favourite))
			}
			if oneKey {
				test.Key = []*plan.Expr{field(types, 0)}
			}
			for range rapid.IntRange(0, 2).Draw(t, "parts") {
				if oneKey {
					continue
				}
				test.Key = append(test.Key, field(types, rapid.IntRange(0, 2).Draw(t, "part")))
			}
			rules[r].Tests = append(rules[r].Tests, test)
		}
	}
	return rules
}

// TestRouteFindsWhatAPlainSearchFinds compares the index with evaluating every test, on
// batches of every length, with items in one list and in several.
func TestRouteFindsWhatAPlainSearchFinds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		types := testTypes()
		rules := genRules(t, types)
		spread := Spread{Lists: rapid.IntRange(1, 3).Draw(t, "lists")}
		spread.Of = func(_ int32, hash uint64) int { return int(hash % uint64(spread.Lists)) }
		router := New(types, rules).NewRouter(&eval.World{Types: types}, spread)
		var routed Routed
		for range rapid.IntRange(1, 3).Draw(t, "batches") {
			events := make([]event.Event, rapid.SampledFrom([]int{1, 2, 63, 64, 65, 130}).Draw(t, "events"))
			some := []event.Event{genEvent(t), genEvent(t), genEvent(t), genEvent(t), genEvent(t)}
			if rapid.Bool().Draw(t, "one type") {
				for i := range some { // a text without its hash has its key made
					some[i].Type = 0
				}
			}
			for i := range events {
				events[i] = some[rapid.IntRange(0, len(some)-1).Draw(t, "which")]
			}
			router.Counted()
			together := make([]uint64, 0, 5*len(events))
			for i := range events {
				together = append(together, events[i].Slots...)
				events[i].Slots = together[5*i:][:5]
			}
			common := event.CommonOf(events)
			if rapid.Bool().Draw(t, "unknown") {
				common = event.Common{}
			}
			if router.RouteAs(events, &common, &routed); len(events) == 1 {
				router.Counted()
				router.RouteOne(&events[0], &routed)
			}
			compareRoutes(t, types, rules, router, &routed, events)
		}
	})
}

func compareRoutes(t *rapid.T, types []*plan.Type, rules []Rule, router *Router, routed *Routed, events []event.Event) {
	got, want := make([][]string, len(events)), make([][]string, len(events))
	nilKeys := make([]uint64, len(rules))
	for n, list := range routed.Lists {
		for i, it := range list {
			key := it.AppendKey(nil, routed.Keys, &events[it.Event])
			got[it.Event] = append(got[it.Event], fmt.Sprintf("%d %x %b %v", it.Rule, key, it.Mask, it.Until))
			if it.Hash != event.KeyHash(key) || int(it.Hash%uint64(len(routed.Lists))) != n {
				t.Fatalf("hash of key %x in list %d is %x", key, n, it.Hash)
			}
			if i > 0 && (list[i-1].Event > it.Event || list[i-1].Event == it.Event && list[i-1].Rule > it.Rule) {
				t.Fatalf("items are not in order of event and rule: %v", list)
			}
		}
	}
	for i := range events {
		var nils []uint64
		want[i], nils = plainRoute(types, rules, &events[i])
		for r := range nils {
			nilKeys[r] += nils[r]
		}
		slices.Sort(got[i])
		if strings.Join(got[i], "\n") != strings.Join(want[i], "\n") {
			t.Fatalf("event %d of type %d %v %q:\n got %v\nwant %v", i, events[i].Type, events[i].Slots, events[i].Text, got[i], want[i])
		}
	}
	if !slices.Equal(router.NilKeys.N, nilKeys) {
		t.Fatalf("nil keys %v, want %v", router.NilKeys.N, nilKeys)
	}
}

func TestOrderedKeepsTheOrderOfFloats(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := rapid.Float64().Draw(t, "a"), rapid.Float64().Draw(t, "b")
		if got, want := cmp.Compare(ordered(math.Float64bits(a)), ordered(math.Float64bits(b))), cmp.Compare(a, b); got != want {
			t.Fatalf("%v and %v compare as %d, want %d", a, b, got, want)
		}
	})
}

func TestEventsThatMatterToNoRuleAllocateNothing(t *testing.T) {
	types := testTypes()
	eq := &plan.Expr{Op: plan.OpEq, Type: boolType, Args: []*plan.Expr{field(types, 0), constant(event.OfString("x"))}}
	lt := &plan.Expr{Op: plan.OpLt, Type: boolType, Args: []*plan.Expr{field(types, 1), constant(event.OfInt(1))}}
	key := []*plan.Expr{field(types, 0)}
	var rules []Rule
	for range 20 {
		rules = append(rules, Rule{Tests: []machine.Test{{Cond: []*plan.Expr{eq, lt}, Key: key, Bit: 1}}}, Rule{Tests: []machine.Test{{Cond: []*plan.Expr{lt}, Key: key, Bit: 1}}})
	}
	router := New(types, rules).NewRouter(&eval.World{Types: types}, Spread{})
	events := make([]event.Event, 100)
	for i := range events {
		events[i] = event.Event{Text: []byte("y"), Slots: []uint64{3, uint64(event.MakeRef(0, 1)), 7, 0}}
	}
	var routed Routed
	if n := testing.AllocsPerRun(100, func() { router.Route(events, &routed) }); n != 0 {
		t.Fatalf("%v allocations a batch", n)
	}
	if len(routed.Lists[0]) != 0 {
		t.Fatalf("items %v", routed.Lists[0])
	}
}
