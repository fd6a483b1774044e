package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/cepheus-cep/cepheus/engine/eval"
	"github.com/cepheus-cep/cepheus/engine/index"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// Source gives the records of one partition, in order. The engine calls Resume at most
// once, before the first Next, and all methods from one goroutine at a time.
type Source interface {
	// Partition names the partition; it never changes.
	Partition() event.Partition
	// Resume makes the first Next begin at a Position of an earlier run, of which
	// fingerprint was stored as well.
	Resume(ctx context.Context, offset int64, fingerprint []byte) error
	// Next appends at least one record to the batch, or returns an error; io.EOF at the
	// end. It may do both. A source that will get more may set the batch's AtEnd where
	// there is nothing more for now; only then, and while the next call waits, its
	// partition can be idle. To say so it may return without a record, but not twice in a
	// row; nor, to take it back, where it does not know any more whether there is nothing:
	// a failed fetch is not idleness. Next returns soon after ctx is done.
	Next(ctx context.Context, into *event.Batch) error
	// Position is where reading goes on after the records returned so far.
	Position() int64
	// Fingerprint is to be stored with that position, or with a later one until the next
	// batch is taken whole; nil: nothing is. It is not written to again.
	Fingerprint() []byte
}

// Store is where the engine keeps what must not be lost.
type Store interface {
	// Durable reports whether what is committed outlives the process; if not, no key
	// states are written.
	Durable() bool
	// Epoch is the number of the last complete epoch, 0 before the first.
	Epoch() uint64
	// Commit makes all of b durable as one epoch, or none of it.
	Commit(ctx context.Context, b *state.Batch) error
	Get(t state.Table, key, into []byte) ([]byte, bool, error)
	Scan(ctx context.Context, t state.Table, prefix, from []byte, visit func(key, value []byte) error) error
}

// Outbox takes the alerts of an epoch into its batch.
type Outbox interface {
	// Append adds a rendered alert to the batch as the next row.
	Append(b *state.Batch, alert []byte) uint64
	// Acknowledge adds to the batch how far each sink has delivered.
	Acknowledge(b *state.Batch, delivered map[string]uint64)
	// Last is the number of the last row appended, 0 before the first.
	Last() uint64
}

// AlertOutbox is an Outbox that takes alerts as they are: no text is made of them, and
// nothing of them is committed.
type AlertOutbox interface {
	Outbox
	// AppendAlert takes the next alert, which is valid until it returns.
	AppendAlert(a *event.Alert)
}

// FollowedOutbox is an Outbox that can compare how far sinks have delivered with what it knows.
type FollowedOutbox interface {
	Outbox
	// Compare says whether a sink has delivered more than the outbox was told of, and whether
	// rows wait for one.
	Compare(delivered map[string]uint64) (more, waits bool)
}

// Input is a source with how its records are read.
type Input struct {
	Source Source
	Decode event.Options
	Idle   time.Duration // see Options.Idle, which is the default
}

// DefaultCommitEvery is how long an epoch stays open where Options do not say.
const DefaultCommitEvery = time.Second

// Options of an engine. Set, Store and Outbox must be there; the other zero values
// are good.
type Options struct {
	Set    *plan.Set
	Store  Store
	Outbox Outbox
	Inputs []Input

	// Shards is how many goroutines step machines; default the number of cores, at most
	// MaxShards. It may differ from run to run over the same state.
	Shards int
	// EpochEvents, EpochBytes and EpochKeys bound the records of an epoch, their bytes and,
	// where the store is durable, the keys that change in it; defaults there 8,388,608,
	// 1 GiB and the square of the MiB of Cache, from 4,096 to 262,144, and 8,192 records
	// (16,384 with several shards) where commits cost nothing.
	EpochEvents, EpochBytes, EpochKeys int
	// RoundEvents bounds the records that are worked on at a time; default 8,192 (16,384
	// with several shards).
	RoundEvents int
	// Cache is how many bytes keys may take in memory where the store is durable, with the
	// memory of those that have gone and is not used again yet; those not used for longest
	// are in the store alone. Default 512 MiB.
	Cache int64
	// SliceKeys is how many cold keys a jump of time, or its end, takes into memory at a
	// time. Default, 0: what takes about an eighth of Cache, by the size of the records read
	// so far; at most half of EpochKeys.
	SliceKeys int
	// CommitEvery is how long an epoch may stay open with a durable store; default DefaultCommitEvery.
	CommitEvery time.Duration
	// Final says that the end of the inputs is the end of time: open windows close and
	// pending absences are decided.
	Final bool
	// Limits bound what a key remembers.
	Limits machine.Limits
	// Idle is how long nothing must come from a source at the end of its log until its
	// partition is idle: time goes on without it, and, when all are idle, by the wall
	// clock. Default 1 s.
	Idle time.Duration
	// Steps are the idle steps of an earlier run over the same records, to be taken at
	// the same places; the wall clock then moves nothing. Where the store is that of a run
	// that took some of them, it goes on with the next. Default, nil: the wall clock
	// counts; empty and not nil: nothing is ever idle.
	Steps []IdleStep
	// Waiting is how many events of a partition may wait for their time, which takes as
	// long as their lateness, or as other partitions are behind; one more ends the run
	// with a [*WaitingError]. Default 1,000,000.
	Waiting int
	// Marks is how many ids `dedup` remembers of each type and partition; beyond it the
	// oldest are forgotten early and counted. Default 1,000,000.
	Marks int
	// Silences is how many keys (or values of its expression) `suppress` remembers of each
	// rule; beyond it the oldest are forgotten early and counted. Default 1,000,000: some
	// 200 MB.
	Silences int

	// Files looks for changes in the files that lists and tables of the set come from.
	// Default, nil: they stay as they were at load.
	Files Files

	// Recent keeps the last records that were read, for rules to be tried over. Default, nil:
	// none are kept, which costs nothing.
	Recent *Recent

	// Dead takes the records of an epoch that could not be taken, before it commits.
	// Default: they are counted only.
	Dead func([]Dead) error
	// Redact takes people's data out of every alert that is made, in its place, before anything
	// else sees it. What it makes of an alert must be the same each time. Default: nothing.
	Redact func(*plan.Set, *plan.Rule, *event.Alert)
	// Shadow is shown the alerts of `mode shadow` rules, which are not sent, as they are made
	// and before their epoch is durable: after a crash they are made again. An alert is valid
	// until it returns. Default: they are counted only.
	Shadow func(*event.Alert)
	// Committed is called after each commit with the last row of the outbox that is in it,
	// beside the engine's work on the next epoch where the store is durable; what it costs
	// is back-pressure. Default: nothing.
	Committed func(ctx context.Context, last uint64) error
	// Delivered says how far each sink has delivered, for the next epoch. Where nothing else
	// comes for CommitEvery, an epoch is committed for it alone, if the Outbox is a
	// FollowedOutbox. Default: nil.
	Delivered func() map[string]uint64
	// Progress is called after each commit with the totals of all that is committed, which
	// are valid until it returns. Default: nothing.
	Progress func(*Stats)

	// Timing is told how long each epoch took, when it is durable, before Progress; what it is
	// given is valid until it returns. With it totals have what rules take, which is looked at
	// now and then. Default, nil: neither, which costs nothing.
	Timing func(*Timing)

	// Watch is told what the machines of rules see, ask and do, by the goroutine of the
	// shard: with one shard, in the order of events for each rule. What a watched engine
	// does is the same, slower. It is for a store that does not outlive the process.
	// Default, nil: machines are not watched, which costs nothing.
	Watch func(*machine.Sight)

	Log *slog.Logger     // default: nothing is logged
	Now func() time.Time // wall clock; default time.Now
}

func (o *Options) validate() error {
	if o.Set == nil || o.Store == nil || o.Outbox == nil {
		return errors.New("engine: rule set, store and outbox are needed")
	}
	if o.Shards == 0 {
		o.Shards = runtime.GOMAXPROCS(0)
	}
	if o.Shards < 1 || o.Shards > MaxShards {
		return fmt.Errorf("engine: %d shards: from 1 to %d", o.Shards, MaxShards)
	}
	round := 8 << 10
	if o.Shards > 1 {
		round *= 2 // shards wait for each other less often
	}
	o.RoundEvents, o.Cache = cmp.Or(o.RoundEvents, round), cmp.Or(o.Cache, 512<<20)
	if o.Store.Durable() {
		o.EpochEvents, o.EpochBytes = cmp.Or(o.EpochEvents, 8<<20), cmp.Or(o.EpochBytes, 1<<30)
	}
	o.EpochEvents, o.EpochBytes, o.EpochKeys = cmp.Or(o.EpochEvents, round), cmp.Or(o.EpochBytes, roundBytes), cmp.Or(o.EpochKeys, o.keysAnEpoch())
	if o.CommitEvery == 0 {
		o.CommitEvery = DefaultCommitEvery
	}
	o.Limits = o.Limits.WithDefaults()
	o.Idle = cmp.Or(o.Idle, time.Second)
	o.Waiting, o.Marks, o.Silences = cmp.Or(o.Waiting, 1_000_000), cmp.Or(o.Marks, 1_000_000), cmp.Or(o.Silences, 1_000_000)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.EpochEvents < 1 || o.EpochBytes < 1 || o.EpochKeys < 1 || o.RoundEvents < 1 || o.SliceKeys < 0 {
		return fmt.Errorf("engine: an epoch of %d events, %d bytes and %d keys, in rounds of %d and slices of %d: at least 1", o.EpochEvents, o.EpochBytes, o.EpochKeys, o.RoundEvents, o.SliceKeys)
	}
	if o.Idle < 0 || o.Waiting < 0 || o.Marks < 0 || o.Silences < 0 || slices.ContainsFunc(o.Inputs, func(in Input) bool { return in.Idle < 0 }) {
		return errors.New("engine: idle time, waiting events, dedup marks and silences: none may be negative")
	}
	return nil
}

// keysAnEpoch is how many keys may change in an epoch: those of two epochs, the one at hand
// and the one that is being written, are in memory whatever the cache may take. They grow
// faster than that, for long epochs write least, where keys come and go within them.
func (o *Options) keysAnEpoch() int {
	mib := min(o.Cache>>20, 512)
	return int(max(4<<10, mib*mib))
}

// Stats are totals of one run, and of each rule.
type Stats struct {
	Records     uint64 // read
	Events      uint64 // decoded and through an epoch
	Undeclared  uint64 // of types that no file declares
	Undecodable uint64 // given to the dead letters
	Late        uint64 // older than their partition's watermark, dropped ones included
	LateDropped uint64
	Raised      uint64 // not late in their partition, but older than the time the others had reached
	Ahead       uint64 // too far ahead, given to the dead letters
	Copies      uint64 // dropped by dedup
	// MarksDropped are ids that dedup has forgotten before their time: a copy of such an
	// event would be taken.
	MarksDropped uint64
	IdleSteps    uint64 // partitions that fell idle or came back, and steps of time while all were
	Epochs       uint64
	Alerts       uint64
	Watermark    int64       // math.MinInt64: no event yet
	Rules        []RuleStats // in the order of Set.Rules
	Files        []FileStats // in the order of Set.Files
	Mismatches   []Mismatch  // fields that were nil and must not be, known when the run has ended
}

// Mismatch is how often a field that some rule reads was nil in events of a type though
// its declaration does not allow that: missing, null, or of another type.
type Mismatch struct {
	Type, Field string
	N           uint64
	First       event.Position // of the first such event
}

// RuleStats are totals of one rule.
type RuleStats struct {
	Name       string
	Table      bool   // it is a projection, which never alerts
	Alerts     uint64 // sent
	Suppressed uint64
	Shadowed   uint64 // alerts of a shadow rule, which are not sent
	NilKeys    uint64 // events passed by because their key was nil
	Errors     uint64 // evaluations that failed as they ran
	LastError  string
	Dropped    machine.Dropped
	// SilencesDropped are keys that `suppress` has forgotten for the limit's sake: what was
	// not sent of them is not told, or an alert of theirs may have been sent early.
	SilencesDropped uint64
	Keys            int

	// With Options.Timing, about, as of a few seconds ago: open runs of keys in memory, what
	// these keys take, in bytes, and the time that went into the rule's events. The rounds of
	// which that is taken are few: it is nothing before they have come.
	Runs, Bytes int64
	Evaluated   time.Duration
}

// Engine runs a rule set over its inputs, once; both can change while it runs (see Swap and
// AddInput).
type Engine struct {
	o       Options
	store   Store
	rules   []compiled
	world   *eval.World
	files   files
	shapes  *shapes // of the events in records
	index   *index.Index
	shards  []*shard
	readers []*reader
	clock   *clock
	merge   merger
	quiet   quiet
	direct  bool // see isDirect
	epoch   epoch
	waited  time.Duration // for the epoch at hand to begin
	failed  error         // a source's, to be returned after what came before it is committed

	effects   []*effect
	strata    int
	maker     maker
	silences  []*silences // by rule; nil: the rule has no `suppress`
	commits   committer
	told      told
	alert     event.Alert
	alerts    AlertOutbox // the outbox, where it takes alerts as they are
	id        []byte      // of the alert
	keyValues []event.Value
	row       []byte
	stats     Stats

	obsolete []row    // records to delete with the first epoch
	gone     []string // rules that the store knows and the set has no more
	doomed   []doomed // records to delete some in each epoch: see dropping.go
	named    bool     // names are in the store

	lives     atomic.Pointer[generation] // what workers go by
	warming   atomic.Pointer[fed]        // goes along with the engine; nil: nobody does
	fed       *fed                       // what the engine goes along with; nil: nothing
	changes   changes
	timing    timing
	questions chan *question // about keys: see looks.go
	over      chan struct{}  // closed when the run has ended
	begin     func(*reader)  // starts a reader of the run
	redo      func([]*job)   // hands jobs to the workers of the run, to be done again
	own       *worker        // of the coordinator, for what must be decoded or routed again

	diary   diary
	slicing slicing
	era     uint32 // number of the epoch at hand in this run, from 1
	safe    uint32 // the last that is durable
	came    int    // records of the epoch before
	forgot  int    // keys that it looked at to forget them, and did
}

// row names a record of the store.
type row struct {
	table state.Table
	key   string
}

// New compiles the rules and takes back what the store remembers of them. The inputs
// are resumed; nothing is read yet.
func New(ctx context.Context, o Options) (*Engine, error) {
	if err := o.validate(); err != nil {
		return nil, err
	}
	g, err := newGeneration(o.Set, nil, o.Watch != nil)
	if err != nil {
		return nil, err
	}
	e := &Engine{o: o, store: o.Store, shapes: newShapes(), over: make(chan struct{}), questions: make(chan *question, looksAtOnce)}
	e.alerts, _ = o.Outbox.(AlertOutbox)
	e.told.outbox, _ = o.Outbox.(FollowedOutbox)
	e.stats.Watermark, e.merge.reached = math.MinInt64, math.MinInt64
	e.clock, e.quiet.given = newClock(o.Now), o.Steps
	e.timing.to, e.timing.now = o.Timing, e.o.Now
	e.commits, e.diary, e.era = newCommitter(&e.o, e.clock), newDiary(), 1
	e.live(g)
	e.lives.Store(g)
	e.files, e.stats.Files = openFiles(o.Set)
	e.stats.Rules = newRuleStats(g)
	for i := range o.Shards {
		e.shards = append(e.shards, newShard(i, e.rules, e.strata, e.world, o.Limits))
		e.shards[i].x.Watch = o.Watch
		if o.Store.Durable() {
			e.shards[i].keepsIn(context.WithoutCancel(ctx), o.Store, o.Cache/int64(o.Shards))
		}
	}
	e.limitTo(math.MaxInt64, math.MaxInt, noGroup)
	err = e.restore(ctx)
	e.epoch.worked = e.epoch.began
	e.publish(g)
	return e, err
}

// live makes a generation the one that the coordinator works with.
func (e *Engine) live(g *generation) {
	e.o.Set, e.rules, e.world, e.index, e.strata = g.set, g.rules, g.world, g.index, g.strata
	e.epoch.rules = g.rules
	e.diary.byName = make(map[string]int32, len(g.rules))
	for n := range g.rules {
		e.diary.byName[g.rules[n].recordName()] = int32(n)
	}
}

// publish makes a generation that is live the one that workers go by, once it is known who
// brings what.
func (e *Engine) publish(g *generation) {
	g.inputs, g.bases, g.parts = slices.Clone(e.o.Inputs), nil, e.world.Partitions
	for _, r := range e.readers {
		g.bases = append(g.bases, r.base)
	}
	g.shards, g.direct = len(e.shards), e.direct
	e.lives.Store(g)
}

// newRuleStats are totals of the rules of a generation, all of them 0.
func newRuleStats(g *generation) []RuleStats {
	all := make([]RuleStats, len(g.rules))
	for n, c := range g.rules {
		all[n] = RuleStats{Name: c.rule.Name, Table: c.table != nil}
	}
	return all
}

// Run reads the inputs to their end, or until ctx is done, which is no error: the epoch
// at hand is finished and committed first. It may be called once.
func (e *Engine) Run(ctx context.Context) error {
	reading, stop := context.WithCancel(ctx)
	all, reading := errgroup.WithContext(reading)
	jobs := make(chan *job)
	e.redo = func(list []*job) {
		all.Go(func() error { return handOn(reading, list, jobs) })
	}
	e.begin = func(r *reader) { all.Go(func() error { return r.run(reading, jobs) }) }
	for _, r := range e.readers {
		e.begin(r)
	}
	workers := make([]*worker, runtime.GOMAXPROCS(0))
	for i := range workers {
		workers[i] = &worker{current: &e.lives}
		all.Go(func() error { return workers[i].run(reading, jobs) })
	}
	e.own = &worker{current: &e.lives}
	err := e.coordinate(ctx)
	stop()
	err = errors.Join(err, all.Wait())
	e.bookFields(append(workers, e.own))
	e.end()
	return err
}

// coordinate fills and processes rounds and commits epochs until the inputs end, and waits until
// the last is durable.
func (e *Engine) coordinate(ctx context.Context) error {
	err := e.epochs(ctx)
	return errors.Join(err, e.land())
}

func (e *Engine) epochs(ctx context.Context) error {
	for {
		e.answer()
		if e.epoch.rounds == 0 {
			if err := e.takeChange(ctx, &e.epoch); err != nil {
				return err
			}
			e.lookAtFiles()
		}
		if err := e.lookAhead(context.WithoutCancel(ctx), &e.epoch); err != nil {
			return err
		}
		more, err := e.fill(ctx, &e.epoch)
		stopped := ctx.Err() != nil
		if err != nil && !stopped {
			return err
		}
		ended := !more && !stopped
		if ended && e.failed == nil && e.o.Final {
			ended = e.finish(&e.epoch)
		}
		e.epoch.last = ended || stopped
		if err := e.step(context.WithoutCancel(ctx), &e.epoch); err != nil {
			return err
		}
		if ended || stopped {
			return e.failed
		}
	}
}

// finish lets every event through that still waits, and ends time; whole is false where
// that takes more than one slice.
func (e *Engine) finish(ep *epoch) (whole bool) {
	if !e.merge.flush {
		ep.known = e.merge.watermark()
		e.merge.flush = true
	}
	for w, ok := e.merge.take(); ok; w, ok = e.merge.take() {
		e.admit(ep, w)
	}
	ep.until = endOfTime
	ep.beyond = e.merge.limit < endOfTime
	return !ep.beyond
}

// step takes a round through the shards, and commits the epoch where it is over.
func (e *Engine) step(ctx context.Context, ep *epoch) error {
	if err := e.reach(ctx, ep); err != nil {
		return err
	}
	if e.store.Durable() {
		if err := e.comeUp(ctx, ep); err != nil {
			return err
		}
	}
	e.timing.begin(e.shards)
	effects, err := e.process(ep)
	if err != nil {
		return err
	}
	sent := e.stats.Alerts
	e.send(effects)
	e.timing.end(ep, e.stats.Alerts-sent)
	over := e.isOver(ep)
	if over {
		if err := e.commit(ctx, ep); err != nil {
			return err
		}
	}
	e.let(ep)
	if over {
		ep.end()
		e.show()
	}
	return nil
}

// CopyFrom makes s a copy of totals that go on changing, in its own memory where that is
// enough.
func (s *Stats) CopyFrom(from *Stats) {
	rules, files := append(s.Rules[:0], from.Rules...), append(s.Files[:0], from.Files...)
	*s = *from
	s.Rules, s.Files = rules, files
}

// Stats returns the totals of the run, to be read after Run has returned.
func (e *Engine) Stats() *Stats {
	for i := range e.stats.Rules {
		r := &e.stats.Rules[i]
		r.Keys, r.Dropped = 0, machine.Dropped{}
		if s := e.silences[i]; s != nil {
			r.SilencesDropped = s.dropped
		}
		for _, sh := range e.shards {
			if u := sh.units[i]; u != nil {
				r.Keys += u.keys()
			}
			r.Dropped.Add(sh.dropped[i])
		}
	}
	return &e.stats
}

// bookFaults adds what the shards counted to the rules' totals.
func (e *Engine) bookFaults() {
	for _, sh := range e.shards {
		for _, i := range sh.faulty {
			e.stats.Rules[i].blame(sh.faults[i])
			sh.faults[i] = eval.Fault{}
		}
		sh.faulty = sh.faulty[:0]
	}
}

// blame adds evaluations that failed as they ran.
func (r *RuleStats) blame(f eval.Fault) {
	if f.Count > 0 {
		r.Errors += f.Count
		r.LastError = f.Last
	}
}

// partitionNumber is the global number of a partition, known or new.
func (e *Engine) partitionNumber(p event.Partition) int32 {
	i := slices.Index(e.world.Partitions, p)
	if i < 0 {
		i = len(e.world.Partitions)
		e.world.Partitions = append(e.world.Partitions, p)
	}
	return int32(i)
}

// bookFields adds up the fields that workers found wrong or missing, by type and field,
// with the first place of each in the order of inputs.
func (e *Engine) bookFields(workers []*worker) {
	var all []Mismatch
	for _, w := range workers {
		w.bookFields()
		all = append(all, w.mismatches...)
	}
	e.stats.Mismatches = sumMismatches(all)
}

// bookFields notes what the decoders at hand have found.
func (w *worker) bookFields() {
	for source, d := range w.decoders {
		for _, m := range d.AppendMismatches(nil) {
			typ := w.set.Types[m.Type]
			w.mismatches = append(w.mismatches, Mismatch{
				Type: typ.Schema.Name, Field: strings.Join(typ.Layout.Slots[m.Slot].Path, "."),
				N: m.N, First: event.Position{Partition: w.parts[w.bases[source]+m.Part], Offset: m.Offset},
			})
		}
	}
}

// sumMismatches joins those of one field.
func sumMismatches(all []Mismatch) []Mismatch {
	slices.SortFunc(all, func(a, b Mismatch) int {
		return cmp.Or(cmp.Compare(a.Type, b.Type), cmp.Compare(a.Field, b.Field),
			cmp.Compare(a.First.Partition.Source, b.First.Partition.Source), cmp.Compare(a.First.Offset, b.First.Offset))
	})
	out := all[:0]
	for _, m := range all {
		if last := len(out) - 1; last >= 0 && out[last].Type == m.Type && out[last].Field == m.Field {
			out[last].N += m.N
			continue
		}
		out = append(out, m)
	}
	return out
}
