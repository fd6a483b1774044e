package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// Errors of changes of a running engine.
var (
	// ErrEnded says that the run has ended before the change was durable.
	ErrEnded = errors.New("engine: the run has ended")
	// ErrBusy says that another change waits for the end of the epoch at hand.
	ErrBusy = errors.New("engine: another change is being made")
	// ErrStale says that the engine has been changed since the change was prepared.
	ErrStale = errors.New("engine: it has been changed in the meantime")
)

// Fate is what a change of the rule set did to a rule and what it remembers.
type Fate uint8

// The fates of rules.
const (
	Unchanged Fate = iota
	Added
	Removed
	Kept    // the rule has changed, and goes on with what it remembered, be it nothing
	Dropped // the rule has changed, and what it remembered is forgotten
	InPart  // its pattern has changed behind its first steps: runs that are past them are forgotten
)

var fates = [...]string{"unchanged", "added", "removed", "changed, state kept", "changed, state dropped", "changed, state kept in part"}

// String says it in words.
func (f Fate) String() string { return fates[f] }

// RuleChange is what became of one rule, or projection ("table NAME").
type RuleChange struct {
	Name    string
	Fate    Fate
	Was, Is string   // versions; empty: there was, or is, none
	Why     []string // of a Dropped or InPart one: what of its memory is not what it was, as in [plan.MemoryChanges]
	Keys    int      // of a Removed, Dropped or InPart one: that it had

	// Of an InPart one: how many parts of its pattern's sequence are what they were, and how
	// many runs went on and did not.
	Steps, RunsKept, RunsDropped int

	// Warm says that the rule begins with what it remembers of the past, of WarmKeys keys.
	Warm     bool
	WarmKeys int
}

// Report says what a change of the rule set did.
type Report struct {
	Was, Is string           // versions of the sets
	Rules   []RuleChange     // in the order of the names
	At      []event.Position // where each partition stood: what came before is the old set's; EndOfPartition: it had ended
	Epoch   uint64           // the epoch of the store that it is durable with
	// Pause is how long no event was taken for the change's sake; what was read ahead and is
	// decoded or routed again later is not in it.
	Pause time.Duration
}

// Change is another rule set, made ready to run in place of the one at hand.
type Change struct {
	engine     *Engine
	base, next *generation
	input      *Input // instead of a set: see AddInput
	warm       *Warmup
	rules      []succession
	from       []int32 // by rule of next: the rule at hand whose units it takes over; -1: none
	report     Report
	done       chan struct{} // closed when it is durable, or has failed with err
	err        error
}

// changes are those that wait to be made, or to be durable.
type changes struct {
	one     sync.Mutex // held by Swap and AddInput
	pending atomic.Pointer[Change]
	made    *Change // in the epoch at hand
	flying  *Change // in the epoch that is being written
}

func (c *changes) waiting() bool { return c.pending.Load() != nil }

// launch says that the epoch at hand is being written.
func (c *changes) launch() { c.flying, c.made = c.made, nil }

// land says that the epoch that was being written is durable.
func (c *changes) land(epoch uint64) {
	if c.flying != nil {
		c.flying.report.Epoch = epoch
		close(c.flying.done)
		c.flying = nil
	}
}

func (c *Change) fail(err error) {
	c.err = err
	close(c.done)
}

// Swap replaces the rule set of the running engine between two epochs: see [Engine.Prepare].
// It returns when that is durable. After an error other than ErrEnded the old set goes on as
// if nothing had been asked for; where ctx ends, so it is unless the change was already made.
// It may be called from any goroutine but those that the engine calls back in.
func (e *Engine) Swap(ctx context.Context, set *plan.Set) (Report, error) {
	e.changes.one.Lock()
	defer e.changes.one.Unlock()
	c, err := e.Prepare(set)
	if err != nil {
		return Report{}, err
	}
	if err := c.Begin(); err != nil {
		return Report{}, err
	}
	return c.Wait(ctx)
}

// Prepare compiles a set to run in place of the one at hand, beside the engine's work. Rules
// that have not changed go on as they are, those that have keep what they remember where it
// means the same (plan.MemoryChanges), or the runs of a pattern that wait at first steps which
// are the same (plan.KeptSteps); all else of the old set is forgotten. The report
// of what is to become of the rules is there at once.
func (e *Engine) Prepare(set *plan.Set) (*Change, error) {
	if e.o.Watch != nil {
		return nil, errors.New("engine: rules that are watched cannot change")
	}
	base := e.lives.Load()
	next, err := newGeneration(set, base, false)
	if err != nil {
		return nil, err
	}
	c := &Change{engine: e, base: base, next: next, done: make(chan struct{})}
	c.report.Was, c.report.Is = base.set.Version, set.Version
	c.compare()
	return c, nil
}

// compare finds out what becomes of each rule.
func (c *Change) compare() {
	numbers := make(map[string]int, len(c.base.rules))
	for n := range c.base.rules {
		numbers[c.base.rules[n].rule.Name] = n
	}
	c.from = make([]int32, len(c.next.rules))
	for n := range c.next.rules {
		rule := c.next.rules[n].rule
		c.from[n] = -1
		if was, ok := numbers[rule.Name]; ok {
			delete(numbers, rule.Name)
			c.follow(n, was)
			continue
		}
		c.report.Rules = append(c.report.Rules, RuleChange{Name: rule.Name, Fate: Added, Is: rule.Version})
	}
	for name, n := range numbers {
		c.rules = append(c.rules, succession{name: name, rule: -1, was: n})
		c.report.Rules = append(c.report.Rules, RuleChange{Name: name, Fate: Removed, Was: c.base.rules[n].rule.Version})
	}
	slices.SortFunc(c.report.Rules, func(a, b RuleChange) int { return compareText(a.Name, b.Name) })
	slices.SortFunc(c.rules, func(a, b succession) int { return compareText(a.name, b.name) })
}

// follow compares rule n of the new set with the one of its name in the old.
func (c *Change) follow(n, was int) {
	old, rule := c.base.rules[was].rule, c.next.rules[n].rule
	s := succession{name: rule.Name, was: was}
	s.compare(n, &c.next.rules[n], c.base.rules[was].stored(), c.base.rules[was].storedSteps())
	change := RuleChange{Name: rule.Name, Was: old.Version, Is: rule.Version}
	switch remembers := c.base.rules[was].filter == nil; {
	case s.changed && (s.keeps() || !remembers):
		change.Fate = Kept
	case s.changed:
		if change.Fate, change.Why = Dropped, s.touched; s.carry != nil {
			change.Fate = InPart
		}
		c.rules = append(c.rules, s)
	}
	if s.keeps() {
		c.from[n] = int32(was)
	}
	c.report.Rules = append(c.report.Rules, change)
}

// Report says what is to become of the rules, and, once Wait has returned, what became of
// them.
func (c *Change) Report() Report { return c.report }

// Begin hands the change over to the engine, which makes it when the epoch at hand is over.
func (c *Change) Begin() error {
	select {
	case <-c.engine.over:
		return ErrEnded
	default:
	}
	if !c.engine.changes.pending.CompareAndSwap(nil, c) {
		return ErrBusy
	}
	c.engine.clock.ring()
	return nil
}

// Wait waits until a change that has begun is durable. Where ctx ends before it was made, it
// is withdrawn.
func (c *Change) Wait(ctx context.Context) (Report, error) {
	select {
	case <-c.done:
	case <-c.engine.over:
	case <-ctx.Done():
		if c.engine.changes.pending.CompareAndSwap(c, nil) {
			return Report{}, ctx.Err()
		}
		select {
		case <-c.done:
		case <-c.engine.over:
		}
	}
	select {
	case <-c.done:
		return c.report, c.err
	default:
		return Report{}, ErrEnded
	}
}

// end says that the run is over.
func (e *Engine) end() { close(e.over) }

// takeChange makes the change that waits, if there is one and nothing has happened in the
// epoch yet; the epoch is committed at once.
func (e *Engine) takeChange(ctx context.Context, ep *epoch) error {
	c := e.changes.pending.Load()
	if c == nil || !ep.fresh() || !e.mayChange() || !e.changes.pending.CompareAndSwap(c, nil) {
		return nil
	}
	from := e.o.Now()
	if c.base != e.lives.Load() {
		c.fail(ErrStale)
		return nil
	}
	if err := e.apply(context.WithoutCancel(ctx), c); err != nil {
		return err
	}
	if c.err != nil {
		close(c.done)
		return nil
	}
	ep.stepped, e.named, e.changes.made = true, false, c
	c.report.At = e.places()
	c.report.Pause = e.o.Now().Sub(from)
	return nil
}

// isStanding reports whether the engine stands between two events before the next round: not
// between the slices of a group (see slices.go), nor on the way to the end of time.
func (e *Engine) isStanding() bool { return !e.slicing.open && !e.merge.flush }

// mayChange reports whether a change can be made before the next round: not within a batch of
// the direct lane, the rest of which would have to be routed anew while events wait.
func (e *Engine) mayChange() bool { return e.isStanding() && !e.isWithin() }

// isToChange reports whether a change waits that can be made once the epoch at hand is over.
func (e *Engine) isToChange() bool { return e.changes.waiting() && e.mayChange() }

// isWithin reports whether the direct lane has more of a batch to take.
func (e *Engine) isWithin() bool {
	if !e.direct {
		return false
	}
	at := e.readers[e.merge.parts[0].source].at
	return at != nil && at.next < at.size()
}

// places says where each partition stands.
func (e *Engine) places() (all []event.Position) {
	for _, p := range e.merge.parts {
		at := event.Position{Partition: p.Partition, Offset: p.next}
		if p.ended {
			at.Offset = EndOfPartition
		}
		all = append(all, at)
	}
	return all
}

func (e *Engine) apply(ctx context.Context, c *Change) error {
	if c.input != nil {
		return e.applyInput(ctx, c)
	}
	if c.err = e.meet(c); c.err != nil {
		return nil
	}
	if err := e.collect(c); err != nil {
		return err
	}
	e.dropRules(c)
	e.succeedFiles(c.next)
	e.succeedSilences(c.next)
	e.succeedRules(c)
	e.turnTo(c.next)
	for _, p := range e.merge.parts {
		e.succeedMarks(p, c.base.set)
	}
	if err := e.plant(c); err != nil {
		return err
	}
	return e.takeWarm(c)
}

// dropRules dooms the records of rules that are gone, or remember something else now (see
// dropping.go), and gives those of the new set the names of their records.
func (e *Engine) dropRules(c *Change) {
	keys := map[string]int{}
	for i := range c.rules {
		s := &c.rules[i]
		was := s.was
		for _, sh := range e.shards {
			if u := sh.units[was]; u != nil {
				s.keys += u.keys()
			}
		}
		if keys[s.name] = s.keys; s.rule < 0 {
			e.gone = append(e.gone, s.name)
		}
		if e.store.Durable() {
			e.obsolete = append(e.obsolete, row{state.TableMeta, metaKeys + c.base.rules[was].recordName()})
			e.doom(c.base.rules[was].recordName())
		}
		if s.carry == nil {
			s.tell(e.o.Log)
		}
	}
	for i := range c.report.Rules {
		r := &c.report.Rules[i]
		r.Keys = keys[r.Name]
	}
	e.nameRecords(c)
}

// nameRecords gives the rules of the new set their generations: those that go on keep it, the
// others have the first one of which nothing is left.
func (e *Engine) nameRecords(c *Change) {
	for n := range c.next.rules {
		rule := &c.next.rules[n]
		if was := c.from[n]; was >= 0 {
			rule.generation = c.base.rules[was].generation
			continue
		}
		for rule.generation = 0; e.isDoomed(rule.recordName()); {
			rule.generation++
		}
	}
}

// succeedRules hands the units of all shards, and the totals of the rules, on.
func (e *Engine) succeedRules(c *Change) {
	h := newHeritage(c)
	var all sync.WaitGroup
	for _, sh := range e.shards {
		all.Go(func() { sh.succeed(h, newEventCodec(c.next.set, e.shapes)) })
	}
	all.Wait()
	stats := newRuleStats(c.next)
	for n, was := range h.named {
		if was >= 0 {
			stats[n] = e.stats.Rules[was]
		}
	}
	e.stats.Rules = stats
}

// turnTo makes a generation the current one: what was decoded or routed by another one and
// is in no epoch yet is decoded or routed again.
func (e *Engine) turnTo(g *generation) {
	g.world.Partitions = slices.Clip(e.world.Partitions)
	e.live(g)
	for _, p := range e.merge.parts {
		p.lateness = e.latenessOf(e.o.Inputs[p.source].Decode)
		if p.waiting.len() == 0 && len(p.unsaved.came) == 0 {
			p.unsaved.upTo = p.arrived // in the direct lane nobody counts
		}
	}
	e.direct = e.isDirect()
	e.addMaker()
	for _, sh := range e.shards {
		sh.x.Frame.World, sh.x.Codec = g.world, newEventCodec(g.set, e.shapes)
	}
	e.publish(g)
	e.renewJobs()
}

// succeedFiles goes on with the files of another set, as they were when it was compiled.
func (e *Engine) succeedFiles(g *generation) {
	f, stats := openFiles(g.set)
	for i, was := range e.stats.Files {
		n := slices.IndexFunc(stats, func(s FileStats) bool { return s.Name == was.Name })
		if n < 0 {
			e.obsolete = append(e.obsolete, row{state.TableMeta, metaFile + was.Name})
			continue
		}
		stats[n].Changes, f.stored[n] = was.Changes, e.files.stored[i]
	}
	e.files, e.stats.Files = f, stats
}

// succeedSilences hands on what `suppress` remembers, by the rules' names.
func (e *Engine) succeedSilences(g *generation) {
	was := map[string]*silences{}
	for n, s := range e.silences {
		if s != nil {
			was[e.rules[n].rule.Name] = s
		}
	}
	next := make([]*silences, len(g.rules))
	for n := range g.rules {
		rule := g.rules[n].rule
		if rule.Suppress == 0 {
			continue
		}
		if next[n] = was[rule.Name]; next[n] == nil {
			next[n] = newSilences(rule.Suppress, e.o.Silences, e.store.Durable())
		}
		next[n].span = rule.Suppress
		delete(was, rule.Name)
	}
	for name, s := range was {
		e.dropSilences(name, s)
	}
	e.silences = next
}

// dropSilences marks the records of a rule's silences to be dropped.
func (e *Engine) dropSilences(rule string, s *silences) {
	if s.changed == nil {
		return
	}
	for key := range s.by {
		s.changed[key] = struct{}{}
	}
	for key := range s.changed {
		e.obsolete = append(e.obsolete, row{state.TableSilences, string(keyPrefix(nil, rule)) + key})
	}
}

// succeedMarks hands on what `dedup` remembers of a partition, by the types' names.
func (e *Engine) succeedMarks(p *partition, old *plan.Set) {
	was := p.marks
	p.marks = nil
	e.addMarks(p)
	for i, m := range was {
		if m == nil {
			continue
		}
		name := old.Types[i].Schema.Name
		n := slices.IndexFunc(e.o.Set.Types, func(t *plan.Type) bool { return t.Schema.Name == name })
		if n >= 0 && p.marks != nil && p.marks[n] != nil {
			m.span, p.marks[n] = p.marks[n].span, m
			continue
		}
		key := marksKey(p, name)
		for number := m.stored[0]; e.store.Durable() && number < m.stored[1]; number++ {
			e.obsolete = append(e.obsolete, row{state.TableDedup, string(appendNumber(key, number))})
		}
	}
}

// AddInput makes the running engine read a further source, between two epochs, from where
// the store says that an earlier run has left it. It returns when the engine does; what
// Swap says of errors and goroutines holds here too. Until its first event, or until it is
// idle, time waits for the new partition, as for any other that has given nothing yet.
func (e *Engine) AddInput(ctx context.Context, in Input) error {
	if in.Idle < 0 {
		return errors.New("engine: idle time must not be negative")
	}
	e.changes.one.Lock()
	defer e.changes.one.Unlock()
	c := e.PrepareInput(in)
	if err := c.Begin(); err != nil {
		return err
	}
	_, err := c.Wait(ctx)
	return err
}

// PrepareInput is [Engine.Prepare] of a further input.
func (e *Engine) PrepareInput(in Input) *Change {
	base := e.lives.Load()
	next := *base
	return &Change{engine: e, base: base, next: &next, input: &in, done: make(chan struct{})}
}

// applyInput adds the input; one that cannot be resumed leaves everything as it was.
func (e *Engine) applyInput(ctx context.Context, c *Change) error {
	g := c.next
	world := *e.world // with the files as they are by now
	world.Partitions = slices.Clip(world.Partitions)
	g.world = &world
	if g.routed != nil {
		g.routed = &routed{}
	}
	e.merge.tell(e.quiet.time(e.clock.elapsed())) // time is where the others have brought it
	inputs, readers, parts := e.o.Inputs, e.readers, slices.Clone(e.merge.parts)
	e.world = g.world
	e.o.Inputs = append(slices.Clip(inputs), *c.input)
	if err := e.addInput(ctx, len(inputs), *c.input); err != nil {
		e.world = c.base.world
		e.o.Inputs, e.readers, e.merge.parts = inputs, readers, parts
		c.err = fmt.Errorf("add input %s: %w", c.input.Source.Partition().Source, err)
		return nil
	}
	e.quiet.resting = false
	slices.SortFunc(e.merge.parts, (*partition).compare)
	e.turnTo(g)
	e.begin(e.readers[len(e.readers)-1])
	return nil
}

// StoredSet is the version of the rule set that ran last over a store; empty: none did.
func StoredSet(s interface {
	Get(t state.Table, key, into []byte) ([]byte, bool, error)
},
) (string, error) {
	b, _, err := s.Get(state.TableMeta, []byte(metaSet), nil)
	return string(b), err
}
