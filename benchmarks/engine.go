package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
	"github.com/cepheus-cep/cepheus/sources/file"
	"github.com/cepheus-cep/cepheus/state"
)

// runEngine runs a workload over a file of payments.
func runEngine(w workload, input string) (result, error) {
	in, err := file.Open(input, file.Options{})
	if err != nil {
		return result{}, err
	}
	defer in.Close()
	return runSource(w.name, w.text(), in, engine.Options{Final: true}, nil)
}

// runSource runs rules as cepheus run does without --state: from the records to rendered
// alerts, which are counted and thrown away. What is set in o stays; watch, if there is
// one, is called after each epoch.
func runSource(name, rules string, in engine.Source, o engine.Options, watch func(*engine.Engine) error) (result, error) {
	ctx := context.Background()
	set, messages := lang.Compile([]*source.File{{Name: name + ".cep", Text: rules}})
	if messages.HasErrors() {
		return result{}, fmt.Errorf("workload %s: %w", name, messages.Err())
	}
	store := state.NewMemory()
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return result{}, err
	}
	alerts := &lineCounter{}
	dispatcher, err := sinks.NewDispatcher(outbox, []sinks.Target{{Name: "count", Sink: stdout.New(alerts)}}, sinks.Options{})
	if err != nil {
		return result{}, err
	}
	var eng *engine.Engine
	o.Set, o.Store, o.Outbox, o.Inputs, o.Delivered = set, store, outbox, []engine.Input{{Source: in}}, dispatcher.Acks
	o.Committed = func(ctx context.Context) error {
		if watch != nil {
			if err := watch(eng); err != nil {
				return err
			}
		}
		return dispatcher.Committed(ctx, outbox.Last())
	}
	if eng, err = engine.New(ctx, o); err != nil {
		return result{}, err
	}
	delivered := make(chan error, 1)
	go func() { delivered <- dispatcher.Run(ctx) }()
	err = eng.Run(ctx)
	dispatcher.Drain()
	err = errors.Join(err, <-delivered)
	return result{Events: int(eng.Stats().Events), Alerts: alerts.n}, err
}

// lineCounter counts the alerts written to it.
type lineCounter struct{ n int }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.n += bytes.Count(b, []byte("\n"))
	return len(b), nil
}
