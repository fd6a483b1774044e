package main

import (
	"context"
	"errors"
	"log/slog"

	"github.com/cepheus-cep/cepheus/engine"
	"github.com/cepheus-cep/cepheus/event"
)

// adder is what a run reads its inputs with: an [engine.Engine].
type adder interface {
	AddInput(ctx context.Context, in engine.Input) error
}

// growing has the partitions of a source read that appear while a run goes on. It is used by
// one goroutine at a time.
type growing struct {
	feed
	to     adder
	shown  *shown
	log    *slog.Logger
	traced func(engine.Input) engine.Input
	known  map[string]bool // partitions that are read, or cannot be, by name
}

// growing of a source knows the partitions that the run has begun with.
func (p *pipeline) growing(f feed, to adder) *growing {
	g := &growing{feed: f, to: to, shown: p.shown, log: p.log, traced: p.tracedInput, known: map[string]bool{}}
	for _, in := range f.Inputs {
		g.known[nameOf(in)] = true
	}
	return g
}

func nameOf(in engine.Input) string {
	part := in.Source.Partition()
	return string(part.AppendName(nil))
}

// grow begins to read what is there and is not read yet.
func (g *growing) grow(ctx context.Context) {
	var added []event.Partition
	for _, in := range g.All() {
		name := nameOf(in)
		if g.known[name] {
			continue
		}
		g.shown.add(in.Source.Partition()) // before there can be a position of it
		switch err := g.to.AddInput(ctx, g.traced(in)); {
		case ctx.Err() != nil || errors.Is(err, engine.ErrEnded):
			return // the next run finds it
		case err != nil:
			g.log.Error("a partition that has appeared is not read", "source", g.name, "partition", name, "err", err)
		default:
			added = append(added, in.Source.Partition())
		}
		g.known[name] = true
	}
	if len(added) > 0 {
		g.log.Info("partitions have appeared, and are read", "source", g.name, "partitions", len(added))
	}
}
