package main

import (
	"cmp"
	"context"
	"errors"
	"net"
	"sync/atomic"
	"time"

	"github.com/cepheus-cep/cepheus/api"
	"github.com/cepheus-cep/cepheus/config"
	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
	"github.com/cepheus-cep/cepheus/rules/service"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/deadletter"
	"github.com/cepheus-cep/cepheus/sources/kafka"
	"github.com/cepheus-cep/cepheus/state"
)

// serves reports whether a run serves the API.
func (v *runVerb) serves() bool { return v.Listen != "" || v.file != nil && v.file.API != nil }

// served is the API of a run: what it takes from the engine, and the server. Nil: the run
// serves none, and its methods do nothing.
type served struct {
	p       *pipeline
	store   stateStore
	totals  *api.Totals
	recent  *api.Recent
	timings *api.Timings
	shadows *service.Shadows
	kept    *engine.Recent // nil: none
	runs    atomic.Bool    // the engine does

	held func() []string // sinks for which too much waits

	server *api.Server
	on     net.Listener
}

// shadowAlerts is how many alerts of shadow rules can be looked at.
const shadowAlerts = 1000

// newServed is made before the engine, which hands it what is shown of it.
func (p *pipeline) newServed(store stateStore, outbox *state.Outbox) *served {
	if !p.verb.serves() {
		return nil
	}
	return &served{
		p: p, store: store, totals: api.NewTotals(p.world.now), timings: api.NewTimings(),
		recent: api.NewRecent(outbox, api.RecentOptions{}), shadows: service.NewShadows(shadowAlerts), kept: p.verb.recent(),
	}
}

// recentBytes is how much of the last records is kept where there is no configuration.
const recentBytes = 16 << 20

// recent is where the last records are kept for trials; nil: they are not.
func (v *runVerb) recent() *engine.Recent {
	most := int64(recentBytes)
	if v.file != nil && v.file.API != nil {
		most = int64(v.file.API.Recent)
	}
	if most == 0 {
		return nil
	}
	return engine.NewRecent(most)
}

// records is for engine.Options; nil where nobody tries anything.
func (s *served) records() *engine.Recent {
	if s == nil {
		return nil
	}
	return s.kept
}

// shadow is for engine.Options; nil where nobody looks.
func (s *served) shadow() func(*event.Alert) {
	if s == nil {
		return nil
	}
	return s.shadows.Add
}

// timing and took are for the engine's and the dispatcher's options; nil where nobody looks.
func (s *served) timing() func(*engine.Timing) {
	if s == nil {
		return nil
	}
	return s.timings.Epoch
}

func (s *served) took() func(string, int, time.Duration) {
	if s == nil {
		return nil
	}
	return s.timings.Delivered
}

func (s *served) progress(stats *engine.Stats) {
	if s != nil {
		s.totals.Progress(stats)
	}
}

// committed adds to what is to be done after each commit: alerts are kept before they are
// delivered, and removed.
func (s *served) committed(then func(context.Context, uint64) error) func(context.Context, uint64) error {
	if s == nil {
		return then
	}
	return func(ctx context.Context, last uint64) error {
		if err := s.recent.Committed(ctx, last); err != nil {
			return err
		}
		if err := s.tellQueue(ctx); err != nil {
			return err
		}
		return then(ctx, last)
	}
}

// tellQueue tells who waits for it how far the events over HTTP are committed. In memory
// nothing is, and the API takes nobody who would wait.
func (s *served) tellQueue(ctx context.Context) error {
	if s.p.in.queue == nil || !s.store.Durable() {
		return nil
	}
	return api.Tell(ctx, s.store, s.p.in.queue)
}

// open opens the address: what is wrong with it shows before anything is read.
func (s *served) open(ctx context.Context, d *sinks.Dispatcher, keys api.Keys) (err error) {
	if s == nil {
		return nil
	}
	s.held = d.Full
	if s.server, err = api.New(s.options(d, keys)); err != nil {
		return err
	}
	if s.on, err = s.server.Listen(ctx); err != nil {
		return errors.Join(err, s.server.Close())
	}
	return nil
}

func (s *served) options(d *sinks.Dispatcher, keys api.Keys) api.Options {
	p := s.p
	o := api.Options{
		Rules: p.rules, Shadows: s.shadows, Totals: s.totals, Recent: s.recent, Kept: s.kept, Sinks: d, Keys: keys, Timings: s.timings,
		Letters: deadletter.At(p.verb.DeadLetters), Durable: s.store.Durable(), Traced: p.traces != nil, Ready: s.ready, Reload: p.reload, Resend: s.resend,
		Redact: p.redactor, Decode: p.verb.decoding(), Version: version(), Sources: s.sources, Now: p.world.now, Log: p.log,
	}
	if p.in.queue != nil {
		o.Events = p.in.queue
	}
	if p.table != nil {
		o.Silences = p.table.Silences()
	}
	if p.verb.file != nil && p.verb.file.API != nil {
		configured(&o, p.verb.file.API)
	}
	o.Listen = cmp.Or(p.verb.Listen, o.Listen)
	return o
}

// configured takes what the configuration says of the API.
func configured(o *api.Options, c *config.API) {
	o.Listen, o.Insecure, o.Audit = c.Listen, c.Insecure, c.Audit.Name
	o.Limits.Rate = float64(c.Rate)
	for _, t := range c.Tokens {
		o.Tokens = append(o.Tokens, api.Token{Name: t.Name, Hash: t.Hash.Reveal(), Scopes: t.Scopes})
	}
	if t := c.TLS; t != nil {
		o.TLS = &api.TLS{Cert: t.Cert.Name, Key: t.Key.Name, ClientCA: t.ClientCA.Name}
	}
}

// ready says why the run does not do its work.
func (s *served) ready() (reasons []string) {
	if !s.runs.Load() {
		return []string{"the engine does not run"}
	}
	for _, sink := range s.held() {
		reasons = append(reasons, "nothing more is committed: too many alerts wait for the sink "+sink)
	}
	return reasons
}

// sources are how the topics stand that are read.
func (s *served) sources() (all []api.SourceStats) {
	for _, f := range s.p.in.feeds {
		inputs := f.Inputs
		if f.All != nil {
			inputs = f.All()
		}
		for _, in := range inputs {
			if k, ok := in.Source.(*kafka.Source); ok {
				all = append(all, statsOf(k.Partition(), k.Stats()))
			}
		}
	}
	return all
}

func statsOf(at event.Partition, s kafka.Stats) api.SourceStats {
	out := api.SourceStats{Source: at.Source, Topic: at.Topic, Partition: at.Number, Behind: -1, Failures: s.Failures, Lost: s.Lost, Damaged: s.Damaged}
	if s.Next >= 0 && s.End > 0 {
		out.Behind = max(0, s.End-s.Next)
	}
	return out
}

// while serves while the engine runs: who waits for a commit is let go when none can come.
func (s *served) while(run func(context.Context) error) func(context.Context) error {
	if s == nil {
		return run
	}
	return func(ctx context.Context) error {
		s.runs.Store(true)
		defer s.ended()
		return run(ctx)
	}
}

func (s *served) ended() {
	s.runs.Store(false)
	if q := s.p.in.queue; q != nil {
		_ = q.Close() // it has nothing to fail with
	}
}

// run serves until ctx ends.
func (s *served) run(ctx context.Context) {
	s.p.log.Info("the API is served", "address", s.on.Addr().String())
	if err := s.server.Serve(ctx, s.on); err != nil {
		s.p.log.Error("the API is served no more", "err", err)
	}
}
