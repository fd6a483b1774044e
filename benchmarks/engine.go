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

// runEngine runs a workload as cepheus run does without --state: from the file to
// rendered alerts, which are counted and thrown away.
func runEngine(w workload, input string) (result, error) {
	ctx := context.Background()
	set, messages := lang.Compile([]*source.File{{Name: w.name + ".cep", Text: w.text()}})
	if messages.HasErrors() {
		return result{}, fmt.Errorf("workload %s: %w", w.name, messages.Err())
	}
	in, err := file.Open(input, file.Options{})
	if err != nil {
		return result{}, err
	}
	defer in.Close()
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
	eng, err := engine.New(ctx, engine.Options{
		Set: set, Store: store, Outbox: outbox, Final: true,
		Inputs:    []engine.Input{{Source: in}},
		Committed: func(ctx context.Context) error { return dispatcher.Committed(ctx, outbox.Last()) },
		Delivered: dispatcher.Acks,
	})
	if err != nil {
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
