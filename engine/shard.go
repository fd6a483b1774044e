package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"runtime/debug"
	"slices"
	"sort"
	"strings"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
)

// slots is the number of parts that keys are spread over: more than one shard, each
// shard owning some, so that the number of shards can change over the same state.
const slots = 256

// MaxShards is the greatest number of shards.
const MaxShards = slots

// shardOf is the shard that owns a hash's slot.
func shardOf(hash uint64, shards int) int { return int(hash%slots) * shards / slots }

// shard owns the keys of some slots: their states in every rule, their timers, and the
// effects they have made in the epoch at hand. One goroutine at a time works on it.
type shard struct {
	x       machine.Context
	store   keep.Store
	units   []unit
	timers  timers
	durable bool // the store outlives the process: changes are noted for save
	scratch []byte

	epoch   *epoch // at hand
	work    []work
	made    []effect
	now     cause
	dropped []machine.Dropped // by rule
	faults  []eval.Fault      // by rule
}

// work is one event for one rule in a shard.
type work struct {
	input int32 // ordinal of the event in the epoch
	item  *index.Item
	keys  []byte // what item.Key points into
}

// cause is what effects come from, in the order in which alerts are to come out: the
// ordinal of the input, timers before the event, then deadline, rule and key.
type cause struct {
	ordinal  int32
	event    bool // the event itself, not a timer before it
	deadline int64
	rule     int32
}

// effect is a match with its cause, owning all it points to.
type effect struct {
	cause
	key []byte
	machine.Effect
}

func newShard(rules []compiled, world *eval.World, limits machine.Limits, durable bool) *shard {
	sh := &shard{durable: durable, dropped: make([]machine.Dropped, len(rules)), faults: make([]eval.Fault, len(rules))}
	sh.x = machine.Context{Frame: eval.Frame{World: world}, Keep: &sh.store, Limits: limits}
	sh.x.Effect = sh.collect
	for i := range rules {
		sh.units = append(sh.units, rules[i].newUnit(int32(i)))
	}
	return sh
}

// run takes the shard's work of an epoch: events and timers in order of time, then the
// time the epoch ends at. A panic, which only a broken invariant can cause, is returned
// as an error that says where.
func (sh *shard) run(ep *epoch) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rule %s: broken invariant at input %d: %v\n%s", ep.rules[sh.now.rule].rule.Name, sh.now.ordinal, r, debug.Stack())
		}
	}()
	sh.epoch = ep
	last := int32(-1)
	for i := range sh.work {
		w := &sh.work[i]
		if w.input != last {
			sh.x.End()
			sh.advance(ep.inputs[w.input].At)
			sh.x.Begin()
			last = w.input
		}
		sh.now = cause{ordinal: w.input, event: true, rule: w.item.Rule}
		sh.units[w.item.Rule].event(sh, w.item, w.item.Key.Bytes(w.keys), ep.inputs[w.input])
		sh.account(w.item.Rule)
	}
	sh.x.End()
	sh.advance(ep.until)
	sh.work = sh.work[:0]
	return nil
}

// advance fires the timers up to a time, in order.
func (sh *shard) advance(to int64) {
	for sh.timers.next() <= to {
		t := sh.timers.pop()
		sh.now = cause{ordinal: sh.epoch.reached(t.at), deadline: t.at, rule: t.unit}
		sh.x.Begin()
		sh.units[t.unit].settle(sh, t.key, t.at)
		sh.account(t.unit)
	}
}

// account books what the machine counted for a rule.
func (sh *shard) account(rule int32) {
	if d := &sh.x.Dropped; *d != (machine.Dropped{}) {
		t := &sh.dropped[rule]
		t.Runs, t.RunEvents, t.WindowEvents = t.Runs+d.Runs, t.RunEvents+d.RunEvents, t.WindowEvents+d.WindowEvents
		*d = machine.Dropped{}
	}
	if f := &sh.x.Frame.Fault; f.Count > 0 {
		sh.faults[rule].Count += f.Count
		sh.faults[rule].Last = f.Last
		*f = eval.Fault{}
	}
}

// collect takes an effect from a machine and copies all it points to: the batch and the
// kept events may go before it is rendered.
func (sh *shard) collect(e *machine.Effect) {
	c := effect{cause: sh.now, key: bytes.Clone(sh.x.Key), Effect: *e}
	if c.AtDeadline {
		c.cause = cause{ordinal: sh.epoch.reached(c.Deadline), deadline: c.Deadline, rule: c.rule}
	}
	c.Fields = ownValues(e.Fields)
	c.SuppressBy = ownValues(e.SuppressBy)
	c.Evidence = slices.Clone(e.Evidence)
	for i := range c.Evidence {
		ev := &c.Evidence[i].Event
		ev.Text, ev.Slots = bytes.Clone(ev.Text), nil
	}
	sh.made = append(sh.made, c)
}

// ownValues copies values with all they share with events.
func ownValues(list []event.Value) []event.Value {
	out := slices.Clone(list)
	for i := range out {
		out[i] = ownValue(out[i])
	}
	return out
}

func ownValue(v event.Value) event.Value {
	v.S = strings.Clone(v.S)
	if v.C != nil {
		v.C = &event.Compound{Elems: ownValues(v.C.Elems), Names: v.C.Names}
	}
	return v
}

// reached is the ordinal of the first input at which the time of a deadline has come;
// the number of inputs where only the epoch's end reaches it.
func (ep *epoch) reached(deadline int64) int32 {
	return int32(sort.Search(len(ep.inputs), func(i int) bool { return ep.inputs[i].At >= deadline }))
}

// inOrder sorts effects into the order of alerts. The sort is stable: the matches of
// one rule and key at one cause stay as the machine made them.
func inOrder(list []effect) {
	slices.SortStableFunc(list, func(a, b effect) int {
		return cmp.Or(
			cmp.Compare(a.ordinal, b.ordinal),
			compareBool(a.event, b.event),
			cmp.Compare(a.deadline, b.deadline),
			cmp.Compare(a.rule, b.rule),
			bytes.Compare(a.key, b.key),
		)
	})
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}
