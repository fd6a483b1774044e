package main

import (
	"context"
	"os"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/state"
	"github.com/cepheus-cep/cepheus/traces"
)

// newTraces makes what tells of alerts and deliveries, nil where neither the configuration nor the
// environment asks for it.
func (p *pipeline) newTraces(ctx context.Context, outbox *state.Outbox) (*traces.Tracer, error) {
	return traces.New(ctx, traces.Options{
		Env: os.LookupEnv, Settings: p.verb.traceSettings(), Version: version(), Rows: outbox, Last: outbox.Last(), Now: p.world.now, Log: p.log,
	})
}

// traceSettings are those of the configuration; nil: it says nothing of traces.
func (v *runVerb) traceSettings() *traces.Settings {
	if v.file == nil || v.file.Traces == nil {
		return nil
	}
	t := v.file.Traces
	s := &traces.Settings{Collector: t.Collector()}
	for name, value := range t.Headers {
		if s.Headers == nil {
			s.Headers = map[string]string{}
		}
		s.Headers[name] = value.Reveal()
	}
	if t.Ratio.Given {
		s.Ratio = &t.Ratio.Of
	}
	return s
}

// traced adds the spans of alerts to what is to be done after each commit, before they are
// delivered, and removed.
func (p *pipeline) traced(then func(context.Context, uint64) error) func(context.Context, uint64) error {
	if p.traces == nil {
		return then
	}
	return func(ctx context.Context, last uint64) error {
		if err := p.traces.Committed(ctx, last); err != nil {
			return err
		}
		return then(ctx, last)
	}
}

// tracedInput is an input whose traces are noted.
func (p *pipeline) tracedInput(in engine.Input) engine.Input {
	in.Source = p.traces.Source(in.Source)
	return in
}

func (p *pipeline) sinkOptions() sinks.Options {
	o := sinks.Options{Rejected: p.rejected, Took: p.api.took(), Now: p.world.now, Log: p.log}
	if p.traces != nil {
		o.Attempt = p.traces.Attempt
	}
	return o
}
