package index

import (
	"cmp"
	"slices"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
)

// Rule is what the index knows of one rule: its tests. Its number is its place in the
// list given to [New]. Keyless says that the rule keeps no state by key, so that its
// events may go to any shard.
type Rule struct {
	Tests   []machine.Test
	Keyless bool
}

// Item says that an event matters to a rule.
type Item struct {
	Event int32 // its place among the events routed
	Rule  int32
	Mask  uint64    // bits of the tests it passed
	Hash  uint64    // of the key
	Key   event.Ref // the key's bytes, in Routed.Keys; where Plain is set, in the event's Text
	Plain bool      // the key is one text, as the event has it, with no zero in it
	Until bool      // it is an until event of the pattern
}

// AppendKey appends the item's key in the form of [event.AppendKey]; keys are those of the
// Routed that has it, ev is its event.
func (it *Item) AppendKey(b, keys []byte, ev *event.Event) []byte {
	if it.Plain {
		return event.AppendTextKey(b, it.Key.Bytes(ev.Text))
	}
	return append(b, it.Key.Bytes(keys)...)
}

// Index is the compiled form of all tests of a rule set.
type Index struct {
	types []typeIndex
	rules []Rule
}

// typeIndex holds the tests on events of one type.
type typeIndex struct {
	tests   []test // in order of rule, then key
	keys    []keySpec
	keyAt   map[string]int32 // by text: number of a key spec
	columns []int32          // tests that are evaluated over the whole batch
	groups  []group          // of the columns, where there is nothing else: see narrow.go
	byText  *keySpec         // not nil: the key of all groups is one text, and none joins
	paths   []path
	conds   []condition // distinct ones
	condAt  map[string]int32
	layout  *event.Layout
}

// test is one compiled test. What the path that it is filed under has found out is not
// asked again.
type test struct {
	rule  int32
	key   int32 // index into keys
	bit   uint64
	until bool
	conds []int32                // all must hold, those that cost least first
	whole func(*eval.Frame) bool // instead of conds, where one of them can fail as it runs
}

// keySpec is one way to take a key from an event of the type.
type keySpec struct {
	parts []func(*eval.Frame) event.Value
	slots []int // not nil: the parts are fields, read straight from their slots
	text  *slot // not nil: the key is this text
	hash  int   // where in Slots its hash is; 0: nowhere
}

// New compiles the tests of a rule set over its event types.
func New(types []*plan.Type, rules []Rule) *Index {
	ix := &Index{types: make([]typeIndex, len(types)), rules: rules}
	drafts := make([][]draft, len(types))
	for r := range rules {
		for i := range rules[r].Tests {
			t := &rules[r].Tests[i]
			drafts[t.Type] = append(drafts[t.Type], draft{rule: int32(r), test: t})
		}
	}
	for i := range types {
		ti := &ix.types[i]
		ti.layout = &types[i].Layout
		ti.keyAt, ti.condAt = map[string]int32{}, map[string]int32{}
		ti.build(drafts[i], eval.Compiler{Types: types, Event: i})
		ti.keyAt, ti.condAt = nil, nil
		ti.group(rules)
	}
	return ix
}

// draft is a test on its way into the index.
type draft struct {
	rule int32
	test *machine.Test
}

// build compiles the tests of a type.
func (ti *typeIndex) build(drafts []draft, c eval.Compiler) {
	census := ti.count(drafts)
	filer := filer{ti: ti}
	for _, d := range drafts {
		n := int32(len(ti.tests))
		rest, way := census.choose(d.test.Cond)
		ti.tests = append(ti.tests, test{rule: d.rule, key: ti.keySpec(d.test.Key, c), bit: d.test.Bit, until: d.test.Until})
		if way == nil {
			ti.columns = append(ti.columns, n)
			ti.conditions(n, rest, c, true)
			continue
		}
		filer.file(n, way, rest)
	}
	filer.finish(c)
}

// conditions compiles what a test still asks.
func (ti *typeIndex) conditions(n int32, rest []*plan.Expr, c eval.Compiler, column bool) {
	t := &ti.tests[n]
	for _, e := range rest {
		if _, fails := c.Condition(e); fails {
			t.whole = c.Bool(machine.Conjunction(rest))
			return
		}
	}
	for _, e := range rest {
		i := ti.condition(e, c)
		ti.conds[i].uses++
		ti.conds[i].bulk = ti.conds[i].bulk || column
		t.conds = append(t.conds, i)
	}
	slices.SortStableFunc(t.conds, func(a, b int32) int { return cmp.Compare(ti.conds[a].cost(), ti.conds[b].cost()) })
}

// condition returns the number of a condition, making one if it is new.
func (ti *typeIndex) condition(e *plan.Expr, c eval.Compiler) int32 {
	text := e.String()
	if i, ok := ti.condAt[text]; ok {
		return i
	}
	i := int32(len(ti.conds))
	ti.condAt[text] = i
	ti.conds = append(ti.conds, ti.compile(e, c))
	return i
}

// keySpec returns the number of the way to take a key, making one if it is new.
func (ti *typeIndex) keySpec(exprs []*plan.Expr, c eval.Compiler) int32 {
	var b strings.Builder
	for _, e := range exprs {
		b.WriteString(e.String())
		b.WriteByte(0)
	}
	text := b.String()
	if i, ok := ti.keyAt[text]; ok {
		return i
	}
	k := keySpec{}
	for _, e := range exprs {
		k.parts = append(k.parts, c.Value(e))
		if e.Op == plan.OpField {
			k.slots = append(k.slots, e.Index)
		}
	}
	if len(k.slots) < len(exprs) {
		k.slots = nil
	}
	if len(exprs) == 1 && len(k.slots) == 1 && ti.layout.Slots[k.slots[0]].Type.Kind == event.String {
		s := slotOf(ti.layout, k.slots[0])
		k.text, k.hash = &s, max(0, ti.layout.HashAt(k.slots[0]))
	}
	i := int32(len(ti.keys))
	ti.keyAt[text] = i
	ti.keys = append(ti.keys, k)
	return i
}
