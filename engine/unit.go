package engine

import (
	"encoding/binary"
	"fmt"
	"math"
	"math/bits"
	"slices"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// compiled is a rule made ready to run: shared by all shards.
type compiled struct {
	rule    *plan.Rule
	filter  *machine.Filter
	window  *machine.Window
	bucket  *machine.Bucket
	pattern *machine.Pattern
	table   *machine.Projection // rule stands for it: it has its name, version and stratum
	watched *watched            // nil: the rule is not watched

	generation int // of its records in the store: see dropping.go
}

// compile makes a rule's machine.
func compile(rule *plan.Rule, types []*plan.Type) (compiled, error) {
	c := compiled{rule: rule}
	ec := eval.Compiler{Types: types, Event: -1}
	var err error
	switch {
	case rule.Pattern != nil:
		c.pattern, err = machine.CompilePattern(rule, ec)
	case len(rule.Windows) > 0 && rule.Windows[0].Spec.Kind.AtEvent():
		c.window, err = machine.CompileWindow(rule, ec)
	case len(rule.Windows) > 0:
		c.bucket, err = machine.CompileBucket(rule, ec)
	default:
		c.filter = machine.CompileFilter(rule, ec)
	}
	if err != nil {
		return c, fmt.Errorf("compile rule %s: %w", rule.Name, err)
	}
	return c, nil
}

// compileTable makes the machine of a projection of a set, and the rule that stands for
// it: one that never alerts.
func compileTable(set *plan.Set, n int) (compiled, error) {
	p := set.Projections[n]
	c := compiled{rule: &plan.Rule{Name: tableRule(p.Name), Version: p.Version, Memory: p.Memory, Stratum: p.Stratum, Keys: []plan.Key{{Type: p.KeyType}}}}
	var err error
	if c.table, err = machine.CompileProjection(set, n, eval.Compiler{Types: set.Types, Event: -1}); err != nil {
		return c, fmt.Errorf("compile table %s: %w", p.Name, err)
	}
	return c, nil
}

// tests is what the index must know of the rule.
func (c *compiled) tests() index.Rule {
	switch {
	case c.watched != nil:
		return c.watched.tests
	case c.table != nil:
		return index.Rule{Tests: c.table.Tests()}
	case c.pattern != nil:
		return index.Rule{Tests: c.pattern.Tests()}
	case c.window != nil:
		return index.Rule{Tests: c.window.Tests()}
	case c.bucket != nil:
		return index.Rule{Tests: c.bucket.Tests()}
	}
	return index.Rule{Tests: c.filter.Tests(), Keyless: len(c.rule.Keys) == 0}
}

// newUnit makes what one shard keeps of the rule.
func (c *compiled) newUnit(sh *shard, number int32) unit {
	switch {
	case c.watched != nil:
		return c.watched.newUnit(sh, number)
	case c.table != nil:
		return newKeyed[machine.ProjectionKey](sh, number, c.table)
	case c.pattern != nil:
		return newKeyed[machine.PatternKey](sh, number, c.pattern)
	case c.window != nil:
		return newKeyed[machine.WindowKey](sh, number, c.window)
	case c.bucket != nil:
		return newKeyed[machine.BucketKey](sh, number, c.bucket)
	}
	return &filterUnit{machine: c.filter}
}

// unit is one rule in one shard.
type unit interface {
	// event takes an event that matters to the rule; keys are those that the item's may be of.
	event(sh *shard, it *index.Item, keys []byte, ev *event.Event)
	// stretch takes a stretch's items of the rule that follow each other, at least one.
	stretch(sh *shard, s *stretch, items []index.Item)
	// settle fires the timer of a key.
	settle(sh *shard, key int32, at int64)
	// isArmed reports whether the timer of a key is set for a time.
	isArmed(key int32, at int64) bool
	// keyOf is a key that has a timer.
	keyOf(key int32) []byte
	// save writes the records of the keys that changed since the last call, and the rows
	// of the diary; now is the time that the epoch ends at.
	save(sh *shard, now int64)
	// comeUp looks at a key whose row of the diary has come up.
	comeUp(sh *shard, en *entry, now int64)
	// known says at the start that so many keys of a slot are in the store.
	known(slot int, n int32)
	// count adds the numbers of keys by slot, counted reports whether they are as at the
	// last call of it. Only where the store is durable.
	count(all *[slots]int32)
	counted() bool
	// become makes it the unit of the same rule in another set: see heritage.go. letGo
	// releases the next n keys of a unit whose rule is gone; false: there are no more.
	become(sh *shard, c *compiled, number int32) unit
	letGo(sh *shard, n int) bool
	// keys is the number of keys the unit remembers, keysCold how many are in the store alone.
	keys() int
	keysCold() int
	// weigh is about how many runs are open of the keys in memory, and what these take.
	weigh() (runs, bytes int64)
	// look shows what is remembered of a key: see looks.go.
	look(sh *shard, hash uint64, key []byte, l *machine.Look) error
}

// filterUnit runs a filter, which remembers nothing.
type filterUnit struct{ machine *machine.Filter }

func (u *filterUnit) event(sh *shard, it *index.Item, keys []byte, ev *event.Event) {
	sh.key = it.AppendKey(sh.key[:0], keys, ev)
	sh.x.Key = sh.key
	for mask := it.Mask; mask != 0; mask &= mask - 1 {
		u.machine.Event(&sh.x, ev, bits.TrailingZeros64(mask))
	}
}

func (u *filterUnit) stretch(sh *shard, s *stretch, items []index.Item) {
	for i := range items {
		it := &items[i]
		ev := &s.job.events[it.Event]
		if sh.turned != it.Event {
			sh.turnIn(it, ev.At)
		}
		sh.now.ordinal = s.ordinal + it.Event - s.from
		u.event(sh, it, s.job.found.Keys, ev)
	}
	sh.account(items[0].Rule)
}

func (u *filterUnit) settle(*shard, int32, int64)  {}
func (u *filterUnit) isArmed(int32, int64) bool    { return false }
func (u *filterUnit) keyOf(int32) []byte           { return nil }
func (u *filterUnit) save(*shard, int64)           {}
func (u *filterUnit) comeUp(*shard, *entry, int64) {}
func (u *filterUnit) known(int, int32)             {}
func (u *filterUnit) count(*[slots]int32)          {}
func (u *filterUnit) counted() bool                { return true }
func (u *filterUnit) keysCold() int                { return 0 }
func (u *filterUnit) keys() int                    { return 0 }

// keyMachine is a machine with a state by key.
type keyMachine[K any] interface {
	// Event returns when the key is due after it, where that may be sooner than it was, as
	// long as the unit is not prompt; machine.Gone where the key is empty.
	Event(x *machine.Context, k *K, ev *event.Event, mask uint64, until bool) int64
	Settle(x *machine.Context, k *K, now int64)
	Deadline(k *K) int64
	Empty(k *K) bool
	Release(x *machine.Context, k *K)
	Look(x *machine.Context, k *K, l *machine.Look)
	Hanging(k *K) int64
	Append(x *machine.Context, b []byte, k *K) []byte
	Decode(x *machine.Context, b []byte, k *K) error
}

// keyed runs a machine over the keys of a shard.
type keyed[K any, M keyMachine[K]] struct {
	number  int32
	machine M
	ignores func(mask uint64, until bool) bool // see ignorer; nil: nothing is
	lazy    lazy[K]                            // nil: the machine is not
	prompt  bool                               // keys are forgotten by timer
	turn    int32                              // key to be looked at next
	left    int32                              // key to be released next, once the rule is gone
	table   keyTable[cell[K]]
	bySlot  *[slots]int32 // number of keys; nil while no slot can be full
	changed []int32
	removed []removed // since the last save
	disk    *coldSide // nil: the store does not outlive the process
}

// removed is a key that remembers nothing any more.
type removed struct {
	key   []byte
	filed filing
}

// cell is what a key has beside its bytes.
//
// What most events need stands first: with the key's bytes it is to fill one line of the
// cache, and the next one what most others need.
type cell[K any] struct {
	seen  int64 // counting time of its last event
	state K
	armed int64 // the time its timer is armed for; math.MaxInt64: it is not
	filed filing
	dirty bool // changed since the last save
	// stored says that the store has a record of it, or one whose removal may not be durable.
	stored bool
	// touched is the epoch that it changed in last, or was fetched in.
	touched uint32
}

// ignorer is a machine that knows of events that change nothing for a key that remembers
// nothing: for such a one no key is made.
type ignorer interface {
	Ignores(mask uint64, until bool) bool
}

func newKeyed[K any, M keyMachine[K]](sh *shard, number int32, m M) *keyed[K, M] {
	u := &keyed[K, M]{number: number}
	u.table.long = &sh.longKeys
	if sh.disk != nil {
		u.disk = newColdSide(sh.rules[number].recordName())
		u.bySlot = u.disk.counts
	}
	u.setMachine(sh, m)
	return u
}

// setMachine makes the unit run a machine, and known to the shard.
func (u *keyed[K, M]) setMachine(sh *shard, m M) {
	u.machine = m
	if i, ok := any(m).(ignorer); ok {
		u.ignores = i.Ignores
	}
	if u.lazy, _ = any(m).(lazy[K]); u.lazy != nil {
		sh.sweepers = append(sh.sweepers, u)
	}
	if u.disk != nil {
		sh.cached = append(sh.cached, u)
	}
}

func (u *keyed[K, M]) keys() int { return u.table.len() + u.keysCold() }

func (u *keyed[K, M]) keysCold() int {
	if u.disk == nil {
		return 0
	}
	return u.disk.cold
}

func (u *keyed[K, M]) keyOf(key int32) []byte { return u.table.key(key) }

func (u *keyed[K, M]) isArmed(key int32, at int64) bool { return u.table.at(key).armed == at }

func (u *keyed[K, M]) event(sh *shard, it *index.Item, keys []byte, ev *event.Event) {
	var id int32
	var k *keyEntry[cell[K]]
	if it.Plain {
		id, k = u.table.findText(it.Hash, it.Key.Bytes(ev.Text))
	} else {
		id, k = u.table.find(it.Hash, it.Key.Bytes(keys))
	}
	if id < 0 && u.disk != nil && u.disk.cold > 0 {
		sh.key = it.AppendKey(sh.key[:0], keys, ev)
		id, k = u.fetch(sh, it.Hash, sh.key)
	}
	if id < 0 {
		if u.ignores != nil && u.ignores(it.Mask, it.Until) {
			return
		}
		id, k = u.come(sh, it, keys, ev)
	}
	u.give(sh, id, k, ev, it)
}

// give gives an event to the machine for its key.
func (u *keyed[K, M]) give(sh *shard, id int32, k *keyEntry[cell[K]], ev *event.Event, it *index.Item) {
	k.value.seen = ev.At
	if k.size <= shortKey {
		sh.x.Key = k.short[:k.size]
	} else {
		sh.x.Key = u.table.bytes(k)
	}
	due := u.machine.Event(&sh.x, &k.value.state, ev, it.Mask, it.Until)
	if due != math.MaxInt64 || u.disk != nil || u.prompt { // else armed, far from state, need not be read
		u.tend(sh, id, &k.value, due)
	}
}

// tend is after for a key whose machine has said when it is due.
func (u *keyed[K, M]) tend(sh *shard, id int32, c *cell[K], due int64) {
	switch {
	case due == machine.Gone || u.prompt:
		u.after(sh, id, c)
		return
	case u.disk != nil && !c.dirty:
		u.touch(sh, id, c)
	}
	if due < c.armed {
		c.armed = due
		sh.arm(u.number, id, due)
	}
}

// stretch does what event does, an item after the other. An item that changes nothing, for
// its key is not there, is passed by without a look at its event: what was to happen before
// it can as well happen later.
func (u *keyed[K, M]) stretch(sh *shard, s *stretch, items []index.Item) {
	events, before := s.job.events, s.ordinal-s.from
	for i := range items {
		it := &items[i]
		id := u.table.candidate(it.Hash)
		if id < 0 && u.ignores != nil && (u.disk == nil || u.disk.cold == 0) && u.ignores(it.Mask, it.Until) {
			continue
		}
		ev := &events[it.Event]
		if sh.turned != it.Event {
			sh.turnIn(it, ev.At)
		}
		sh.now.ordinal = before + it.Event
		if id >= 0 && it.Plain {
			// The number of a key that has gone just now is nobody's, or another key's.
			if k := u.table.keys.at(id); isTextKey(k.size, &k.short, it.Key.Bytes(ev.Text)) {
				u.give(sh, id, k, ev, it)
				continue
			}
		}
		u.event(sh, it, s.job.found.Keys, ev)
	}
	sh.account(items[0].Rule)
}

// come makes a key of an item that the table has not.
func (u *keyed[K, M]) come(sh *shard, it *index.Item, keys []byte, ev *event.Event) (int32, *keyEntry[cell[K]]) {
	if u.lazy != nil {
		u.lookAt(sh, looksForOne, ev.At)
	}
	if u.keys() >= sh.x.Limits.KeysPerRule/slots/2 {
		u.makeRoom(sh, byte(it.Hash%slots), ev.At)
	}
	sh.key = it.AppendKey(sh.key[:0], keys, ev)
	id := u.add(it.Hash, sh.key)
	return id, u.table.keys.at(id)
}

// add makes room for a new key.
func (u *keyed[K, M]) add(hash uint64, key []byte) int32 {
	id := u.table.add(hash, key)
	u.table.at(id).armed = math.MaxInt64
	if u.bySlot != nil {
		u.bySlot[hash%slots]++
	}
	if u.disk != nil {
		u.disk.stale = true
		if _, was := u.disk.gone[string(key)]; was {
			delete(u.disk.gone, string(key))
			u.table.at(id).stored = true
		}
	}
	return id
}

func (u *keyed[K, M]) settle(sh *shard, id int32, at int64) {
	c := u.table.at(id)
	if c.armed != at {
		return // a timer that was overtaken by an earlier one
	}
	c.armed = math.MaxInt64
	sh.x.Key = u.table.key(id)
	u.machine.Settle(&sh.x, &c.state, at)
	u.after(sh, id, c)
	if c.armed <= at {
		panic(fmt.Sprintf("a timer of %d is set again for %d", at, c.armed))
	}
}

// after arms the key's timer, or forgets a key in which nothing is alive.
func (u *keyed[K, M]) after(sh *shard, id int32, c *cell[K]) {
	if u.machine.Empty(&c.state) {
		u.forget(sh, id, c)
		return
	}
	if u.disk != nil && !c.dirty {
		u.touch(sh, id, c)
	}
	if at := u.timerOf(c); at < c.armed {
		c.armed = at
		sh.arm(u.number, id, at)
	}
}

// touch notes that a key has changed.
func (u *keyed[K, M]) touch(sh *shard, id int32, c *cell[K]) {
	c.touched = sh.era
	if !c.dirty {
		c.dirty = true
		sh.dirty++
		u.changed = append(u.changed, id)
	}
}

func (u *keyed[K, M]) forget(sh *shard, id int32, c *cell[K]) {
	if u.disk != nil {
		u.forgetStored(sh, id, c)
	}
	if u.bySlot != nil {
		u.bySlot[u.table.keys.at(id).hash%slots]--
	}
	u.table.remove(id)
	c.armed = math.MaxInt64
}

// forgetStored notes that a key is to be removed from the store, if that has it. A key that
// comes and goes within an epoch costs the store nothing.
func (u *keyed[K, M]) forgetStored(sh *shard, id int32, c *cell[K]) {
	u.disk.stale = true
	if c.dirty {
		sh.dirty--
	}
	if !c.stored {
		return
	}
	key := slices.Clone(u.table.key(id))
	u.removed = append(u.removed, removed{key, c.filed})
	u.disk.gone[string(key)] = sh.era
	sh.dirty++
}

func (u *keyed[K, M]) save(sh *shard, now int64) {
	if u.lazy != nil {
		u.forgetChanged(sh, now)
	}
	for i := range u.removed { // one that came back is put again below
		r := &u.removed[i]
		key := sh.recordKey(u.disk.prefix, byte(event.KeyHash(r.key)%slots), r.key)
		sh.records.Delete(state.TableKeys, key)
		if r.filed.part != unfiled {
			sh.records.Delete(state.TableTimers, sh.diaryKey(r.filed, key))
		}
	}
	clear(u.removed)
	u.removed = u.removed[:0]
	for _, id := range u.changed {
		if c := u.table.at(id); c.dirty {
			u.saveKey(sh, id, c)
		}
	}
	u.changed = u.changed[:0]
	u.disk.settleGone(sh.safe)
}

// forgetChanged forgets those of the changed keys in which nothing is alive any more, in
// place of writing them.
func (u *keyed[K, M]) forgetChanged(sh *shard, now int64) {
	for _, id := range u.changed {
		if u.table.isKey(id) && u.table.at(id).dirty {
			u.forgetDead(sh, id, now)
		}
	}
}

func (u *keyed[K, M]) saveKey(sh *shard, id int32, c *cell[K]) {
	c.dirty, c.stored = false, true
	k := u.table.keys.at(id)
	key := sh.recordKey(u.disk.prefix, byte(k.hash%slots), u.table.key(id))
	u.file(sh, c, key)
	sh.x.Since = c.seen
	sh.scratch = sh.scratch[:0]
	if own := u.table.bytes(k); len(own) > longStored {
		sh.scratch = append(binary.AppendUvarint(sh.scratch, uint64(len(own))), own...)
	}
	sh.scratch = appendCell(sh.scratch, c)
	sh.scratch = u.machine.Append(&sh.x, sh.scratch, &c.state)
	sh.records.Put(state.TableKeys, key, sh.scratch)
}
