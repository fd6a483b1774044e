package index

import (
	"bytes"
	"slices"

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
	Rule  int32
	Until bool      // it is an until event of the pattern
	Mask  uint64    // bits of the tests it passed
	Hash  uint64    // of the key
	Key   event.Ref // the key's bytes, in the Router's Keys
}

// Index is the compiled form of all tests of a rule set.
type Index struct {
	types []typeIndex
	rules []Rule
}

// typeIndex holds the tests on events of one type.
type typeIndex struct {
	tests  []test // in order of rule, then key
	keys   []keySpec
	always []int32 // tests without an equality to look up
	fields []fieldIndex
	layout *event.Layout
}

// test is one compiled test.
type test struct {
	rule  int32
	key   int32 // index into keys
	bit   uint64
	until bool
	holds func(*eval.Frame) bool // nil: always
}

// keySpec is one way to take a key from an event of the type.
type keySpec struct {
	exprs []*plan.Expr
	parts []func(*eval.Frame) event.Value
	slots []int // not nil: the parts are fields, read straight from their slots
}

// fieldIndex looks tests up by the value of one field.
type fieldIndex struct {
	slot, word int
	text       map[string][]int32
	number     map[uint64][]int32
}

// New compiles the tests of a rule set over its event types.
func New(types []*plan.Type, rules []Rule) *Index {
	ix := &Index{types: make([]typeIndex, len(types)), rules: rules}
	for i := range types {
		ix.types[i].layout = &types[i].Layout
	}
	for r := range rules {
		for _, t := range rules[r].Tests {
			c := eval.Compiler{Types: types, Event: t.Type}
			ix.types[t.Type].add(int32(r), t, c)
		}
	}
	return ix
}

// add compiles one test.
func (ti *typeIndex) add(rule int32, t machine.Test, c eval.Compiler) {
	n := int32(len(ti.tests))
	layout := &c.Types[t.Type].Layout
	compiled := test{rule: rule, key: ti.keySpec(t.Key, c), bit: t.Bit, until: t.Until}
	rest := t.Cond
	at := slices.IndexFunc(rest, func(e *plan.Expr) bool { return equality(e) != nil })
	if at >= 0 {
		ti.file(equality(rest[at]), layout, n)
		rest = slices.Concat(rest[:at], rest[at+1:])
	} else {
		ti.always = append(ti.always, n)
	}
	compiled.holds = c.Bool(machine.Conjunction(rest))
	ti.tests = append(ti.tests, compiled)
}

// equality returns e as field == constant, nil where it is something else.
func equality(e *plan.Expr) *plan.Expr {
	if e.Op != plan.OpEq || len(e.Args) != 2 {
		return nil
	}
	if e.Args[0].Op == plan.OpConst {
		e = &plan.Expr{Op: plan.OpEq, Type: e.Type, Args: []*plan.Expr{e.Args[1], e.Args[0]}}
	}
	field, value := e.Args[0], e.Args[1]
	if field.Op != plan.OpField || value.Op != plan.OpConst || field.Type.Kind != value.Const.Kind {
		return nil
	}
	switch value.Const.Kind {
	case event.String, event.Int, event.Bool:
		return e
	}
	return nil
}

// file puts test n under the value that its equality asks for.
func (ti *typeIndex) file(e *plan.Expr, l *event.Layout, n int32) {
	f := ti.field(e.Args[0].Index, l)
	if value := e.Args[1].Const; value.Kind == event.String {
		f.text[value.S] = append(f.text[value.S], n)
	} else {
		f.number[value.N] = append(f.number[value.N], n)
	}
}

func (ti *typeIndex) field(slot int, l *event.Layout) *fieldIndex {
	for i := range ti.fields {
		if ti.fields[i].slot == slot {
			return &ti.fields[i]
		}
	}
	ti.fields = append(ti.fields, fieldIndex{
		slot: slot, word: l.Words() + slot,
		text: map[string][]int32{}, number: map[uint64][]int32{},
	})
	return &ti.fields[len(ti.fields)-1]
}

// lookup returns the tests filed under the event's value of the field.
func (f *fieldIndex) lookup(ev *event.Event) []int32 {
	if !ev.Has(f.slot) {
		return nil
	}
	if len(f.text) > 0 {
		return f.text[ev.String(ev.Slots[f.word])]
	}
	return f.number[ev.Slots[f.word]]
}

// keySpec returns the number of the way to take a key, making one if it is new.
func (ti *typeIndex) keySpec(exprs []*plan.Expr, c eval.Compiler) int32 {
	for i := range ti.keys {
		if slices.EqualFunc(ti.keys[i].exprs, exprs, sameText) {
			return int32(i)
		}
	}
	k := keySpec{exprs: exprs}
	for _, e := range exprs {
		k.parts = append(k.parts, c.Value(e))
		if e.Op == plan.OpField {
			k.slots = append(k.slots, e.Index)
		}
	}
	if len(k.slots) < len(exprs) {
		k.slots = nil
	}
	ti.keys = append(ti.keys, k)
	return int32(len(ti.keys) - 1)
}

func sameText(a, b *plan.Expr) bool { return a == b || a.String() == b.String() }

// Router routes events for one goroutine.
type Router struct {
	Keys    []byte       // bytes of the keys of the items made since Reset
	NilKeys []uint64     // by rule: events passed by for their nil key
	Faults  []eval.Fault // by rule: conditions and keys that failed as they ran

	ix      *Index
	frame   eval.Frame
	hits    []int32
	keys    []keyValue // by key spec of the event's type
	event   uint64     // number of the event at hand
	nilRule int32      // the rule last counted in NilKeys for it; -1: none
}

// keyValue is the key of the event at hand under one spec.
type keyValue struct {
	event uint64 // the event it is of
	isNil bool
	ref   event.Ref
	hash  uint64
}

// NewRouter makes a router over the index.
func (ix *Index) NewRouter(world *eval.World) *Router {
	most := 0
	for i := range ix.types {
		most = max(most, len(ix.types[i].keys))
	}
	return &Router{
		ix: ix, frame: eval.Frame{World: world},
		keys: make([]keyValue, most), NilKeys: make([]uint64, len(ix.rules)), Faults: make([]eval.Fault, len(ix.rules)),
	}
}

// Reset forgets the keys of the items made so far.
func (r *Router) Reset() { r.Keys = r.Keys[:0] }

// blame books a condition or key that failed as it ran.
func (r *Router) blame(rule int32) {
	f := &r.frame.Fault
	r.Faults[rule].Count += f.Count
	r.Faults[rule].Last = f.Last
	*f = eval.Fault{}
}

// Route appends an item for each rule and key that the event matters to, in order of
// rule.
func (r *Router) Route(ev *event.Event, out []Item) []Item {
	ti := &r.ix.types[ev.Type]
	r.event++
	r.frame.Event = ev
	r.hits = r.hits[:0]
	r.pass(ti, ti.always)
	filed := len(r.hits)
	for i := range ti.fields {
		r.pass(ti, ti.fields[i].lookup(ev))
	}
	if len(r.hits) > filed && len(r.hits) > 1 {
		slices.Sort(r.hits)
	}
	r.nilRule = -1
	start := len(out)
	for _, n := range r.hits {
		out = r.item(ti, &ti.tests[n], ev, out, start)
	}
	return out
}

// pass collects the tests that the event passes.
func (r *Router) pass(ti *typeIndex, tests []int32) {
	for _, n := range tests {
		if holds := ti.tests[n].holds; holds == nil || holds(&r.frame) {
			r.hits = append(r.hits, n)
		}
		if r.frame.Fault.Count > 0 {
			r.blame(ti.tests[n].rule)
		}
	}
}

// item adds a passed test to the rule's item of the same key, or makes one.
func (r *Router) item(ti *typeIndex, t *test, ev *event.Event, out []Item, start int) []Item {
	k := r.key(ti, t.key, ev)
	if r.frame.Fault.Count > 0 {
		r.blame(t.rule)
	}
	if k.isNil {
		if r.nilRule != t.rule {
			r.NilKeys[t.rule]++
			r.nilRule = t.rule
		}
		return out
	}
	for i := len(out) - 1; i >= start && out[i].Rule == t.rule; i-- {
		if out[i].Hash == k.hash && bytes.Equal(out[i].Key.Bytes(r.Keys), k.ref.Bytes(r.Keys)) {
			out[i].Mask |= t.bit
			out[i].Until = out[i].Until || t.until
			return out
		}
	}
	it := Item{Rule: t.rule, Until: t.until, Mask: t.bit, Hash: k.hash, Key: k.ref}
	if r.ix.rules[t.rule].Keyless {
		it.Hash = uint64(ev.Offset) * 0x9E3779B97F4A7C15 >> 32
	}
	return append(out, it)
}

// key takes the event's key under a spec, once.
func (r *Router) key(ti *typeIndex, spec int32, ev *event.Event) *keyValue {
	k := &r.keys[spec]
	if k.event == r.event {
		return k
	}
	*k = keyValue{event: r.event}
	start := len(r.Keys)
	s := &ti.keys[spec]
	for _, slot := range s.slots {
		k.isNil = k.isNil || !ev.Has(slot)
		r.Keys = ev.AppendKey(r.Keys, ti.layout, slot)
	}
	for i := len(s.slots); i < len(s.parts); i++ {
		v := s.parts[i](&r.frame)
		k.isNil = k.isNil || v.IsNil()
		r.Keys = event.AppendKey(r.Keys, v)
	}
	if k.isNil {
		r.Keys = r.Keys[:start]
		return k
	}
	k.ref = event.MakeRef(start, len(r.Keys)-start)
	k.hash = event.Hash(r.Keys[start:])
	return k
}
