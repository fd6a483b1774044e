package engine

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// A rule that begins with nothing remembered can be warmed: an engine beside this one runs it,
// with what feeds it, over the past, and then over what this one reads, up to where it stands,
// place by place (see follow.go); nothing of its alerts is sent. When this one changes its
// rules, the other comes to that very place, and what it remembers of the rule is taken over.

// Errors of warming.
var (
	// ErrNothingToWarm says that no rule would begin with nothing remembered.
	ErrNothingToWarm = errors.New("engine: no rule of the set would begin with nothing remembered")
	// ErrWarming says that rules are being warmed already.
	ErrWarming = errors.New("engine: other rules are being warmed")
	// ErrNotThere says that the past could not be read up to where the engine stands in the
	// time that this may take. It can be tried again.
	ErrNotThere = errors.New("engine: the past could not be read up to where the engine stands in time")
)

// MemoryError says that rules remembered more of the past than they may.
type MemoryError struct{ Most int64 }

// Error says so.
func (e *MemoryError) Error() string {
	return fmt.Sprintf("engine: the rules remember more than %d MiB of the past", e.Most>>20)
}

// Past is what rules are warmed by.
type Past struct {
	// Set is the rule set that is to run. Only, where it is not nil, cuts it down to rules of
	// some names and what feeds them; projections stay.
	Set  *plan.Set
	Only func(set *plan.Set, names []string) *plan.Set
	// Again are partitions of the engine, to be read from earlier on; those that it does not
	// have are left out. They are read up to where the engine stands.
	Again []Input
	// Whole are partitions that the engine does not have, and that end. Their events from Until
	// on are left out: they are the engine's. Until is the time that the engine has come to
	// when warming begins where it is math.MinInt64; else warming lasts until it has come there.
	Whole []Input
	Until int64

	Shards int           // default 1
	Bytes  int64         // that the rules may remember; default 1 GiB
	Pause  time.Duration // that the change may take, see ErrNotThere; default 5 s
}

func (p *Past) setDefaults() {
	if p.Shards == 0 {
		p.Shards = 1
	}
	if p.Bytes == 0 {
		p.Bytes = 1 << 30
	}
	if p.Pause == 0 {
		p.Pause = 5 * time.Second
	}
}

// WarmStats says how far warming has come.
type WarmStats struct {
	Records, Events uint64
	Alerts          uint64 // of the past, which are not sent
	Keys            int    // of the rules that are warmed
	Watermark       int64  // math.MinInt64: no event yet
	Caught          bool   // it goes along with the engine
}

// Awaits is what warming waits for, of the engine. Empty: nothing, it reads.
type Awaits string

// What warming can wait for.
const (
	// AwaitsEvent is an event: the engine has had none yet, in this run nor, as far as its store
	// knows, before, so that there is no time that the past could be read up to.
	AwaitsEvent Awaits = "event"
	// AwaitsUntil is that the engine's time comes to Past.Until.
	AwaitsUntil Awaits = "until"
)

// Warmup is rules being warmed. Make one with [Engine.Warm], run it, and put its rules in
// service with [Engine.SwapWarm] once Near is closed.
type Warmup struct {
	live     *Engine
	own      *Engine
	rules    []string
	missing  []event.Partition
	past     Past
	fed      *fed
	done     chan struct{} // closed when Run has returned, with err
	err      error
	taken    bool // of the coordinator of live
	progress func(WarmStats)
}

// Warm makes ready to warm those rules of a set that would begin with nothing remembered.
// progress is told how far it has come, by the goroutine of Run; it may be nil. One warming
// goes on at a time: until its Run has returned.
func (e *Engine) Warm(ctx context.Context, p Past, progress func(WarmStats)) (*Warmup, error) {
	p.setDefaults()
	c, err := e.Prepare(p.Set)
	if err != nil {
		return nil, err
	}
	w := &Warmup{live: e, rules: c.cold(), past: p, done: make(chan struct{}), progress: progress}
	if len(w.rules) == 0 {
		return nil, ErrNothingToWarm
	}
	again := w.known(c.base)
	if w.own, err = New(ctx, w.options(again)); err != nil {
		return nil, err
	}
	w.fed = w.own.goAlong(len(again), p.Until)
	if !e.warming.CompareAndSwap(nil, w.fed) {
		return nil, ErrWarming
	}
	before, err := IdleSteps(ctx, e.store)
	if err != nil {
		e.warming.CompareAndSwap(w.fed, nil)
		return nil, err
	}
	w.fed.before(before)
	w.fed.asks.Store(true)
	e.clock.ring()
	return w, nil
}

// cold are the rules that begin with nothing remembered, or with less than there was, and
// remember something.
func (c *Change) cold() (names []string) {
	for n := range c.next.rules {
		if c.begins(n) {
			names = append(names, c.next.rules[n].rule.Name)
		}
	}
	return names
}

// begins reports whether a rule of the next set begins with nothing remembered.
func (c *Change) begins(n int) bool {
	r := &c.next.rules[n]
	return c.from[n] < 0 && r.rule.Mode != plan.Off && (r.filter == nil || r.rule.Suppress > 0)
}

// known are those of the inputs that the engine has, too; the partitions that it has and that
// are not among them are missing.
func (w *Warmup) known(g *generation) (again []Input) {
	for _, in := range g.inputs {
		name := in.Source.Partition()
		n := slices.IndexFunc(w.past.Again, func(a Input) bool { return a.Source.Partition() == name })
		if n < 0 {
			w.missing = append(w.missing, name)
			continue
		}
		again = append(again, w.past.Again[n])
	}
	return again
}

// Rules are those that are warmed.
func (w *Warmup) Rules() []string { return w.rules }

// Missing are the partitions that the engine reads and of which there is no past to read
// again: what it has read of them, and will until the rules are in service, they never see.
func (w *Warmup) Missing() []event.Partition { return w.missing }

func (w *Warmup) options(again []Input) Options {
	o := &w.live.o // of which the rule set and the inputs change while it runs: see live
	set := w.past.Set
	if w.past.Only != nil {
		set = w.past.Only(set, w.rules)
	}
	return Options{
		Set: set, Store: state.NewMemory(), Outbox: unsent{}, Inputs: slices.Concat(again, w.past.Whole),
		Shards: w.past.Shards, Limits: o.Limits, Waiting: o.Waiting, Marks: o.Marks, Silences: o.Silences,
		Steps: []IdleStep{}, Now: o.Now, Log: o.Log, Progress: w.tell,
	}
}

// unsent is an outbox of alerts that are not to be sent.
type unsent struct{}

func (unsent) Append(*state.Batch, []byte) uint64          { return 0 }
func (unsent) AppendAlert(*event.Alert)                    {}
func (unsent) Acknowledge(*state.Batch, map[string]uint64) {}
func (unsent) Last() uint64                                { return 0 }

func (w *Warmup) isOurs(name string) bool { return slices.Contains(w.rules, name) }

// numberOf is the number that a rule of a version has over the past; -1: there it is none.
func (w *Warmup) numberOf(rule *plan.Rule) int {
	return slices.IndexFunc(w.own.rules, func(c compiled) bool { return c.rule.Name == rule.Name && c.rule.Version == rule.Version })
}

// tell looks at what has been remembered, and tells how far it has come.
func (w *Warmup) tell(s *Stats) {
	if w.own.Holds() > w.past.Bytes {
		w.fed.fail(&MemoryError{w.past.Bytes})
	}
	if w.progress == nil {
		return
	}
	out := WarmStats{Records: s.Records, Events: s.Events, Watermark: s.Watermark, Caught: w.fed.hasCaught()}
	for i := range s.Rules {
		if r := &s.Rules[i]; w.isOurs(r.Name) {
			out.Alerts += r.Alerts + r.Shadowed
			out.Keys += r.Keys
		}
	}
	w.progress(out)
}

// Near is closed when the rules have come to where the engine was a moment ago: then it is
// time for SwapWarm.
func (w *Warmup) Near() <-chan struct{} { return w.fed.near }

// Awaits is what it waits for by now.
func (w *Warmup) Awaits() Awaits { return w.fed.awaits() }

// Done is closed when Run has returned.
func (w *Warmup) Done() <-chan struct{} { return w.done }

// Run reads the past, and goes along with the engine until SwapWarm takes what the rules
// remember, or the engine's run ends, which is ErrEnded, or ctx does. It may be called once, and
// must be, so that others can be warmed.
func (w *Warmup) Run(ctx context.Context) error {
	defer close(w.done)
	defer w.live.warming.CompareAndSwap(w.fed, nil)
	running, stop := context.WithCancelCause(ctx)
	var watching sync.WaitGroup
	defer watching.Wait()
	defer stop(nil)
	w.fed.stop = stop
	watching.Go(func() {
		select {
		case <-w.live.over:
			stop(ErrEnded)
		case <-running.Done():
		}
	})
	err := w.own.Run(running)
	if err == nil {
		err = context.Cause(running)
	}
	if err == nil && !w.fed.isOver() {
		err = errors.New("engine: the past has ended too early")
	}
	w.err = err
	return err
}

// SwapWarm is Swap of a set with rules that were warmed: those of the names and versions that
// were, and that begin with nothing remembered, begin with what they remember of the past. The
// engine takes no event while the rest of the past is read and handed over. After [ErrNotThere] it
// may be called again.
func (e *Engine) SwapWarm(ctx context.Context, set *plan.Set, w *Warmup) (Report, error) {
	e.changes.one.Lock()
	defer e.changes.one.Unlock()
	c, err := e.PrepareWarm(set, w)
	if err != nil {
		return Report{}, err
	}
	if err := c.Begin(); err != nil {
		return Report{}, err
	}
	return c.Wait(ctx)
}

// PrepareWarm is [Engine.Prepare] of a set with rules that were warmed.
func (e *Engine) PrepareWarm(set *plan.Set, w *Warmup) (*Change, error) {
	c, err := e.Prepare(set)
	if err != nil {
		return nil, err
	}
	c.warm = w
	for i := range c.rules {
		if s := &c.rules[i]; s.rule >= 0 && c.isWarm(s.rule) {
			s.carry = nil
		}
	}
	return c, nil
}

// isWarm reports whether a rule of the next set takes over what was remembered of the past.
func (c *Change) isWarm(n int) bool {
	rule := c.next.rules[n].rule
	if c.warm == nil || !c.begins(n) || !c.warm.isOurs(rule.Name) {
		return false
	}
	return c.warm.numberOf(rule) >= 0
}

// meet has what is warmed come to where the engine stands.
func (e *Engine) meet(c *Change) error {
	w := c.warm
	if w == nil {
		return nil
	}
	if w.taken {
		return errors.New("engine: what was warmed has been taken over already")
	}
	if !w.fed.last(e.standing(e.epoch.began)) {
		return ErrNotThere
	}
	timer := time.NewTimer(w.past.Pause)
	defer timer.Stop()
	select {
	case <-w.done:
	case <-timer.C:
		if w.fed.notLast() {
			return ErrNotThere
		}
		<-w.done
	}
	if w.err != nil {
		return w.err
	}
	w.taken = true
	e.numberPartitions(w.own.world.Partitions)
	return nil
}

// numberPartitions makes sure that partitions have numbers: those that events bear which the
// rules have kept. Others look at the world as it was.
func (e *Engine) numberPartitions(names []event.Partition) {
	world := *e.world
	world.Partitions = slices.Clone(world.Partitions)
	e.world = &world
	for _, name := range names {
		e.partitionNumber(name)
	}
}

// takeWarm gives the rules of the new set what they remember of the past.
func (e *Engine) takeWarm(c *Change) error {
	for n := range c.next.rules {
		if c.warm == nil || !c.isWarm(n) {
			continue
		}
		rule := c.next.rules[n].rule
		was := c.warm.numberOf(rule)
		keys, err := e.takeKeys(c.warm.own, int32(was), int32(n))
		if err != nil {
			return err
		}
		e.takeSilences(c.warm.own.silences[was], n)
		r := &c.report.Rules[slices.IndexFunc(c.report.Rules, func(r RuleChange) bool { return r.Name == rule.Name })]
		r.Warm, r.WarmKeys = true, keys
		e.o.Log.Info("rule begins with what it remembers of the past", "rule", rule.Name, "keys", keys)
	}
	return nil
}

// takeKeys takes the keys of a rule of another engine, which does not run any more: its shards
// write records while those of this one read them, for nothing else is done meanwhile.
func (e *Engine) takeKeys(from *Engine, was, is int32) (keys int, err error) {
	lanes := make([][]chan []carried, len(from.shards)) // from each shard to each
	for n := range lanes {
		for range e.shards {
			lanes[n] = append(lanes[n], make(chan []carried, 4))
		}
	}
	written := make(chan error, 1)
	go func() {
		written <- from.eachShard(func(n int, sh *shard) error {
			sh.x.Codec = newMover(from, e)
			sh.carryOut(was, lanes[n])
			return nil
		})
	}()
	taken := make([]int, len(e.shards))
	err = e.eachShard(func(n int, sh *shard) (err error) {
		for _, to := range lanes { // in this order, so that what becomes of keys is the same in every run
			for list := range to[n] {
				if taken[n] += len(list); err == nil {
					err = sh.carryIn(is, list)
				}
			}
		}
		return err
	})
	for _, n := range taken {
		keys += n
	}
	return keys, errors.Join(<-written, err)
}

// takeSilences takes what `suppress` remembers of the past, in place of what there is.
func (e *Engine) takeSilences(from *silences, is int) {
	was := e.silences[is]
	if from == nil || was == nil {
		return
	}
	now := newSilences(was.span, was.limit, was.changed != nil)
	for key := range was.by {
		was.note(was.by[key])
	}
	if now.changed != nil {
		now.changed = was.changed
	}
	for q := from.root.next; q != &from.root; q = q.next {
		own := &silence{key: q.key, number: q.number, until: q.until, counted: q.counted}
		now.by[own.key] = own
		now.append(own)
		now.note(own)
	}
	now.begun = from.begun
	e.silences[is] = now
}

// carrier is a unit whose keys can be taken over.
type carrier interface {
	carryOut(sh *shard, take func(carried))
	carryIn(sh *shard, k *carried) error
}

// carriedAtOnce is how many keys go from one shard to another at once.
const carriedAtOnce = 256

// carryOut sends what a rule remembers to the shards that it is for, and closes their lanes.
func (sh *shard) carryOut(rule int32, to []chan []carried) {
	lists := make([][]carried, len(to))
	if u, ok := sh.units[rule].(carrier); ok {
		u.carryOut(sh, func(k carried) {
			n := shardOf(event.KeyHash(k.key), len(to))
			if lists[n] = append(lists[n], k); len(lists[n]) == carriedAtOnce {
				to[n] <- lists[n]
				lists[n] = nil
			}
		})
	}
	for n, lane := range to {
		lane <- lists[n]
		close(lane)
	}
}

func (sh *shard) carryIn(rule int32, list []carried) error {
	for i := range list {
		if err := sh.unit(rule).(carrier).carryIn(sh, &list[i]); err != nil {
			return err
		}
	}
	return nil
}

// carryOut writes all keys that are in memory as records. They share memory: a piece for each
// would take a fifth of the time.
func (u *keyed[K, M]) carryOut(sh *shard, take func(carried)) {
	var b []byte
	for id := range u.table.keys.n {
		if !u.table.isKey(id) {
			continue
		}
		if cap(b)-len(b) < carryLeast {
			b = make([]byte, 0, carryBytes)
		}
		c, from := u.table.at(id), len(b)
		b = append(b, u.table.key(id)...)
		at := len(b)
		sh.x.Key, sh.x.Since = b[from:at:at], c.seen
		b = u.machine.Append(&sh.x, b, &c.state)
		take(carried{sh.x.Key, c.seen, b[at:len(b):len(b)]})
	}
}

// carryBytes is a piece of memory for records, carryLeast what most of them take less than.
const (
	carryBytes = 256 << 10
	carryLeast = 1 << 10
)

// carryIn makes a key of a record of the same rule elsewhere.
func (u *keyed[K, M]) carryIn(sh *shard, k *carried) error {
	var now K
	sh.x.Key, sh.x.Since = k.key, k.seen
	sh.x.BeforeDecode()
	if err := u.machine.Decode(&sh.x, k.record, &now); err != nil {
		return u.damaged(sh, k.key, err)
	}
	if u.machine.Empty(&now) {
		return nil
	}
	hash := event.KeyHash(k.key)
	if u.keys() >= sh.x.Limits.KeysPerRule/slots/2 {
		u.makeRoom(sh, byte(hash%slots), math.MinInt64)
	}
	id := u.add(hash, k.key)
	own := u.table.at(id)
	own.seen, own.state = k.seen, now
	u.after(sh, id, own)
	return nil
}

// carryIn of a filter has nothing to take.
func (u *filterUnit) carryIn(*shard, *carried) error { return nil }

func (u *filterUnit) carryOut(*shard, func(carried)) {}

// mover writes the events of one engine's keys as another one's codec reads them: partitions
// and shapes have numbers of their own in each.
type mover struct {
	*eventCodec
	to         []int32 // by number of a partition
	own, after event.Event
}

func newMover(from, to *Engine) *mover {
	m := &mover{eventCodec: newEventCodec(from.o.Set, to.shapes)}
	for _, name := range from.world.Partitions {
		m.to = append(m.to, int32(slices.Index(to.world.Partitions, name)))
	}
	return m
}

// AppendEvent implements [machine.EventCodec].
func (m *mover) AppendEvent(b []byte, ev, after *event.Event, base int64) []byte {
	m.own = *ev
	m.own.Part = m.to[ev.Part]
	if after == nil {
		return m.eventCodec.AppendEvent(b, &m.own, nil, base)
	}
	m.after = *after
	m.after.Part = m.to[after.Part]
	return m.eventCodec.AppendEvent(b, &m.own, &m.after, base)
}
