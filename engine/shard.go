package engine

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime/debug"
	"sort"
	"time"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/engine/keep"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/state"
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
	number   int
	x        machine.Context
	store    keep.Store
	rules    []compiled
	units    []unit     // by rule; nil before its first event
	sweepers []sweeper  // those of them whose keys are forgotten in turn
	sweep    int        // turns that they have had
	leaving  []unit     // of rules that are gone, whose keys are being released
	longKeys keep.Blobs // of all units: see keyTable
	strata   []int      // by rule: its stratum
	timers   []timers   // by stratum
	scratch  []byte

	// Where the store outlives the process: see cold.go, diary.go and cache.go.
	disk     Store // else nil
	ctx      context.Context
	cached   []cached
	cache    int64        // bytes that keys may take
	left     int64        // bytes that they took at the end of the last epoch
	records  *state.Batch // of the epoch at hand: one of batches, of which the other is being committed
	batches  [2]state.Batch
	era      uint32 // number of the epoch at hand in this run, from 1
	safe     uint32 // the last epoch that is durable
	dirty    int    // keys that have changed in the epoch
	cameUp   []entry
	filedFor [someday + 1]int64 // by part of the diary: the first row filed in the epoch
	draw     *rand.Rand
	fetched  []byte

	forgot                int   // keys in this epoch that were looked at to be forgotten, and were
	fetches, fetchedBytes int64 // records that were read, and what they took
	// Of a jump of time: see slices.go.
	limit      int64
	filedUnder int   // rows of the diary filed for no later than limit
	pinned     int64 // keys with a timer for no later than that stay in memory
	aside      []timer

	row    []byte
	line   []byte
	key    []byte // of the item at hand, where it is made
	turned int32  // the event of a stretch at hand; -1: none

	tick  func() time.Time // of a round in which the time of rules is taken; else nil
	spent []time.Duration  // by rule, in those of the epoch

	epoch   *epoch   // at hand
	work    [][]work // by stratum, in order of position
	made    made
	now     cause
	dropped []machine.Dropped // by rule
	faults  []eval.Fault      // by rule
	faulty  []int32           // rules that have some
}

// work is one event for one rule in a shard.
type work struct {
	ev      *event.Event
	ordinal int32    // of the event in the epoch, or of the one it comes from
	made    *derived // not nil: a rule made the event
	item    *index.Item
	keys    []byte // what item.Key points into
}

func newShard(number int, rules []compiled, strata int, world *eval.World, limits machine.Limits) *shard {
	sh := &shard{
		number: number, rules: rules, units: make([]unit, len(rules)), timers: make([]timers, strata), work: make([][]work, strata),
		dropped: make([]machine.Dropped, len(rules)), faults: make([]eval.Fault, len(rules)),
	}
	sh.x = machine.Context{Frame: eval.Frame{World: world}, Keep: &sh.store, Limits: limits}
	sh.x.Effect = sh.collect
	sh.records = &sh.batches[0]
	for i := range rules {
		sh.strata = append(sh.strata, rules[i].rule.Stratum)
	}
	return sh
}

// run takes the shard's work of a stratum in an epoch: events and timers in order of
// time, then the time the epoch ends at. A panic, which only a broken invariant can
// cause, is returned as an error that says where.
func (sh *shard) run(ep *epoch, stratum int) (err error) {
	defer func() {
		r := recover()
		if failed, ok := r.(storeError); ok {
			err = failed.error
		} else if r != nil {
			err = fmt.Errorf("rule %s: broken invariant at input %d: %v\n%s", ep.rules[sh.now.rule].rule.Name, sh.now.ordinal, r, debug.Stack())
		}
	}()
	sh.epoch = ep
	if len(sh.cameUp) > 0 {
		sh.lookUp(ep.began)
	}
	for i := range ep.stretch {
		sh.runStretch(&ep.stretch[i])
	}
	var last *event.Event
	for i := range sh.work[stratum] {
		w := &sh.work[stratum][i]
		if w.ev != last {
			sh.turnTo(w.ev, stratum)
			last = w.ev
		}
		sh.now = cause{ordinal: w.ordinal, event: true, made: w.made, rule: w.item.Rule}
		if w.made != nil {
			sh.now.event = w.made.by.event
		}
		from := sh.stopwatch()
		sh.unit(w.item.Rule).event(sh, w.item, w.keys, w.ev)
		sh.spend(w.item.Rule, from)
		sh.account(w.item.Rule)
	}
	sh.x.End()
	sh.advance(stratum, ep.until)
	if stratum+1 == len(sh.timers) {
		sh.forget(ep)
		sh.letGo()
	}
	clear(sh.work[stratum])
	sh.work[stratum] = sh.work[stratum][:0]
	return nil
}

// keepsIn gives the shard a store that outlives the process, and bounds the room that its
// keys may take in memory, in bytes.
func (sh *shard) keepsIn(ctx context.Context, store Store, cache int64) {
	sh.disk, sh.ctx, sh.cache, sh.era, sh.filedFor = store, ctx, cache, 1, noneFiled
	sh.pinned = math.MinInt64
	sh.draw = rand.New(rand.NewPCG(uint64(sh.number), 0)) // #nosec G404 -- which keys are put out of memory, alike in each run
	sh.x.Log.DenseFrom = max(1, cache/8)                  // what it wastes is lost to keys
}

// unit is what the shard has of a rule, made when it is first asked for.
func (sh *shard) unit(rule int32) unit {
	if u := sh.units[rule]; u != nil {
		return u
	}
	sh.units[rule] = sh.rules[rule].newUnit(sh, rule)
	return sh.units[rule]
}

// turnTo makes an event the one at hand; what was to happen before it happens.
func (sh *shard) turnTo(ev *event.Event, stratum int) {
	sh.x.End()
	if sh.timers[stratum].next() <= ev.At {
		sh.advance(stratum, ev.At)
	}
	sh.x.Begin()
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
	for h.next() <= to {
		t := h.pop()
		if sh.epoch.bound.holds(sh, t) {
			sh.aside = append(sh.aside, t)
			continue
		}
		sh.now = cause{deadline: t.at, rule: t.unit} // its ordinal is looked for where it matters
		sh.x.Begin()
		sh.units[t.unit].settle(sh, t.key, t.at)
		sh.account(t.unit)
	}
	for _, t := range sh.aside {
		h.push(t)
	}
	sh.aside = sh.aside[:0]
}

// account books what the machine counted for a rule.
func (sh *shard) account(rule int32) {
	if d := &sh.x.Dropped; d.Runs|d.RunEvents|d.WindowEvents|d.Keys != 0 {
		sh.dropped[rule].Add(*d)
		*d = machine.Dropped{}
	}
	if f := &sh.x.Frame.Fault; f.Count > 0 {
		if sh.faults[rule].Count == 0 {
			sh.faulty = append(sh.faulty, rule)
		}
		sh.faults[rule].Count += f.Count
		sh.faults[rule].Last = f.Last
		*f = eval.Fault{}
	}
}

// reached is the ordinal of the first input at which the time of a deadline has come;
// the number of inputs where only the epoch's end reaches it.
func (ep *epoch) reached(deadline int64) int32 {
	if len(ep.stretch) > 0 {
		return ep.reachedIn(deadline)
	}
	return int32(sort.Search(len(ep.inputs), func(i int) bool { return ep.inputs[i].At >= deadline }))
}
