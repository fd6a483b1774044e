package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang/plan"
	"github.com/cepheus-cep/cepheus/redact"
	"github.com/cepheus-cep/cepheus/rules/lookup"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	"github.com/cepheus-cep/cepheus/sinks/route"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/traces"
)

// pipeline joins the parts of one run.
type pipeline struct {
	verb    runVerb
	world   *world
	set     *plan.Set
	in      *reading
	log     *slog.Logger // what the parts have to tell, on standard error
	sinks   []sinkFlag
	deadMu  sync.Mutex         // guards dead, which sinks want too
	dead    *deadletter.Writer // nil until there is a letter
	hangups <-chan os.Signal   // each asks for a reload; nil: there is nothing to reload
	shown   *shown             // what of the positions is shown outside of the state
	to      *recipients        // what rules say of sinks
	table   *route.Table       // nil: all alerts go to all sinks
	api     *served            // nil: none is served
	rules   *service.Service   // nil: the set cannot change while it runs
	traces  *traces.Tracer     // nil: none are sent

	reloads sync.Mutex              // one at a time
	next    atomic.Pointer[runVerb] // the configuration that is being read again; nil: none, or its rules are others

	redactor   *redact.Redactor // nil: nothing is
	unredacted string           // types of redact that no rule file declares, as was told last; of the one change at a time

	refusals atomic.Int64 // alerts that receivers refused for good
	done     engine.Stats // of what is committed
}

// stateStore is what a run keeps its state in.
type stateStore interface {
	engine.Store
	Close() error
}

func newPipeline(v runVerb, w *world, set *plan.Set, in *reading, to []sinkFlag) *pipeline {
	return &pipeline{verb: v, world: w, set: set, in: in, sinks: to, log: w.log(), redactor: v.redactor()}
}

// run opens the state, runs, and closes what it opened, the state last.
func (p *pipeline) run(ctx context.Context) (err error) {
	begun := false
	defer func() {
		if !begun && ctx.Err() != nil {
			err = without(err, context.Canceled) // a signal while it starts ends it well, too
		}
	}()
	store, err := p.store()
	if err != nil {
		return notOpened(err)
	}
	stopLeaving := leaveWhenDone(ctx, store)
	defer stopLeaving()
	stopServing := p.serve(store)
	defer func() { err = errors.Join(err, stopServing(), p.closeDead(), p.close(ctx, store)) }()
	if err := p.afterCrash(ctx, store); err != nil {
		return err
	}
	if err := p.knownByOtherNames(ctx, store); err != nil {
		return err
	}
	if err := p.takeRules(ctx, store); err != nil {
		return err
	}
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return p.ofState(err)
	}
	if err := p.enrol(ctx, store, outbox); err != nil {
		return err
	}
	targets, err := p.openSinks(p.kindsOf(store, outbox))
	if err != nil {
		return sinksNotOpened(p.world, err)
	}
	defer func() {
		if closing := closeSinks(targets); err == nil { // else it has been told
			err = without(closing, sinks.ErrGone)
		}
	}()
	if err := p.routed(targets); err != nil {
		return usage(err)
	}
	p.api = p.newServed(store, outbox)
	if p.traces, err = p.newTraces(ctx, outbox); err != nil {
		return usage(err)
	}
	defer p.traces.Close()
	dispatcher, err := sinks.NewDispatcher(outbox, targets, p.sinkOptions())
	if err != nil {
		return err
	}
	bar := newProgress(p.world, p.in.counted())
	progress := func(s *engine.Stats) { p.done.CopyFrom(s); bar.show(s); p.api.progress(s) }
	p.shown = p.newShown(store)
	eng, err := engine.New(ctx, p.engineOptions(store, outbox, dispatcher, progress))
	if err != nil {
		return refused(err)
	}
	p.done.CopyFrom(eng.Stats())
	p.api.progress(eng.Stats())
	if err := p.api.open(ctx, dispatcher, eng); err != nil {
		return usage(err)
	}
	start := p.world.now()
	begun = true
	stopListening := p.listen(ctx, eng)
	noted := func() error { return acknowledge(ctx, store, outbox, dispatcher, false) }
	err = p.deliverWhile(ctx, dispatcher, p.api.while(eng.Run), noted)
	stopListening()
	p.shown.last(ctx)
	bar.clear()
	if err == nil {
		p.tellWaiting(outbox.Last(), dispatcher.Acks())
	}
	err = errors.Join(err, acknowledge(ctx, store, outbox, dispatcher, err != nil))
	return errors.Join(err, p.report(ctx, eng.Stats(), p.world.now().Sub(start), err))
}

// knownByOtherNames refuses a file that the state knows by another name: all of it would be
// read again, and its alerts sent again.
func (p *pipeline) knownByOtherNames(ctx context.Context, store stateStore) error {
	stored, err := engine.StoredPositions(ctx, store)
	if err != nil {
		return p.ofState(err)
	}
	for _, was := range stored {
		for _, in := range p.in.parts {
			if in.knownAs(ctx, was, p.verb.folder()) {
				return usage(fmt.Errorf("%s is the file that the state in %s knows as %s, and has read up to byte %d; give it that name, or start on a fresh state directory",
					in.told, p.verb.State, was.Name, was.Offset))
			}
		}
	}
	return nil
}

// ofState names the state directory in an error that does not.
func (p *pipeline) ofState(err error) error {
	if corrupt := (*state.CorruptError)(nil); p.verb.State == "" || errors.As(err, &corrupt) {
		return err
	}
	return fmt.Errorf("state directory %s: %w", p.verb.State, err)
}

// store opens the folder of --state, or makes a store in memory.
func (p *pipeline) store() (stateStore, error) {
	if p.verb.State == "" {
		return state.NewMemory(), nil
	}
	if os.Getenv("GOMEMLIMIT") == "" && p.world.heap != nil {
		p.world.heap.Bound(2*int64(p.verb.cache()) + besideCache + p.verb.sealedMemory())
	}
	return state.OpenBadger(p.verb.State, state.Options{
		Log: p.log, NoSync: p.verb.NoSync, Memory: int64(p.verb.cache()) / 8,
		Key: p.verb.sealed, KeyRotation: p.verb.keyRotation(),
	})
}

func (p *pipeline) engineOptions(store engine.Store, outbox *state.Outbox, d *sinks.Dispatcher, progress func(*engine.Stats)) engine.Options {
	o := engine.Options{
		Set: p.set, Store: store, Outbox: outbox,
		Final:     p.verb.State == "" || p.verb.Final,
		Dead:      p.bury,
		Redact:    p.redacts(),
		Committed: p.committed(p.api.committed(p.traced(d.Committed))),
		Shadow:    p.api.shadow(),
		Recent:    p.api.records(),
		Timing:    p.api.timing(),
		Delivered: d.Acks,
		Progress:  progress,
		Now:       p.world.now,
		Files:     lookup.New(lookup.Options{Now: p.world.now}),
		Log:       p.log,
	}
	o.EpochEvents, o.Cache, o.CommitEvery = p.verb.Epoch, int64(p.verb.cache()), p.verb.commitEvery()
	for _, in := range p.in.parts {
		o.Inputs = append(o.Inputs, p.tracedInput(in.Input))
	}
	p.verb.limit(&o)
	return o
}

// deliverWhile runs the engine with delivery beside it, and ends when what was
// committed is delivered: a signal stops the engine, which stops delivery. Delivery that
// fails for good stops the engine at once: it may wait for input for hours before it has
// something to commit, and would find out then.
func (p *pipeline) deliverWhile(ctx context.Context, d *sinks.Dispatcher, run func(context.Context) error, note func() error) error {
	delivering, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	running, halt := context.WithCancel(ctx)
	defer halt()
	delivered := make(chan error, 1)
	go func() {
		defer halt()
		delivered <- d.Run(delivering)
	}()
	err := run(running)
	d.Drain()
	if err != nil {
		note = func() error { return nil } // the outbox has rows of an epoch that came to nothing
	}
	failed := p.drained(ctx, delivered, stop, note)
	if failed != nil {
		err = without(err, failed) // the engine stopped because delivery had
	}
	failed = without(failed, sinks.ErrGone) // the reader of our output has seen all that it wanted
	return errors.Join(err, failed)
}

// lastDeliveries is how long a run with a state that a signal ends goes on delivering.
const lastDeliveries = time.Second

// drained waits until all is delivered, for receivers that do not answer too. A signal ends
// that where there is a state to keep the rest in. What is delivered is noted as often as the
// engine did it, which has ended: a crash repeats no more than before.
func (p *pipeline) drained(ctx context.Context, delivered <-chan error, stop func(), note func() error) error {
	asked := ctx.Done()
	if p.verb.State == "" {
		asked = nil
	}
	noting := time.NewTicker(p.verb.commitEvery())
	defer noting.Stop()
	for waiting := true; waiting; {
		select {
		case err := <-delivered:
			return err
		case <-noting.C:
			if err := note(); err != nil {
				stop()
				return errors.Join(err, without(<-delivered, context.Canceled))
			}
		case <-asked:
			waiting = false
		}
	}
	timer := time.AfterFunc(lastDeliveries, stop)
	defer timer.Stop()
	if err := <-delivered; !errors.Is(err, context.Canceled) {
		return err
	}
	return nil
}

// acknowledge commits what was delivered since the last epoch, so that the next run
// over the same state repeats none of it. The outbox of a run that failed is of no more use:
// rows of an epoch that came to nothing are in it, and others it has taken for removed.
func acknowledge(ctx context.Context, store stateStore, outbox *state.Outbox, d *sinks.Dispatcher, failed bool) (err error) {
	if failed {
		if outbox, err = state.OpenOutbox(context.WithoutCancel(ctx), store); err != nil {
			return err
		}
	}
	var last state.Batch
	outbox.Acknowledge(&last, d.Acks())
	if last.Len() == 0 {
		return nil
	}
	if err := store.Commit(context.WithoutCancel(ctx), &last); err != nil {
		return fmt.Errorf("commit the last deliveries: %w", err)
	}
	return nil
}

// letters is the file of dead letters, made for the first of them.
func (p *pipeline) letters() (w *deadletter.Writer, err error) {
	p.deadMu.Lock()
	defer p.deadMu.Unlock()
	if p.dead == nil {
		p.dead, err = deadletter.Open(p.verb.DeadLetters, p.verb.deadLetterBounds(p.world.now))
	}
	return p.dead, err
}

// bury keeps records that could not be taken.
func (p *pipeline) bury(letters []engine.Dead) error {
	dead, err := p.letters()
	if err != nil {
		return err
	}
	for i := range letters {
		l := &letters[i]
		kind := kindOf(l.Reason) // of the reason as it is: a value may be "late"
		if p.redactor != nil {
			l.Record, l.Reason = p.redactor.Letter(l.Record, l.Reason)
		}
		err := dead.Write(deadletter.Letter{Kind: kind, Reason: l.Reason, Source: string(l.Partition.AppendName(nil)), Offset: l.Offset, Time: l.Time, Record: l.Record})
		if err != nil {
			return err
		}
	}
	return dead.Flush()
}

func (p *pipeline) closeDead() error {
	if p.dead == nil {
		return nil
	}
	return p.dead.Close()
}

// report writes the summary. That of a run that failed tells of what is committed, and
// of the fields that were nil only if that is all that was read.
func (p *pipeline) report(ctx context.Context, s *engine.Stats, took time.Duration, failed error) error {
	switch {
	case failed != nil:
		if p.done.Records == s.Records {
			p.done.Mismatches = s.Mismatches
		}
		s = &p.done
		fmt.Fprintln(p.world.stderr, "the run failed; what follows was committed before")
	case ctx.Err() != nil:
		fmt.Fprintln(p.world.stderr, "stopped by a signal; all that was read is committed")
	}
	return printSummary(p.world.stderr, p.withoutValues(s), took, p.buried())
}

// buried says where the dead letters are, and how many there was no room for.
func (p *pipeline) buried() string {
	if p.dead == nil {
		return ""
	}
	kept, dropped := p.dead.Counts()
	if dropped == 0 {
		return "kept in " + p.verb.DeadLetters
	}
	return fmt.Sprintf("%d kept in %s, %d dropped for want of room", kept, p.verb.DeadLetters, dropped)
}
