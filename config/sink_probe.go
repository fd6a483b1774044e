package config

import (
	"context"
	"time"

	"github.com/cepheus-cep/cepheus/sinks"
)

// probing is a sink that can look whether its receiver is there.
type probing interface {
	sinks.Sink
	Probe(ctx context.Context) error
}

// probe looks, and closes the sink.
func probe(ctx context.Context, s *Sink, sink probing, err error) error {
	if err != nil {
		return err
	}
	defer sink.Close()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(s.Timeout))
	defer cancel()
	return sink.Probe(ctx)
}
