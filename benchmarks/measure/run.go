package measure

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"runtime/metrics"
	"strconv"
	"time"

	"github.com/cepheus-cep/cepheus/benchmarks/workload"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/engine/machine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/state"
)

// compileRules compiles the rules of a workload.
func compileRules(w *workload.Workload, size int) (*plan.Set, error) {
	var files []*source.File
	for i, text := range w.Rules(size) {
		files = append(files, &source.File{Name: w.Name + "." + strconv.Itoa(i) + ".cep", Text: text})
	}
	set, messages := lang.Compile(files)
	if messages.HasErrors() {
		return nil, fmt.Errorf("rules of %s: %w", w.Name, messages.Err())
	}
	return set, nil
}

// limits are wide enough for every workload: what is dropped is not measured.
func limits() machine.Limits {
	return machine.Limits{KeysPerRule: 100_000_000, RunsPerKey: 4_000_000, EventsPerWindow: 4_000_000}
}

// runner runs a workload over a loaded stream.
type runner struct {
	w        *workload.Workload
	mode     Mode
	set      *plan.Set
	stream   *stream
	fill     int  // events before the clock starts
	watching bool // for latency
}

// measured is what one run took, from the first event (or from the first one after the
// fill) to the last alert.
type measured struct {
	seconds, cpu, gc float64
	mallocs, bytes   uint64
	alerts, matches  int
	sightings        []sighting
}

// run runs once over what a source gives.
func (r *runner) run(in engine.Source, startClock func(start func())) (m measured, err error) {
	ctx := context.Background()
	store := state.NewMemory()
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return m, err
	}
	o := engine.Options{
		Set: r.set, Store: store, Inputs: []engine.Input{{Source: in}},
		Final: true, Limits: limits(),
	}
	var c clock
	startClock(func() { c.start() })
	if r.mode == Engine {
		return m, r.take(ctx, o, outbox, &c, &m)
	}
	return m, r.write(ctx, o, outbox, &c, &m)
}

// take runs with alerts taken as they are.
func (r *runner) take(ctx context.Context, o engine.Options, outbox *state.Outbox, c *clock, m *measured) error {
	t := &taker{Outbox: outbox, counted: r.w.Counted, watching: r.watching}
	o.Outbox = t
	eng, err := engine.New(ctx, o)
	if err != nil {
		return err
	}
	runtime.GC()
	c.start()
	if err := eng.Run(ctx); err != nil {
		return err
	}
	c.stop(m)
	m.alerts, m.matches, m.sightings = t.alerts, t.matches, t.sightings
	if !t.counted {
		m.matches = t.alerts
	}
	if t.nameless > 0 {
		return fmt.Errorf("%d alerts have no id", t.nameless)
	}
	return r.check(eng)
}

// write runs with alerts rendered and written to a file.
func (r *runner) write(ctx context.Context, o engine.Options, outbox *state.Outbox, c *clock, m *measured) error {
	w, err := newWriter(r.watching)
	if err != nil {
		return err
	}
	d, err := sinks.NewDispatcher(outbox, []sinks.Target{{Name: "file", Sink: w}}, sinks.Options{})
	if err != nil {
		return err
	}
	o.Outbox, o.Delivered = outbox, d.Acks
	o.Committed = d.Committed
	eng, err := engine.New(ctx, o)
	if err != nil {
		return err
	}
	runtime.GC()
	c.start()
	delivered := make(chan error, 1)
	go func() { delivered <- d.Run(ctx) }()
	err = eng.Run(ctx)
	d.Drain()
	if err := errors.Join(err, <-delivered); err != nil {
		return err
	}
	c.stop(m)
	if m.sightings, err = w.seen(); err != nil {
		return err
	}
	if m.alerts, m.matches, err = w.count(r.w.Counted); err != nil {
		return err
	}
	return r.check(eng)
}

// check refuses a run in which a limit has dropped something.
func (r *runner) check(eng *engine.Engine) error {
	for _, rule := range eng.Stats().Rules {
		if rule.Dropped != (machine.Dropped{}) || rule.Errors > 0 {
			return fmt.Errorf("rule %s dropped %+v, and failed %d times", rule.Name, rule.Dropped, rule.Errors)
		}
	}
	return nil
}

// clock measures from its last start to its stop.
type clock struct {
	began  time.Time
	cpu    float64
	gc     collecting
	before runtime.MemStats
}

func (c *clock) start() {
	runtime.ReadMemStats(&c.before)
	c.gc, c.cpu, c.began = collected(), cpuSeconds(), time.Now()
}

func (c *clock) stop(m *measured) {
	m.seconds, m.cpu, m.gc = time.Since(c.began).Seconds(), cpuSeconds()-c.cpu, collected().share(c.gc)
	var after runtime.MemStats
	runtime.ReadMemStats(&after)
	m.mallocs, m.bytes = after.Mallocs-c.before.Mallocs, after.TotalAlloc-c.before.TotalAlloc
}

// collecting is what the runtime says of its CPU time, in seconds, as of the end of the
// last collection. It counts what it was given as used, so that only shares say something
// where others use the cores too.
type collecting struct{ gc, total float64 }

func collected() collecting {
	s := []metrics.Sample{
		{Name: "/cpu/classes/gc/total:cpu-seconds"},
		{Name: "/cpu/classes/gc/mark/idle:cpu-seconds"},
		{Name: "/cpu/classes/total:cpu-seconds"},
		{Name: "/cpu/classes/idle:cpu-seconds"},
	}
	metrics.Read(s)
	waiting := s[1].Value.Float64() // cores would have been idle
	return collecting{s[0].Value.Float64() - waiting, s[2].Value.Float64() - s[3].Value.Float64() - waiting}
}

// share is the part of collections in the time since.
func (c collecting) share(since collecting) float64 {
	if c.total <= since.total {
		return 0
	}
	return (c.gc - since.gc) / (c.total - since.total)
}
