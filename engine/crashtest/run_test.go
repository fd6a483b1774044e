package crashtest

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/sinks"
	sinkfile "github.com/cepheus-cep/cepheus/sinks/file"
	"github.com/cepheus-cep/cepheus/sources/file"
	"github.com/cepheus-cep/cepheus/state"
)

// errCrash is what a step returns where the process is to be taken for killed.
var errCrash = errors.New("crash")

// place is what outlives a process: the state directory and the sink's file.
type place struct{ root string }

func (p place) state() string  { return filepath.Join(p.root, "state") }
func (p place) alerts() string { return filepath.Join(p.root, "alerts.jsonl") }

// runner runs the whole way from files to the file sink, in this process.
type runner struct {
	set    *plan.Set
	inputs []string
	whole  [][]byte // what the inputs hold in the end
	shards int
	events int // of an epoch
	log    *slog.Logger
}

// ruleSet compiles the rules of a path.
func ruleSet(t *testing.T, path string) *plan.Set {
	t.Helper()
	files, unread := source.Read([]string{path})
	if unread.HasErrors() {
		t.Fatal(unread)
	}
	set, messages := lang.CompileWith(files, lookup.New(lookup.Options{}).Read)
	if messages.HasErrors() {
		t.Fatal(messages)
	}
	return set
}

// upTo leaves of each input its first part in a hundred, up to the end of a line. What
// comes then shows whether a state that a run leaves remembers the same as another.
func (r *runner) upTo(t *testing.T, percent int) {
	t.Helper()
	if r.whole == nil {
		for _, path := range r.inputs {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			r.whole = append(r.whole, text)
		}
	}
	for i, path := range r.inputs {
		part := r.whole[i][:len(r.whole[i])*percent/100]
		if err := os.WriteFile(path, part[:bytes.LastIndexByte(part, '\n')+1], 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// steps counts steps and gives them to a function, one at a time; after an error of it
// all later ones fail too, as nothing comes after a crash.
type steps struct {
	mu   sync.Mutex
	n    int
	dead bool
	at   func(n int, step string) error // nil: none
}

func (s *steps) step(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead {
		return errCrash
	}
	s.n++
	if s.at == nil {
		return nil
	}
	err := s.at(s.n, name)
	s.dead = err != nil
	return err
}

// run runs to the end of the inputs, or to a crash at a step.
func (r *runner) run(ctx context.Context, p place, s *steps) (err error) {
	store, err := state.OpenBadger(p.state(), state.Options{
		NoSync: true, MemTable: 1 << 20, Log: r.log,
		Step: func(step state.Step) error { return s.step(string(step)) },
	})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	box, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return err
	}
	out, err := sinkfile.Open(p.alerts())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	d, err := sinks.NewDispatcher(box, []sinks.Target{{Name: "file", Sink: &stepSink{out, s}}}, sinks.Options{MaxRound: 20})
	if err != nil {
		return err
	}
	e, err := r.engine(ctx, store, box, d)
	if err != nil {
		return err
	}
	if err := r.deliver(ctx, e, d); err != nil {
		return err
	}
	return r.acknowledge(ctx, store, box, d, s)
}

func (r *runner) engine(ctx context.Context, store engine.Store, box *state.Outbox, d *sinks.Dispatcher) (*engine.Engine, error) {
	o := engine.Options{
		Set: r.set, Store: store, Outbox: box, Shards: r.shards, EpochEvents: r.events, Log: r.log,
		Committed: d.Committed,
		Delivered: d.Acks,
	}
	for _, path := range r.inputs {
		in, err := file.Open(path, file.Options{})
		if err != nil {
			return nil, err
		}
		o.Inputs = append(o.Inputs, engine.Input{Source: in, Decode: event.Options{}})
	}
	return engine.New(ctx, o)
}

// deliver runs the engine with delivery beside it, until all is delivered.
func (r *runner) deliver(ctx context.Context, e *engine.Engine, d *sinks.Dispatcher) error {
	delivered := make(chan error, 1)
	go func() { delivered <- d.Run(ctx) }()
	err := e.Run(ctx)
	d.Drain()
	return errors.Join(err, <-delivered)
}

func (r *runner) acknowledge(ctx context.Context, store engine.Store, box *state.Outbox, d *sinks.Dispatcher, s *steps) error {
	var last state.Batch
	box.Acknowledge(&last, d.Acks())
	if err := s.step("before last acknowledgement"); err != nil {
		return err
	}
	return store.Commit(ctx, &last)
}

// stepSink is a sink with steps around what it does.
type stepSink struct {
	*sinkfile.Sink
	s *steps
}

func (k *stepSink) Deliver(ctx context.Context, rows []sinks.Row) (taken int, err error) {
	if err := k.s.step("before delivery"); err != nil {
		return 0, err
	}
	if taken, err = k.Sink.Deliver(ctx, rows); err != nil {
		return 0, err
	}
	if err := k.s.step("after delivery"); err != nil {
		return 0, err
	}
	return taken, nil
}

func (k *stepSink) Flush(ctx context.Context) error {
	if err := k.s.step("before flush"); err != nil {
		return err
	}
	if err := k.Sink.Flush(ctx); err != nil {
		return err
	}
	return k.s.step("after flush")
}
