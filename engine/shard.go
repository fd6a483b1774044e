package engine

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
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
	strata  []int    // by unit: its rule's stratum
	timers  []timers // by stratum
	durable bool     // the store outlives the process: changes are noted for save
	scratch []byte

	epoch   *epoch   // at hand
	work    [][]work // by stratum, in order of position
	made    []*effect
	now     cause
	dropped []machine.Dropped // by rule
	faults  []eval.Fault      // by rule
}

// work is one event for one rule in a shard.
type work struct {
	ev      *event.Event
	ordinal int32    // of the event in the epoch, or of the one it comes from
	made    *derived // not nil: a rule made the event
	item    *index.Item
	keys    []byte // what item.Key points into
}

// cause is what effects come from, in the order in which alerts are to come out: the
// ordinal of the input, timers before the event, then deadline, rule and key.
type cause struct {
	ordinal  int32
	event    bool // the event itself, not a timer before it
	deadline int64
	made     *derived // the event that a rule made, if it is the cause
	rule     int32
}

// effect is a match with its cause, owning all it points to.
type effect struct {
	cause
	key []byte
	seq int // number among the effects of its shard in the epoch
	machine.Effect
}

func newShard(rules []compiled, strata int, world *eval.World, limits machine.Limits, durable bool) *shard {
	sh := &shard{
		durable: durable, timers: make([]timers, strata), work: make([][]work, strata),
		dropped: make([]machine.Dropped, len(rules)), faults: make([]eval.Fault, len(rules)),
	}
	sh.x = machine.Context{Frame: eval.Frame{World: world}, Keep: &sh.store, Limits: limits}
	sh.x.Effect = sh.collect
	for i := range rules {
		sh.strata = append(sh.strata, rules[i].rule.Stratum)
		sh.units = append(sh.units, rules[i].newUnit(int32(i)))
	}
	return sh
}

// run takes the shard's work of a stratum in an epoch: events and timers in order of
// time, then the time the epoch ends at. A panic, which only a broken invariant can
// cause, is returned as an error that says where.
func (sh *shard) run(ep *epoch, stratum int) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("rule %s: broken invariant at input %d: %v\n%s", ep.rules[sh.now.rule].rule.Name, sh.now.ordinal, r, debug.Stack())
		}
	}()
	sh.epoch = ep
	var last *event.Event
	for i := range sh.work[stratum] {
		w := &sh.work[stratum][i]
		if w.ev != last {
			sh.x.End()
			sh.advance(stratum, w.ev.At)
			sh.x.Begin()
			last = w.ev
		}
		sh.now = cause{ordinal: w.ordinal, event: true, made: w.made, rule: w.item.Rule}
		if w.made != nil {
			sh.now.event = w.made.by.event
		}
		sh.units[w.item.Rule].event(sh, w.item, w.item.Key.Bytes(w.keys), w.ev)
		sh.account(w.item.Rule)
	}
	sh.x.End()
	sh.advance(stratum, ep.until)
	clear(sh.work[stratum])
	sh.work[stratum] = sh.work[stratum][:0]
	return nil
}

// arm sets a timer for a key of a unit.
func (sh *shard) arm(unit, key int32, at int64) {
	h := &sh.timers[sh.strata[unit]]
	if h.isFull() {
		h.sweep(func(t timer) bool { return sh.units[t.unit].isArmed(t.key, t.at) })
	}
	h.push(timer{at: at, unit: unit, key: key})
}

// nextTimer is the time of the shard's earliest timer; math.MaxInt64 where there is none.
func (sh *shard) nextTimer() int64 {
	first := int64(math.MaxInt64)
	for s := range sh.timers {
		first = min(first, sh.timers[s].next())
	}
	return first
}

// advance fires the timers of a stratum up to a time, in order.
func (sh *shard) advance(stratum int, to int64) {
	h := &sh.timers[stratum]
	for len(h.heap) > 0 && h.next() <= to {
		t := h.pop()
		sh.now = cause{ordinal: sh.epoch.reached(t.at), deadline: t.at, rule: t.unit}
		sh.x.Begin()
		sh.units[t.unit].settle(sh, t.key, t.at)
		sh.account(t.unit)
	}
}

// account books what the machine counted for a rule.
func (sh *shard) account(rule int32) {
	if d := &sh.x.Dropped; *d != (machine.Dropped{}) {
		sh.dropped[rule].Add(*d)
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
	c := &effect{cause: sh.now, key: bytes.Clone(sh.x.Key), seq: len(sh.made), Effect: *e}
	if c.AtDeadline {
		c.cause = cause{ordinal: sh.epoch.reached(c.Deadline), deadline: c.Deadline, rule: c.rule}
	}
	c.Fields = ownValues(e.Fields)
	c.SuppressBy = ownValues(e.SuppressBy)
	c.Derived = make([][]event.Value, len(e.Derived))
	for i := range e.Derived {
		c.Derived[i] = ownValues(e.Derived[i])
	}
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

// inOrder sorts effects into the order of alerts.
func inOrder(list []*effect) { slices.SortFunc(list, compareEffects) }

// compareEffects orders effects by what caused them, then by rule, key and number of
// the match. An event that a rule made stands right after what caused it, with what it
// causes in its turn, before anything later.
func compareEffects(a, b *effect) int {
	return cmp.Or(
		comparePaths(&a.cause, &b.cause),
		cmp.Compare(a.rule, b.rule), bytes.Compare(a.key, b.key), cmp.Compare(a.seq, b.seq),
	)
}

// comparePaths orders causes: first the event or time step of the epoch that they go
// back to, timers before the event, then deadline, then the events made on the way.
func comparePaths(a, b *cause) int {
	c := cmp.Or(
		cmp.Compare(a.ordinal, b.ordinal),
		compareBool(a.event, b.event),
		cmp.Compare(a.rootDeadline(), b.rootDeadline()),
	)
	if c != 0 || a.made == b.made {
		return c
	}
	x, y := a.made.path(nil), b.made.path(nil)
	for i := range min(len(x), len(y)) {
		if x[i] != y[i] {
			return cmp.Or(compareEffects(x[i].by, y[i].by), cmp.Compare(x[i].nth, y[i].nth))
		}
	}
	return cmp.Compare(len(x), len(y))
}

// rootDeadline is the deadline that a cause goes back to.
func (c *cause) rootDeadline() int64 {
	for c.made != nil {
		c = &c.made.by.cause
	}
	return c.deadline
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
