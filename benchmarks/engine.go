package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/lang"
	"github.com/cepheus-cep/cepheus/lang/source"
	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
	"github.com/cepheus-cep/cepheus/state"
)

// ran is what a run in this process did.
type ran struct{ events, alerts int }

// runSource runs rules as cepheus run does without --state: from the records to rendered
// alerts, which are counted and thrown away. What is set in o stays; watch, if there is
// one, is called after each epoch.
func runSource(name, rules string, in engine.Source, o engine.Options, watch func(*engine.Engine) error) (ran, error) {
	ctx := context.Background()
	set, messages := lang.Compile([]*source.File{{Name: name + ".cep", Text: rules}})
	if messages.HasErrors() {
		return ran{}, fmt.Errorf("workload %s: %w", name, messages.Err())
	}
	store := state.NewMemory()
	outbox, err := state.OpenOutbox(ctx, store)
	if err != nil {
		return ran{}, err
	}
	alerts := &lineCounter{}
	dispatcher, err := sinks.NewDispatcher(outbox, []sinks.Target{{Name: "count", Sink: stdout.New(alerts)}}, sinks.Options{})
	if err != nil {
		return ran{}, err
	}
	var eng *engine.Engine
	o.Set, o.Store, o.Outbox, o.Inputs, o.Delivered = set, store, outbox, []engine.Input{{Source: in}}, dispatcher.Acks
	o.Committed = func(ctx context.Context, last uint64) error {
		if watch != nil {
			if err := watch(eng); err != nil {
				return err
			}
		}
		return dispatcher.Committed(ctx, last)
	}
	if eng, err = engine.New(ctx, o); err != nil {
		return ran{}, err
	}
	delivered := make(chan error, 1)
	go func() { delivered <- dispatcher.Run(ctx) }()
	err = eng.Run(ctx)
	dispatcher.Drain()
	err = errors.Join(err, <-delivered)
	return ran{events: int(eng.Stats().Events), alerts: alerts.n}, err
}

// lineCounter counts the alerts written to it.
type lineCounter struct{ n int }

func (c *lineCounter) Write(b []byte) (int, error) {
	c.n += bytes.Count(b, []byte("\n"))
	return len(b), nil
}

// statusKB is a number of what Linux says of this process, in units of 1024 bytes.
func statusKB(name string) (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("memory is read from /proc: %w", err)
	}
	_, rest, _ := bytes.Cut(status, []byte(name))
	fields := bytes.Fields(rest)
	if len(fields) == 0 {
		return 0, fmt.Errorf("memory: no %s in /proc/self/status", name)
	}
	return strconv.ParseInt(string(fields[0]), 10, 64)
}
