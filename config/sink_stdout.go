package config

import (
	"context"

	"github.com/cepheus-cep/cepheus/sinks"
	"github.com/cepheus-cep/cepheus/sinks/stdout"
)

// StdoutSink writes to standard output.
type StdoutSink struct{}

// Open makes the sink.
func (*StdoutSink) Open(_ context.Context, w World, _ string, _ *Sink) (sinks.Sink, error) {
	return stdout.New(w.Stdout), nil
}

// Probe has nothing to try.
func (*StdoutSink) Probe(context.Context, World, string, *Sink) error { return nil }
