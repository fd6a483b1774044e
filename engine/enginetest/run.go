package enginetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/state"
)

// Stream is one partition: its name and its records, in order.
type Stream struct {
	Name    string
	Records []string
	Times   []int64 // of the records, or of their arrival; nil: a second for each before
	Stamped bool    // Times are time stamps that the log keeps
	// Beside says what is beside a record: its key, nil for none, and its headers; nil: of
	// none there is anything.
	Beside func(record string) (key []byte, headers map[string]string)
}

func (s *Stream) time(i int) int64 {
	if s.Times == nil {
		return int64(i) * 1e9
	}
	return s.Times[i]
}

// Options of a run. None of them may change the alerts, but Final, Limits, Silences
// and Decode.
type Options struct {
	Shards      int // default 1; each start after a stop has one more
	EpochEvents int // default 1,000
	BatchSize   int // records a read; default 100
	// Stops are numbers of records of each stream after which the engine is stopped and a
	// new one goes on over the same store, which must be durable. One below -1 is a crash: the
	// store fails after so many commits, less two.
	Stops []int
	Final bool
	// Beside adds a partition that is empty: events are then taken one by one, and not in
	// stretches.
	Beside bool
	// Store is what the engine keeps its state in; default a new memory store.
	Store  engine.Store
	Limits machine.Limits
	// Cache, RoundEvents, EpochKeys and SliceKeys are those of [engine.Options].
	Cache       int64
	RoundEvents int
	EpochKeys   int
	SliceKeys   int
	// Watch sees what the engine remembers after each commit.
	Watch func(engine.Remembered)
	// Silences is [engine.Options.Silences].
	Silences int
	Decode   event.Options
	// See is [engine.Options.Watch].
	See func(*machine.Sight)
	// Look is given each engine once it has run.
	Look func(*engine.Engine)
	// Swaps are changes of the rule set, in order of their epochs; Late are streams that
	// are added as inputs.
	Swaps []Swap
	Late  []Late
}

// Swap is another rule set that the engine is given in the epoch of a number, from 1, to
// run after it. Epochs are counted on through stops.
type Swap struct {
	Epoch int
	Set   *plan.Set
	Warm  *Warm // rules that begin anew are warmed; nil: they are not
}

// Warm says how rules are warmed: by the streams from their begin.
type Warm struct {
	Ahead int // epochs before that of the swap
	Only  func(set *plan.Set, names []string) *plan.Set
	First bool // by the first stream alone
	// Alerts is how many alerts of the past were not sent, once the swap is made.
	Alerts uint64
}

// Late is a stream that becomes an input after the epoch of a number.
type Late struct {
	Epoch  int
	Stream Stream
}

// Result is what came of a run.
type Result struct {
	Alerts []string // as JSON, in order
	Dead   []engine.Dead
	Stats  engine.Stats // of the last engine

	Reports []engine.Report // of the swaps that were made
	Added   []engine.Report // of the inputs that were added, with where that was alone
	epochs  int
}

// Run runs a rule set over streams.
func Run(ctx context.Context, set *plan.Set, streams []Stream, o Options) (Result, error) {
	if o.Store == nil {
		o.Store = state.NewMemory()
	}
	var res Result
	stops := append(append([]int(nil), o.Stops...), -1)
	for i, stop := range stops {
		last := i == len(stops)-1
		o.Shards = max(1, o.Shards)
		if err := runOnce(ctx, &set, &streams, &o, stop, o.Final && last, &res); err != nil {
			return res, fmt.Errorf("engine %d of %d: %w", i+1, len(stops), err)
		}
		o.Shards++
	}
	return res, nil
}

// errStopped ends a run in the middle of its streams, as a failing source would.
var errStopped = errors.New("stopped by the test")

// changer gives an engine its changes in their epochs. It is called back by the coordinator
// in each epoch, so that they are made at the same places in every run.
type changer struct {
	o      *Options
	engine *engine.Engine
	epochs *int
	size   int
	stop   int
	err    error
	swaps  []begun[Swap]
	late   []begun[Late]

	streams *[]Stream
	warm    *engine.Warmup // of the next swap
	stopped func()         // ends its run, and waits for that
}

// warmed begins to warm the rules of a swap, or goes on.
func (c *changer) warmed(s *Swap) error {
	if s.Warm == nil || c.warm != nil || *c.epochs < s.Epoch-s.Warm.Ahead {
		return nil
	}
	past := engine.Past{Set: s.Set, Only: s.Warm.Only, Until: math.MinInt64, Pause: time.Minute}
	streams := *c.streams
	if s.Warm.First {
		streams = streams[:1]
	}
	for _, stream := range streams {
		past.Again = append(past.Again, engine.Input{Source: &memory{stream: stream, size: c.size, left: -1}, Decode: c.o.Decode})
	}
	w, err := c.engine.Warm(context.Background(), past, func(w engine.WarmStats) { s.Warm.Alerts = w.Alerts })
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	go func() { _ = w.Run(ctx) }() // the swap says what is wrong with it
	c.warm, c.stopped = w, func() { cancel(); <-w.Done() }
	return nil
}

// prepare prepares a swap.
func (c *changer) prepare(s *Swap) (*engine.Change, error) {
	if s.Warm == nil {
		return c.engine.Prepare(s.Set)
	}
	return c.engine.PrepareWarm(s.Set, c.warm)
}

// begun is a change that the engine has been given.
type begun[T any] struct {
	what   T
	change *engine.Change
}

// delivered is that of [engine.Options].
func (c *changer) delivered() map[string]uint64 {
	*c.epochs++
	if len(c.o.Swaps) > 0 && c.err == nil {
		c.err = c.warmed(&c.o.Swaps[0])
	}
	if swaps := c.o.Swaps; len(swaps) > 0 && *c.epochs >= swaps[0].Epoch && c.err == nil {
		change, err := c.prepare(&swaps[0])
		if c.err = err; err == nil && change.Begin() == nil {
			c.swaps, c.o.Swaps = append(c.swaps, begun[Swap]{swaps[0], change}), swaps[1:]
		}
	}
	if late := c.o.Late; len(late) > 0 && *c.epochs >= late[0].Epoch {
		change := c.engine.PrepareInput(engine.Input{Source: &memory{stream: late[0].Stream, size: c.size, left: c.stop}, Decode: c.o.Decode})
		if change.Begin() == nil {
			c.late, c.o.Late = append(c.late, begun[Late]{late[0], change}), late[1:]
		}
	}
	return nil
}

// ended takes note of what was made; what was not is for the next engine.
func (c *changer) ended(ctx context.Context, set **plan.Set, streams *[]Stream, res *Result) error {
	if c.stopped != nil {
		c.stopped()
	}
	for i, s := range c.swaps {
		r, err := s.change.Wait(ctx)
		if errors.Is(err, engine.ErrEnded) {
			for _, s := range slices.Backward(c.swaps[i:]) {
				c.o.Swaps = slices.Insert(c.o.Swaps, 0, s.what)
			}
			break
		} else if err != nil {
			return err
		}
		*set = s.what.Set
		res.Reports = append(res.Reports, r)
	}
	for _, l := range c.late {
		if r, err := l.change.Wait(ctx); err == nil {
			res.Added = append(res.Added, r)
			*streams = append(slices.Clip(*streams), l.what.Stream)
		} else if c.o.Late = append(c.o.Late, l.what); !errors.Is(err, engine.ErrEnded) {
			return err
		}
	}
	return c.err
}

// breaking is a store that fails after some commits, and says how far it got.
type breaking struct {
	engine.Store
	left int
}

// errBroken is how it fails.
var errBroken = errors.New("crashed by the test")

// Commit implements [engine.Store].
func (s *breaking) Commit(ctx context.Context, b *state.Batch) error {
	if s.left == 0 {
		return errBroken
	}
	s.left--
	return s.Store.Commit(ctx, b)
}

// crash makes an engine crash where its stop says so. What of its alerts is durable is in
// the number that is returned, once it has run.
func crash(eo *engine.Options, stop *int) (durable *uint64) {
	if *stop >= -1 {
		return nil
	}
	durable = new(uint64)
	eo.Store = &breaking{eo.Store, -2 - *stop}
	eo.Committed = func(_ context.Context, last uint64) error {
		*durable = last
		return nil
	}
	*stop = -1
	return durable
}

// runOnce runs one engine; each source stops after stop records (-1: never).
func runOnce(ctx context.Context, set **plan.Set, streams *[]Stream, o *Options, stop int, final bool, res *Result) error {
	box := &outbox{}
	eo := engine.Options{
		Set: *set, Store: o.Store, Outbox: box, Final: final,
		Shards: o.Shards, EpochEvents: o.EpochEvents, EpochKeys: o.EpochKeys, Limits: o.Limits, Cache: o.Cache, RoundEvents: o.RoundEvents, SliceKeys: o.SliceKeys, Silences: o.Silences, Watch: o.See,
		Dead: func(d []engine.Dead) error { res.Dead = append(res.Dead, d...); return nil },
	}
	if eo.EpochEvents == 0 {
		eo.EpochEvents = 1000
	}
	durable := crash(&eo, &stop)
	size := o.BatchSize
	if size == 0 {
		size = 100
	}
	for _, s := range *streams {
		eo.Inputs = append(eo.Inputs, engine.Input{Source: &memory{stream: s, size: size, left: stop}, Decode: o.Decode})
	}
	if o.Beside {
		eo.Inputs = append(eo.Inputs, engine.Input{Source: &memory{stream: Stream{Name: "nothing"}, size: 1, left: -1}, Decode: o.Decode})
	}
	c := &changer{o: o, epochs: &res.epochs, size: size, stop: stop, streams: streams}
	if len(o.Swaps)+len(o.Late) > 0 {
		eo.Delivered = c.delivered
	}
	var e *engine.Engine
	if o.Watch != nil {
		eo.Progress = func(*engine.Stats) { o.Watch(e.Remembered()) }
	}
	e, err := engine.New(ctx, eo)
	if err != nil {
		return err
	}
	c.engine = e
	err = errors.Join(e.Run(ctx), c.ended(ctx, set, streams, res))
	if errors.Is(err, errBroken) {
		box.rows = box.rows[:*durable]
	}
	res.Alerts = append(res.Alerts, box.rows...)
	res.Stats = *e.Stats()
	if o.Look != nil {
		o.Look(e)
	}
	if onlyStopped(err) {
		return nil
	}
	return err
}

// onlyStopped reports whether nothing has happened but that the test stopped the run.
func onlyStopped(err error) bool {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err == nil || errors.Is(err, errStopped) || errors.Is(err, errBroken)
	}
	return !slices.ContainsFunc(joined.Unwrap(), func(err error) bool { return !onlyStopped(err) })
}

// memory is a source over records in memory. A position is a number of records.
type memory struct {
	stream Stream
	size   int
	at     int
	left   int // records it may still give; negative: no bound
}

func (m *memory) Partition() event.Partition { return event.Partition{Source: m.stream.Name} }

func (m *memory) Resume(_ context.Context, offset int64, _ []byte) error {
	if offset > int64(len(m.stream.Records)) {
		return errors.New("resumed beyond the end")
	}
	m.at = int(offset)
	return nil
}

func (m *memory) Next(_ context.Context, into *event.Batch) error {
	into.Stamped = m.stream.Stamped
	for range m.size {
		if m.at == len(m.stream.Records) {
			return io.EOF
		}
		if m.left == 0 {
			return errStopped
		}
		m.left--
		into.Add(0, int64(m.at), m.stream.time(m.at), []byte(m.stream.Records[m.at]))
		if m.stream.Beside != nil {
			m.addMeta(into)
		}
		m.at++
	}
	return nil
}

func (m *memory) addMeta(into *event.Batch) {
	key, pairs := m.stream.Beside(m.stream.Records[m.at])
	var headers []byte
	for name, value := range pairs {
		headers = event.AppendHeader(headers, name, []byte(value))
	}
	into.AddMeta(key, headers)
}

func (m *memory) Position() int64     { return int64(m.at) }
func (m *memory) Fingerprint() []byte { return nil }

// outbox collects the alerts.
type outbox struct{ rows []string }

func (o *outbox) Append(_ *state.Batch, alert []byte) uint64 {
	o.rows = append(o.rows, string(alert))
	return uint64(len(o.rows))
}

func (o *outbox) Acknowledge(*state.Batch, map[string]uint64) {}
func (o *outbox) Last() uint64                                { return uint64(len(o.rows)) }
